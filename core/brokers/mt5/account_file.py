"""The file in which a simulated broker's account outlives its process: its books, and what its market needs to continue.

Promises: replaced whole or not at all, at every change of the account before anybody hears of it; a file of another account is
refused and never overwritten, nor is one that another process wrote since: one that was frozen while its successor traded cannot
take that back. Does not: sell safety that the disk cannot give; a failed write is tried again at the next change.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import msgspec
from msgspec import Struct

from quarterdeck.core.brokers.simulator.books import LedgerSnapshot
from quarterdeck.core.brokers.simulator.faults import PendingFaults
from quarterdeck.core.brokers.simulator.ledger_rows import AccountTerms
from quarterdeck.core.brokers.simulator.operator_actions import Rehearsal
from quarterdeck.core.model.errors import UNREADABLE, BrokerError
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.safe_files import replace_file

_VERSION = 1
ANEW = "move it away to begin with a fresh account"


class SavedAccount(Struct, frozen=True, kw_only=True):
    """What is kept of any of them, and under which name."""

    FILE: ClassVar[str]
    WORDS: ClassVar[str]

    version: int = _VERSION
    books: LedgerSnapshot

    @property
    def exposed(self) -> tuple[str, ...]:
        """Broker's symbols with positions or pending orders."""
        books = self.books
        return tuple(sorted({row.symbol for row in books.positions} | {row.symbol for row in books.orders}))


class PaperAccount(SavedAccount, frozen=True, kw_only=True):
    """Paper on a live feed; `seen_ms` is the server's epoch of the newest tick by broker's symbol, `plain` our names of those."""

    FILE: ClassVar[str] = "paper.msgpack"
    WORDS: ClassVar[str] = "paper account"

    seen_ms: dict[str, int]
    plain: dict[str, str]


class SimulatedAccount(SavedAccount, frozen=True, kw_only=True):
    """A hosted simulated terminal's, and the market that it trades: its seed and the instant at which it was first entered.

    Beside the account go late orders and the symbols in Market Watch; `starts` counts the processes that have hosted it.
    """

    FILE: ClassVar[str] = "simulated.msgpack"
    WORDS: ClassVar[str] = "simulated account"

    seed: int
    origin_utc_ns: UtcNs
    starts: int = 1
    under_way: PendingFaults = PendingFaults()
    watched: tuple[str, ...] = ()
    rehearsal: Rehearsal = Rehearsal()


SavedAccountType = TypeVar("SavedAccountType", bound=SavedAccount)


class AccountFile(Generic[SavedAccountType]):
    """One account on disk."""

    def __init__(self, folder: Path, kind: type[SavedAccountType]) -> None:
        """Nothing is read before `read`."""
        self.path = folder / kind.FILE
        self._kind: type[SavedAccountType] = kind
        self._ours: tuple[int, int, int] | None = None

    def read(self, terms: AccountTerms) -> SavedAccountType | None:
        """What was kept, or None where nothing was. Raises BrokerError for a damaged file, or another account's."""
        name = f"the {self._kind.WORDS} in {self.path}"
        try:
            self._ours = self._stamp()
            kept = msgspec.msgpack.decode(self.path.read_bytes(), type=self._kind)
        except FileNotFoundError:
            return None
        except (OSError, *UNREADABLE) as error:
            raise BrokerError(f"{name} cannot be read: {error}", what_to_do=ANEW) from error
        books = kept.books
        held = (books.login, books.server, books.currency, books.hedging)
        wanted = (terms.login, terms.server, terms.currency, terms.hedging)
        if kept.version != _VERSION or held != wanted:
            raise BrokerError(
                f"{name} is {_words(*held)}; settings ask for {_words(*wanted)}",
                what_to_do=f"change account or simulation settings back, or {ANEW}",
            )
        return kept

    def write(self, kept: SavedAccountType) -> bool:
        """Replace the file; False when the disk refused, or another process has replaced it since."""
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            draft.write_bytes(msgspec.msgpack.encode(kept))
            if self._stamp() not in (None, self._ours):
                draft.unlink()
                return False
            replace_file(draft, self.path)
            self._ours = self._stamp()
        except OSError:
            return False
        return True

    def _stamp(self) -> tuple[int, int, int] | None:
        """What tells one writing of the file from another; None while there is none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _words(login: int, server: str, currency: str, hedging: bool) -> str:
    return f"{login} at {server}, {currency}, {'hedging' if hedging else 'netting'}"


PaperFile = AccountFile[PaperAccount]
SimulatedFile = AccountFile[SimulatedAccount]
