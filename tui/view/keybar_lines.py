"""The bar at the bottom: the keys that do something now, the vital ones first, as many as fit; above it a replay's transport."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from quarterdeck.core.model.snapshot import EngineHealth
from quarterdeck.tui.keys import Action, Keymap
from quarterdeck.tui.view.lines import Glyphs, Line, Span, clip, merged, meter, width_of


class KeyBarItem(NamedTuple):
    """A key on the bar: where it stands and what a click on it does: an action of the table, or a page's own key."""

    start: int
    end: int
    action: str
    key: str = ""


PRESSED: Final = {
    "Enter": "enter",
    "Esc": "escape",
    "/": "slash",
    "=": "equals_sign",
    "left/right": "right",
    "up down": "down",
}
"""The key that a click presses, where it is named otherwise on the bar."""


def keybar_line(
    actions: Sequence[Action], keys: Keymap, width: int, glyphs: Glyphs, own: Sequence[tuple[str, str]] = ()
) -> tuple[Line, tuple[KeyBarItem, ...]]:
    """The line, and each key's place on it; what does not fit is left out. `own` are a page's (key, title), after flatten."""
    spans: list[Span] = []
    offers: list[KeyBarItem] = []
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
        offers.append(KeyBarItem(at, at + size - 2, action_id, "" if action_id else PRESSED.get(shown, shown)))
        spans.extend(piece)
        at += size
    line = merged(spans)
    if line:
        line = (*line[:-1], Span(line[-1].text.rstrip(), line[-1].role))  # a gap at the end is no reason to cut the last word
    return clip(line, width, glyphs), tuple(offers)


def replay_controls_line(
    engine: EngineHealth, actions: Sequence[Action], keys: Keymap, width: int, glyphs: Glyphs
) -> tuple[Line, tuple[KeyBarItem, ...]]:
    """A replay's own line: how far it is, and the keys that steer it where they do something; empty outside of a replay."""
    if engine.replay_fraction is None:
        return (), ()
    held = engine.replay_speed == 0
    pace = "held" if held else "full speed" if engine.replay_speed is None else f"x{engine.replay_speed:g}"
    titles = {
        "replay_toggle": "play" if held else "hold",
        "replay_slower": "",
        "replay_faster": pace,
        "replay_step": "bar",
        "replay_trade": "trade",
        "replay_refusal": "refusal",
    }
    offered = {action.id for action in actions}
    pieces = [(action_id, title) for action_id, title in titles.items() if action_id in offered]
    spans: list[Span] = [] if pieces else [Span(f" {pace}  ", "muted")]
    offers: list[KeyBarItem] = []
    at = 0
    for action_id, title in pieces:
        piece = (Span(f" {keys.shown(action_id)} ", "key"), Span(f" {title}  " if title else ""))
        size = width_of(piece)
        offers.append(KeyBarItem(at, at + size - (2 if title else 0), action_id))
        spans.extend(piece)
        at += size
    room = width - width_of(tuple(spans)) - 1
    if room >= _METER_MIN:
        spans.append(Span(meter(engine.replay_fraction, min(room, _METER_MAX), glyphs), "accent"))
    return clip(merged(spans), width, glyphs), tuple(offers)


_METER_MIN: Final = 6
_METER_MAX: Final = 60
