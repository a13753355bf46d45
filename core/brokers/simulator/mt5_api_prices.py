"""The module's functions about symbols, bars and ticks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from quarterdeck.core.brokers.simulator import argument_parsing, mt5_api_base, record_builders
from quarterdeck.core.brokers.simulator.argument_parsing import BadArgument
from quarterdeck.core.brokers.simulator.module_constants import CONSTANTS
from quarterdeck.core.brokers.simulator.mt5_api_base import OK, ApiConnection, TerminalRefuses
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
        return len(self._line.ledger.instruments) if self._has_build("symbols_total") else None

    def symbols_get(self, *args: Any, **kwargs: Any) -> Any:
        """`SymbolInfo` of all symbols, or those that fit `group`; False for a wrong argument."""
        try:
            fits = argument_parsing.group_filter(argument_parsing.symbols(args, kwargs))
        except BadArgument as wrong:
            return self._line.refuse("symbols_get", wrong, refused=False)
        if not self._has_build("symbols_get"):
            return None
        return tuple(self._symbol(name) for name in self._line.ledger.instruments if fits(name))

    def symbol_info(self, *args: Any) -> Any:
        """`SymbolInfo`, None for an unknown name."""
        return self._of_symbol("symbol_info", args, self._symbol)

    def symbol_info_tick(self, *args: Any) -> Any:
        """`Tick`, None while the symbol is not in Market Watch or has no quote."""
        if len(args) == 1 and type(args[0]) is str and self._line.state.initialised and self._line.begin_call("symbol_info_tick"):
            since = self._line.state.watch.get(args[0])
            if since is not None and since <= self._line.ledger.now_utc_ns and args[0] in self._line.ledger.quotes:
                return record_builders.tick(self._line.ledger, args[0])
        return self._of_symbol("symbol_info_tick", args, lambda _: self._line.fail(-1))

    def symbol_select(self, *args: Any) -> bool:
        """Put a symbol into Market Watch or take it out; not while it has positions or orders."""

        def arguments() -> tuple[str, bool]:
            given = argument_parsing.counted(args, 1, 2)
            enable = argument_parsing.truth(given[1]) if len(given) == 2 else True
            return (argument_parsing.symbol_of(given[0]), enable)

        return bool(self._line.answer("symbol_select", arguments, lambda given: self._selected(*given), refused=False))

    def market_book_add(self, *args: Any) -> bool | None:
        """Depth of market: this broker has none, and says so."""
        return self._depth("market_book_add", args)

    def market_book_release(self, *args: Any) -> bool | None:
        """As `market_book_add`."""
        return self._depth("market_book_release", args)

    def market_book_get(self, *args: Any) -> Any:
        """None: nothing was subscribed."""
        return self._of_symbol("market_book_get", args, lambda _: self._line.fail(-1))

    def copy_rates_from_pos(self, *args: Any) -> Any:
        """Bars counted back from the newest; position 0 is the forming one."""

        def arguments() -> tuple[str, int, int, int]:
            symbol, timeframe, start, count = argument_parsing.counted(args, 4)
            numbers = (argument_parsing.whole(timeframe), argument_parsing.whole(start), argument_parsing.whole(count))
            return (argument_parsing.symbol_of(symbol), *numbers)

        return self._line.answer("copy_rates_from_pos", arguments, lambda given: self._rates_from_pos(*given))

    def copy_rates_from(self, *args: Any) -> Any:
        """Up to `count` bars that opened at or before a date, going back."""

        def arguments() -> tuple[str, int, int, tuple[int, ...]]:
            symbol, timeframe, date_from, count = argument_parsing.counted(args, 4)
            numbers = (argument_parsing.whole(timeframe), argument_parsing.whole(count))
            return (argument_parsing.symbol_of(symbol), *numbers, argument_parsing.moments(date_from))

        return self._dated("copy_rates_from", arguments, self._rates_from)

    def copy_rates_range(self, *args: Any) -> Any:
        """Bars that opened within a span, both ends included."""

        def arguments() -> tuple[str, int, tuple[int, ...]]:
            symbol, timeframe, date_from, date_to = argument_parsing.counted(args, 4)
            timeframe = argument_parsing.whole(timeframe)
            return (argument_parsing.symbol_of(symbol), timeframe, argument_parsing.moments(date_from, date_to))

        return self._dated("copy_rates_range", arguments, self._rates_range)

    def copy_ticks_from(self, *args: Any) -> Any:
        """Up to `count` quotes from a date on."""

        def arguments() -> tuple[str, int, int, tuple[int, ...]]:
            symbol, date_from, count, flags = argument_parsing.counted(args, 4)
            numbers = (argument_parsing.whole(count), argument_parsing.whole(flags))
            return (argument_parsing.symbol_of(symbol), *numbers, argument_parsing.moments(date_from))

        return self._dated("copy_ticks_from", arguments, self._ticks_from)

    def copy_ticks_range(self, *args: Any) -> Any:
        """Quotes of a span."""

        def arguments() -> tuple[str, int, tuple[int, ...]]:
            symbol, date_from, date_to, flags = argument_parsing.counted(args, 4)
            flags = argument_parsing.whole(flags)
            return (argument_parsing.symbol_of(symbol), flags, argument_parsing.moments(date_from, date_to))

        return self._dated("copy_ticks_range", arguments, self._ticks_range)

    def _of_symbol(self, name: str, args: tuple[Any, ...], read: Callable[[str], Any]) -> Any:
        return self._line.answer(name, lambda: argument_parsing.only_symbol(args), lambda symbol: read(self._line.known(symbol)))

    def _dated(self, name: str, arguments: Callable[[], tuple[Any, ...]], read: Callable[..., Any]) -> Any:
        return self._line.answer_dated(name, arguments, lambda given: read(*given), lambda given: given[-1])

    def _has_build(self, name: str) -> bool:
        """As `begin`; without a connection the module knows no build of the terminal, and calls that an old one."""
        if self._line.state.initialised:
            return self._line.begin_call(name)
        return self._line.fail_false(-5)

    def _depth(self, name: str, args: tuple[Any, ...]) -> bool | None:
        try:
            symbol = argument_parsing.only_symbol(args)
        except BadArgument as wrong:
            self._line.refuse(name, wrong, refused=None)
            return None
        if not self._line.state.initialised:
            self._line.error = OK  # the module asks nobody and does not say so
            return False
        return bool(self._line.ask(name, lambda: self._line.known(symbol) and self._line.fail_false(-1), refused=False))

    def _selected(self, name: str, enable: bool) -> bool:
        self._line.known(name)
        watch = self._line.state.watch
        if enable:
            watch.setdefault(name, self._line.ledger.now_utc_ns + self._line.state.sync.tick_delay_ns)
        elif name in self._line.ledger.exposed:
            return self._line.fail_false(-1)
        else:
            watch.pop(name, None)
        return True

    def _rates_from_pos(self, symbol: str, timeframe: int, start: int, count: int) -> Array | None:
        bars = self._bars(symbol, timeframe, newest=max(start, 0) + max(count, 0))
        if bars is None:
            return self._unready()
        end = len(bars) - max(start, 0)
        return bars[max(0, end - count) : max(0, end)].copy() if count > 0 else np.zeros(0, dtype=RATES_DTYPE)

    def _rates_from(self, symbol: str, timeframe: int, count: int, moments: tuple[int, ...]) -> Array | None:
        (until,) = mt5_api_base.given(moments)
        bars = self._bars(symbol, timeframe)
        if bars is None:
            return self._unready()
        end = int(np.searchsorted(bars["time"], until, side="right"))
        return bars[max(0, end - max(count, 0)) : end].copy()

    def _rates_range(self, symbol: str, timeframe: int, moments: tuple[int, ...]) -> Array | None:
        first, last = mt5_api_base.given(moments)
        bars = self._bars(symbol, timeframe)
        if bars is None:
            return self._unready()
        rows = slice(int(np.searchsorted(bars["time"], first)), int(np.searchsorted(bars["time"], last, side="right")))
        return bars[rows].copy()

    def _ticks_from(self, symbol: str, count: int, flags: int, moments: tuple[int, ...]) -> Array:
        (start,) = mt5_api_base.given(moments)
        return self._ticks(symbol, self._utc(start), _FUTURE_NS, flags, max(count, 0))

    def _ticks_range(self, symbol: str, flags: int, moments: tuple[int, ...]) -> Array:
        start, end = mt5_api_base.given(moments)
        return self._ticks(symbol, self._utc(start), self._utc(end), flags, None)

    def _ticks(self, symbol: str, start: UtcNs, end: UtcNs, flags: int, count: int | None) -> Array:
        self._line.known(symbol)
        if flags == CONSTANTS["COPY_TICKS_TRADE"]:
            return np.zeros(0, dtype=TICKS_DTYPE)
        return self._line.faults.on_ticks(self._line.arrays.ticks(symbol, start, end, self._line.ledger.now_utc_ns, count))

    def _symbol(self, name: str) -> Any:
        spec = self._line.faults.shown(self._line.ledger.instruments[name])
        return record_builders.symbol(
            self._line.ledger, self._line.state, self._line.arrays, spec, self._line.faults.tick_value_factor
        )

    def _bars(self, symbol: str, timeframe: int, newest: int | None = None) -> Array | None:
        """Bars seen until now; `newest` bounds how many of the last ones are wanted."""
        self._line.known(symbol)
        if timeframe not in TIMEFRAMES:
            raise TerminalRefuses
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
