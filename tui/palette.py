"""The palette: every action that can be done now, every pair, position and parameter, by a few letters of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.widgets import Input

from quarterdeck.core.settings.parameters import parameters
from quarterdeck.tui.keys import BY_ID
from quarterdeck.tui.view.positions_panel import digits_of, one_line

if TYPE_CHECKING:
    from quarterdeck.tui.app import DeskApp


class PaletteEntry(NamedTuple):
    """One thing to find."""

    words: str
    help: str
    run: Callable[[], object]


class Palette(CommandPalette):
    """Textual's, with a cursor that stands still: one that blinks costs 2 kB a second on a slow line."""

    def on_mount(self) -> None:
        """Hold the cursor."""
        self.query_one(Input).cursor_blink = False


class DeskCommandProvider(Provider):
    """Finds things of the desk."""

    async def discover(self) -> Hits:
        """Before a letter is typed: the actions."""
        for entry in self._actions():
            yield DiscoveryHit(Content(entry.words), entry.run, text=entry.words, help=entry.help)

    async def search(self, query: str) -> Hits:
        """Everything that matches."""
        matcher = self.matcher(query)
        for entry in (*self._actions(), *self._things()):
            score = matcher.match(entry.words)
            if score > 0:
                yield Hit(score, matcher.highlight(entry.words), entry.run, text=entry.words, help=entry.help)

    @property
    def _desk_app(self) -> DeskApp:
        return cast("DeskApp", self.app)

    def _actions(self) -> Iterable[PaletteEntry]:
        app = self._desk_app
        for action in BY_ID.values():
            if action.id != "palette" and app.is_available(action.id):
                key = app.keymap.shown(action.id)
                yield PaletteEntry(f"{action.title} ({key})", action.meaning, partial(app.call_later, app.action_do, action.id))
        yield PaletteEntry(
            "reset after a drawdown", "The peak starts again from today's equity; asks first", app.actions.do_reset_drawdown
        )

    def _things(self) -> Iterable[PaletteEntry]:
        app = self._desk_app
        snapshot = app.memory.snapshot
        if snapshot is not None:
            for pair in snapshot.desk.pairs:
                yield PaletteEntry(
                    f"{pair.symbol}: why not", "The ledger of this pair", partial(app.actions.open_why, pair.symbol)
                )
                yield PaletteEntry(
                    f"{pair.symbol}: chart", "Candles with positions and signals", partial(app.actions.open_chart, pair.symbol)
                )
            for view in snapshot.desk.positions:
                words = one_line(view, digits_of(snapshot.desk, view.symbol))
                yield PaletteEntry(f"close {words}", "Asks first", partial(app.actions.ask_close, view.position_id))
        for row in parameters().values():
            yield PaletteEntry(f"set {row.key}", f"{row.meaning}; {row.allowed}", partial(app.actions.open_settings, row.key))
