"""One engine for a home folder, and one for an account on this machine: locks of the system that a crash lets go (B5).

Promises: whoever comes second is refused and told who holds it, since when and by which command; the lock ends with its process,
however that ends, and is not inherited by children; who holds is written beside the lock, never in it, so that reading it can
neither fail nor loosen the lock.
Does not: see engines on other machines. A home on a shared disk is locked as far as that disk honours locks.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Mapping
from io import FileIO
from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.wall import Clock, iso
from quarterdeck.core.model.errors import AlreadyRunningError, StorageError
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.home import Home, platform_home

if sys.platform == "win32":
    import ctypes
    import msvcrt
else:
    import fcntl

HOME_LOCK = "owner.lock"
_TRIES = 5
_TRY_AGAIN_S = 0.02
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
        self._path = path.resolve()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file: FileIO | None = None if self._path in _HELD else FileIO(path, "a+")
        except OSError as error:
            remedy = "choose another home with --home DIR"
            raise StorageError(f"the lock {path} cannot be made: {error.strerror or error}", what_to_do=remedy) from error
        if self._file is None or not _locked_soon(self._file):
            if self._file is not None:
                self._file.close()
            who = holder_of(path)
            text = f"{what} is held by {who.shown() if who else 'another engine'}"
            raise AlreadyRunningError(text, what_to_do="attach with `quarterdeck monitor`, or stop that one first")
        _HELD.add(self._path)
        with contextlib.suppress(OSError):  # a full disk keeps nobody from holding; only who it is stays untold
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

    def release(self) -> None:
        """Let go of all, the account first."""
        while self._locks:
            self._locks.pop().release()


def account_lock(server: str, login: int, environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """Where this user's lock of an account lies: the same for all his homes."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{server}-{login}")
    return platform_home(os.environ if environ is None else environ, platform) / "locks" / f"{name}.lock"


def holder_of(lock: Path) -> LockHolder | None:
    """Who said last that he holds a lock; None when nobody did. He may be gone: see `is_held`."""
    try:
        return msgspec.json.decode(_beside(lock).read_bytes(), type=LockHolder)
    except (OSError, msgspec.MsgspecError):
        return None


def is_held(lock: Path) -> bool:
    """Whether a living process holds the lock."""
    if lock.resolve() in _HELD:
        return True
    if not lock.exists():
        return False
    try:
        with FileIO(lock, "a+") as file:
            return not _locked(file)
    except OSError:
        return False


def _locked_soon(file: FileIO) -> bool:
    # `is_held` takes a lock for an instant to find out; a start must not fail because somebody asks
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
