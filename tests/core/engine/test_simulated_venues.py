"""The scripted crash: a seed of its own that meets an open position, any other when set, and no sterling, no crash."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from quarterdeck.core.brokers.simulator.market_crash import CRASH_UTC_NS
from quarterdeck.core.data.recorded_prices import load_recording
from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run
from quarterdeck.core.engine.run_request import CRASH_AGE_MAX_HOURS, RunRequest, settings_for_run
from quarterdeck.core.engine.simulated_venues import CRASH_SEED, crash_venue, known_news, new_run_id
from quarterdeck.core.model.effects import Effect, PositionOpened, TradeClosed
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.journal.tapes import Watch


def test_without_sterling_there_is_no_crash() -> None:
    with pytest.raises(DataError, match="GBPUSD is not traded"):
        crash_venue(shipped_settings(("desk.pairs", ["EURUSD"])), None)


def test_a_seed_of_the_operators_own_is_taken() -> None:
    settings = shipped_settings(("simulation.seed", 11), ("simulation.history_days", 30), ("desk.pairs", ["GBPUSD"]))
    venue = crash_venue(settings, None)
    assert (venue.seed, venue.ends, "seed 11" in venue.label) == (11, True, True)
    assert venue.from_utc_ns < CRASH_UTC_NS < venue.until_utc_ns


@pytest.mark.parametrize(("values", "hours"), [((), CRASH_AGE_MAX_HOURS), ((("position.time_exit_hours", 2.0),), 2.0)])
def test_crash_replay_extends_position_age_unless_operator_sets_it(
    values: tuple[tuple[str, float], ...], hours: float, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    assert settings_for_run(RunRequest(home=home, crash=True, values=values)).settings.position.time_exit_hours == hours
    assert settings_for_run(RunRequest(home=home)).settings.position.time_exit_hours == 4.0


@pytest.mark.slow
async def test_shipped_crash_hits_open_sterling_far_beyond_the_stop(tmp_path: Path) -> None:
    ready = await start_run(RunRequest(home=Home(tmp_path), crash=True, speed_given=True), on_step=lambda _: None)
    assert ready.engine.venue.seed == CRASH_SEED
    heard: list[tuple[UtcNs, Effect]] = []
    ready.engine.runner.listen(lambda at, effect: heard.append((at, effect)))
    end = await asyncio.wait_for(run_to_end(ready), 300)
    assert end.clean
    opened = [(at, effect) for at, effect in heard if isinstance(effect, PositionOpened)]
    closed = [(at, effect) for at, effect in heard if isinstance(effect, TradeClosed)]
    assert any(at < CRASH_UTC_NS and "GBP" in effect.symbol for at, effect in opened)
    _, hit = next((at, effect) for at, effect in closed if CRASH_UTC_NS <= at < CRASH_UTC_NS + 60 * 10**9)
    assert hit.symbol == "GBPUSD"
    assert hit.reason == "stop"
    assert hit.result_r < -2.0, "a gap does not stop at the stop"


def test_calendar_outside_the_days_counts_as_none_and_is_reported(recorded_data: Path) -> None:
    recording = load_recording([recorded_data / "m15"], ["EURUSD"], from_day=date(2024, 7, 1), to_day=date(2024, 7, 31))

    def told(*days: date) -> tuple[bool, tuple[str, ...]]:
        stamps = (int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9 for day in days)
        events, said = known_news(tuple(NewsEvent(at_utc_ns=at, currency="USD", impact="high") for at in stamps), recording)
        return events is not None, said

    assert told(date(2024, 6, 20), date(2024, 7, 31)) == (True, ())
    assert told(date(2026, 7, 26), date(2026, 7, 31)) == (
        False,
        ("news.files begin at 2026-07-26T00:00:00.000Z, after these days: there is no calendar",),
    )
    assert told(date(2024, 7, 15), date(2024, 7, 20)) == (
        True,
        (
            "news.files begin at 2024-07-15T00:00:00.000Z; no release is known before that",
            "news.files end at 2024-07-20T00:00:00.000Z; no release is known after that",
        ),
    )
    assert not told(date(2023, 1, 1))[0]


def test_runs_of_one_second_have_different_ids() -> None:
    ids = {new_run_id(Watch()) for _ in range(20)}
    assert len(ids) > 10
    assert all(0 < len(run_id) <= 8 for run_id in ids)
