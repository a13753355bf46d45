"""The effect of a change set: asked of the desk for what is open, run again over the last days in another process.

Promises: nothing is changed; what is not known yet says so; leaving ends the run. Does not: apply (`tweak` does).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from quarterdeck.core.link.messages import AskRehearsal, Cannot, RehearsalNow
from quarterdeck.tui.child import CommandFailed, Told
from quarterdeck.tui.host import Host
from quarterdeck.tui.screens.lists import ListPage
from quarterdeck.tui.view import effect
from quarterdeck.tui.view.effect import Known
from quarterdeck.tui.view.lines import Sheet

DAYS: Final = 7.0
LIMIT_S: Final = 300.0
"""A what-if that takes longer is stopped: seconds are what it is for."""
Changes = tuple[tuple[str, str], ...]


class Probe:
    """Finds out, once for a set of changes."""

    def __init__(self, host: Host, changes: Changes) -> None:
        """Nothing known."""
        self.changes = changes
        self.known = Known(days=DAYS)
        self._host = host

    async def ask(self) -> None:
        """Ask the desk, which answers at once."""
        answer = await self._host.ask(AskRehearsal(changes=self.changes))
        if isinstance(answer, RehearsalNow):
            self.known = self.known._replace(now=answer)
        else:
            self.known = self.known._replace(now_why=answer.why if isinstance(answer, Cannot) else "no answer")

    async def run(self) -> None:
        """Run the last days twice; seconds."""
        words = ["whatif", "--days", f"{DAYS:g}"]
        for key, value in self.changes:
            words += ["--set", f"{key}={value}"]
        try:
            found = await self._host.commands.run(words, self._told, LIMIT_S)
        except CommandFailed as error:
            self.known = self.known._replace(past_why=str(error))
        else:
            self.known = self.known._replace(past=found)

    def _told(self, told: Told) -> None:
        self.known = self.known._replace(told=told)


class EffectPage(ListPage):
    """Everything that is known of a change set's effect."""

    NAME = "effect"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("A", "apply", show=False, priority=True)]
    PAGE_KEYS = (("A", "apply"), ("up down", "scroll"), ("Esc", "back"))
    CURSOR = False

    def __init__(self, probe: Probe, apply: Callable[[], None]) -> None:
        """`apply` asks for how long, and applies."""
        super().__init__()
        self._probe = probe
        self._apply = apply

    def heading(self) -> str:
        """In words."""
        count = len(self._probe.changes)
        return f"Effect of {count} change{'' if count == 1 else 's'}"

    def sheet(self, width: int) -> Sheet:
        """As far as it is known."""
        lines = effect.lines_of(self._probe.known, width, self.glyphs)
        return Sheet((), lines, [f"line:{number}" for number in range(len(lines))], "nothing is changed yet")

    def action_apply(self) -> None:
        """Ask for how long."""
        self._apply()
