"""How commands speak: results on stdout, progress and warnings on stderr, one JSON object last where it was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from quarterdeck.core.model.plain_text import plain_text


def print_json(result: Mapping[str, Any] | msgspec.Struct) -> None:
    """Print `result` as one JSON object on one line; the last thing a command prints."""
    print(msgspec.json.encode(result).decode(), flush=True)


def print_table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print rows in columns as wide as needed; columns in `right` are aligned to the right."""
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        sized = enumerate(zip(row, widths, strict=True))
        cells = (cell.rjust(width) if column in right else cell.ljust(width) for column, (cell, width) in sized)
        print("  ".join(cells).rstrip())


def warn(text: str) -> None:
    """Say something on stderr that is not an error."""
    print(f"quarterdeck: {plain_text(text)}", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """A result that holds words of others (a broker, a gateway, an engine): no terminal obeys what is in it."""
    print(plain_text(text))


def has_terminal() -> bool:
    """Whether someone can see and press keys: both ends are a terminal that can draw."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"
