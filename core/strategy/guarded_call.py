"""Call code that is not ours, a strategy of the operator's own, and get its failure as a value.

Promises: whatever it raises becomes `CallFailure`, in one line with its place in the file; a broken promise of ours and Ctrl-C
pass
through.
Does not: bound its time.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from quarterdeck.core.model.errors import InvariantError

TEXT_LETTERS_MAX = 300
"""Longest text that is taken from foreign code."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{4,16}")


class WrongAnswer(Exception):
    """An answer that cannot be used; the text names the part of it and what is wanted there."""


class CallFailure(Struct, frozen=True):
    """What a call raised."""

    error: str
    """Kind and words, on one line."""
    line: int
    """Line of the file asked about; 0 where the failure lies elsewhere."""
    module: str = ""
    """Name of the module that could not be imported; empty where that is not the failure."""


def call_guarded(file: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` answers, or `CallFailure`; `file` is the one whose line is wanted.

    Raises:
        InvariantBroken: ours, never the strategy's.
    """
    try:
        return function(*arguments)
    except (InvariantError, KeyboardInterrupt):
        raise
    except WrongAnswer as error:
        return CallFailure(plain_text(str(error)), 0)
    except SyntaxError as error:
        return CallFailure(plain_text(f"{error.msg}"), error.lineno or 0)
    except BaseException as error:  # noqa: BLE001 - foreign code; its failure is its own pair's, never the desk's
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if frame.filename == file), 0)
        module = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
        return CallFailure(plain_text(_told(error)), line or 0, module)


def _told(error: BaseException) -> str:
    """Kind and words; an error whose own words fail keeps its kind."""
    try:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    except Exception:  # noqa: BLE001 - foreign code; how it is reported decides nothing
        return type(error).__name__


def plain_text(text: str, letters_max: int = TEXT_LETTERS_MAX) -> str:
    """A text that any encoder takes and every process writes alike: cut, without half characters and places in memory."""
    return str.encode(_ADDRESS.sub("", text)[:letters_max], "utf-8", "replace").decode("utf-8")
