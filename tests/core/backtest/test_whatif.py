"""What another setting would have made: from candles, and from the tape of a run, begun with the book that it had."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.backtest.backtest_settings import with_changes
from quarterdeck.core.backtest.tape_market import TapeMarket, load_tape_market
from quarterdeck.core.backtest.whatif import WhatIf, whatif_json, whatif_on_candles, whatif_on_tape
from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.model.commands import ClosePosition, Pause, Resume
from quarterdeck.core.model.effects import Effect, PositionOpened
from quarterdeck.core.model.errors import DataError, SettingsError, UsageError
from quarterdeck.core.model.inputs import CommandReceived
from quarterdeck.core.model.units import H1_NS, M15_NS, UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.strategy.strategy_loader import load_strategy
from tests.core.backtest import sample_runs
from tests.parity.test_replay_and_backtest import BUSY, replayed

DOCS = Path(__file__).parents[3] / "docs" / "backtest.md"
BEGIN_NS = 1_709_510_400 * 10**9
"""Monday 2024-03-04 00:00 UTC."""
BY_HAND = BEGIN_NS + 32 * H1_NS
"""Hour of an entry that the operator closes again at the next chance."""
DAYS = (date(2024, 3, 4), date(2024, 3, 6))
PAUSED = (BEGIN_NS + 58 * H1_NS, BEGIN_NS + 60 * H1_NS)
"""From the candidate of 10:00 on, which is judged before."""


def test_candles_twice_as_is_and_changed(tmp_path: Path) -> None:
    settings = sample_runs.coin_settings(tmp_path, ("desk.pairs", ["EURUSD", "GBPUSD"]))
    strategy = load_strategy(settings)
    market = sample_runs.coin_market(settings, strategy, bars=2_200)
    same = whatif_on_candles(market, settings, strategy, strategy, [("ui.ascii", True)], None)
    assert same.difference.same_trades
    assert not same.decisions.changed
    assert not same.exits.changed
    other = whatif_on_candles(market, settings, strategy, strategy, [("position.time_exit_hours", 1.0)], None)
    assert not other.difference.same_trades
    assert other.exits.changed
    assert other.reality is None
    broken = tmp_path / "broken.py"
    broken.write_text(sample_runs.COIN.replace("confidence=0.6 +", "confidence=float('nan') +"), encoding="utf-8")
    change = ("strategy.file", str(broken))
    failing = whatif_on_candles(market, settings, strategy, load_strategy(with_changes(settings, [change])), [change], None)
    assert [note for note in failing.notes if note.startswith("changed: EURUSD: no signal at ") and "confidence of nan" in note]
    with pytest.raises(SettingsError):
        whatif_on_candles(market, settings, strategy, strategy, [("position.time_exit_hours", -1.0)], None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, recorded_data: Path) -> Iterator[Home]:
    """Three days of a replay on the tape, in which the operator paused for a morning."""
    home = Home(tmp_path_factory.mktemp("taped"))
    values = (*BUSY, ("desk.pairs", ["EURUSD", "USDJPY"]), ("breakers.positions_per_pair_max", 2))

    async def live() -> None:
        wish = RunRequest(home=home, values=values, replay=(recorded_data / "m15",), from_day=DAYS[0], to_day=DAYS[1])
        ready = await start_run(wish, on_step=lambda _text: None)
        orders: list[tuple[UtcNs, Any]] = [(PAUSED[1], Resume()), (PAUSED[0], Pause())]

        def hear(at_utc_ns: UtcNs, effect: Effect) -> None:
            if isinstance(effect, PositionOpened) and at_utc_ns // H1_NS * H1_NS == BY_HAND:
                orders.append((at_utc_ns + 1, ClosePosition(position_id=effect.position_id)))
            while orders and orders[-1][0] <= at_utc_ns:
                command = orders.pop()[1]
                ready.engine.run_loop.post(CommandReceived(command_id=f"test{len(orders)}", origin="test", command=command))

        ready.engine.runner.listen(hear)
        await run_to_end(ready)

    asyncio.run(live())
    return home


def stretch(home: Home, from_utc_ns: UtcNs = 0) -> TapeMarket:
    with TapeReader(home.journal) as reader:
        return load_tape_market(reader, reader.run(None), from_utc_ns=from_utc_ns)


def asked(home: Home, from_utc_ns: UtcNs, *changes: tuple[str, Any]) -> WhatIf:
    found = stretch(home, from_utc_ns)
    return whatif_on_tape(found, load_strategy(found.settings, home.root), list(changes), None)


@pytest.mark.slow
def test_begun_anywhere_the_run_as_is_is_what_happened(home: Home) -> None:
    whole = asked(home, 0, ("ui.ascii", True))
    assert whole.reality is not None
    assert whole.reality.trades >= 9
    held = 0
    for hours in (20, 31, 34, 35, 37, 40, 56, 63):
        found = asked(home, BEGIN_NS + hours * H1_NS, ("ui.ascii", True))
        seen, begin = found.reality, found.begin
        assert seen is not None
        assert begin is not None
        assert begin.at_utc_ns >= BEGIN_NS + hours * H1_NS
        assert seen.same == seen.same_signals == seen.trades
        assert seen.same_digest
        assert seen.equity_end_money == seen.replayed_equity_end_money
        assert found.difference.same_trades
        held += begin.positions
        for row in found.positions:
            assert row.at_begin or row.opened_utc_ns >= begin.at_utc_ns
            assert row.as_is is not None
            assert row.difference_money == 0.0
            if row.really is not None and not row.really.open:
                assert row.really.net_money == row.as_is.net_money
    assert held >= 3


@pytest.mark.slow
def test_position_open_at_the_start_differs_under_another_setting(home: Home) -> None:
    opened = [trade for trade in stretch(home).trades if trade.closed_utc_ns - trade.opened_utc_ns > 2 * H1_NS]
    middle = opened[0].opened_utc_ns // M15_NS * M15_NS + H1_NS
    found = asked(home, middle, ("position.time_exit_hours", 0.25))
    assert found.begin is not None
    assert found.begin.positions >= 1
    row = next(row for row in found.positions if row.at_begin)
    assert row.real
    assert row.as_is is not None
    assert row.changed is not None
    assert row.changed.closed_utc_ns < row.as_is.closed_utc_ns
    assert row.difference_money == pytest.approx(row.changed.net_money - row.as_is.net_money)
    assert sum(moved.count for moved in found.exits.by) == found.exits.changed > 0
    one, other = found.equity_end_money
    assert one is not None
    assert other is not None
    assert whatif_json(found)["difference_money"] == pytest.approx(other - one)


@pytest.mark.slow
def test_operator_close_applies_to_the_position_of_the_same_signal(home: Home) -> None:
    found = asked(home, BY_HAND - 3 * H1_NS, ("ui.ascii", True))
    assert found.reality is not None
    assert found.reality.same_digest
    by_hand = [trade for trade in found.as_is.trades if trade.reason == "command"]
    assert len(by_hand) == 1
    assert by_hand[0].closed_utc_ns - by_hand[0].opened_utc_ns < H1_NS


@pytest.mark.slow
def test_refusals_move_by_reason(home: Home) -> None:
    found = asked(home, 0, ("strategy.confidence_min", 0.99))
    assert {moved.now for moved in found.decisions.by} == {"confidence"}
    assert found.decisions.changed == sum(moved.count for moved in found.decisions.by) == len(found.decisions.rows)
    assert {row.now for row in found.decisions.rows} == {"confidence"}
    assert found.changed.summary.entered == 0
    assert found.changes[0].new == "0.99"


@pytest.mark.slow
def test_the_operator_paused_in_both_runs(home: Home) -> None:
    found = asked(home, PAUSED[0] - 2 * H1_NS, ("strategy.confidence_min", 0.2), ("position.time_exit_hours", 0.5))
    during = [
        entry for run in (found.as_is, found.changed) for entry in run.entered if PAUSED[0] < entry.opened_utc_ns < PAUSED[1]
    ]
    assert not during
    assert found.reality is not None
    assert found.reality.same_digest


@pytest.mark.slow
def test_tape_refuses_another_strategy_and_instants_it_lacks(home: Home) -> None:
    with pytest.raises(UsageError, match="under the old one"):
        asked(home, 0, ("strategy.parameters", {}))
    held = stretch(home).settings.position.time_exit_hours
    with pytest.raises(UsageError, match=f"time_exit_hours is {held} already"):
        asked(home, 0, ("position.time_exit_hours", held))
    with pytest.raises(DataError, match="tape"):
        asked(home, BEGIN_NS + 90 * H1_NS, ("ui.ascii", True))


@pytest.mark.slow
def test_every_field_for_scripts_is_documented(home: Home) -> None:
    plain = whatif_json(asked(home, BEGIN_NS + 40 * H1_NS, ("position.time_exit_hours", 1.0)))
    text = DOCS.read_text(encoding="utf-8")
    known = {*plain, *plain["changes"][0], *plain["begin"], *plain["reality"], *plain["decisions"], *plain["exits"]}
    known |= {name for moved in plain["exits"]["by"] for name in moved}
    known -= {"only_as_is", "only_changed", "same_trades", "same_digest", "currency", "at_utc_ns", "rows"}
    assert not [name for name in sorted(known) if f"`{name}`" not in text]


@pytest.mark.slow
def test_restart_continues_the_tape_with_its_new_settings(tmp_path: Path, recorded_data: Path) -> None:
    values = (*BUSY, ("desk.pairs", ["EURUSD", "USDJPY"]))
    data = (recorded_data / "m15",)
    replayed(tmp_path, data, values, (date(2024, 3, 4), date(2024, 3, 5)))
    replayed(tmp_path, data, (*values, ("position.time_exit_hours", 3.0)), (date(2024, 3, 6), date(2024, 3, 6)))
    home = Home(tmp_path)
    with closing(sqlite3.connect(home.journal)) as journal, journal:
        journal.execute("UPDATE runs SET mode = 'paper'")  # a made-up market is looked at a run at a time
    found = asked(home, BEGIN_NS + 26 * H1_NS, ("ui.ascii", True))
    held = stretch(home, BEGIN_NS + 26 * H1_NS)
    assert held.settings.position.time_exit_hours == 4.0
    assert held.settings_now.position.time_exit_hours == 3.0
    now = asked(home, BEGIN_NS + 26 * H1_NS, ("position.time_exit_hours", 3.0))
    assert not now.difference.same_trades, "what holds by now did not on the first days"
    assert found.begin is not None
    assert found.begin.at_utc_ns < BEGIN_NS + 48 * H1_NS < found.as_is.to_utc_ns
    assert found.reality is not None
    assert found.reality.trades > 8
    assert found.reality.same_signals == found.reality.trades
    late = [trade for trade in found.as_is.trades if trade.opened_utc_ns > BEGIN_NS + 48 * H1_NS and trade.reason == "age"]
    assert late
    assert all(trade.closed_utc_ns - trade.opened_utc_ns < 4 * H1_NS for trade in late)
