"""What falls due: the checkpoint of the start, of each hour for money that is not made up, of each broker midnight; the calendar."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quarterdeck.core.engine.maintenance import Maintenance
from quarterdeck.core.link.messages import CalendarQuery, CalendarReply
from quarterdeck.core.model.inputs import Calendar, NewsEvent
from quarterdeck.core.model.units import H1_NS, NS_PER_S, UtcNs
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
        runner = SimpleNamespace(at_utc_ns=TUESDAY_8)
        engine: Any = SimpleNamespace(
            runner=runner,
            desk=SimpleNamespace(checkpoint=lambda: b"state"),
            journal=SimpleNamespace(checkpoint=lambda at, _state, why: self.kept.append((at, why)), prune=self._prune),
            runtime_settings=SimpleNamespace(due=lambda _at: self.change),
            run_loop=SimpleNamespace(post=self.posted.append),
            venue=SimpleNamespace(terminal=object(), calendar=None, news=lambda: self.news),
        )
        self.runner = runner
        self.maintenance = Maintenance(engine, made_up=made_up)
        self.maintenance.begin(TUESDAY_8)

    def _prune(self) -> None:
        self.pruned += 1

    def live_until(self, hours: int) -> None:
        for quarter in range(4 * hours):
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


def test_the_news_page_hears_which_impacts_close(tmp_path: Path) -> None:
    world = World(tmp_path / "home", seed=3, history_days=30, desk__pairs=["EURUSD"], news__impacts=["high", "holiday"])

    async def look(world: World) -> CalendarReply:
        engine = await world.start()
        answer = await engine.side.answer(CalendarQuery())
        await world.close()
        assert isinstance(answer, CalendarReply)
        return answer

    assert world.run(look).impacts == ("high", "holiday")
