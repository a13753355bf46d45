"""What a pair's skipped bars would have taught the desk, as columns made once: hours for the correlation, usual spreads.

Promises: the same figures, to the last bit, as the desk learns from the same bars one by one (`core.desk.market_updates`).
Units: instants UTC ns, spreads in price.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quarterdeck.core.backtest.slots import Slots
from quarterdeck.core.brokers.simulator.market_source import TickColumns
from quarterdeck.core.desk.passed import PairPassed
from quarterdeck.core.filters.spread import MEMORY, QUARTERS_OF_WEEK, SEEN_AS_ZERO, SPIKE_X
from quarterdeck.core.model.candles import Candles, FloatArray, IntArray, floats
from quarterdeck.core.model.units import H1_NS, M15_NS, NS_PER_MS, NS_PER_S, S_PER_DAY

_THURSDAY_IN_WEEK_S = 4 * S_PER_DAY
_QUARTER_S = 900


class PairPast:
    """One traded pair; rows are those of its M15 candles, the past before the range included."""

    def __init__(self, symbol: str, m15: Candles, slots: Slots, quotes: TickColumns, usual_price: tuple[float, ...]) -> None:
        """`usual_price` is what the desk begins with; `slots` tells when each bar counts as closed."""
        self.symbol = symbol
        self.first_row = int(m15.open_utc_ns.searchsorted(slots.first_open_utc_ns))
        """First row of the range."""
        self.told_row = self.first_row - 1
        """The last row that the desk knows of."""
        self._opens, self._closes = m15.open_utc_ns.data, floats(m15.close)
        hours = m15.open_utc_ns // H1_NS * H1_NS
        begins = np.diff(hours, prepend=-1) != 0
        starts = np.flatnonzero(begins)
        self._hour_rows = (np.cumsum(begins, dtype=np.int32) - np.int32(1)).data
        """By row, which of the hours it lies in."""
        self._hour_opens = hours[starts].data
        ends = np.append(starts[1:], len(hours)) - 1 if len(hours) else starts
        self._hour_closes = floats(m15.close[ends])
        self._learn(m15, slots, quotes, usual_price)

    def _learn(self, m15: Candles, slots: Slots, quotes: TickColumns, usual_price: tuple[float, ...]) -> None:
        """What is seen at each close of the range, and what is usual after it was learned; rows are those of the range."""
        end = int(m15.open_utc_ns.searchsorted(slots.end_open_utc_ns))  # a recording may know bars after the range
        opens = m15.open_utc_ns[self.first_row : end]
        closed_at = slots.closed_at(opens)
        rows = quotes.at_utc_ns.searchsorted(closed_at, side="right") - 1
        held = np.maximum(rows, 0)
        quoted_at = quotes.at_utc_ns[held] // NS_PER_MS * NS_PER_MS
        seen = (rows >= 0) & (closed_at - quoted_at < M15_NS)
        spreads = quotes.ask[held] - quotes.bid[held]
        quarters = (closed_at // NS_PER_S + _THURSDAY_IN_WEEK_S) // _QUARTER_S % QUARTERS_OF_WEEK
        before = np.zeros(QUARTERS_OF_WEEK)
        if len(usual_price) == QUARTERS_OF_WEEK:
            before[:] = usual_price
        after_open, at_close = quotes.at_utc_ns.searchsorted(opens, side="right"), quotes.at_utc_ns.searchsorted(closed_at)
        self._unquoted: npt.NDArray[np.bool_] = at_close <= after_open
        kept, self._closed_at = np.flatnonzero(seen), closed_at.data
        self._seen_before = np.append(np.int32(0), np.cumsum(seen, dtype=np.int32)).data
        """At how many rows before each a spread was seen; it is kept of those only."""
        self._seen_price = floats(spreads[kept])
        self._quarters = quarters[kept].astype(np.int16).data
        self._learned = floats(usual_after(quarters[kept], np.maximum(spreads[kept], SEEN_AS_ZERO), before))

    def until(self, row: int) -> PairPassed | None:
        """What the bars after the last one reported, up to and with `row`, leave behind; None where there are none."""
        told, first = self.told_row, self.first_row
        if row <= told:
            return None
        self.told_row = row
        begin, end, here = self._hour_rows[told + 1], self._hour_rows[row], row - first
        # a spread is learned at the close after the one at which it was seen
        before, seen = self._seen_before[max(told - first, 0)], self._seen_before[here]
        sees = self._seen_before[here + 1] > seen
        return PairPassed(
            symbol=self.symbol,
            before_bar_utc_ns=self._opens[row - 1] if row > first else 0,
            last_bar_utc_ns=self._opens[row],
            h1_open_utc_ns=self._hour_opens[begin : end + 1].tolist(),
            h1_close_price=[*self._hour_closes[begin:end].tolist(), self._closes[row]],
            quarters=self._quarters[before:seen].tolist(),
            spreads=self._learned[before:seen].tolist(),  # type: ignore[arg-type] # the stub knows whole numbers only
            seen_spread_utc_ns=self._closed_at[here] if sees else 0,
            seen_spread_price=self._seen_price[seen] if sees else 0.0,
        )

    def fed(self, row: int) -> None:
        """That bar was reported the ordinary way."""
        self.told_row = row

    def unquoted(self, rows: IntArray) -> npt.NDArray[np.bool_]:
        """At which of some rows, -1 for none, no quote came after the bar's open and before it was closed."""
        bars = rows >= 0
        bars[bars] = self._unquoted[rows[bars] - self.first_row]
        return bars


def usual_after(quarters: IntArray, seen: FloatArray, before: FloatArray) -> FloatArray:
    """The usual spread of each observation's quarter after it was learned; `before` holds what was usual at the beginning."""
    count = len(quarters)
    result = np.zeros(count)
    order = np.lexsort((np.arange(count), quarters))
    ranked: npt.NDArray[np.int64] = np.arange(count) - quarters[order].searchsorted(quarters[order])
    rank = np.empty(count, dtype=np.int64)
    rank[order] = ranked
    weeks = np.lexsort((quarters, rank))
    edges = np.searchsorted(rank[weeks], np.arange((int(rank.max()) if count else -1) + 2))
    usual = before.copy()
    for week in range(len(edges) - 1):
        rows = weeks[edges[week] : edges[week + 1]]
        place = quarters[rows]
        old, new = usual[place], seen[rows]
        usual[place] = np.where(old > 0.0, old + MEMORY * (np.minimum(new, SPIKE_X * old) - old), new)
        result[rows] = usual[place]
    return result
