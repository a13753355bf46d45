"""Where a gateway may listen and what opens it: addresses of this machine, and the token in its file.

Promises: the token file can be read by its owner alone; a token is never shorter than [24] characters and never printed.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import stat
import sys
from pathlib import Path

from quarterdeck.core.brokers.mt5.policy import Secret
from quarterdeck.core.model.errors import StorageError, UsageError

TOKEN_CHARACTERS_MIN = 24
TOKEN_NAME = "gateway.token"
TOKEN_VARIABLE = "QUARTERDECK_GATEWAY_TOKEN"


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> Secret:
    """A token that nobody guesses."""
    return Secret(secrets.token_urlsafe(32))


def token_of(home: Path, *, make: bool) -> Secret:
    """The token: from the environment, else from the home's file; a gateway makes that file when it is missing.

    Raises:
        UsageError: there is none, or it is too short. StorageError: the file can be read by others, or cannot be written.
    """
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    path = home / TOKEN_NAME
    if not given and path.is_file():
        given = _read(path)
    if not given and make:
        given = new_token().reveal
        _write(path, given)
    if not given:
        raise UsageError(
            "there is no token for the gateway",
            what_to_do=f"copy {TOKEN_NAME} from the gateway's home into {home}, or set {TOKEN_VARIABLE}",
        )
    if len(given) < TOKEN_CHARACTERS_MIN:
        raise UsageError(f"the gateway's token has fewer than {TOKEN_CHARACTERS_MIN} characters", what_to_do=f"delete {path}")
    return Secret(given)


def _read(path: Path) -> str:
    if sys.platform != "win32" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StorageError(f"{path} can be read by others", what_to_do=f"chmod 600 {path}")
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be read: {error}", what_to_do="delete it, the gateway makes a new one") from error


def _write(path: Path, token: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}", what_to_do="choose another --home") from error
