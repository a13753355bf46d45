"""The app: one door between the engine's words and the screens, and between keys and the engine's ear.

Promises: nothing here blocks the loop or waits for the engine while keys are pressed; what goes wrong with an order or a
question is shown, never raised; leaving the screen leaves the engine alone. Does not: format (`tui.view`) or place
(`tui.screens`).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from quarterdeck.core.link.link_client import LinkClient
from quarterdeck.core.link.messages import (
    CommandResult,
    LinkBye,
    LinkState,
    LogQuery,
    LogReply,
    QueryBody,
    QueryFailed,
    ReplayControl,
    ReplyBody,
)
from quarterdeck.core.model.commands import Command, StopEngine
from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.model.snapshot import Snapshot
from quarterdeck.core.settings.schema import UiSection
from quarterdeck.tui.actions import Actions
from quarterdeck.tui.backtest_job import BacktestJob
from quarterdeck.tui.command_process import CommandRunner, HomeCommandRunner
from quarterdeck.tui.gc_tuning import freeze_garbage_collector, release_closed_screens
from quarterdeck.tui.keys import ACTIONS, BY_ID, NOTHING_TO_ACT_ON, Action, keymap_with
from quarterdeck.tui.palette import DeskCommandProvider
from quarterdeck.tui.screen_state import ScreenState
from quarterdeck.tui.screens.base_page import Page
from quarterdeck.tui.screens.desk_screen import DeskScreen
from quarterdeck.tui.screens.dialog import Dialog
from quarterdeck.tui.screens.settings_page import SettingsPage
from quarterdeck.tui.terminal import needs_ascii
from quarterdeck.tui.terminal_driver import HardenedApp
from quarterdeck.tui.themes import DEFAULT, SLOW_LINE_THEME, load_themes, look_defaults
from quarterdeck.tui.view.lines import ASCII, UNICODE
from quarterdeck.tui.view.status_lines import title_words
from quarterdeck.tui.widgets.field import Field

EVENTS_AT_ONCE = 200
"""After so many events the loop gets its turn; a flood of log lines never holds up a key."""
BACKLOG_MAX = 3
"""Frames waiting for the terminal above which a paint is skipped."""


def _bindings() -> list[BindingType]:
    """One binding for each action, all with priority.

    The app then answers a key before it looks at the next one: keys that arrive in one packet over a slow line each meet the
    screen that the one before has opened.
    """
    found: list[BindingType] = []
    for action in ACTIONS:
        if action.id == "flatten":
            letters = ",".join(key for key in action.keys.split(",") if len(key) == 1)
            others = ",".join(key for key in action.keys.split(",") if len(key) > 1)
            found.append(Binding(others, "do('flatten')", action.title, id="flatten", show=False, priority=True))
            found.append(Binding(letters, "flatten_letter", action.title, id="flatten_letter", show=False, priority=True))
        else:
            found.append(Binding(action.keys, f"do('{action.id}')", action.title, id=action.id, show=False, priority=True))
    found.append(Binding("ctrl+c", "how_to_leave", "Copy or how to leave", show=False, system=True))
    return found


class DeskApp(HardenedApp):
    """Quarterdeck's screen."""

    TITLE = "Quarterdeck"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar[set[Any]] = {DeskCommandProvider}
    BINDINGS: ClassVar[list[BindingType]] = _bindings()
    CSS = """
    ToastRack { dock: bottom; }
    CommandPalette SearchIcon { display: none; }
    """

    def __init__(
        self, client: LinkClient, ui: UiSection, *, home: Path | None = None, commands: CommandRunner | None = None
    ) -> None:
        """`client` must be ready to yield events; `ui` is the settings' section of the screen."""
        super().__init__()
        release_closed_screens()
        self.client = client
        self.ui = ui
        self.memory = ScreenState()
        self.commands = commands or HomeCommandRunner(home)
        self.bench = BacktestJob(self.commands)
        self.glyphs = ASCII if ui.ascii or needs_ascii(os.environ) else UNICODE
        self.keymap = keymap_with(ui.keys)
        self._themes = load_themes(home / "themes" if home is not None else None)
        self._title = ""
        self._stop_ordered = False
        self._alarm = (0, "")
        self.actions = Actions(self)
        self.animation_level = "none"

    # -------------------------------------------------------------------------------------------------------- life
    def get_default_screen(self) -> Screen[Any]:
        """The desk."""
        return DeskScreen()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Looks of our own for themes that are not ours."""
        return look_defaults()

    def on_mount(self) -> None:
        """Wear the theme, take the keys, listen, and paint by the clock."""
        for theme in self._themes.known.values():
            self.register_theme(theme)
        wanted = self.ui.theme
        complaints = [*self._themes.refused, *self.keymap.refused]
        if wanted not in self.available_themes:
            complaints.append(f"ui.theme: no theme {wanted!r}, {DEFAULT} is worn")
            wanted = DEFAULT
        if SLOW_LINE_THEME in self._themes.known and (self.no_color or self.console.color_system == "standard"):
            wanted = SLOW_LINE_THEME
        self.theme = wanted
        for text in complaints:
            self.notify(text, severity="warning", markup=False, timeout=15)
        self._take_keys()
        self.set_interval(1.0 / self.ui.max_fps, self.paint)
        self.ticking = self.set_interval(1.0, self.memory.tick)
        self.run_worker(self._listen(), name="link", exit_on_error=False)

    def _take_keys(self) -> None:
        keys = {action_id: ",".join(held) for action_id, held in self.keymap.keys.items() if action_id != "flatten"}
        flatten = self.keymap.keys["flatten"]
        keys["flatten"] = ",".join(key for key in flatten if len(key) > 1) or "f9"
        keys["flatten_letter"] = ",".join(key for key in flatten if len(key) == 1) or "F"
        self.set_keymap(keys)

    async def _listen(self) -> None:
        """Take what the link says; yields now and then, so that a flood never holds up a key."""
        count = 0
        while True:
            event = await self.client.next()
            first = self.memory.snapshot is None
            self.memory.take(event)
            if isinstance(event, LinkState) and event.up:
                fetching: Any = self._fetch_log  # not a coroutine: see `Page.asked`
                self.run_worker(fetching, group="log", exclusive=True, exit_on_error=False)
            elif isinstance(event, Snapshot):
                self._ring(event)
                if first:
                    self.paint()
                    if not self.is_headless:
                        self.call_after_refresh(freeze_garbage_collector)
            elif isinstance(event, LinkBye) and self._stop_ordered:
                self.exit(0, return_code=0, message=f"The engine ended: {event.why}")
            count += 1
            if count % EVENTS_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _fetch_log(self) -> None:
        answer = await self.ask(LogQuery())
        if isinstance(answer, LogReply):
            self.memory.fill_log(answer.lines)

    def _ring(self, snapshot: Snapshot) -> None:
        """Ring the bell when something got worse, so that a window in the background is noticed."""
        desk = snapshot.desk
        alarm = (desk.unconfirmed_orders + desk.positions_without_stop, desk.state)
        if alarm[0] > self._alarm[0] or (
            desk.state != self._alarm[1] and desk.state in ("REDUCE_ONLY", "HALTED") and self._alarm[1]
        ):
            self.bell()
        self._alarm = alarm

    def paint(self) -> None:
        """Paint what is in sight, unless the terminal has not taken the last frames yet."""
        if self.line_backlog > BACKLOG_MAX or not self.is_running:
            return
        with self.batch_update():
            for screen in self.screen_stack[-2:] if isinstance(self.screen, ModalScreen) else self.screen_stack[-1:]:
                if isinstance(screen, Page | Dialog):
                    screen.paint()
        title = title_words(self.memory.sight)
        if title != self._title:
            self._title = title
            if self._driver is not None and not self.is_headless:
                self._driver.write(f"\x1b]2;{title}\x07")

    # --------------------------------------------------------------------------------------------- to and from the engine
    async def send_command(self, command: Command, words: str) -> CommandResult | None:
        """See `AppInterface.send_command`."""
        number = self.memory.order_given(words)
        self.memory.say(f"{words}: sent")
        self._stop_ordered = self._stop_ordered or isinstance(command, StopEngine)
        try:
            result = await self.client.send(command)
        except QuarterdeckError as error:
            self.memory.order_answered(number, None, error.one_line())
            self.memory.say(f"{words}: NOT CONFIRMED, {error.one_line()}", 15)
            self.notify(error.one_line(), title=f"{words}: not confirmed", severity="error", markup=False, timeout=15)
            return None
        self.memory.order_answered(number, result)
        self.memory.say(f"{words}: {result.text}" if result.ok else f"{words}: REFUSED, {result.text}", 6 if result.ok else 15)
        if not result.ok:
            self.notify(result.text, title=f"{words}: refused", severity="warning", markup=False, timeout=12)
        return result

    async def ask(self, question: QueryBody) -> ReplyBody:
        """See `AppInterface.ask`."""
        try:
            return await self.client.ask(question)
        except QuarterdeckError as error:
            return QueryFailed(why=error.one_line())

    async def control_replay(self, control: ReplayControl) -> None:
        """See `AppInterface.control_replay`."""
        try:
            await self.client.control(control)
        except QuarterdeckError as error:
            self.show_message(error.one_line())

    def show_message(self, text: str) -> None:
        """See `AppInterface.show_message`."""
        self.memory.say(text)
        self.paint()

    # -------------------------------------------------------------------------------------------------------- actions
    def available_actions(self) -> list[Action]:
        """See `AppInterface.available_actions`."""
        return [action for action in ACTIONS if self.can(action.id)]

    @property
    def screen_below(self) -> Screen[Any]:
        """The full screen, whatever dialog lies above it."""
        return next(screen for screen in reversed(self.screen_stack) if not isinstance(screen, ModalScreen))

    def can(self, action_id: str) -> bool:
        """Whether a key does something now: under a dialog, only flatten does."""
        return action_id == "flatten" if isinstance(self.screen, ModalScreen) else self.is_available(action_id)

    def is_available(self, action_id: str) -> bool:
        """Whether an action does something on the screen below any dialog."""
        action = BY_ID[action_id]
        snapshot = self.memory.snapshot
        desk = snapshot.desk if snapshot is not None else None
        if action.where == "desk" and not isinstance(self.screen_below, DeskScreen):
            return False
        match action_id:
            case "pause":
                return desk is None or all(reason.code != "paused" for reason in desk.reasons)
            case "resume":
                return desk is not None and bool(desk.reasons)
            case "acknowledge":
                return snapshot is not None and any(not alarm.acknowledged for alarm in snapshot.engine.alarms)
            case "close" | "close_group" | "move_stop":
                return desk is not None and bool(desk.positions)
            case "resolve":
                return desk is not None and any(order.order_status == "unknown" for order in desk.orders)
            case _:
                pass
        if action.where == "replay" and isinstance(self.screen_below, SettingsPage):
            return False
        if action.where == "replay":
            return snapshot is not None and snapshot.engine.replay_fraction is not None
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing here are not taken."""
        if action == "do":
            action_id = str(parameters[0])
            typing = isinstance(self.focused, Input) and action_id not in ("flatten", "palette")
            return action_id in BY_ID and not typing and (self.can(action_id) or bool(self._why_idle(action_id)))
        if action == "flatten_letter":
            return not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    async def on_event(self, event: events.Event) -> None:
        """A letter typed into a field is in it before the next key is looked at: `0.5` and Enter in one packet mean 0.5."""
        fresh = isinstance(event, events.Key) and not event.is_forwarded
        await super().on_event(event)
        if fresh and isinstance(self.focused, Field):
            await self.focused.wait_for_typed()

    async def action_flatten_letter(self) -> None:
        """The letter for flatten, where letters are not typed."""
        await self.action_do("flatten")

    async def action_do(self, action_id: str) -> None:
        """Do one action of the table, or say that there is nothing to act on."""
        if why := self._why_idle(action_id):
            self.show_message(why)
            return
        await self.actions.perform(action_id)
        self.paint()

    def _why_idle(self, action_id: str) -> str:
        """What to say of a key of the desk that has nothing to act on now; empty where it has, and on other pages."""
        idle = isinstance(self.screen, DeskScreen) and self.memory.snapshot is not None and not self.can(action_id)
        return NOTHING_TO_ACT_ON.get(action_id, "") if idle else ""

    def set_theme(self, name: str) -> None:
        """Wear a theme; an unknown one is refused in words."""
        if name not in self.available_themes:
            self.show_message(f"no theme {name}")
            return
        self.theme = name
        self.show_message(f"theme {name}; keep it with ui.theme in the parameters")

    @property
    def theme_names(self) -> list[str]:
        """Names of our themes and the operator's."""
        return list(self._themes.known)

    def action_how_to_leave(self) -> None:
        """Ctrl+C copies what is selected, else says which keys leave."""
        text = self.screen.get_selected_text()
        if text:
            self.copy_to_clipboard(text)
        self.show_message(
            "copied" if text else f"{self.keymap.shown('detach')} leaves the screen, {self.keymap.shown('stop')} stops the engine"
        )

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """Textual's own commands stay out of the palette but for the themes."""
        yield SystemCommand("Theme", "Choose a theme and see it at once", self.search_themes)


def run_screen(client: LinkClient, ui: UiSection, *, mouse: bool = True, home: Path | None = None) -> int:
    """Show the desk until it is left; returns the exit code. The caller owns `client` and closes it."""
    return asyncio.run(show_screen(client, ui, mouse=mouse, home=home))


async def show_screen(client: LinkClient, ui: UiSection, *, mouse: bool = True, home: Path | None = None) -> int:
    """As `run_screen`, inside a running loop (an engine in the same process needs that)."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    app = DeskApp(client, ui, home=home)
    result = await app.run_async(mouse=mouse)
    _restore_task_factory()
    return app.return_code or int(result or 0)


def _restore_task_factory() -> None:
    """Textual leaves an eager task factory behind on newer Pythons; others in the loop did not ask for it."""
    asyncio.get_running_loop().set_task_factory(None)
