"""What screens may ask of the app: knowledge, the engine's ear, and other screens. `tui.app` is it; tests may be another."""

from __future__ import annotations

from typing import Protocol

from quarterdeck.core.link.messages import CommandResult, QueryBody, ReplayControl, ReplyBody
from quarterdeck.core.model.commands import Command
from quarterdeck.core.settings.schema import UiSection
from quarterdeck.tui.backtest_job import BacktestJob
from quarterdeck.tui.command_process import CommandRunner
from quarterdeck.tui.keys import Action, Keymap
from quarterdeck.tui.screen_state import ScreenState
from quarterdeck.tui.view.lines import Glyphs


class AppInterface(Protocol):
    """The app as its screens see it."""

    memory: ScreenState
    glyphs: Glyphs
    keymap: Keymap
    ui: UiSection
    commands: CommandRunner
    bench: BacktestJob

    async def send_command(self, command: Command, words: str) -> CommandResult | None:
        """Order something; None when nobody knows what became of it. The answer is shown and noted."""
        ...

    async def ask(self, question: QueryBody) -> ReplyBody:
        """Ask the engine; what goes wrong comes back as `Cannot`."""
        ...

    async def control_replay(self, control: ReplayControl) -> None:
        """Steer a replay."""
        ...

    def available_actions(self) -> list[Action]:
        """Actions that do something now, on this screen."""
        ...

    def show_message(self, text: str) -> None:
        """Show a word about what was just done."""
        ...

    def set_theme(self, name: str) -> None:
        """Wear a theme."""
        ...
