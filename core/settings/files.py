"""Replace a file in one step, also while someone reads it, and find the one name of a file.

Windows refuses to replace a file that a reader holds open; readers of ours hold one for a moment only, so trying again helps.
Promises: the target is the old file or the new one, never a part. Does not: write the new file, its caller does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

WAITS_S: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if sys.platform == "win32" else ()
"""Pauses between the tries; elsewhere a refusal is the system's last word."""


def replace_file(source: Path, target: Path, waits_s: Sequence[float] = WAITS_S) -> None:
    """Put `source` in the place of `target`. Raises OSError when the system still refuses after the last try."""
    for wait_s in waits_s:
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(wait_s)
        else:
            return
    source.replace(target)


def real_path(path: Path) -> Path:
    """The absolute path, links resolved where the system can: some RAM disks and, on Wine, long paths keep it from that."""
    try:
        return path.resolve()
    except OSError:
        return path.absolute()
