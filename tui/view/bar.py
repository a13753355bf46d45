"""The bar at the bottom: the keys that do something now, the vital ones first, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tui.keys import Action, Keymap
from tui.view.lines import Glyphs, Line, Span, clip, merged, width_of


class Offer(NamedTuple):
    """A key on the bar: where it stands and what a click on it does."""

    start: int
    end: int
    action: str


def bar(actions: Sequence[Action], keys: Keymap, width: int, glyphs: Glyphs) -> tuple[Line, tuple[Offer, ...]]:
    """The line, and the place of each key on it. What does not fit is left out whole; help comes before the rest."""
    spans: list[Span] = []
    offers: list[Offer] = []
    at = 0
    for action in sorted((action for action in actions if action.bar), key=lambda action: action.bar):
        piece = (Span(f" {keys.shown(action.id)} ", "alarm" if action.id == "flatten" else "key"), Span(f" {action.title}  "))
        size = width_of(piece)
        if at + size - 2 > width:
            continue
        offers.append(Offer(at, at + size - 2, action.id))
        spans.extend(piece)
        at += size
    return clip(merged(spans), width, glyphs), tuple(offers)
