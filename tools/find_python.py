"""Find a Python that can run the desk, and say what is missing where none can.

Written for any Python 3 to read: it may be started by one that is itself too old.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

OLDEST = (3, 11)
NEWEST = (3, 14)
_PROBE = """
import importlib.util, json, platform, sys
gone = [name for name in ("venv", "ensurepip", "sqlite3", "ssl", "ctypes") if importlib.util.find_spec(name) is None]
print(json.dumps({"version": sys.version_info[:2], "path": sys.executable, "gone": gone}))
"""


class SetupError(Exception):
    """Something is missing that the operator can provide; the text says what and how."""


@dataclass(frozen=True)
class Python:
    """An interpreter that answered."""

    path: str
    version: tuple[int, int]
    gone: tuple[str, ...] = ()

    @property
    def supported(self) -> bool:
        """Whether the desk is tested on this version."""
        return OLDEST <= self.version <= NEWEST

    @property
    def name(self) -> str:
        """E.g. `Python 3.11`."""
        return f"Python {dotted(self.version)}"


def dotted(version: tuple[int, int]) -> str:
    """`(3, 11)` as `3.11`."""
    return f"{version[0]}.{version[1]}"


def probe(command: str) -> Python | None:
    """Ask `command` what it is; None when it does not run (a launcher without a Python behind it does not)."""
    try:
        done = subprocess.run([command, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True)
        said = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Python(said["path"], (said["version"][0], said["version"][1]), tuple(said["gone"]))


def choose(wanted: str | None, ask: Callable[[str], Python | None] = probe) -> Python:
    """The Python to build on: `wanted` if named, else the one running this, else the newest on the path.

    Raises:
        SetupError: when none fits, or the one that fits lacks a part of the standard library.
    """
    if wanted:
        found = ask(wanted)
        if found is None:
            raise SetupError(f"PYTHON={wanted} does not run; name a Python {dotted(OLDEST)} to {dotted(NEWEST)}")
        return _whole(found)
    seen = [found for found in map(ask, _candidates()) if found is not None]
    fitting = [found for found in seen if found.supported]
    if not fitting:
        have = ", ".join(sorted({found.name for found in seen})) or "none"
        raise SetupError(
            f"Python {dotted(OLDEST)} to {dotted(NEWEST)} is needed, found: {have}; "
            "install one (Debian: apt-get install python3 python3-venv) or name it with PYTHON=/path/to/python3"
        )
    return _whole(next((found for found in fitting if not found.gone), fitting[0]))


def _candidates() -> list[str]:
    named = [f"python{dotted((NEWEST[0], minor))}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    return [sys.executable, "python3", *named]


def _whole(python: Python) -> Python:
    if not python.supported:
        raise SetupError(
            f"{python.path} is {python.name}; Python {dotted(OLDEST)} to {dotted(NEWEST)} is needed (name one with PYTHON=)"
        )
    if "venv" in python.gone or "ensurepip" in python.gone:
        package = f"python{dotted(python.version)}-venv"
        raise SetupError(f"{python.path} has no venv module; on Debian: apt-get install {package}, or name another with PYTHON=")
    if python.gone:
        raise SetupError(f"{python.path} was built without {', '.join(python.gone)}; name another Python with PYTHON=")
    return python
