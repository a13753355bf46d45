"""One engine for a home folder, and one for an account on this machine: locks of the system that a crash lets go.

Promises: whoever comes second is refused and reported who holds it, since when and by which command; the lock ends with its
process, however that ends, and is not inherited by children; who holds is written beside the lock, never in it, so that reading
it can neither fail nor loosen the lock.
Does not: see engines on other machines. A home on a shared disk is locked as far as that disk honours locks.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import sys
import threading
from collections.abc import Mapping
from io import FileIO
from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.wall import Clock, iso
from quarterdeck.core.model.errors import UNREADABLE, AlreadyRunningError, StorageError
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from quarterdeck.core.settings.home import Home, platform_home
from quarterdeck.core.settings.safe_files import real_path, replace_file

if sys.platform == "win32":
    import ctypes
    import msvcrt
else:
    import fcntl

HOME_LOCK = "owner.lock"
HOME_ID = "home.id"
_HOME_ID = re.compile(r"[0-9a-f]{32}")
_TRIES = 5
_TRY_AGAIN_S = 0.02
_STARTED_FIELD = 19
"""Of /proc/PID/stat, behind the command's name: ticks from the boot to the start."""
_BOOT_SLACK_S = 5.0
"""The boot's own instant moves with the machine's clock."""
_HELD: set[Path] = set()
"""Locks of this very process: a POSIX record lock does not keep a process from itself."""


class LockHolder(Struct, frozen=True, kw_only=True):
    """Who holds a lock."""

    pid: int
    since_utc_ns: UtcNs
    command: str
    home: str

    def shown(self) -> str:
        """In words."""
        return f"pid {self.pid} since {iso(self.since_utc_ns)} ({self.command}, home {self.home})"


class FileLock:
    """A held lock; `release` it, or end the process."""

    def __init__(self, path: Path, what: str, holder: LockHolder) -> None:
        """Take the lock at `path` for `what` (named in errors).

        Raises:
            HeldError: another engine holds it; the text says who.
            StorageError: the lock's file cannot be made.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path = _resolved(path)
            self._file: FileIO | None = None if self._path in _HELD else FileIO(path, "a+", opener=_private)
        except OSError as error:
            remedy = "choose another home with --home DIR"
            raise StorageError(f"the lock {path} cannot be made: {error.strerror or error}", what_to_do=remedy) from error
        who = holder_of(path)
        # who removed the lock's file did not end its holder: the one that is locked then is a new file
        living = who is not None and who.home == holder.home and _lives(who)
        if self._file is None or living or not _locked_soon(self._file):
            if self._file is not None:
                self._file.close()
            text = f"{what} is held by {who.shown() if who else 'another engine'}"
            raise AlreadyRunningError(text, what_to_do="attach with `quarterdeck monitor`, or stop that one first")
        _HELD.add(self._path)
        with contextlib.suppress(OSError):  # a full disk keeps nobody from holding; only who it is stays unreported
            _beside(path).write_bytes(msgspec.json.encode(holder))

    def release(self) -> None:
        """Let go; more than once does no harm."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            _beside(self._path).unlink()
        self._file.close()
        self._file = None
        _HELD.discard(self._path)


def _resolved(path: Path) -> Path:
    """One name for a lock, however its folder is named."""
    return real_path(path.parent) / path.name


class EngineLock:
    """What one engine holds: its home, and the account once it is known."""

    def __init__(self, home: Home, clock: Clock) -> None:
        """Hold the home. Raises HeldError, StorageError."""
        command = " ".join((Path(sys.argv[0]).name, *sys.argv[1:]))
        self._holder = LockHolder(pid=os.getpid(), since_utc_ns=clock.utc_ns(), command=command, home=str(home.root))
        self._locks = [FileLock(home.root / HOME_LOCK, f"the home folder {home.root}", self._holder)]

    def hold_account(self, server: str, login: int) -> None:
        """Hold an account against engines in other homes of this user. Raises HeldError, StorageError."""
        what = f"the account {login} on {server}"
        self._locks.append(FileLock(account_lock(server, login), what, self._holder))

    def shown(self) -> str:
        """This engine in words, with its machine."""
        return f"{self._holder.shown()} on {platform.node() or 'an unnamed machine'}"

    def release(self) -> None:
        """Let go of all, the account first."""
        while self._locks:
            self._locks.pop().release()


def home_id(home: Home) -> str:
    """The word that names this home at a gateway, made at the first start; a copy of the home has it as well.

    Raises:
        StorageError: it cannot be read or made.
    """
    path = home.root / HOME_ID
    try:
        found = path.read_text(encoding="ascii").strip() if path.exists() else ""
        if not _HOME_ID.fullmatch(found):  # none yet, or what a full disk or a crash left of it
            found = secrets.token_hex(16)
            beside = path.with_suffix(".new")
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
                file.write(found + "\n")
                file.flush()
                os.fsync(file.fileno())
            replace_file(beside, path)
        return found
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be used: {error}", what_to_do="check the folder's rights and the disk") from error


def account_lock(server: str, login: int, environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """Where this user's lock of an account lies: the same for all his homes."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{server}-{login}")
    return platform_home(os.environ if environ is None else environ, platform) / "locks" / f"{name}.lock"


def holder_of(lock: Path) -> LockHolder | None:
    """Who said last that he holds a lock; None when nobody did. He may be gone: see `is_held`."""
    try:
        return msgspec.json.decode(_beside(lock).read_bytes(), type=LockHolder)
    except (OSError, *UNREADABLE):
        return None


def is_held(lock: Path) -> bool:
    """Whether a living process holds the lock."""
    if _resolved(lock) in _HELD:
        return True
    if not lock.exists():
        return False
    try:
        with FileIO(lock, "a+") as file:
            return not _locked(file)
    except OSError:
        return False


def _private(name: str, flags: int) -> int:
    """Open for this user alone: whoever may read a file may lock it as well."""
    return os.open(name, flags, 0o600)


def _lives(holder: LockHolder) -> bool:
    """Whether the process that said it holds still runs: its number may have been given to another one since."""
    if sys.platform == "win32":
        return False  # a held lock cannot be removed there, and numbers of dead processes are soon reused
    if holder.pid == os.getpid() or not is_alive(holder.pid):
        return False
    try:
        words = Path(f"/proc/{holder.pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").rstrip()
        if not words.endswith(holder.command.partition(" ")[2]):
            return False
        fields = Path(f"/proc/{holder.pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        boot_s = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        began_s = boot_s + int(fields[_STARTED_FIELD]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return True
    return began_s <= holder.since_utc_ns / NS_PER_S + _BOOT_SLACK_S


def _locked_soon(file: FileIO) -> bool:
    # `is_held` takes a lock for an instant to find out; a start must not fail because someone asks
    return any(_locked(file) or threading.Event().wait(_TRY_AGAIN_S) for _ in range(_TRIES))


def _beside(lock: Path) -> Path:
    return lock.with_suffix(".json")


if sys.platform == "win32":

    def _locked(file: FileIO) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def is_alive(pid: int) -> bool:
        """Whether a process exists."""
        synchronize, still_waiting = 0x0010_0000, 0x102
        handle = ctypes.windll.kernel32.OpenProcess(synchronize, False, pid)
        if not handle:
            return False
        try:
            return bool(ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == still_waiting)
        finally:
            ctypes.windll.kernel32.CloseHandle(handle)

else:

    def _locked(file: FileIO) -> bool:
        # a record lock: unlike flock, a forked child does not inherit it and cannot keep it after our death
        try:
            fcntl.lockf(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def is_alive(pid: int) -> bool:
        """Whether a process exists."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
