"""The module's functions about symbols, bars and ticks."""

from __future__ import annotations

from typing import Any

import numpy as np

from quarterdeck.core.brokers.simulator import argument_parsing, record_builders
from quarterdeck.core.brokers.simulator.argument_parsing import BadArgument
from quarterdeck.core.brokers.simulator.module_constants import CONSTANTS, ERROR_TEXTS
from quarterdeck.core.brokers.simulator.mt5_api_base import ApiConnection
from quarterdeck.core.brokers.simulator.rate_arrays import RATES_DTYPE, TICKS_DTYPE, TIMEFRAMES, Array
from quarterdeck.core.model.units import UtcNs

NAMES = (
    "symbols_total",
    "symbols_get",
    "symbol_info",
    "symbol_info_tick",
    "symbol_select",
    "market_book_add",
    "market_book_release",
    "market_book_get",
    "copy_rates_from_pos",
    "copy_rates_from",
    "copy_rates_range",
    "copy_ticks_from",
    "copy_ticks_range",
)
_FUTURE_NS = 2**62


class PricesApi:
    """See the module; one method a function, named as the module names it."""

    def __init__(self, line: ApiConnection) -> None:
        """`line` is shared with the other faces."""
        self._line = line

    def symbols_total(self) -> int | None:
        """Number of all symbols."""
        return len(self._line.ledger.instruments) if self._line.begin_call("symbols_total") else None

    def symbols_get(self, *args: Any, **kwargs: Any) -> Any:
        """`SymbolInfo` of all symbols, or those that fit `group`; False for a wrong argument."""
        if not self._line.begin_call("symbols_get"):
            return None
        group = args[0] if len(args) == 1 else kwargs.get("group", "*")
        if len(args) > 1 or not argument_parsing.is_text(group, argument_parsing.GROUP_UNITS_MAX):
            return self._line.fail_false(-2, 'Invalid "group" argument')
        fits = argument_parsing.group_filter(group)
        return tuple(self._symbol(name) for name in self._line.ledger.instruments if fits(name))

    def symbol_info(self, *args: Any) -> Any:
        """`SymbolInfo`, None for an unknown name."""
        return self._line.run_read(
            "symbol_info", lambda: self._symbol(self._line.known(argument_parsing.symbol_argument(args, 1)))
        )

    def symbol_info_tick(self, *args: Any) -> Any:
        """`Tick`, None while the symbol is not in Market Watch or has no quote."""
        if len(args) == 1 and self._line.begin_call("symbol_info_tick"):
            since = self._line.state.watch.get(args[0])
            if since is not None and since <= self._line.ledger.now_utc_ns and args[0] in self._line.ledger.quotes:
                return record_builders.tick(self._line.ledger, args[0])
        return self._line.run_read("symbol_info_tick", lambda: self._no_tick(argument_parsing.symbol_argument(args, 1)))

    def symbol_select(self, *args: Any) -> bool:
        """Put a symbol into Market Watch or take it out; not while it has positions or orders."""
        if not self._line.begin_call("symbol_select"):
            return False
        if not 1 <= len(args) <= 2 or not argument_parsing.is_text(args[0]):
            return self._line.fail_false(-2, "Invalid arguments")
        name, enable = args[0], bool(args[1]) if len(args) == 2 else True
        if name not in self._line.ledger.instruments:
            return self._line.fail_false(-4)
        watch = self._line.state.watch
        if enable:
            watch.setdefault(name, self._line.ledger.now_utc_ns + self._line.state.sync.tick_delay_ns)
        elif name in self._line.ledger.exposed:
            return self._line.fail_false(-1)
        else:
            watch.pop(name, None)
        return True

    def market_book_add(self, *args: Any) -> bool | None:
        """Depth of market: this broker has none, and says so."""
        return self._line.run_read("market_book_add", lambda: self._no_depth(argument_parsing.symbol_argument(args, 1)))

    def market_book_release(self, *args: Any) -> bool | None:
        """As `market_book_add`."""
        return self._line.run_read("market_book_release", lambda: self._no_depth(argument_parsing.symbol_argument(args, 1)))

    def market_book_get(self, *args: Any) -> None:
        """None: nothing was subscribed."""
        return self._line.run_read("market_book_get", lambda: self._missing(argument_parsing.symbol_argument(args, 1)))

    def copy_rates_from_pos(self, *args: Any) -> Any:
        """Bars counted back from the newest; position 0 is the forming one."""
        return self._line.run_read("copy_rates_from_pos", lambda: self._rates_from_pos(*self._four("copy_rates_from_pos", args)))

    def copy_rates_from(self, *args: Any) -> Any:
        """Up to `count` bars that opened at or before a date, going back."""
        return self._line.run_read("copy_rates_from", lambda: self._rates_from(*self._four("copy_rates_from", args)))

    def copy_rates_range(self, *args: Any) -> Any:
        """Bars that opened within a span, both ends included."""
        return self._line.run_read("copy_rates_range", lambda: self._rates_range(*self._four("copy_rates_range", args)))

    def copy_ticks_from(self, *args: Any) -> Any:
        """Up to `count` quotes from a date on."""
        return self._line.run_read("copy_ticks_from", lambda: self._ticks_from(*self._four("copy_ticks_from", args)))

    def copy_ticks_range(self, *args: Any) -> Any:
        """Quotes of a span."""
        return self._line.run_read("copy_ticks_range", lambda: self._ticks_range(*self._four("copy_ticks_range", args)))

    def _rates_from_pos(self, symbol: str, timeframe: Any, start: Any, count: Any) -> Array | None:
        name = "copy_rates_from_pos"
        timeframe, start, count = (
            argument_parsing.whole(name, timeframe),
            argument_parsing.whole(name, start),
            argument_parsing.whole(name, count),
        )
        bars = self._bars(symbol, timeframe, newest=max(start, 0) + max(count, 0))
        if bars is None:
            return self._unready()
        end = len(bars) - max(start, 0)
        return bars[max(0, end - count) : max(0, end)].copy() if count > 0 else np.zeros(0, dtype=RATES_DTYPE)

    def _rates_from(self, symbol: str, timeframe: Any, date_from: Any, count: Any) -> Array | None:
        name = "copy_rates_from"
        timeframe, count = argument_parsing.whole(name, timeframe), argument_parsing.whole(name, count)
        until = argument_parsing.moment(date_from, "Invalid arguments")
        bars = self._bars(symbol, timeframe)
        if bars is None:
            return self._unready()
        end = int(np.searchsorted(bars["time"], until, side="right"))
        return bars[max(0, end - max(count, 0)) : end].copy()

    def _rates_range(self, symbol: str, timeframe: Any, date_from: Any, date_to: Any) -> Array | None:
        timeframe = argument_parsing.whole("copy_rates_range", timeframe)
        first, last = (
            argument_parsing.moment(date_from, "Invalid arguments"),
            argument_parsing.moment(date_to, "Invalid arguments"),
        )
        bars = self._bars(symbol, timeframe)
        if bars is None:
            return self._unready()
        rows = slice(int(np.searchsorted(bars["time"], first)), int(np.searchsorted(bars["time"], last, side="right")))
        return bars[rows].copy()

    def _ticks_from(self, symbol: str, date_from: Any, count: Any, flags: Any) -> Array:
        count, _ = argument_parsing.whole("copy_ticks_from", count), argument_parsing.whole("copy_ticks_from", flags)
        start = self._utc(argument_parsing.moment(date_from, "Invalid arguments"))
        return self._ticks(symbol, start, _FUTURE_NS, int(flags), max(count, 0))

    def _ticks_range(self, symbol: str, date_from: Any, date_to: Any, flags: Any) -> Array:
        argument_parsing.whole("copy_ticks_range", flags)
        start = self._utc(argument_parsing.moment(date_from, "Invalid arguments"))
        end = self._utc(argument_parsing.moment(date_to, "Invalid arguments"))
        return self._ticks(symbol, start, end, int(flags), None)

    def _ticks(self, symbol: str, start: UtcNs, end: UtcNs, flags: int, count: int | None) -> Array:
        self._line.known(symbol)
        if flags == CONSTANTS["COPY_TICKS_TRADE"]:
            return np.zeros(0, dtype=TICKS_DTYPE)
        return self._line.faults.on_ticks(self._line.arrays.ticks(symbol, start, end, self._line.ledger.now_utc_ns, count))

    def _missing(self, symbol: str) -> None:
        self._line.known(symbol)
        self._line.fail(-1)

    def _no_tick(self, symbol: str) -> None:
        self._missing(symbol)

    def _no_depth(self, symbol: str) -> bool:
        self._line.known(symbol)
        return self._line.fail_false(-1)

    def _symbol(self, name: str) -> Any:
        spec = self._line.faults.shown(self._line.ledger.instruments[name])
        return record_builders.symbol(
            self._line.ledger, self._line.state, self._line.arrays, spec, self._line.faults.tick_value_factor
        )

    def _four(self, function: str, args: tuple[Any, ...]) -> tuple[str, Any, Any, Any]:
        symbol = argument_parsing.symbol_argument(args, 4)
        return (symbol, args[1], args[2], args[3])

    def _bars(self, symbol: str, timeframe: int, newest: int | None = None) -> Array | None:
        """Bars seen until now; `newest` bounds how many of the last ones are wanted."""
        self._line.known(symbol)
        if timeframe not in TIMEFRAMES:
            raise BadArgument(ERROR_TEXTS[-2])
        state = self._line.state
        calls = state.asked.get((symbol, timeframe), 0)
        state.asked[symbol, timeframe] = calls + 1
        if symbol not in state.watch or calls < state.sync.none_calls:
            return None
        short = calls < state.sync.none_calls + state.sync.short_calls
        bars = self._line.arrays.rates(symbol, timeframe, self._line.ledger.now_utc_ns, None if short else newest)
        if bars is None:
            return None
        if short:
            return bars[-max(1, len(bars) // 4) :]
        return bars[-state.bars_max :]

    def _unready(self) -> Array | None:
        self._line.fail(-1)
        return None

    def _utc(self, server_s: int) -> UtcNs:
        return self._line.ledger.clock.utc_ns(server_s)
