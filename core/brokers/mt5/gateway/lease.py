"""Who may trade the account behind this gateway: one home at a time, with a number that only rises (law 16).

Why: a lock in a folder does not see an engine of another user or machine; everybody who trades passes here.
Promises: a number is in the gateway's home before it is granted, and is never granted twice, over restarts and where the file was
lost or put back from a copy too. Who holds an older one is refused. The lease runs on the gateway's monotonic clock alone [10 s]
and is renewed by its owner [2 s]. The home that holds it gets it back at once, with a new number: after a crash management does
not wait, and of a home and its copy the later one wins. An owner whose lease ran out may continue until another home takes it.
Does not: watch reads; they need no lease.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.errors import UNREADABLE, StorageError
from quarterdeck.core.settings.safe_files import replace_file

TERM_S = 10.0
LEASE_NAME = "lease.json"
TEXT_MAX = 300
_STEP_BITS = 32
"""Numbers rise by a random step: after the file was lost none is given to a second owner while the first still has it."""


class Held(Struct, frozen=True, kw_only=True):
    """The newest lease, as it lies in the gateway's home."""

    number: int = 0
    home_id: str = ""
    """Whose it is: a word that lies in the engine's home and is copied with it."""
    who: str = ""
    """The owner in words, for whoever is refused."""


class LeaseRuling(Struct, frozen=True, kw_only=True):
    """What became of a wish: the number granted, or 0 and why not."""

    number: int = 0
    why: str = ""
    left_s: float = 0.0
    """How long the lease of the other owner still runs."""


class Leases:
    """The lease of one gateway."""

    def __init__(self, home: Path, clock: Clock) -> None:
        """`home` keeps the number over restarts. Raises StorageError."""
        self._path = home / LEASE_NAME
        self._clock = clock
        self._held = self._read()
        # whoever held it when the gateway ended has its time to come back
        self._until_s = clock.monotonic_s() + TERM_S if self._held.number else 0.0

    def acquire(self, home_id: str, who: str) -> LeaseRuling:
        """Grant a new number, unless another home holds the lease."""
        left_s = self._until_s - self._clock.monotonic_s()
        if self._held.number and self._held.home_id != home_id and left_s > 0.0:
            return LeaseRuling(why=f"the account is traded by {self._held.who}", left_s=left_s)
        if not home_id:
            return LeaseRuling(why="a lease is given to a home that names itself, and this one does not")
        number = self._held.number + 1 + secrets.randbits(_STEP_BITS)
        held = Held(number=number, home_id=home_id[:TEXT_MAX], who=who[:TEXT_MAX])
        try:
            self._write(held)
        except OSError as error:
            return LeaseRuling(why=f"the gateway cannot write {self._path}: {error.strerror or error}")
        self._held, self._until_s = held, self._clock.monotonic_s() + TERM_S
        return LeaseRuling(number=held.number)

    def renew(self, number: int) -> LeaseRuling:
        """Prolong the lease of the newest number."""
        problem = self.problem(number)
        if problem:
            return LeaseRuling(why=problem)
        self._until_s = self._clock.monotonic_s() + TERM_S
        return LeaseRuling(number=number)

    def problem(self, number: int) -> str:
        """Why an order under this number may not pass; empty where it may."""
        if number and number == self._held.number:
            return ""
        owner = self._held.who or "nobody yet"
        return f"lease {number} is not the newest ({self._held.number}): the account is traded by {owner}"

    def _read(self) -> Held:
        if not self._path.exists():
            return Held()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Held)
        except (OSError, *UNREADABLE) as error:
            raise StorageError(
                f"the lease in {self._path} cannot be read: {error}",
                what_to_do="end all engines of this gateway, then move that file away",
            ) from error

    def _write(self, held: Held) -> None:
        beside = self._path.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(held))
            file.flush()
            os.fsync(file.fileno())
        replace_file(beside, self._path)
