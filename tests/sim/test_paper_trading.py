"""A whole engine that trades on paper over a feed that fails the test at the first order; it ends, and continues where it was."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from unittest.mock import patch

from quarterdeck.core.brokers.base import CallReply
from quarterdeck.core.clock.virtual import VirtualClock
from quarterdeck.core.engine.engine import Engine
from quarterdeck.core.engine.live_venues import paper_venue
from quarterdeck.core.model.commands import MACHINE_CLOCK, Resolve
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.settings.secrets import Secrets
from quarterdeck.core.settings.settings_loader import LoadedSettings
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import Line, World, _strategy, pip_sizes


class FeedOnly(Line):
    """A line that carries nothing that trades, and no credentials."""

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        assert name not in ("order_send", "login"), f"{name} reached the feed"
        assert not set(kwargs) & {"login", "password", "server"}
        return await super().call(name, *args, **kwargs)


class PaperWorld(World):
    """A world whose terminal is the feed of a paper account."""

    async def start(self) -> Engine:
        self.runs += 1
        self.dead.clear()
        self.buried = False
        clock = VirtualClock(self.loop)
        self.home.root.mkdir(parents=True, exist_ok=True)
        with patch("quarterdeck.core.engine.live_venues.open_terminal", lambda *_: FeedOnly(self)):
            venue = paper_venue(self.settings, self.home, Secrets(), run_id=f"p{self.runs}", clock=clock)
        venue.calendar, venue.news = None, lambda: ()
        engine = Engine(
            home=self.home,
            loaded=LoadedSettings(self.settings, self.tree, self.tree, {}, ()),
            venue=venue,
            strategy=_strategy(self.settings),
            clock=clock,
            secrets=Secrets(),
            real_time=False,
        )
        self.engine = engine
        with (
            patch("quarterdeck.core.engine.engine.DeskRunner", self._runner),
            patch("quarterdeck.core.engine.engine.make_scanner", lambda *_: self.scanner),
        ):
            await engine.start(lambda _: None)
        self._task = self.loop.create_task(engine.run())
        return engine


def test_paper_trading_resumes_without_any_order_to_the_feed(tmp_path: Path) -> None:
    world = PaperWorld(tmp_path / "home", seed=5, desk__pairs=["EURUSD", "GBPUSD"])
    world.scanner = EagerScanner(5, pip_sizes(world.settings))
    seen: dict[str, Any] = {}

    async def days(world: World) -> None:
        engine = await world.start()
        engine.venue.trust_machine_clock()
        world.give(Resolve(client_id=MACHINE_CLOCK, outcome="pc_right"))  # a feed of two pairs without weeks behind it
        await world.until(lambda: len(world.desk_lots()) > 0, 30.0, "a position on paper")
        seen["held"] = world.desk_lots()
        await world.close()
        await world.hours_without(0.25)
        engine = await world.start()
        await world.hours(0.1)
        view = engine.desk.view()
        seen["agrees"], seen["mode"] = view.positions_match, view.mode
        seen["left"] = world.desk_lots()
        seen["closed"] = {effect.position_id for _, effect in world.effects if isinstance(effect, TradeClosed)}
        await world.flatten()
        seen["flat"] = world.desk_lots()
        await world.close()

    world.run(days)
    assert (seen["agrees"], seen["mode"], seen["flat"]) == (True, "paper", {})
    # each is still held, or its end was heard of
    assert set(seen["held"]) <= set(seen["left"]) | seen["closed"]
    assert world.terminal.ledger.positions == {}
    assert len(world.terminal.ledger.deals) == 1
    with sqlite3.connect(tmp_path / "home" / "journal.sqlite") as journal:
        assert journal.execute("SELECT DISTINCT mode FROM runs").fetchall() == [("paper",)]
        (tickets,) = journal.execute("SELECT count(*) - count(DISTINCT deal_ticket) FROM deals").fetchone()
        assert tickets == 0
