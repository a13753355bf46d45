"""The file in which a paper account outlives the engine: its books, and how far each symbol's ticks were seen.

Promises: replaced whole or not at all, at every change of the account before anybody hears of it; a file of another account is
refused and never overwritten. Does not: sell safety that the disk cannot give; a failed write is tried again at the next change.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from core.brokers.simulator.books import Books
from core.brokers.simulator.records import AccountTerms
from core.model.errors import BrokerError

PAPER_FILE = "paper.msgpack"
_VERSION = 1
_ANEW = "move it away to begin with a fresh account"


class PaperBooks(Struct, frozen=True, kw_only=True):
    """What is kept; `seen_ms` is the server's epoch of the newest tick by broker's symbol, `plain` our names of those."""

    version: int = _VERSION
    books: Books
    seen_ms: dict[str, int]
    plain: dict[str, str]

    @property
    def exposed(self) -> tuple[str, ...]:
        """Broker's symbols with positions or pending orders."""
        books = self.books
        return tuple(sorted({row.symbol for row in books.positions} | {row.symbol for row in books.orders}))


class PaperFile:
    """One paper account on disk."""

    def __init__(self, path: Path) -> None:
        """Nothing is read before `read`."""
        self._path = path

    def read(self, terms: AccountTerms) -> PaperBooks | None:
        """What was kept, or None where nothing was. Raises BrokerError for a damaged file, or another account's."""
        try:
            kept = msgspec.msgpack.decode(self._path.read_bytes(), type=PaperBooks)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise BrokerError(f"the paper account in {self._path} cannot be read: {error}", what_to_do=_ANEW) from error
        books = kept.books
        held = (books.login, books.server, books.currency, books.hedging)
        wanted = (terms.login, terms.server, terms.currency, terms.hedging)
        if kept.version != _VERSION or held != wanted:
            raise BrokerError(
                f"the paper account in {self._path} is {_words(*held)}; settings ask for {_words(*wanted)}",
                what_to_do=f"change account or simulation settings back, or {_ANEW}",
            )
        return kept

    def write(self, kept: PaperBooks) -> bool:
        """Replace the file; False when the disk refused."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            draft.write_bytes(msgspec.msgpack.encode(kept))
            draft.replace(self._path)
        except OSError:
            return False
        return True


def _words(login: int, server: str, currency: str, hedging: bool) -> str:
    return f"{login} at {server}, {currency}, {'hedging' if hedging else 'netting'}"
