"""What the market shows: instruments, quotes and bars; columns of bars are in `candles`.

Bars are bid prices, stamped with their open. Strategies think in bid; the one place that turns bid prices into executable ones is
`core.desk.pricing`. Numpy is not needed here, so a screen and a short command start without it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from msgspec import Struct

from quarterdeck.core.model.units import H1_NS, M15_NS, Lots, Price, UtcNs

Timeframe = Literal["M1", "M5", "M15", "H1"]
TIMEFRAME_NS: dict[str, int] = {"M1": M15_NS // 15, "M5": M15_NS // 3, "M15": M15_NS, "H1": H1_NS}

_METALS = ("XAU", "XAG", "XPT", "XPD")
_QUARTER_S, _TRADING_DAYS = 900, 5
_BARS_A_DAY, _METAL_BARS_A_DAY = 96, 92


class Side(IntEnum):
    """Direction of a signal, a position or a deal; the value is the sign of its exposure."""

    BUY = 1
    SELL = -1

    @property
    def opposite(self) -> Side:
        """The other direction."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def word(self) -> str:
        """`buy` or `sell`, as operators say it."""
        return "buy" if self is Side.BUY else "sell"


class Instrument(Struct, frozen=True, kw_only=True):
    """A symbol as the broker defines it. All money of tick values is per lot in the account currency."""

    symbol: str
    base_currency: str
    profit_currency: str
    margin_currency: str
    digits: int
    point: Price
    tick_size: Price
    pip: Price
    contract_size: float
    volume_min_lots: Lots
    volume_max_lots: Lots
    volume_step_lots: Lots
    volume_limit_lots: Lots = 0.0
    """Cap on position plus pending volume per direction; 0 means none."""
    stops_level_points: int = 0
    freeze_level_points: int = 0
    tick_value_profit_money: float = 0.0
    tick_value_loss_money: float = 0.0
    calc_mode: Literal["forex", "forex_no_leverage", "cfd", "cfd_leverage", "other"] = "forex"
    trade_mode: Literal["full", "long_only", "short_only", "close_only", "disabled"] = "full"
    execution: Literal["request", "instant", "market", "exchange"] = "market"
    filling_flags: int = 3
    """Broker's mask: 1 fill-or-kill, 2 immediate-or-cancel, 4 book-or-cancel."""
    swap_mode: int = 1
    """Broker's number for the swap mode; 0 none, 1 points, 2 base, 3 margin, 4 account currency, 5 and 6 yearly percent of the
    current and the opening price, 7 and 8 reopened at the close or the bid moved by points, 9 profit currency."""
    swap_long: float = 0.0
    swap_short: float = 0.0
    swap_triple_weekday: int = 3
    """Day with the triple swap, 0 Sunday .. 6 Saturday, server clock."""
    margin_initial: float = 0.0
    margin_hedged: float = 0.0
    margin_hedged_use_leg: bool = False
    """Hedged volume pays the margin of its more expensive side only, whatever `margin_hedged` says."""
    order_margin_buy_money: float = 0.0
    order_margin_sell_money: float = 0.0
    """What the broker itself asks of one lot more (`order_calc_margin`) when the record was read; 0.0 where it did not say."""
    sessions: tuple[tuple[int, int], ...] = ()
    """Open hours as (start, end) seconds from Sunday 00:00 New York; empty: Sunday 17:00 to Friday 17:00."""

    @property
    def currencies(self) -> tuple[str, str]:
        """Base and profit currency."""
        return (self.base_currency, self.profit_currency)

    @property
    def m15_bars_a_day(self) -> int:
        """M15 bars between one hour of a day and the same hour of the next: 96, or fewer where the session pauses each day.

        A broker that tells no sessions of a metal pauses it for an hour.
        """
        if self.sessions:
            open_s = sum(end - start for start, end in self.sessions)
            return max(round(open_s / _TRADING_DAYS / _QUARTER_S), 1)
        return _METAL_BARS_A_DAY if self.base_currency in _METALS else _BARS_A_DAY


class Quote(Struct, frozen=True, kw_only=True, tag="quote"):
    """Newest bid and ask of a symbol, rounded to its digits; `at_utc_ns` is the tick's own time."""

    symbol: str
    at_utc_ns: UtcNs
    bid: Price
    ask: Price

    @property
    def spread_price(self) -> Price:
        """Ask minus bid, in price."""
        return self.ask - self.bid


class Bar(Struct, frozen=True, kw_only=True):
    """A closed candle, bid prices; `spread_points` is the smallest spread the broker recorded in it."""

    open_utc_ns: UtcNs
    open: Price
    high: Price
    low: Price
    close: Price
    tick_volume: int = 0
    spread_points: int = 0
