"""What a home knows of its servers' clocks: the rule that was confirmed last, and the operator's decision about it.

Guarantees: the file is replaced whole; a decision is on the disk before `trust_machine` returns. A file that cannot be read is
no witness, and is replaced at the next confirmation. Does not: judge anything.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from quarterdeck.core.brokers.mt5.clock_witnesses import ZoneRule
from quarterdeck.core.model.errors import UNREADABLE, StorageError
from quarterdeck.core.settings.safe_files import replace_file

NAME = "server_clocks.json"
_SERVERS_MAX = 64


class StoredClock(Struct, frozen=True, kw_only=True):
    """One server's clock."""

    rules: tuple[ZoneRule, ...] = ()
    """Zone rules that agree with all that was confirmed so far."""
    since_server_s: int = 0
    """Weeks before this server epoch are no witnesses: the operator said then that the server's clock is another one."""
    trusts_machine: bool = False
    """The operator said that this machine's clock is right; its next measurement is stored."""
    trusts_unseen: bool = False
    """He said so before any tick showed both figures: two witnesses that contradict it then are asked about anew."""


class ServerClockFile:
    """The servers of one home."""

    def __init__(self, home: Path, *, read_only: bool = False) -> None:
        """`read_only` for one who only looks."""
        self._path = home / NAME
        self._read_only = read_only
        self._same: dict[str, str] = {}

    def same(self, name: str, server: str) -> None:
        """A paper account called `name` follows the clock of `server`."""
        self._same[name] = server

    def of(self, server: str) -> StoredClock:
        """What is known of a server; nothing for one that is new."""
        return self._all().get(self._same.get(server, server), StoredClock())

    def keep(self, server: str, stored: StoredClock) -> None:
        """Write down what was found, where it is news. Raises StorageError."""
        known, server = self._all(), self._same.get(server, server)
        if self._read_only or known.get(server) == stored:
            return
        known.pop(server, None)
        kept = dict(list(known.items())[1 - _SERVERS_MAX :]) | {server: stored}
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with draft.open("wb") as file:
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            replace_file(draft, self._path)
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error}", what_to_do="make room on the disk") from error

    def trust_machine(self, server: str, *, measured: bool) -> None:
        """The operator says that this machine's clock is right; `measured`: after ticks had shown it. Raises StorageError."""
        self.keep(server, structs.replace(self.of(server), trusts_machine=True, trusts_unseen=not measured))

    def _all(self) -> dict[str, StoredClock]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, StoredClock])
        except (OSError, *UNREADABLE):
            return {}
