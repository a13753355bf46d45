"""How a route of alerts is written: kinds, then the places of the addresses that get them."""

from __future__ import annotations

from typing import Final, get_args

from quarterdeck.core.model.effects import AlertKind

KINDS: Final[tuple[str, ...]] = get_args(AlertKind)
_PLACE_MAX = 99


def alert_route(text: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """`fill,close,summary 2,3`: these kinds go to the second and third address. Raises ValueError when it is no such text."""
    kinds, _, places = text.strip().partition(" ")
    named = tuple(kinds.split(","))
    numbers = tuple(int(part) for part in places.replace(" ", "").split(","))
    if not all(kind in KINDS for kind in named) or not all(0 < number <= _PLACE_MAX for number in numbers):
        raise ValueError(f"{text!r} names no kinds of alert and addresses")
    return named, numbers
