"""What passes the gateway is finite, bounded and decoded, or it is refused by name: nothing it holds reaches the module or ends it."""

from __future__ import annotations

import math
import random

import pytest

from quarterdeck.core.brokers.base import TerminalCall
from quarterdeck.core.brokers.mt5.gateway import gateway_protocol
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import problem_with
from quarterdeck.core.pipes.framing import MalformedMessage
from tests.core.bounded import MILLION, little_work

ORDER = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "price": 1.1}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, [1], "x" * 3_000])
@pytest.mark.parametrize("key", ["volume", "price", "sl", "comment"])
def test_no_request_holds_what_no_terminal_can_read(key: str, value: object) -> None:
    assert problem_with("order_send", (ORDER,), {}) == ""
    assert key in problem_with("order_send", ({**ORDER, key: value},), {})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_figure_asked_for_is_endless(value: float) -> None:
    assert "argument 3" in problem_with("order_calc_margin", (0, "EURUSD", value, 1.1), {})


def test_names_of_any_length_are_refused_shortly() -> None:
    word = "a" * MILLION
    with little_work():
        for problem in (
            problem_with(word, (), {}),
            problem_with("positions_get", (), {word: 1}),
            problem_with("order_send", ({word: 1},), {}),
        ):
            assert 0 < len(problem) < 300


def test_whatever_comes_over_the_wire_is_a_message_or_garbled() -> None:
    chance = random.Random(16)
    whole = gateway_protocol.encode(gateway_protocol.CallBatch(1, (TerminalCall("order_send", (ORDER,), {}),), 5.0))
    for data in (b"", b"\x91" * 200_000, b"\x83\xa4type\xa3ask" + b"\x91" * 100_000, b"\x81\xa4type\xa3\xff\xfe\xfd"):
        with pytest.raises(MalformedMessage):
            gateway_protocol.from_client(data)
    for _ in range(3_000):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            gateway_protocol.from_client(bytes(data[: chance.randrange(len(data) + 1)]))
        except MalformedMessage:
            continue
