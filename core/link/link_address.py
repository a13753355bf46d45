"""Where an engine's link is found: a Unix socket in the home, or a loopback port with a token on Windows.

A socket path longer than 100 bytes does not fit the system's limit; the socket then is in a private folder that link.json
names. Promises: the socket and link.json can be used by their owner alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.model.errors import UNREADABLE, EngineNotRunningError
from quarterdeck.core.settings.safe_files import clear_path, open_new, read_small, replace_file

SOCKET_NAME = "link.sock"
PLACE_NAME = "link.json"
_PATH_BYTES_MAX = 100


class LinkAddress(Struct, frozen=True, kw_only=True):
    """How to reach the engine; either a socket path or a port."""

    pid: int
    socket: str = ""
    port: int = 0
    token: str = ""


def choose_address(home: Path) -> LinkAddress:
    """Where a starting engine should listen; makes the private folder where one is needed."""
    pid = os.getpid()
    if sys.platform == "win32":
        return LinkAddress(pid=pid, token=secrets.token_urlsafe(32))
    path = home.resolve() / SOCKET_NAME
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        return LinkAddress(pid=pid, socket=str(path))
    return LinkAddress(pid=pid, socket=str(Path(tempfile.mkdtemp(prefix="quarterdeck-")) / SOCKET_NAME))


def publish_address(home: Path, place: LinkAddress) -> None:
    """Write link.json atomically, readable by the owner alone."""
    path = home / PLACE_NAME
    if path.is_dir():
        clear_path(path)
    beside = path.with_suffix(".tmp")
    with os.fdopen(open_new(beside), "wb") as file:
        file.write(msgspec.json.encode(place))
    replace_file(beside, path)


def find_address(home: Path) -> LinkAddress:
    """Where the engine of this home listens. Raises NoEngineError when none has said so."""
    place = published_place(home)
    if place is None:
        raise EngineNotRunningError(f"no engine runs in {home}", what_to_do=f"start one with `quarterdeck run --home {home}`")
    return place


def published_place(home: Path) -> LinkAddress | None:
    """What link.json says; None where there is none that can be read."""
    try:
        return msgspec.json.decode(read_small(home / PLACE_NAME), type=LinkAddress)
    except (OSError, *UNREADABLE):
        return None


def remove_address(home: Path, place: LinkAddress) -> None:
    """Take link.json and the socket away, if they are still this engine's; what cannot be taken away is left."""
    with contextlib.suppress(OSError):
        if published_place(home) == place:
            (home / PLACE_NAME).unlink(missing_ok=True)
    if place.socket:
        path = Path(place.socket)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        if path.parent != home.resolve():
            with contextlib.suppress(OSError):  # taken away already, or something of others lies in it
                path.parent.rmdir()
