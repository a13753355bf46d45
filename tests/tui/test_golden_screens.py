"""Every screen at three sizes and in three themes, as text and runs of style; `--golden-update` writes them anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from textual.screen import Screen

from quarterdeck.core.link.messages import LinkState
from quarterdeck.core.model.snapshot import OrderView
from quarterdeck.tui.palette import Palette
from quarterdeck.tui.screens.backtest_page import BacktestPage
from quarterdeck.tui.screens.chart_page import ChartPage
from quarterdeck.tui.screens.desk_screen import DeskScreen
from quarterdeck.tui.screens.dialog import ChoiceDialog
from quarterdeck.tui.screens.flatten_dialog import FlattenDialog
from quarterdeck.tui.screens.help_dialog import HelpDialog
from quarterdeck.tui.screens.journal_pages import JournalPage, MetricsPage, TimelinePage
from quarterdeck.tui.screens.list_pages import HealthPage, NewsPage, VerdictPage, WhyPage
from quarterdeck.tui.screens.order_dialogs import MoveStopDialog, StopDialog
from quarterdeck.tui.screens.settings_effect_page import SettingsEffectPage
from quarterdeck.tui.screens.settings_page import SettingsPage
from tests.tui.conftest import Bridge, ui_settings
from tests.tui.demo_client import FakeClient, live_events
from tests.tui.demo_desk import NOW, demo_engine, demo_pairs, demo_positions, drawdown_reason, foreign_position, paused_reason
from tests.tui.screen_export import styles, words
from tests.tui.test_every_key import classes

SIZES = ((80, 24), (120, 40), (200, 60))
THEMES = ("harbour", "daylight", "ansi16")
ANSWERED = ""
"""Not a key: wait until the engine answered what was asked so far."""


class Shown(NamedTuple):
    """Which screen, and the keys that lead to it."""

    kind: type[Screen[Any]]
    keys: tuple[str, ...] = ()
    desk: dict[str, Any] = {}  # noqa: RUF012 - read only


EDITED = (
    "t",
    ANSWERED,
    "slash",
    *"ui.ascii",
    "enter",
    "down",
    "space",
    "slash",
    *("backspace",) * 8,
    *"time_exit",
    "enter",
    "down",
)
EDITED = (*EDITED, "enter", *("backspace",) * 6, "2", "enter")
"""Two edits wait."""


SCREENS: dict[str, Shown] = {
    "desk": Shown(DeskScreen),
    "signals": Shown(DeskScreen, ("2",)),
    "positions": Shown(DeskScreen, ("3", "z")),
    "risk": Shown(DeskScreen, ("4", "z")),
    "log": Shown(DeskScreen, ("5", "z")),
    "flatten": Shown(FlattenDialog, ("F", "f", "l")),
    "close": Shown(ChoiceDialog, ("3", "c")),
    "resume": Shown(ChoiceDialog, ("r",), {"reasons": (paused_reason(),), "state": "REDUCE_ONLY"}),
    "move_stop": Shown(MoveStopDialog, ("3", "m", *"161.1", "enter")),
    "stop": Shown(StopDialog, ("Q",)),
    "tweak": Shown(SettingsPage, ("t", "slash", *"risk_per", "enter", "down")),
    "effect": Shown(SettingsEffectPage, (*EDITED, "E", ANSWERED)),
    "apply": Shown(ChoiceDialog, (*EDITED, "A", ANSWERED)),
    "backtest": Shown(BacktestPage, ("x", ANSWERED)),
    "backtest_new": Shown(BacktestPage, ("x", ANSWERED, "N", "enter", *"prices", "enter", "down")),
    "backtest_report": Shown(BacktestPage, ("x", ANSWERED, "enter")),
    "backtest_two": Shown(BacktestPage, ("x", ANSWERED, "equals_sign", "down", "equals_sign")),
    "why": Shown(WhyPage, ("w",)),
    "verdict": Shown(VerdictPage, ("w", ANSWERED, "enter")),
    "replay": Shown(DeskScreen, (), {"mode": "replay", "engine": demo_engine(replay_fraction=0.25, replay_speed=120.0)}),
    "journal": Shown(JournalPage, ("b",)),
    "story": Shown(TimelinePage, ("b", ANSWERED, "enter")),
    "metrics": Shown(MetricsPage, ("M",)),
    "news": Shown(NewsPage, ("n",)),
    "health": Shown(HealthPage, ("h",)),
    "chart": Shown(ChartPage, ("v",)),
    "help": Shown(HelpDialog, ("question_mark",)),
    "palette": Shown(Palette, ("ctrl+p", *"gbpusd")),
}
FRAMES = ("Page", "SidePage", "ListPage", "_FilteredTradesPage", "Dialog", "WordDialog")
"""What screens are made of; nobody sees them bare."""


async def shown(ship: Bridge, name: str, golden: Callable[[str, str], None]) -> None:
    await ship.answers()
    parts = [words(ship.app)]
    for theme in THEMES:
        ship.app.theme = theme
        await ship.settle()
        parts.append(f"--- {theme}\n{styles(ship.app)}")
    golden(f"screens/{name}.txt", "".join(parts))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
async def test_screen(bridge, golden, name, size):
    wanted = SCREENS[name]
    async with bridge(size, **wanted.desk) as ship:
        for key in wanted.keys:
            await (ship.press(key) if key != ANSWERED else ship.answers())
        assert type(ship.app.screen) is wanted.kind
        if wanted.kind is Palette:
            await ship.until(lambda: "Candles with positions" in ship.text, "what was found")
        await ship.settle()
        await shown(ship, f"{name}-{size[0]}x{size[1]}", golden)


def test_every_screen_is_shown() -> None:
    """A page or dialog without its place in `SCREENS` has no golden file, and fails here."""
    own = {kind for kind in classes() if issubclass(kind, Screen) and kind.__name__ not in FRAMES}
    assert own == {wanted.kind for wanted in SCREENS.values()}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_bad_night_with_real_money(bridge, golden, size):
    order = OrderView(
        client_id="r1-7", symbol="EURUSD", what="open", side=None, lots=0.1, sent_utc_ns=NOW - 90 * 10**9, order_status="unknown"
    )
    bad = {
        "mode": "real",
        "state": "HALTED",
        "reasons": (drawdown_reason(), paused_reason()),
        "positions": (*demo_positions(), foreign_position()),
        "orders": (order,),
        "positions_without_stop": 1,
        "unconfirmed_orders": 1,
        "positions_match": False,
        "external_count": 1,
        "day_result_money": -430.5,
        "calendar_available": False,
        "oldest_quote_utc_ns": NOW - 400 * 10**9,
        "engine": demo_engine(connection_up=False, connection_reason="terminal does not answer", journal_writable=False),
    }
    async with bridge(size, **bad) as ship:
        await shown(ship, f"bad_night-{size[0]}x{size[1]}", golden)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_link_lost(bridge, golden, size):
    async with bridge(size) as ship:
        await ship.give(LinkState(up=False, why="connection lost"))
        await shown(ship, f"link_lost-{size[0]}x{size[1]}", golden)


async def test_nothing_known_yet(bridge, golden):
    async with bridge(client=FakeClient([LinkState(up=False, why="connecting")])) as ship:
        await shown(ship, "connecting-80x24", golden)


async def test_ascii(bridge, golden):
    async with bridge((200, 60), client=FakeClient(live_events()), ui=ui_settings(ascii=True)) as ship:
        await ship.settle()
        assert ship.text.isascii()
        await shown(ship, "ascii-200x60", golden)


async def test_many_pairs_and_positions(bridge, golden):
    positions = tuple(foreign_position(number) for number in range(20))
    async with bridge((80, 24), pairs=demo_pairs(28), positions=positions, external_count=20) as ship:
        await shown(ship, "crowded-80x24", golden)


async def test_too_small(bridge, golden):
    async with bridge((20, 5)) as ship:
        await shown(ship, "too_small-20x5", golden)
