"""Deals of the account's history: each handed out once, and looked up again when an order's fate hangs on them.

Why: the only source of realised money; "until now" by the PC's clock misses the newest hours, and a deal can appear late.
Promises: windows end a day after the server's now and begin before the last deal seen; a deal is handed out once, by its ticket;
what the journal already holds is not handed out again. Memory holds the tickets of the look-back window alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from quarterdeck.core.brokers.mt5 import mt5_constants as mt5
from quarterdeck.core.brokers.mt5.parsing import InvalidRecord, deal_of
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, TerminalSession
from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.units import S_PER_DAY, S_PER_HOUR, UtcNs

LOOK_BACK_S = S_PER_HOUR
"""How late a deal may appear behind newer ones and still be found."""
_RECENT_MAX = 1000


class DealHistory:
    """What was handed out, and the reads that find the rest."""

    def __init__(self, session: TerminalSession) -> None:
        """Hands out nothing older than the first read, unless `resume` says otherwise."""
        self._session = session
        self._simulated = session.policy.mode is not None
        self._seen: dict[int, int] = {}
        self._from_s: int | None = None
        self._floor_s = 1
        self.recent: deque[Deal] = deque(maxlen=_RECENT_MAX)
        """Deals handed out lately, to whomever: orders performed side by side find their own among them."""

    def resume(self, from_utc_ns: UtcNs, known_tickets: Iterable[int], not_before_utc_ns: UtcNs) -> None:
        """Go on from the journal: deals from that instant on, without these tickets.

        With tickets (those of the hour before, at least) late ones of that hour are found as well.
        """
        self._from_s = self._session.server.server_s(from_utc_ns)
        self._seen = dict.fromkeys(known_tickets, self._from_s)
        first = self._session.server.server_s(not_before_utc_ns)
        self._floor_s = max(self._from_s - LOOK_BACK_S, first) if self._seen else self._from_s

    async def begin(self) -> None:
        """Without a journal: only what happens from now on; what the last day holds counts as told. Raises ReadFailed."""
        if self._from_s is not None:
            return
        now = self._session.server_now_s()
        records = await self._window(now - S_PER_DAY, now + S_PER_DAY)
        self._seen = {int(record["ticket"]): int(record["time"]) for record in records}
        self._from_s = now
        # our clock may be ahead of the server's; whatever the last hour holds is known by its ticket
        self._floor_s = now - LOOK_BACK_S

    def moved(self, by_s: int) -> None:
        """The server's clock turned out to be `by_s` seconds ahead of what was believed."""
        if self._from_s is not None:
            self._from_s += by_s
            self._floor_s += by_s

    async def new(self) -> tuple[Deal, ...]:
        """Deals not handed out before, oldest first. Raises ReadFailed."""
        await self.begin()
        last = self._from_s or 1
        first = max(last - LOOK_BACK_S, self._floor_s)
        records = await self._window(first, self._session.server_now_s() + S_PER_DAY)
        fresh = [record for record in records if int(record["ticket"]) not in self._seen and int(record["time"]) >= first]
        fresh.sort(key=lambda record: (int(record["time_msc"]), int(record["ticket"])))
        deals = tuple(self._deal(record) for record in fresh)
        self.recent.extend(deals)
        for record in fresh:
            self._seen[int(record["ticket"])] = int(record["time"])
        if fresh:
            self._from_s = max(last, int(fresh[-1]["time"]))
            oldest = self._from_s - 2 * LOOK_BACK_S
            self._seen = {ticket: at for ticket, at in self._seen.items() if at >= oldest}
        return deals

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
            return deal_of(record, self._session.plain(str(record["symbol"])), self._session.server, simulated=self._simulated)
        except InvalidRecord as error:
            raise ReadFailed(f"deal {record.get('ticket')}: {error}") from error


def _date(server_s: int) -> int:
    """A date the module takes: a Python int of seconds from 1 to early 2038 (0 means "not given" there)."""
    return min(max(int(server_s), 1), mt5.EPOCH_MAX_S)
