"""What a poll of account and book has to say that the desk does not know: the rest stays off the tape.

Why: a live broker is polled four times a second while something is open, and nearly all that it answers are the same positions
with other floating results, which the desk works out from its own quotes. On the tape they were 99 % of all bytes.
Promises: whatever differs but for floating figures passes at once, and so does anything after an unknown book, and the account
as read after a change of the book, by which a volume that is gone is distinguished from money that nothing explains; floating
money that the desk cannot work out itself (external positions, credit, the broker's own equity) passes when it moved by a
thousandth of the balance, and at least once a minute for the account and every quarter hour for the book. What the desk asked
for is not filtered here: it waits for the answer.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.inputs import AccountRead, BrokerBook, Input

_ACCOUNT_S, _BOOK_S = 60.0, 900.0
_MOVED_FRACTION = 0.001


class BookNews:
    """Remembers what the desk got last, by whichever way."""

    def __init__(self, clock: Clock) -> None:
        """The desk was reported nothing yet."""
        self._clock = clock
        self._account: Account | None = None
        self._book: BrokerBook | None = None
        self._account_s = self._book_s = 0.0
        self._account_due = False
        """The book changed after the account was reported: whether its money is in the balance shows the next reading."""

    def told(self, item: Input) -> None:
        """The desk gets this."""
        if isinstance(item, AccountRead):
            self._account, self._account_s = item.account, self._clock.monotonic_s()
            self._account_due = False
        elif isinstance(item, BrokerBook):
            self._account_due |= self._book is not None and _standing(self._book) != _standing(item)
            self._book, self._book_s = item, self._clock.monotonic_s()

    def news(self, items: Iterable[Input]) -> list[Input]:
        """Those that say something new, in order."""
        return [item for item in items if self._is_news(item)]

    def _is_news(self, item: Input) -> bool:
        now_s = self._clock.monotonic_s()
        if isinstance(item, AccountRead):
            last = self._account
            if last is None or self._account_due or _without_floating(last) != _without_floating(item.account):
                return True
            moved = max(abs(item.account.equity_money - last.equity_money), abs(item.account.margin_money - last.margin_money))
            return moved > self._noise_money() or (moved > 0.0 and now_s - self._account_s >= _ACCOUNT_S)
        if isinstance(item, BrokerBook):
            if self._book is None or _standing(self._book) != _standing(item):
                return True
            return now_s - self._book_s >= _BOOK_S or _floating_money(self._book, item) > self._noise_money()
        return True

    def _noise_money(self) -> float:
        return 0.0 if self._account is None else abs(self._account.balance_money) * _MOVED_FRACTION


def _without_floating(account: Account) -> Account:
    return msgspec.structs.replace(account, equity_money=0.0, margin_money=0.0)


def _standing(book: BrokerBook) -> tuple[object, ...]:
    """All of a book but the floating results and the instant of the reading."""
    positions = tuple(msgspec.structs.replace(held, profit_money=0.0) for held in book.positions)
    return book.known, positions, book.orders, book.why


def _floating_money(before: BrokerBook, after: BrokerBook) -> float:
    """How far the floating results moved, position by position; both list the same."""
    pairs = zip(before.positions, after.positions, strict=True)
    return sum(abs(old.profit_money - new.profit_money) for old, new in pairs)
