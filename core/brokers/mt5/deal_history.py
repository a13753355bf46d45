"""Deals of the account's history: each handed out once, and looked up again when an order's outcome depends on them.

Why: the only source of realised money; "until now" by the PC's clock misses the newest hours, and a deal can appear late.
Promises: windows end a day after the server's now and begin before the last deal seen; a deal is handed out once, by its ticket,
and again when the broker changed its money (a cancelled deal); what the journal already holds is not handed out again.
Memory holds the tickets of the last week alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from quarterdeck.core.brokers.mt5 import mt5_constants as mt5
from quarterdeck.core.brokers.mt5.parsing import InvalidRecord, deal_of
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, TerminalSession
from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.deal_kinds import MOVES_CREDIT
from quarterdeck.core.model.units import S_PER_DAY, S_PER_HOUR, Money, UtcNs

LOOK_BACK_S = S_PER_HOUR
"""How late a deal may appear behind newer ones and still be found at once."""
WEEK_S = 7 * S_PER_DAY
"""How late it may appear, or be changed, and still be found at the next long reading."""
_LONG_READ_EVERY_S = 300
_CHANGED_MONEY = 1e-6
_RECENT_MAX = 1000


class DealHistory:
    """What was handed out, and the reads that find the rest."""

    def __init__(self, session: TerminalSession, deal_rule: Callable[[int], str]) -> None:
        """Hands out nothing older than the first read, unless `resume` says otherwise. `deal_rule` is asked by ticket."""
        self._session = session
        self._deal_rule = deal_rule
        self._seen: dict[int, tuple[int, Money | None]] = {}
        """Server's time and money by ticket; the money is None where only the ticket is known."""
        self._long_read_s = 0
        self._from_s: int | None = None
        self._floor_s = 1
        self.recent: deque[Deal] = deque(maxlen=_RECENT_MAX)
        """Deals handed out recently, to whomever: orders performed side by side find their own among them."""

    def resume(
        self, from_utc_ns: UtcNs, known_tickets: Iterable[int], not_before_utc_ns: UtcNs, known_money: Mapping[int, Money]
    ) -> None:
        """Go on from the journal: deals from that instant on, without these tickets.

        With tickets (those of the hour before, at least) late ones of that hour are found as well; with those of the week
        before and their money, late and changed ones of that week.
        """
        self._from_s = self._session.server.server_s(from_utc_ns)
        self._seen = {ticket: (self._from_s, known_money.get(ticket)) for ticket in known_tickets}
        first = self._session.server.server_s(not_before_utc_ns)
        look_back_s = WEEK_S if known_money else LOOK_BACK_S
        self._floor_s = max(self._from_s - look_back_s, first) if self._seen else self._from_s

    async def begin(self) -> None:
        """Without a journal: only what happens from now on; what the last day holds counts as reported. Raises ReadFailed."""
        if self._from_s is not None:
            return
        now = self._session.server_now_s()
        records = await self._window(now - WEEK_S, now + S_PER_DAY)
        self._seen = {int(record["ticket"]): (int(record["time"]), _money(record)) for record in records}
        self._from_s = now
        # our clock may be ahead of the server's; whatever the last week holds is known by its ticket
        self._floor_s = now - WEEK_S

    def moved(self, by_s: int) -> None:
        """The server's clock turned out to be `by_s` seconds ahead of what was believed."""
        if self._from_s is not None:
            self._from_s += by_s
            self._floor_s += by_s

    async def new(self) -> tuple[Deal, ...]:
        """Deals not handed out before, oldest first. Raises ReadFailed."""
        await self.begin()
        last, now_s = self._from_s or 1, self._session.server_now_s()
        long = now_s - self._long_read_s >= _LONG_READ_EVERY_S
        first = max((now_s - WEEK_S) if long else last - LOOK_BACK_S, self._floor_s)
        records = await self._window(first, now_s + S_PER_DAY)
        self._long_read_s = now_s if long else self._long_read_s
        fresh = [record for record in records if int(record["time"]) >= first and self._is_news(record)]
        fresh.sort(key=lambda record: (int(record["time_msc"]), int(record["ticket"])))
        deals = tuple(self._deal(record) for record in fresh)
        self.recent.extend(deals)
        for record in fresh:
            self._seen[int(record["ticket"])] = (int(record["time"]), _money(record))
        if fresh:
            self._from_s = max(last, int(fresh[-1]["time"]))
            oldest = self._from_s - WEEK_S - 2 * LOOK_BACK_S
            self._seen = {ticket: seen for ticket, seen in self._seen.items() if seen[0] >= oldest}
        return deals

    def _is_news(self, record: dict[str, Any]) -> bool:
        """Whether a deal was not handed out, or with other money."""
        seen = self._seen.get(int(record["ticket"]))
        if seen is None:
            return True
        before, now = seen[1], _money(record)
        if before is None:
            self._seen[int(record["ticket"])] = (seen[0], now)
            return False
        return abs(before - now) > _CHANGED_MONEY

    async def of_position(self, position_id: int) -> tuple[Deal, ...]:
        """All deals of one position, oldest first. Raises ReadFailed."""
        records = await self._session.read("history_deals_get", position=int(position_id))
        return tuple(sorted((self._deal(record) for record in records), key=lambda deal: (deal.at_utc_ns, deal.deal_ticket)))

    async def between(self, from_utc_ns: UtcNs, to_s: int) -> tuple[Deal, ...]:
        """Deals from an instant to a server epoch, handed out or not. Raises ReadFailed."""
        records = await self._window(self._session.server.server_s(from_utc_ns), to_s)
        return tuple(self._deal(record) for record in records)

    async def orders_between(self, from_utc_ns: UtcNs, to_s: int) -> tuple[dict[str, Any], ...]:
        """Orders of the history as records. Raises ReadFailed."""
        first = self._session.server.server_s(from_utc_ns)
        records = await self._session.read("history_orders_get", _date(first), _date(to_s))
        return tuple(records)

    async def _window(self, from_s: int, to_s: int) -> tuple[dict[str, Any], ...]:
        records = await self._session.read("history_deals_get", _date(from_s), _date(to_s))
        return tuple(records)

    def _deal(self, record: dict[str, Any]) -> Deal:
        try:
            rule = self._deal_rule(int(record["ticket"]))
            return deal_of(record, self._session.plain(str(record["symbol"])), self._session.server, rule=rule)
        except InvalidRecord as error:
            raise ReadFailed(f"deal {record.get('ticket')}: {error}") from error


def _money(record: dict[str, Any]) -> Money:
    """What a deal moves the balance by; nothing where it moves credit."""
    if int(record["type"]) in MOVES_CREDIT:
        return 0.0
    return float(record["profit"]) + float(record["commission"]) + float(record["swap"]) + float(record["fee"])


def _date(server_s: int) -> int:
    """A date the module takes: a Python int of seconds from 1 to early 2038 (0 means "not given" there)."""
    return min(max(int(server_s), 1), mt5.EPOCH_MAX_S)
