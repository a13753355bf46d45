"""The bar of keys at the bottom of every screen, under a replay's transport; each key can be clicked."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from quarterdeck.core.model.snapshot import EngineHealth
from quarterdeck.tui.keys import Action, Keymap
from quarterdeck.tui.view.keybar_lines import KeyBarItem, keybar_line, replay_controls_line
from quarterdeck.tui.view.lines import Glyphs
from quarterdeck.tui.widgets.styled_lines import StyledLines


class KeyBar(StyledLines):
    """One line, two in a replay; what is on them is the screen's word."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: auto; background: $panel; }
    """

    def __init__(self) -> None:
        """An empty bar."""
        super().__init__(id="keys")
        self._offers: tuple[tuple[KeyBarItem, ...], ...] = ()

    def show(
        self,
        actions: Sequence[Action],
        keys: Keymap,
        glyphs: Glyphs,
        own: Sequence[tuple[str, str]] = (),
        engine: EngineHealth | None = None,
    ) -> None:
        """Offer `actions`, and a page's own keys; `engine` tells whether a replay runs."""
        width = self.size.width
        rows = [keybar_line(actions, keys, width, glyphs, own)]
        if engine is not None and engine.replay_fraction is not None:
            rows.insert(0, replay_controls_line(engine, actions, keys, width, glyphs))
        self._offers = tuple(offers for _, offers in rows)
        self.show_lines([line for line, _ in rows])

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the mouse does."""
        for offer in self._offers[event.y] if event.y < len(self._offers) else ():
            if offer.start <= event.x < offer.end and offer.key:
                self.app.simulate_key(offer.key)
                return
            if offer.start <= event.x < offer.end:
                await self.run_action(f"app.do('{offer.action}')")
                return
