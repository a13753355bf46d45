"""The home folder: where it is, what lies in it, and whether it can be written.

Order: `--home`, else `QUARTERDECK_HOME`, else the current folder if it holds a Quarterdeck `settings.toml`, else the platform's
data folder. The shipped files are never a home: standing in a checkout is not a wish to trade from it.
Promises: resolving touches nothing; `prepare` creates the folder for this user alone and proves that it can be written.
Does not: read settings, or lock the home (the engine's fence does).
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from quarterdeck.core.model.errors import UNREADABLE, SettingsError, StorageError
from quarterdeck.core.settings.packaged_files import shipped_root
from quarterdeck.core.settings.safe_files import real_path
from quarterdeck.core.settings.toml_file import toml_file_text

HOME_VARIABLE = "QUARTERDECK_HOME"
_OURS = frozenset({"desk", "account", "simulation", "strategy", "risk", "breakers", "care", "position", "execution", "engine"})
_PROBE = ".write-probe"
_OTHERS = 0o077
_OWN_FILES = ("journal.sqlite*", "*.json", "*.toml", "owner.lock", "start-failed")
"""What the program writes into a home beside its folders, and the operator's settings."""


class Home(Struct, frozen=True):
    """One home folder and the names of what lies in it. Nothing here needs to exist."""

    root: Path

    @property
    def settings(self) -> Path:
        """The operator's file; the program never rewrites it."""
        return self.root / "settings.toml"

    @property
    def overrides(self) -> Path:
        """What was changed while running, written by the program."""
        return self.root / "overrides.toml"

    @property
    def secrets(self) -> Path:
        """Credentials, readable by this user alone."""
        return self.root / "secrets.toml"

    @property
    def journal(self) -> Path:
        """Tape, trades, equity and heartbeat."""
        return self.root / "journal.sqlite"

    @property
    def heartbeat(self) -> Path:
        """The heartbeat for outside watchers."""
        return self.root / "heartbeat.json"

    @property
    def logs(self) -> Path:
        """Rotating logs."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """Candles imported or downloaded."""
        return self.root / "data"

    @property
    def reports(self) -> Path:
        """Reports of backtests and studies."""
        return self.root / "reports"


def resolve_home(
    chosen: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    current: Path | None = None,
    platform: str = sys.platform,
) -> Home:
    """The home folder to use, absolute; `chosen` is the command line's word. Reads at most a `settings.toml`, writes nothing."""
    environ = os.environ if environ is None else environ
    current = Path.cwd() if current is None else current
    if chosen is not None:
        return Home((current / chosen.expanduser()).absolute())
    named = environ.get(HOME_VARIABLE, "").strip()
    if named:
        return Home((current / Path(named).expanduser()).absolute())
    if not _is_checkout(current) and is_quarterdeck_settings(current / "settings.toml"):
        return Home(current.absolute())
    return Home(platform_home(environ, platform))


def _is_checkout(folder: Path) -> bool:
    return real_path(folder) == shipped_root() or (folder / "core" / "settings" / "packaged_files.py").is_file()


def platform_home(environ: Mapping[str, str], platform: str) -> Path:
    """The data folder that this system gives a user's programs, with ours in it."""
    user = Path.home()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or user / "AppData" / "Local") / "Quarterdeck"
    if platform == "darwin":
        return user / "Library" / "Application Support" / "Quarterdeck"
    return Path(environ.get("XDG_DATA_HOME") or user / ".local" / "share") / "quarterdeck"


def is_quarterdeck_settings(path: Path) -> bool:
    """Whether `path` is a settings file of ours; a broken one that says so counts, else other settings would trade."""
    try:
        text = toml_file_text(path)
    except SettingsError:
        # one in another encoding is still a settings file: reading it names what is wrong
        plain = path.read_bytes().replace(b"\0", b"").lower()
        return b"quarterdeck" in plain or any(f"[{section}]".encode() in plain for section in _OURS)
    except OSError:
        return False
    if "quarterdeck" in text.lower():
        return True
    try:
        return not _OURS.isdisjoint(tomllib.loads(text))
    except UNREADABLE:
        return False


def prepare(home: Home) -> Home:
    """Create the home folder for this user alone, or close one to others, and prove that it can be written.

    Raises:
        StorageError: when it cannot be created or written, with the system's reason.
    """
    remedy = f"choose another with --home DIR or {HOME_VARIABLE}"
    try:
        home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(home)
        probe = home.root / f"{_PROBE}-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(f"the home folder {home.root} cannot be written: {reason}", what_to_do=remedy) from error
    return home


def _close_to_others(home: Home) -> None:
    """Take from other users what an older version or a loose umask left them; what is not ours is left alone."""
    if sys.platform == "win32":
        return
    ours = [home.root, home.logs, *home.logs.glob("*")]
    ours += [path for pattern in _OWN_FILES for path in home.root.glob(pattern)]
    for path in ours:
        with contextlib.suppress(OSError):
            found = path.lstat()
            if found.st_uid == os.getuid() and found.st_mode & _OTHERS and not stat.S_ISLNK(found.st_mode):
                path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
