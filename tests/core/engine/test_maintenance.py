"""What falls due: the checkpoint of the start, of each hour for money that is not made up, of each broker midnight; the calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quarterdeck.core.calendar.calendar_source import CalendarSource
from quarterdeck.core.engine.maintenance import Maintenance
from quarterdeck.core.link.messages import CalendarQuery, CalendarReply
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import Calendar, NewsEvent
from quarterdeck.core.model.units import H1_NS, NS_PER_S, UtcNs
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.sim.simulated_engine import World

TUESDAY_8 = 1_736_236_800 * NS_PER_S
EVENT = NewsEvent(at_utc_ns=TUESDAY_8 + H1_NS, currency="USD", impact="high", title="CPI")


class Stage:
    """An engine as far as upkeep asks."""

    def __init__(self, *, made_up: bool) -> None:
        self.kept: list[tuple[UtcNs, str]] = []
        self.posted: list[Any] = []
        self.pruned = 0
        self.news: tuple[NewsEvent, ...] | None = (EVENT,)
        self.change: Any = None
        self.alerts: list[Alert] = []
        self.now_utc_ns: UtcNs = TUESDAY_8
        runner = SimpleNamespace(at_utc_ns=TUESDAY_8, seq=10)
        engine: Any = SimpleNamespace(
            runner=runner,
            desk=SimpleNamespace(checkpoint=lambda: b"state"),
            journal=SimpleNamespace(checkpoint=lambda at, _state, why: self.kept.append((at, why)), prune=self._prune),
            runtime_settings=SimpleNamespace(due=lambda _at: self.change, settings=shipped_settings()),
            health=SimpleNamespace(calendar_why="", news_off=False),
            clock=SimpleNamespace(utc_ns=lambda: self.now_utc_ns),
            publisher=SimpleNamespace(publish_alert=lambda _at, alert: self.alerts.append(alert)),
            run_loop=SimpleNamespace(post=self.posted.append),
            venue=SimpleNamespace(terminal=object(), calendar=None, news=lambda: self.news),
        )
        self.runner = runner
        self.maintenance = Maintenance(engine, made_up=made_up)
        self.maintenance.begin(TUESDAY_8)

    def _prune(self) -> None:
        self.pruned += 1

    def live_until(self, hours: int, inputs_an_hour: int = 4_000) -> None:
        for quarter in range(4 * hours):
            self.runner.seq += inputs_an_hour // 4
            self.runner.at_utc_ns = TUESDAY_8 + (quarter + 1) * H1_NS // 4
            self.maintenance.run_due(self.runner.at_utc_ns)


@pytest.mark.parametrize(("made_up", "hours"), [(True, 0), (False, 22)])
def test_checkpoints_fall_at_the_start_each_hour_and_each_midnight(made_up: bool, hours: int) -> None:
    stage = Stage(made_up=made_up)
    stage.live_until(23)
    whys = [why for _, why in stage.kept]
    assert whys[0] == "start"
    assert whys.count("broker midnight") == 1
    assert whys.count("hour") == hours
    midnight = next(at for at, why in stage.kept if why == "broker midnight")
    assert midnight == TUESDAY_8 + 14 * H1_NS, "17:00 in New York is 22:00 UTC in January"
    assert stage.pruned == int(not made_up)


def test_a_setting_that_goes_back_is_an_input() -> None:
    stage = Stage(made_up=True)
    stage.change = "the old value again"
    stage.live_until(1)
    assert stage.posted[0] == "the old value again"


async def test_a_calendar_is_told_when_it_is_another() -> None:
    stage = Stage(made_up=True)
    first = await stage.maintenance.first_calendar()
    assert first.events == (EVENT,)
    stage.maintenance.take_calendar(Calendar(available=True, events=(EVENT,), fetched_utc_ns=1))
    assert stage.posted == []
    stage.maintenance.take_calendar(Calendar(available=True, events=()))
    assert len(stage.posted) == 1
    stage.news = None
    assert not (await stage.maintenance.first_calendar()).available


def release(hours: float) -> str:
    at = datetime.fromtimestamp(TUESDAY_8 // NS_PER_S + hours * 3600, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}Z,USD,high,CPI\n"


def live_stage(path: Path, *changes: tuple[str, Any]) -> Stage:
    """A desk whose one calendar is a file, on Tuesday 08:00 UTC."""
    stage = Stage(made_up=False)
    engine: Any = stage.maintenance._engine
    engine.venue.calendar = CalendarSource(files=[path])
    engine.runtime_settings.settings = shipped_settings(*changes)
    return stage


@pytest.mark.parametrize(("policy", "rest"), [("trade", "entries continue without a news filter"), ("hold", "no new entries")])
async def test_an_unusable_calendar_is_reported_under_every_policy(tmp_path: Path, policy: str, rest: str) -> None:
    missing = tmp_path / "missing.csv"
    stage = live_stage(missing, ("news.no_calendar_action", policy))
    health = stage.maintenance._engine.health
    await stage.maintenance.first_calendar()
    assert health.calendar_why.startswith(f"{missing}: ")  # the rest is the system's word
    (alert,) = stage.alerts
    assert (alert.kind, alert.level) == ("calendar", "warning")
    assert rest in alert.text
    missing.write_text("time_utc,currency,impact,event\n" + release(1) + release(30))
    await stage.maintenance.first_calendar()
    assert health.calendar_why == ""
    assert len(stage.alerts) == 1


@pytest.mark.parametrize("last_h", [1, 12])
async def test_a_calendar_that_ends_within_the_day_is_said(tmp_path: Path, last_h: float) -> None:
    path = tmp_path / "calendar.csv"
    path.write_text("time_utc,currency,impact,event\n" + release(0) + release(last_h))
    stage = live_stage(path)
    assert (await stage.maintenance.first_calendar()).available
    assert "it ends at 2025-01-0" in stage.maintenance._engine.health.calendar_why
    (alert,) = stage.alerts
    assert alert.level == "warning"
    assert "does not cover the next 24 h of open market" in alert.text


async def test_rows_without_an_impact_are_said_once_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "calendar.csv"
    path.write_text("time_utc,currency,impact,event\n" + release(1) + release(2).replace("high", "") + release(30))
    stage = live_stage(path)
    lines: list[str] = []
    stage.maintenance._engine.say = lambda _level, _kind, text: lines.append(text)  # type: ignore[method-assign]
    await stage.maintenance.first_calendar()
    stage.maintenance.review_news()
    (line,) = lines
    assert "1 of 3 rows say no impact; they count as high" in line


async def test_news_rules_that_are_off_are_said_once(tmp_path: Path) -> None:
    stage = live_stage(tmp_path / "missing.csv", ("news.impacts", []))
    health = stage.maintenance._engine.health
    await stage.maintenance.first_calendar()
    stage.live_until(3)
    assert (health.calendar_why, health.news_off) == ("", True)
    (alert,) = stage.alerts
    assert (alert.level, "news.impacts = []" in alert.text) == ("info", True)


async def test_news_rules_switched_on_need_a_calendar_at_once(tmp_path: Path) -> None:
    stage = live_stage(tmp_path / "missing.csv", ("news.impacts", []))
    engine: Any = stage.maintenance._engine
    await stage.maintenance.first_calendar()
    engine.runtime_settings.settings = shipped_settings()
    stage.live_until(1)
    assert "missing.csv: " in engine.health.calendar_why
    assert [alert.level for alert in stage.alerts] == ["info", "warning"]


def test_the_news_page_hears_which_impacts_close(tmp_path: Path) -> None:
    world = World(tmp_path / "home", seed=3, history_days=30, desk__pairs=["EURUSD"], news__impacts=["high", "holiday"])

    async def look(world: World) -> CalendarReply:
        engine = await world.start()
        answer = await engine.side.answer(CalendarQuery())
        await world.close()
        assert isinstance(answer, CalendarReply)
        return answer

    assert world.run(look).impacts == ("high", "holiday")


def test_a_machine_that_slept_leaves_one_checkpoint_and_goes_on() -> None:
    stage = Stage(made_up=False)
    stage.runner.seq += 4_000
    woken_utc_ns = TUESDAY_8 + 65 * 60 * NS_PER_S
    for second in range(30):
        stage.maintenance.run_due(woken_utc_ns + second * NS_PER_S)  # no input has come since
    assert [why for _, why in stage.kept] == ["start", "hour"]


def test_an_hour_with_little_in_it_leaves_no_checkpoint() -> None:
    stage = Stage(made_up=False)
    stage.live_until(8, inputs_an_hour=60)
    assert [why for _, why in stage.kept] == ["start"]
