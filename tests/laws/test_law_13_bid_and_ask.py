"""Law 13: bid becomes executable in one place. Nobody else in the deciding rooms chooses between bid and ask by a side."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.desk.pricing import executable, exit_price
from quarterdeck.core.model.market_data import Quote, Side
from quarterdeck.core.model.signals import Signal
from tests.core.desk.playbook import spec
from tests.laws.source import Module, modules, report

ROOMS = (
    "quarterdeck.core.desk",
    "quarterdeck.core.filters",
    "quarterdeck.core.risk",
    "quarterdeck.core.scan",
    "quarterdeck.core.strategy",
)
PLACES = {"quarterdeck.core.desk.pricing": 3, "quarterdeck.core.desk.context": 1, "quarterdeck.core.risk.sizing": 1}
"""Where the choice may stand, and how often; the numbers may only fall."""


def choices(module: Module) -> Iterator[ast.AST]:
    """Places where one of bid and ask is taken by a condition."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.IfExp | ast.If):
            continue
        branches = [node.body, node.orelse]
        named = [
            {
                found.attr
                for part in (branch if isinstance(branch, list) else [branch])
                for found in ast.walk(part)
                if isinstance(found, ast.Attribute)
            }
            & {"bid", "ask"}
            for branch in branches
        ]
        if {frozenset(names) for names in named} == {frozenset({"bid"}), frozenset({"ask"})}:
            yield node


def test_the_choice_stands_where_it_may() -> None:
    found = [(module, node) for module in modules(*ROOMS) for node in choices(module)]
    beyond = [module.at(node) for module, node in found if module.name not in PLACES]
    assert not beyond, report(beyond)
    for name, most in PLACES.items():
        assert sum(module.name == name for module, _ in found) <= most


@pytest.mark.parametrize("planted", ["x = quote.ask if side > 0 else quote.bid", "if buy:\n    p = q.bid\nelse:\n    p = q.ask"])
def test_a_planted_choice_is_found(planted: str) -> None:
    module = Module(modules("quarterdeck.core")[0].path, "quarterdeck.core.desk.planted", planted, ast.parse(planted))
    assert list(choices(module))


def test_a_strategy_never_sees_an_ask() -> None:
    found = [
        module.at(node)
        for module in modules("quarterdeck.core.strategy", "quarterdeck.core.scan")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in {"ask", "bid"}
    ]
    assert not found, report(found)


@given(
    side=st.sampled_from([Side.BUY, Side.SELL]),
    bid=st.integers(90_000, 150_000),
    spread=st.integers(0, 80),
    usual=st.integers(0, 80),
    stop=st.integers(20, 800),
    target=st.integers(20, 2_000),
)
def test_what_was_bid_is_paid_once_on_either_side(side: Side, bid: int, spread: int, usual: int, stop: int, target: int) -> None:
    """A long pays the spread at the entry, a short at the exit, the usual one if that is more; nobody pays twice, nobody is spared."""
    point = 0.00001
    close = bid * point
    signal = Signal(
        symbol="EURUSD", strategy="s", strategy_hash="h", bar_open_utc_ns=0, side=side, entry_price=close,
        stop_price=close - side * stop * point, target_price=close + side * target * point, confidence=1.0,
    )  # fmt: skip
    quote = Quote(symbol="EURUSD", at_utc_ns=1, bid=close, ask=close + spread * point)
    prices = executable(signal, quote, spec("EURUSD"), usual * point)
    paid = spread if side is Side.BUY else max(spread, usual)
    risked = side * (prices.entry_price - prices.stop_price) / point
    won = side * (prices.target_price - prices.entry_price) / point
    assert risked == pytest.approx(stop + paid, abs=1.01)
    assert won == pytest.approx(target - paid, abs=1.01)
    assert prices.entry_price == (quote.ask if side is Side.BUY else quote.bid)
    assert exit_price(quote, side) == (quote.bid if side is Side.BUY else quote.ask)
