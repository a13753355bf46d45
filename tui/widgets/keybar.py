"""The bar of keys at the bottom of every screen; each key can be clicked."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from tui.keys import Action, Keymap
from tui.view.bar import Offer, bar
from tui.view.lines import Glyphs
from tui.widgets.paper import Paper


class KeyBar(Paper):
    """One line; what is on it is the screen's word."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; }
    """

    def __init__(self) -> None:
        """An empty bar."""
        super().__init__(id="keys")
        self._offers: tuple[Offer, ...] = ()

    def show(self, actions: Sequence[Action], keys: Keymap, glyphs: Glyphs, own: Sequence[tuple[str, str]] = ()) -> None:
        """Offer `actions`, and a page's own keys."""
        line, self._offers = bar(actions, keys, self.size.width, glyphs, own)
        self.lay([line])

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the mouse does."""
        for offer in self._offers:
            if offer.start <= event.x < offer.end:
                await self.run_action(f"app.do('{offer.action}')")
                return
