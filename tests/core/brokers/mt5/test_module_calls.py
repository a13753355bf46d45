"""The simulated module against the vendor's own, call by call: what is refused, with which text, and what is let through."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest

from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.brokers.simulator.module_constants import VERSION
from quarterdeck.core.brokers.simulator.mt5_api import FUNCTIONS
from tests.conftest import CHECKOUT, GOLDEN
from tests.core.brokers.mt5.module_calls import ODD, answer, answers, golden_text, namespace, read_golden, table
from tests.core.brokers.simulator.kit import Desk, bare_module

RECORDED = GOLDEN / f"module_calls_{VERSION}.txt"

KNOWN = {
    "order_check({}, **{})": "a function written in Python cannot see that keywords were given when there are none",
    "order_send({}, **{})": "a function written in Python cannot see that keywords were given when there are none",
}
"""Calls that the two modules answer differently, and why."""

PENDING = "SystemError"
HELPERS = ("Buy", "Sell", "Close")
ASKED = frozenset(FUNCTIONS) - {"initialize", "login", "shutdown", "last_error", *HELPERS}
"""Functions whose answers can be compared while only one of the two modules has a connection."""


@pytest.fixture(scope="module")
def recorded():
    return read_golden(RECORDED)


def test_without_a_connection_every_answer_is_the_vendors(recorded):
    ours = answers(bare_module())
    differing = {call: (said, ours.get(call)) for call, said in recorded.items() if ours.get(call) != said}
    assert len(recorded) > 3_000
    assert set(differing) == set(KNOWN), {call: pair for call, pair in differing.items() if call not in KNOWN}


def test_connected_the_same_arguments_are_refused(recorded):
    differing = {}
    for call, said, ours in connected(recorded):
        passed = any(pair in said for pair in ("-10004", "(-5,", "(1, 'Success')"))
        wanted = said.startswith(PENDING) if passed else said
        found = ours.startswith(PENDING) if passed and "(-2, 'Invalid" not in ours else ours
        if found != wanted and call not in KNOWN:
            differing[call] = (said, ours)
    assert not differing


def test_no_call_of_the_table_breaks_the_simulated_terminal(recorded):
    allowed = (PENDING, "TypeError: ", "AttributeError: ")
    raised = {call: ours for call, _, ours in connected(recorded) if "Error" in ours.partition(" | ")[0]}
    assert not {call: ours for call, ours in raised.items() if not ours.startswith(allowed)}


def connected(recorded):
    """Call, the vendor's answer, and that of a simulated module with a connection."""
    desk = Desk("EURUSD")
    names = namespace(desk.mt)
    for call in table():
        if call.partition("(")[0] in ASKED:
            desk.mt.initialize()
            yield call, recorded[call], answer(desk.mt, names, call)


def test_helpers_complain_as_the_vendors_do(recorded):
    desk = Desk("EURUSD")
    for call in ODD:
        if call.startswith(HELPERS) and recorded[call].startswith("TypeError: ") and "NoneType" not in recorded[call]:
            assert answer(desk.mt, namespace(desk.mt), call).partition(" | ")[0] == recorded[call].partition(" | ")[0]


@pytest.mark.windows
def test_the_vendors_module_answers_as_recorded(request, recorded, tmp_path):
    target = tmp_path / "answers.json"
    command = [sys.executable, "-m", "tests.core.brokers.mt5.module_calls", str(target)]
    done = subprocess.run(
        command, cwd=CHECKOUT, env={**os.environ, "PYTHONUTF8": "1"}, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    found = json.loads(target.read_text(encoding="utf-8"))
    if request.config.getoption("--golden-update"):
        RECORDED.write_text(golden_text(found["vendor"], found["version"]), encoding="utf-8", newline="\n")
        return
    assert found["version"] == VERSION
    assert found["vendor"] == recorded
    assert {call for call, said in found["vendor"].items() if found["simulated"][call] != said} == set(KNOWN)


@pytest.mark.windows
def test_a_request_reaches_the_vendors_module_without_keywords():
    MetaTrader5 = importlib.import_module("MetaTrader5")  # noqa: N806
    assert InProcessTerminal(MetaTrader5).call_now("order_send", ({},), {}).error_code == -10004
