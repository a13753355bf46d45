"""What operators type, turned into values, or refused on one line that says what would be right. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from quarterdeck.cli.output import warn
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.renamed_keys import current_key

SPEED_MAX = 1_000_000.0
CRASH = "crash"
EXAMPLE = "example"
"""The word for `--replay` that names no folder."""
_SYMBOL = re.compile(r"[A-Za-z][A-Za-z0-9._#+-]{2,31}")
_PLAIN_PAIR = re.compile(r"[a-z]{6}")
_SPEED = re.compile(r"[x×]?([0-9]+(?:\.[0-9]+)?)[x×]?")


def parse_speed(text: str) -> float | None:
    """Times life, e.g. `120`, `x120`; None for `max`. Raises UsageError."""
    word = text.strip().lower()
    if word == "max":
        return None
    found = _SPEED.fullmatch(word)
    if found is None or not 0 < float(found.group(1)) <= SPEED_MAX:
        raise UsageError(f"--speed {text!r} is not a speed", what_to_do=f"give a number above 0, at most {SPEED_MAX:.0f}, or max")
    return float(found.group(1))


def parse_day(text: str, option: str) -> date:
    """A UTC day written YYYY-MM-DD. Raises UsageError naming the option."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is not a day", what_to_do="write it as YYYY-MM-DD, e.g. 2024-07-01") from error


def parse_days(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    """The UTC days `--from` and `--to`, both inclusive; None where not given. Raises UsageError."""
    start = None if first is None else parse_day(first, "--from")
    end = None if last is None else parse_day(last, "--to")
    if start is not None and end is not None and end < start:
        raise UsageError(f"--to {end} lies before --from {start}", what_to_do="swap them; both days are inclusive")
    return start, end


def parse_pairs(text: str) -> tuple[str, ...]:
    """Symbols, comma or space separated, in the order given. Raises UsageError for none, a double or a word that is no symbol."""
    words = [word for word in re.split(r"[,\s]+", text) if word]
    pairs = [word.upper() if _PLAIN_PAIR.fullmatch(word) else word for word in words]
    remedy = "write them like EURUSD,GBPUSD"
    if not pairs:
        raise UsageError("--pairs names no pair", what_to_do=remedy)
    for pair in pairs:
        if _SYMBOL.fullmatch(pair) is None:
            raise UsageError(f"--pairs: {pair!r} is not a symbol", what_to_do=remedy)
        if pairs.count(pair) > 1:
            raise UsageError(f"--pairs names {pair} twice", what_to_do=remedy)
    return tuple(pairs)


def parse_assignment(text: str, option: str = "--set") -> tuple[str, str]:
    """`KEY=VALUE` as two stripped texts; an empty value is an empty text. Raises UsageError."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        like = "USDJPY=150" if option == "--rate" else "risk.risk_per_trade_pct=0.5"
        raise UsageError(f"{option} {text!r} is not a KEY=VALUE pair", what_to_do=f"write it like {like}")
    name = key.strip()
    today = name if option == "--rate" else current_key(name)
    if today != name:
        warn(f"{name} is called {today} now")
    return today, value.strip()


def parse_settings(texts: Iterable[str]) -> tuple[tuple[str, Any], ...]:
    """`--set` options as (key, value), checked against the schema. Raises UsageError and SettingsError."""
    from quarterdeck.core.settings.settings_loader import parse_value

    found: list[tuple[str, Any]] = []
    for text in texts:
        key, value = parse_assignment(text)
        found.append((key, parse_value(key, value)))
    return tuple(found)


def parse_replay(words: Sequence[str]) -> tuple[bool, tuple[Path, ...]]:
    """Whether `--replay` asks for the scripted crash, else the folders, absolute. Raises UsageError for both at once."""
    if CRASH in words:
        if len(words) > 1:
            raise UsageError("--replay crash stands alone", what_to_do=f"write ./{CRASH} for a folder of that name")
        return True, ()
    return False, tuple(Path(word).expanduser().absolute() for word in words)


def is_example(words: Sequence[str]) -> bool:
    """Whether `--replay` asks for the built-in example. Raises UsageError for the example and something else at once."""
    if EXAMPLE in words and len(words) > 1:
        raise UsageError(f"--replay {EXAMPLE} cannot be combined", what_to_do=f"write ./{EXAMPLE} for a folder of that name")
    return EXAMPLE in words


def parse_rates(texts: Iterable[str]) -> dict[str, float]:
    """`--rate USDJPY=150` options as price by symbol. Raises UsageError."""
    rates: dict[str, float] = {}
    for text in texts:
        pair, value = parse_assignment(text, "--rate")
        symbol, *more = parse_pairs(pair)
        try:
            rates[symbol] = float(value)
        except ValueError:
            rates[symbol] = 0.0
        if more or not 0 < rates[symbol] < float("inf"):
            raise UsageError(f"--rate {text!r} is no price", what_to_do="write it like USDJPY=150")
    return rates
