"""What waits for the desk: bounded, quotes one a pair, and nothing left out that cannot be read again from the broker.

Promises: a quote takes the place of an older one of its pair and is never left out; what only the engine knows (a report, an
order of the operator's, a change of settings, the state of the line) is kept to twice the bound; deals, books, accounts, bars and
answers of the strategy beyond the bound are left out, and that is asked to whoever put them there, who reads them again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from quarterdeck.core.model.inputs import (
    Calendar,
    CommandReceived,
    ConnectionState,
    EngineFault,
    ExecutionReport,
    Input,
    Instruments,
    ServerClockRule,
    SettingsChanged,
)
from quarterdeck.core.model.market_data import Quote

INBOX_MAX = 10_000
_IRREPLACEABLE = (
    ExecutionReport,
    CommandReceived,
    SettingsChanged,
    EngineFault,
    ConnectionState,
    ServerClockRule,
    Instruments,
    Calendar,
)


class Inbox:
    """See the module."""

    def __init__(self, now_s: Callable[[], float], most: int = INBOX_MAX) -> None:
        """An empty one; `most` inputs may wait, quotes not counted. `now_s` tells monotonic seconds."""
        self.left_out = 0
        """Inputs that found no place, ever."""
        self.waiting_since_s: float | None = None
        """Since when something has waited without one input being taken; None where nothing waits."""
        self._now_s = now_s
        self._most = most
        self._order: deque[Input | str] = deque()  # bounded: see `put`
        """Inputs as they came; a bare text stands for the newest quote of that symbol."""
        self._quotes: dict[str, Quote] = {}

    def __len__(self) -> int:
        """How many inputs wait."""
        return len(self._order)

    def put(self, item: Input) -> bool:
        """Let an input wait; False where it had to be left out."""
        if self.waiting_since_s is None:
            self.waiting_since_s = self._now_s()
        if isinstance(item, Quote):
            if item.symbol not in self._quotes:
                self._order.append(item.symbol)
            self._quotes[item.symbol] = item
            return True
        waiting = len(self._order) - len(self._quotes)
        if waiting >= (2 * self._most if isinstance(item, _IRREPLACEABLE) else self._most):
            self.left_out += 1
            return False
        self._order.append(item)
        return True

    def put_first(self, item: EngineFault) -> None:
        """Before all others: what must stop entries does not wait behind what floods the desk."""
        self._order.appendleft(item)

    def take(self) -> Input:
        """The next one. Raises IndexError where none waits."""
        waiting = self._order.popleft()
        self.waiting_since_s = self._now_s() if self._order else None
        return self._quotes.pop(waiting) if isinstance(waiting, str) else waiting
