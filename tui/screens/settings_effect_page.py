"""The effect of a change set: asked of the desk for what is open, run again over the last days in another process.

Promises: nothing is changed; what is not known yet says so; leaving ends the run. Does not: apply (`settings_page` does).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from quarterdeck.core.link.messages import PreviewQuery, PreviewReply, QueryFailed
from quarterdeck.tui.app_interface import AppInterface
from quarterdeck.tui.command_process import CommandFailed, CommandProgress
from quarterdeck.tui.screens.list_pages import ListPage
from quarterdeck.tui.view import settings_effect
from quarterdeck.tui.view.lines import PanelContent
from quarterdeck.tui.view.settings_effect import SettingsEffect

DAYS: Final = 7.0
LIMIT_S: Final = 300.0
"""A what-if that takes longer is stopped: seconds are what it is for."""
SettingChanges = tuple[tuple[str, str], ...]


class EffectQuery:
    """Finds out, once for a set of changes."""

    def __init__(self, host: AppInterface, changes: SettingChanges) -> None:
        """Nothing known."""
        self.changes = changes
        self.known = SettingsEffect(days=DAYS)
        self._host = host

    async def ask(self) -> None:
        """Ask the desk, which answers at once."""
        answer = await self._host.ask(PreviewQuery(changes=self.changes))
        if isinstance(answer, PreviewReply):
            self.known = self.known._replace(now=answer)
        else:
            self.known = self.known._replace(now_why=answer.why if isinstance(answer, QueryFailed) else "no answer")

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

    def _told(self, told: CommandProgress) -> None:
        self.known = self.known._replace(told=told)


class SettingsEffectPage(ListPage):
    """Everything that is known of a change set's effect."""

    NAME = "effect"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("A", "apply", show=False, priority=True)]
    PAGE_KEYS = (("A", "apply"), ("up down", "scroll"), ("Esc", "back"))
    CURSOR = False

    def __init__(self, probe: EffectQuery, apply: Callable[[], None]) -> None:
        """`apply` asks for how long, and applies."""
        super().__init__()
        self._probe = probe
        self._apply = apply

    def heading(self) -> str:
        """In words."""
        count = len(self._probe.changes)
        return f"Effect of {count} change{'' if count == 1 else 's'}"

    def panel_content(self, width: int) -> PanelContent:
        """As far as it is known."""
        lines = settings_effect.effect_lines(self._probe.known, width, self.glyphs)
        return PanelContent((), lines, [f"line:{number}" for number in range(len(lines))], "nothing is changed yet")

    def action_apply(self) -> None:
        """Ask for how long."""
        self._apply()
