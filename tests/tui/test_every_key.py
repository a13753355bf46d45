"""Every key that the screen binds does what it says. A key without its case here fails: `CASES` for the table, `LOCAL` for the rest."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

import quarterdeck.tui
from quarterdeck.core.link.messages import ReplayControl
from quarterdeck.core.model.commands import Acknowledge, CloseGroup, MoveStop, Pause
from quarterdeck.core.model.snapshot import AlarmView, OrderView
from quarterdeck.tui.app import DeskApp
from quarterdeck.tui.keys import ACTIONS
from quarterdeck.tui.palette import Palette
from quarterdeck.tui.screens.backtest_page import BacktestPage
from quarterdeck.tui.screens.chart_page import ChartPage
from quarterdeck.tui.screens.desk_screen import PANELS, DeskScreen
from quarterdeck.tui.screens.dialog import ChoiceDialog
from quarterdeck.tui.screens.flatten_dialog import FlattenDialog
from quarterdeck.tui.screens.help_dialog import HelpDialog
from quarterdeck.tui.screens.journal_pages import JournalPage, MetricsPage
from quarterdeck.tui.screens.list_pages import HealthPage, NewsPage, WhyPage
from quarterdeck.tui.screens.order_dialogs import MoveStopDialog, StopDialog
from quarterdeck.tui.screens.settings_effect_page import SettingsEffectPage
from quarterdeck.tui.screens.settings_page import SettingsPage
from tests.tui.conftest import Bridge
from tests.tui.demo_desk import NOW, demo_engine, demo_positions, foreign_position, paused_reason

UNKNOWN = OrderView(
    client_id="r1-7", symbol="EURUSD", what="open", side=None, lots=0.1, sent_utc_ns=NOW - 10**9, order_status="unknown"
)
REPLAY: dict[str, Any] = {"engine": demo_engine(replay_fraction=0.25, replay_speed=120.0)}
PAUSED: dict[str, Any] = {"reasons": (paused_reason(),), "state": "REDUCE_ONLY"}
ALARMED: dict[str, Any] = {
    "engine": demo_engine(alarms=(AlarmView(kind="journal", text="the journal cannot be written", age_s=5.0),))
}
CROWDED: dict[str, Any] = {"positions": (*demo_positions(), foreign_position())}


class Case(NamedTuple):
    """What is pressed before, what must hold afterwards, and on which desk."""

    holds: Callable[[Bridge], object]
    before: tuple[str, ...] = ()
    desk: dict[str, Any] = {}  # noqa: RUF012 - read only
    size: tuple[int, int] = (120, 40)


def on(kind: type) -> Callable[[Bridge], object]:
    return lambda ship: isinstance(ship.app.screen, kind)


def front(name: str) -> Callable[[Bridge], object]:
    return lambda ship: ship.app.screen.front == name and ship.app.screen.panel(name).has_focus


def row(number: int) -> Callable[[Bridge], object]:
    return lambda ship: ship.app.screen.panel("positions").cursor_row == number


def steered(**control: Any) -> Callable[[Bridge], object]:
    return lambda ship: ship.client.controls == [ReplayControl(**control)]


def shows(words: str) -> Callable[[Bridge], object]:
    return lambda ship: words in ship.text


CASES: dict[str, Case] = {
    "flatten": Case(on(FlattenDialog)),
    "pause": Case(lambda ship: ship.client.sent == [Pause()]),
    "resume": Case(on(ChoiceDialog), desk=PAUSED),
    "acknowledge": Case(lambda ship: ship.client.sent == [Acknowledge(what="alerts")], desk=ALARMED),
    "tweak": Case(on(SettingsPage)),
    "close": Case(on(ChoiceDialog), ("3",)),
    "close_group": Case(on(ChoiceDialog)),
    "move_stop": Case(on(MoveStopDialog), ("3",)),
    "resolve": Case(on(ChoiceDialog), desk={"orders": (UNKNOWN,), "unconfirmed_orders": 1}),
    **{f"panel({number})": Case(front(name), ("5" if number == 1 else "1",)) for number, name in enumerate(PANELS, 1)},
    "zoom": Case(lambda ship: [name for name in PANELS if ship.app.screen.panel(name).display] == ["pairs"]),
    "filter": Case(lambda ship: ship.app.screen.query_one("#filter").opened),
    "log_level": Case(lambda ship: ship.app.screen.front == "log" and ship.app.screen.log_filter.level != "info"),
    "timeframe": Case(shows("EURUSD H1"), size=(200, 60)),
    "why": Case(on(WhyPage)),
    "journal": Case(on(JournalPage)),
    "metrics": Case(on(MetricsPage)),
    "backtest": Case(on(BacktestPage)),
    "chart": Case(on(ChartPage)),
    "news": Case(on(NewsPage)),
    "health": Case(on(HealthPage)),
    "replay_toggle": Case(steered(action="pause"), desk=REPLAY),
    "replay_slower": Case(steered(action="speed", speed=60.0), desk=REPLAY),
    "replay_faster": Case(steered(action="speed", speed=240.0), desk=REPLAY),
    "replay_step": Case(steered(action="step_bar"), desk=REPLAY),
    "replay_trade": Case(steered(action="next_trade"), desk=REPLAY),
    "replay_refusal": Case(steered(action="next_refusal"), desk=REPLAY),
    "help": Case(on(HelpDialog)),
    "palette": Case(on(Palette)),
    "freeze": Case(shows("FROZEN VIEW")),
    "theme": Case(lambda ship: ship.app.theme != "harbour"),
    "copy": Case(lambda ship: "EURUSD" in ship.app.clipboard),
    "detach": Case(lambda ship: ship.app.return_code == 0 and not ship.client.sent),
    "stop": Case(on(StopDialog)),
}
SEARCHED = ("w", "slash", "x")
LOCAL: dict[str, Case] = {
    "DeskApp.how_to_leave": Case(shows("leaves the screen")),
    "Panel.move(-1)": Case(row(1), ("3", "down", "down")),
    "Panel.move(1)": Case(row(1), ("3",)),
    "Panel.move_page(-1)": Case(row(0), ("3", "down", "down")),
    "Panel.move_page(1)": Case(row(2), ("3",)),
    "Panel.move_far(-1)": Case(row(0), ("3", "down", "down")),
    "Panel.move_far(1)": Case(row(2), ("3",)),
    "Panel.choose": Case(on(ChoiceDialog), ("3",)),
    "DeskScreen.keep_filter": Case(
        lambda ship: ship.app.screen.log_filter.text == "x" and front("log")(ship) and not opened(ship, "#filter"), ("slash", "x")
    ),
    "DeskScreen.key_escape": Case(lambda ship: all(ship.app.screen.panel(name).display for name in PANELS), ("z",)),
    "SidePage.back": Case(on(DeskScreen), ("n",)),
    "ListPage.search": Case(lambda ship: opened(ship, "#search"), ("w",)),
    "ListPage.enter": Case(lambda ship: not opened(ship, "#search") and ship.app.screen.search == "x", SEARCHED),
    "WhyPage.pair(-1)": Case(lambda ship: ship.app.screen.symbol == "EURUSD", ("w", "right")),
    "WhyPage.pair(1)": Case(lambda ship: ship.app.screen.symbol == "GBPUSD", ("w",)),
    "_FilteredTradesPage.pair(-1)": Case(lambda ship: ship.app.screen.search == "", ("b", "right")),
    "_FilteredTradesPage.pair(1)": Case(lambda ship: ship.app.screen.search == "EURUSD", ("M",)),
    "ChartPage.pair(-1)": Case(lambda ship: ship.app.screen.symbol == "EURUSD", ("v", "right")),
    "ChartPage.pair(1)": Case(lambda ship: ship.app.screen.symbol == "GBPUSD", ("v",)),
    "ChartPage.timeframe": Case(shows("EURUSD H1"), ("v",)),
    "SettingsPage.switch": Case(lambda ship: ship.app.screen.edits, ("t", "slash", *"ui.ascii", "enter", "down")),
    "SettingsPage.forget": Case(lambda ship: not ship.app.screen.edits, ("t", "slash", *"ui.ascii", "enter", "down", "space")),
    "SettingsPage.apply": Case(shows("no edit waits"), ("t",)),
    "SettingsPage.effect": Case(on(SettingsEffectPage), ("t", "slash", *"ui.ascii", "enter", "down", "space")),
    "SettingsEffectPage.apply": Case(on(ChoiceDialog), ("t", "slash", *"ui.ascii", "enter", "down", "space", "E")),
    "BacktestPage.new": Case(lambda ship: ship.app.screen.sight == "form", ("x",)),
    "BacktestPage.mark": Case(lambda ship: ship.app.screen.marked, ("x",)),
    "BacktestPage.cancel_run": Case(shows("no backtest runs"), ("x",)),
    "SettingsPage.undo": Case(on(ChoiceDialog), ("t",)),
    "SettingsPage.history": Case(lambda ship: ship.app.screen.history, ("t",)),
    "Dialog.cancel": Case(lambda ship: on(DeskScreen)(ship) and not ship.client.sent, ("Q",)),
    "ChoiceDialog.choose(-1)": Case(lambda ship: ship.app.screen.chosen > 1, ("C",)),
    "ChoiceDialog.choose(1)": Case(lambda ship: ship.app.screen.chosen == 1, ("C",)),
    "ChoiceDialog.agree": Case(lambda ship: ship.client.sent == [CloseGroup(which="losers")], ("C",)),
    "ChoiceDialog.cancel": Case(lambda ship: on(DeskScreen)(ship) and not ship.client.sent, ("C",)),
    "MoveStopDialog.key_y": Case(
        lambda ship: ship.client.sent == [MoveStop(position_id=7002, stop_price=161.1)], ("3", "m", *"161.1", "enter")
    ),
    "FlattenDialog.scope": Case(lambda ship: ship.app.screen.scope == "account", ("F",), CROWDED),
    "StopDialog.policy(1)": Case(lambda ship: ship.app.screen.chosen == 1, ("Q",)),
    "StopDialog.policy(-1)": Case(lambda ship: ship.app.screen.chosen == 2, ("Q",)),
    "HelpDialog.scroll(-1)": Case(lambda ship: scrolled(ship) == 2, ("question_mark", "down", "down", "down"), size=(80, 24)),
    "HelpDialog.scroll(1)": Case(lambda ship: scrolled(ship) == 1, ("question_mark",), size=(80, 24)),
    "HelpDialog.scroll(-10)": Case(lambda ship: scrolled(ship) == 0, ("question_mark", "down"), size=(80, 24)),
    "HelpDialog.scroll(10)": Case(lambda ship: scrolled(ship) == 10, ("question_mark",), size=(80, 24)),
    "HelpDialog.cancel": Case(lambda ship: on(DeskScreen)(ship) and ship.app.return_code is None, ("question_mark",)),
}
TEXTUALS_OWN = ("Field",)
"""What moves in a line of text is Textual's, and tested there."""


