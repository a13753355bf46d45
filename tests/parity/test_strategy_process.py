"""A strategy of the operator's own through whole runs: asked in its process it trades as in a backtest, and ends no run but one that hangs."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import date
from pathlib import Path

import pytest

from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.inputs import Input
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.settings.home import Home
from quarterdeck.core.strategy.strategy_loader import template_text
from tests.core.engine.faulty_strategies import strategy_file
from tests.parity.test_replay_and_backtest import BUSY, backtested, replayed

pytestmark = pytest.mark.processes
DAYS = (date(2024, 3, 4), date(2024, 3, 5))
OWN = tuple(pair for pair in BUSY if pair[0] != "strategy.parameters")


@pytest.mark.slow
def test_days_trade_alike_in_its_process_and_here(tmp_path: Path, recorded_data: Path) -> None:
    (tmp_path / "mine.py").write_text(template_text())
    values = (*OWN, ("desk.pairs", ["EURUSD", "GBPUSD"]), ("strategy.file", "mine.py"), ("strategy.name", "Crossing"))
    data = (recorded_data / "m15",)
    live = replayed(tmp_path, data, values, DAYS)
    assert live.trades >= 2
    assert backtested(tmp_path, data, values, DAYS).summary == live


def test_recorded_days_end_by_name_when_it_never_answers(tmp_path: Path, recorded_data: Path) -> None:
    strategy_file(tmp_path, "while True: pass")

    async def live() -> None:
        values = (
            ("desk.pairs", ["GBPUSD"]),
            ("strategy.file", "mine.py"),
            ("strategy.name", "Mine"),
            ("strategy.load_timeout_s", 8.0),
        )
        wish = RunRequest(home=Home(tmp_path), values=values, replay=(recorded_data / "m15",), from_day=DAYS[0], to_day=DAYS[1])
        ready = await start_run(wish, on_step=lambda _text: None)
        end = await run_to_end(ready)
        assert end.why.startswith("strategy Mine (mine.py) took more than 8 s for GBPUSD")
        assert (end.clean, end.exit_code) == (False, SettingsError.exit_code)

    asyncio.run(live())


def test_the_simulated_market_goes_on_beside_an_endless_loop(tmp_path: Path) -> None:
    strategy_file(tmp_path, "while True: pass")
    answers: list[Signal | NoSignal] = []

    async def live() -> None:
        values = (
            ("desk.pairs", ["GBPUSD", "EURUSD"]),
            ("strategy.file", "mine.py"),
            ("strategy.name", "Mine"),
            ("strategy.time_limit_ms", 50.0),
            ("engine.retry_min_s", 0.1),
        )
        ready = await start_run(
            RunRequest(home=Home(tmp_path), values=values, speed=None, speed_given=True), on_step=lambda _text: None
        )
        engine, give, enough = ready.engine, ready.engine.runner.feed_input, asyncio.Event()

        def watched(item: Input, at_utc_ns: int) -> object:
            if isinstance(item, Signal | NoSignal):
                answers.append(item)
                if len(answers) >= 8:
                    enough.set()
            return give(item, at_utc_ns)

        engine.runner.feed_input = watched  # type: ignore[method-assign, assignment] # a test looks over its shoulder
        ending = asyncio.create_task(run_to_end(ready))
        await asyncio.wait_for(enough.wait(), 60.0)
        pair = next(pair for pair in engine.desk.view().pairs if pair.symbol == "GBPUSD")
        assert "took more than 50 ms" in pair.verdict
        assert dict(engine.snapshot().engine.errors)["StrategyLate"] >= 3
        engine.stop("keep")
        assert (await ending).exit_code == 0

    asyncio.run(live())
    ill = [found for found in answers if found.symbol == "GBPUSD"]
    assert all(isinstance(found, NoSignal) and "took more than 50 ms" in found.withheld for found in ill)
    assert any(isinstance(found, Signal) for found in answers if found.symbol == "EURUSD")
    log = "".join(file.read_text() for file in (tmp_path / "logs").glob("*.log*"))
    assert "misbehave" in log
    assert "3 times in a row" in log
    assert "alert.error" in log
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        (said,) = journal.execute("SELECT count(*) FROM no_signals WHERE withheld LIKE '%took more than 50 ms%'").fetchone()
    assert said >= 3
