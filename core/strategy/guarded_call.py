"""Call code that is not ours, a strategy of the operator's own, and get its failure as a value.

Promises: whatever it raises becomes `CallFailure`, in one line with its place in the file; a broken promise of ours passes
through.
Does not: bound its time.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from quarterdeck.core.model.errors import InvariantError

_TEXT_LETTERS_MAX = 200


class CallFailure(Struct, frozen=True):
    """What a call raised."""

    error: str
    """Kind and words, on one line."""
    line: int
    """Line of the file asked about; 0 where the failure lies elsewhere."""


def call_guarded(file: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` answers, or `CallFailure`; `file` is the one whose line is wanted.

    Raises:
        InvariantBroken: ours, never the strategy's.
    """
    try:
        return function(*arguments)
    except InvariantError:
        raise
    except SyntaxError as error:
        return CallFailure(f"{error.msg}", error.lineno or 0)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code; its failure is its own pair's, never the desk's
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if frame.filename == file), 0)
        return CallFailure(f"{type(error).__name__}: {' '.join(str(error).split())}"[:_TEXT_LETTERS_MAX], line or 0)
