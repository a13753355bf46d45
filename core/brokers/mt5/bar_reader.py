"""Closed candles out of `copy_rates_from_pos`: the forming one cut off, the first call's download waited for.

Promises: only bars that will not change: a later bar exists, or the bar's time is over and a later tick of any pair was seen,
or it has been over for [5 s], all of it before the question left: an answer that is long on its way shows the bar as it was then.
Times are UTC. Does not: fill gaps; a bar without ticks does not exist.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from quarterdeck.core.brokers.mt5 import mt5_constants as mt5
from quarterdeck.core.brokers.mt5.parsing import candles_of
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, TerminalSession
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import TIMEFRAME_NS
from quarterdeck.core.model.units import NS_PER_S, UtcNs

FIRST_WAITS_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0)
"""Waits between the tries of a first read, while the terminal downloads: about 24 s in all."""


class _Asked(NamedTuple):
    """What was known when a question left."""

    newest_tick_ms: int
    at_utc_ns: UtcNs


class BarReader:
    """Reads candles; remembers which series have answered in full before."""

    def __init__(self, session: TerminalSession) -> None:
        """Nothing has been read."""
        self._session = session
        self._warm: dict[tuple[str, str], int] = {}

    async def closed(self, symbol: str, broker_symbol: str, timeframe: str, count: int) -> Candles:
        """The last `count` closed bars. Raises ReadFailed, Unreadable."""
        number = mt5.TIMEFRAMES.get(timeframe)
        if number is None:
            raise ReadFailed(f"timeframe {timeframe!r} is not known")
        if count <= 0:
            raise ReadFailed("no bars were asked for")
        rates, asked = await self._rates(broker_symbol, number, timeframe, count + 1)
        if len(rates) and not self._is_closed(int(rates["time"][-1]), timeframe, asked):
            rates = rates[:-1]
        return candles_of(rates[-count:], symbol, self._session.server)

    def _asked(self) -> _Asked:
        return _Asked(self._session.newest_tick_ms, self._session.clock.utc_ns())

    def _is_closed(self, open_s: int, timeframe: str, asked: _Asked) -> bool:
        session = self._session
        end_s = open_s + TIMEFRAME_NS[timeframe] // NS_PER_S
        if asked.newest_tick_ms >= end_s * 1000:
            return True
        wait_s = session.policy.bar_close_wait_s
        return session.server.server_s(asked.at_utc_ns) >= end_s + wait_s

    async def _rates(self, broker_symbol: str, number: int, timeframe: str, count: int) -> tuple[Any, _Asked]:
        """The table, and when it was asked for."""
        key = (broker_symbol, timeframe)
        asked = self._asked()
        if self._warm.get(key, 0) >= count:
            return self._array(await self._session.read("copy_rates_from_pos", broker_symbol, number, 0, count)), asked
        rates, seen = None, -1
        failure: ReadFailed | None = None
        for wait_s in (*FIRST_WAITS_S, 0.0):
            asked = self._asked()
            try:
                rates = self._array(await self._session.read("copy_rates_from_pos", broker_symbol, number, 0, count))
            except ReadFailed as error:
                failure = error
            else:
                if len(rates) >= count or (len(rates) and len(rates) == seen):
                    self._warm[key] = count
                    return rates, asked
                seen, failure = len(rates), None
            if wait_s:
                await self._session.sleep(wait_s)
        if failure is not None:
            raise failure
        return rates, asked

    @staticmethod
    def _array(value: Any) -> Any:
        if not isinstance(value, np.ndarray) or value.dtype.names is None:
            raise ReadFailed("copy_rates_from_pos gave no table of bars")
        return value