def opened(ship: Bridge, field: str) -> bool:
    return bool(ship.app.screen.query_one(field).opened)


def scrolled(ship: Bridge) -> int:
    return int(ship.app.screen._top)


def bound() -> Iterator[tuple[str, str]]:
    """(what, key) of every key that a class of the screen binds for itself, besides those of the table."""
    table = {f"do('{action.id}')" for action in ACTIONS} | {"flatten_letter"}
    for kind in sorted(classes(), key=lambda kind: kind.__name__):
        name = kind.__name__
        if name in TEXTUALS_OWN:
            continue
        for made in Binding.make_bindings(kind.__dict__.get("BINDINGS", ())):
            if made.action not in table:
                yield f"{name}.{made.action}", made.key
        for method in vars(kind):
            if method.startswith("key_"):
                yield f"{name}.{method}", method.removeprefix("key_")


def classes() -> set[type]:
    found = set()
    for module in pkgutil.walk_packages(quarterdeck.tui.__path__, "quarterdeck.tui."):
        members = vars(importlib.import_module(module.name)).values()
        found |= {
            kind for kind in members if inspect.isclass(kind) and issubclass(kind, DOMNode) and kind.__module__ == module.name
        }
    return found


def test_every_action_of_the_table_has_its_case() -> None:
    assert set(CASES) == {action.id for action in ACTIONS}


def test_every_other_key_has_its_case() -> None:
    assert set(LOCAL) == {what for what, _ in bound()}


async def pressed(bridge: Any, case: Case, key: str) -> None:
    async with bridge(case.size, **case.desk) as ship:
        for before in case.before:
            await ship.press(before)
            if not on(DeskScreen)(ship):
                await ship.answers()
        assert not case.holds(ship), "it holds before the key: the case shows nothing"
        await ship.press(key)
        assert case.holds(ship), ship.text


@pytest.mark.parametrize(("action_id", "key"), [(action.id, key) for action in ACTIONS for key in action.keys.split(",")])
async def test_a_key_of_the_table_does_what_it_says(bridge, action_id, key):
    await pressed(bridge, CASES[action_id], key)


@pytest.mark.parametrize(("what", "key"), [found for found in bound() if found[0] in LOCAL])
async def test_page_and_dialog_keys_do_what_they_say(bridge, what, key):
    await pressed(bridge, LOCAL[what], key)


def test_the_app_binds_nothing_that_is_not_in_the_table() -> None:
    own = {made.action for made in Binding.make_bindings(DeskApp.BINDINGS)}
    assert own == {f"do('{action.id}')" for action in ACTIONS} | {"flatten_letter", "how_to_leave"}
