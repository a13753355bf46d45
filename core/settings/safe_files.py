"""Files read, made and replaced safely: in one step, also while someone reads them, whatever lies in their place.

Windows refuses to replace a file that a reader holds open; readers of ours hold one for a moment only, so trying again helps.
Promises: the target is the old file or the new one, never a part. Does not: write the new file, its caller does.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import sys
import time
from collections.abc import Sequence
from pathlib import Path

WAITS_S: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if sys.platform == "win32" else ()
"""Pauses between the tries; elsewhere a refusal is the system's last word."""

SMALL_BYTES_MAX = 16_000_000
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_small(path: Path) -> bytes:
    """What a file of ours holds. Nothing is waited for: a pipe or device in its place is no such file.

    Raises:
        OSError: it cannot be read, is no file, or has more than `SMALL_BYTES_MAX`.
    """
    descriptor = os.open(path, os.O_RDONLY | _AT_ONCE)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > SMALL_BYTES_MAX:
            raise OSError(f"{path}: not a file of at most {SMALL_BYTES_MAX:,} bytes")
        return os.read(descriptor, SMALL_BYTES_MAX)
    finally:
        os.close(descriptor)


def clear_path(path: Path) -> None:
    """Make room at a path that is ours: a file is removed, a folder moved aside.

    Raises:
        OSError: neither is possible.
    """
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    beside = (path.with_name(f"{path.name}.moved{number}") for number in itertools.count(1))
    path.rename(next(free for free in beside if not free.exists()))


def open_new(path: Path) -> int:
    """A descriptor to write a new file with, of this user alone, whatever lay in its place.

    Raises:
        OSError: it cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with contextlib.suppress(FileExistsError):
        return os.open(path, flags, 0o600)
    clear_path(path)
    return os.open(path, flags, 0o600)


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
