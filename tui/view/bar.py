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


def bar(
    actions: Sequence[Action], keys: Keymap, width: int, glyphs: Glyphs, own: Sequence[tuple[str, str]] = ()
) -> tuple[Line, tuple[Offer, ...]]:
    """The line, and each key's place on it; what does not fit is left out. `own` are a page's (key, title), after flatten."""
    spans: list[Span] = []
    offers: list[Offer] = []
    at = 0
    ordered = [
        (keys.shown(action.id), action.title, action.id)
        for action in sorted(actions, key=lambda action: action.bar)
        if action.bar
    ]
    for shown, title, action_id in [*ordered[:1], *((key, title, "") for key, title in own), *ordered[1:]]:
        piece = (Span(f" {shown} ", "alarm" if action_id == "flatten" else "key"), Span(f" {title}  "))
        size = width_of(piece)
        if at + size - 2 > width:
            continue
        if action_id:
            offers.append(Offer(at, at + size - 2, action_id))
        spans.extend(piece)
        at += size
    line = merged(spans)
    if line:
        line = (*line[:-1], Span(line[-1].text.rstrip(), line[-1].role))  # a gap at the end is no reason to cut the last word
    return clip(line, width, glyphs), tuple(offers)
