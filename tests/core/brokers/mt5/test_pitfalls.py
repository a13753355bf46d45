"""The pitfalls that users of the module reported: docs/metatrader5.md has a row for each, and each row's test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.inputs import Filled
from quarterdeck.core.model.reads import Known
from tests.conftest import CHECKOUT
from tests.core.brokers.mt5.kit import Rig, drive, submit

ADAPTER = sorted((CHECKOUT / "core" / "brokers" / "mt5").rglob("*.py"))
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$")
PITFALLS = 63


def rows():
    text = (CHECKOUT / "docs" / "metatrader5.md").read_text(encoding="utf-8")
    return [match.groups() for line in text.splitlines() if (match := ROW.match(line))]


def names_under(folder: Path) -> set[str]:
    return {
        node.name
        for path in folder.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_pitfall_row_has_a_test_or_a_reason():
    known = names_under(CHECKOUT / "tests")
    assert [int(number) for number, *_ in rows()] == list(range(1, PITFALLS + 1))
    for number, _, reaction, proof in rows():
        named = re.findall(r"`(test_\w+)`", proof)
        assert reaction.strip(), number
        assert named or "no test" in proof, f"row {number} has neither test nor reason"
        assert set(named) <= known, f"row {number}: {set(named) - known}"


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_no_datetime_naive_or_aware_passes_the_border():
    assert [path.name for path in ADAPTER if any(name.split(".")[0] == "datetime" for name in imported(path))] == []


def test_vendor_module_is_imported_in_one_place_on_demand():
    places = [path.name for path in ADAPTER if re.search(r"import_module\(REAL\)|import MetaTrader5", path.read_text("utf-8"))]
    assert places == ["module_loader.py"]


def test_nothing_blocks_the_loop_or_uses_a_thread():
    for path in ADAPTER:
        text = path.read_text("utf-8")
        assert "to_thread" not in text, path
        assert "run_in_executor" not in text, path
        assert path.name == "terminal_child.py" or "time.sleep" not in text, path


def test_functions_that_the_module_lacks_are_not_there():
    module = Rig(connect=False).module
    for name in ("order_close", "order_modify", "wait_terminal", "SYMBOL_FILLING_FOK", "positions_close"):
        with pytest.raises(AttributeError):
            getattr(module, name)


def test_a_symbol_outside_market_watch_is_selected_and_waited_for():
    rig = Rig(connect=False)
    rig.terminal.state.sync.tick_delay_ns = 2_000_000_000
    drive(rig.broker.connect())
    assert drive(rig.carrier.call("symbol_info_tick", "GBPUSD")).value is None
    assert [item.symbol for item in drive(rig.broker.select(("GBPUSD",)))] == ["GBPUSD"]
    rig.pass_time(3)
    assert drive(rig.broker.quotes(("GBPUSD",))).value[0].bid == 1.27


def test_symbol_without_price_is_named_after_the_time_limit():
    rig = Rig(connect=False)
    drive(rig.broker.connect())
    del rig.terminal.ledger.quotes["GBPUSD"]
    with pytest.raises(BrokerError, match="GBPUSD"):
        drive(rig.broker.select(("EURUSD", "GBPUSD")))


@pytest.mark.parametrize("fixed_s", [-12 * 3600, -18_000, 0, 7_200, 10_800, 14 * 3600])
def test_the_newest_deals_are_seen_whatever_the_servers_clock(fixed_s):
    rig = Rig(rule="fixed", fixed_s=fixed_s)
    assert drive(rig.broker.new_deals()).value == ()
    rig.terminal.ledger.cash(10.0, "now")
    (deal,) = drive(rig.broker.new_deals()).value
    assert deal.at_utc_ns == rig.terminal.now_utc_ns
    rig.pass_time(86_400)
    rig.terminal.ledger.cash(20.0, "a day later")
    assert [item.balance_money for item in drive(rig.broker.new_deals()).value] == [20.0]


def test_dates_are_whole_seconds_that_the_module_can_hold():
    rig = Rig()
    asked = []
    original = rig.carrier.call

    async def call(name, *args, **kwargs):
        if name.startswith("history") and args:
            asked.extend(args)
        return await original(name, *args, **kwargs)

    rig.carrier.call = call
    rig.broker._session.newest_tick_ms = 4_000_000_000_000
    drive(rig.broker.new_deals())
    rig.fate(submit())
    assert asked
    assert all(type(item) is int and 1 <= item < 2**31 for item in asked)


def test_fewer_bars_than_asked_are_handed_out_as_they_are():
    rig = Rig()
    read = drive(rig.broker.bars("EURUSD", "H1", 50_000))
    assert isinstance(read, Known)
    assert 100 < len(read.value) < 50_000


def test_adapter_and_terminal_share_one_clock_rule_both_ways():
    for rule in ("new_york_plus_7", "eet"):
        rig = Rig(rule=rule)
        ours, theirs = ServerClock(rule), rig.terminal.clock
        for day in range(0, 3650, 3):
            instant = rig.terminal.now_utc_ns + day * 86_400_000_000_000
            assert ours.server_s(instant) == theirs.server_s(instant)


@pytest.mark.parametrize("ahead_s", [-50, 0, 50, 600])
def test_pc_clock_ahead_of_server_loses_no_deal(ahead_s):
    rig = Rig(connect=False)
    rig.clock.wait(ahead_s)
    drive(rig.broker.connect())
    drive(rig.broker.select(("EURUSD",)))
    fate = rig.fate(submit())
    assert isinstance(fate, Filled)
    assert drive(rig.broker.new_deals()).value == ()
