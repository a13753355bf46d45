"""Which files a strategy opens while it is asked: a file is a memory that outlives every process.

Why: what a strategy wrote while it saw the whole range, in an earlier run perhaps, it can read again at every bar.
Guarantees: files opened through Python between entering and leaving `watched` are named once each; modules, the libraries'
own data and the system's tables are not counted.
Does not: see a library that opens files in C.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from quarterdeck.core.settings.safe_files import real_path

_EVENTS = {"open": "opens", "sqlite3.connect": "opens", "socket.connect": "connects to", "subprocess.Popen": "starts"}
_MODULES = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".pth")
_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/share/zoneinfo")
_NAMED_MAX = 8
_active: list[dict[str, None]] = []
"""What is written to while someone watches; the hook of the interpreter cannot be taken away again."""


@contextmanager
def watched() -> Iterator[dict[str, None]]:
    """What is opened inside, as sentences in the order of first sight."""
    _installed()
    seen: dict[str, None] = {}
    _active.append(seen)
    try:
        yield seen
    finally:
        _active.remove(seen)


@lru_cache(maxsize=1)
def _installed() -> None:
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active or event not in _EVENTS:
        return
    target = arguments[1] if event == "socket.connect" else arguments[0]
    if event == "open" and not _counts(target):
        return
    for seen in _active:
        if len(seen) < _NAMED_MAX:
            seen.setdefault(f"{_EVENTS[event]} {target!s:.200}")


def _counts(target: Any) -> bool:
    """Whether a file that is opened could be the strategy's memory; a descriptor was opened before."""
    if not isinstance(target, str | bytes):
        return False
    path = str(real_path(Path(os.fsdecode(target))))
    return not (path.endswith(_MODULES) or path.startswith((*_SYSTEM, *_libraries())) or "__pycache__" in path)


@lru_cache(maxsize=1)
def _libraries() -> tuple[str, ...]:
    """Folders of Python and of what is installed."""
    places = {*sysconfig.get_paths().values(), *(path for path in sys.path if "site-packages" in path)}
    return tuple(sorted(f"{real_path(Path(place))}{os.sep}" for place in places if place))
