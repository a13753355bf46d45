"""What screens may ask of the app: knowledge, the engine's ear, and other screens. `tui.app` is it; tests may be another."""

from __future__ import annotations

from typing import Protocol

from quarterdeck.core.link.messages import AnswerBody, CommandResult, Question, ReplayControl
from quarterdeck.core.model.commands import Command
from quarterdeck.core.settings.schema import Ui
from quarterdeck.tui.bench import Bench
from quarterdeck.tui.child import Commands
from quarterdeck.tui.keys import Action, Keymap
from quarterdeck.tui.memory import DeskMemory
from quarterdeck.tui.view.lines import Glyphs


class Host(Protocol):
    """The app as its screens see it."""

    memory: DeskMemory
    glyphs: Glyphs
    keymap: Keymap
    ui: Ui
    commands: Commands
    bench: Bench

    async def give(self, command: Command, words: str) -> CommandResult | None:
        """Order something; None when nobody knows what became of it. The answer is shown and noted."""
        ...

    async def ask(self, question: Question) -> AnswerBody:
        """Ask the engine; what goes wrong comes back as `Cannot`."""
        ...

    async def steer_replay(self, control: ReplayControl) -> None:
        """Steer a replay."""
        ...

    def offered(self) -> list[Action]:
        """Actions that do something now, on this screen."""
        ...

    def say(self, text: str) -> None:
        """Show a word about what was just done."""
        ...

    def wear(self, name: str) -> None:
        """Wear a theme."""
        ...
