"""Which pair a file holds: by its own name, by a column of its own, or by the operator's decision; never by a guess.

A pair is two known currencies, with or without a sign between them, that stand alone in the name or before a broker's suffix. An
index is no pair. The folder is asked only where the file's own name says nothing but days, periods and kinds.
"""

from __future__ import annotations

import re
from pathlib import Path

from quarterdeck.core.model.currencies import CURRENCIES
from quarterdeck.core.model.errors import DataError

_CODES = "|".join(CURRENCIES)
_PAIR = re.compile(
    rf"(?<![A-Za-z])({_CODES})[-_/ ]?({_CODES})(?=(?:[mcizrb]|PRO|ECN|RAW|STD|MICRO|MINI)?(?![A-Za-z]))", re.IGNORECASE
)
_WORD = re.compile(r"[A-Za-z]{2,}")
_PLAIN_WORDS = frozenset(
    word
    for line in (
        "csv txt zip gz bi json npz md ticks tick bars bar candles candle candlestick bid ask mid quote quotes data dat mt nt",
        "min mins minute minutes hour hours hourly day days daily week weekly month monthly year utc gmt est eet export exported",
        "history hist histdata com price prices rate rates mn part rendered all full file head tail raw clean forex fx to from",
        "ascii jan feb mar apr may jun jul aug sep oct nov dec st nd rd th",
    )
    for word in line.split()
)
_GIVE = "give it with --pair EURUSD"


def pair_of(path: Path) -> str:
    """The pair that a file's name speaks of, or that of its nearest folder where the file's name speaks of nothing.

    Raises:
        DataError: when none does, the name speaks of something else, or of several pairs.
    """
    for place, part in enumerate(reversed(path.parts)):
        found = pairs_in(part)
        if len(found) > 1:
            raise DataError(f"{path}: the name tells {' and '.join(found)}: which one is it?", what_to_do=_GIVE)
        if found:
            return found[0]
        if place == 0 and _speaks(part):
            break
    raise DataError(f"{path}: the file name contains no pair", what_to_do=_GIVE)


def pairs_in(name: str) -> tuple[str, ...]:
    """The pairs that a name speaks of, without doubles."""
    found = (match.group(1).upper() + match.group(2).upper() for match in _PAIR.finditer(name))
    return tuple(dict.fromkeys(pair for pair in found if pair[:3] != pair[3:]))


def symbol_of(path: Path, declared: str, inside: str) -> str:
    """The symbol of a file: `declared` by the operator, `inside` by a column of its own, or by its name.

    Raises:
        DataError: when they differ, or nothing tells it.
    """
    own = pairs_in(inside)
    if declared:
        if inside and own and pairs_in(declared) and pairs_in(declared) != own:
            raise DataError(f"{path}: its own column says {own[0]}, --pair says {declared}", what_to_do="leave --pair out")
        return declared.upper()
    if not inside:
        return pair_of(path)
    if not own:
        raise DataError(f"{path}: its own column says {inside}, which is no pair", what_to_do=_GIVE)
    named = pairs_in(path.name)
    if named and named != own:
        raise DataError(f"{path}: the name tells {named[0]}, its own column {own[0]}: which one is it?", what_to_do=_GIVE)
    return own[0]


def _speaks(name: str) -> bool:
    """Whether a name holds a word that is no day, period or kind."""
    return any(word.lower() not in _PLAIN_WORDS for word in _WORD.findall(name))
