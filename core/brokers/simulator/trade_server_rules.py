"""Whether the trade server would take a request: each rule gives a return code, 0 where it has nothing against it.

Why: `order_check`, `order_send` and the backtest must refuse the same requests with the same codes.
Promises: nothing is changed here. Source of the rules: the platform manual and the MQL5 reference.
"""

from __future__ import annotations

import numpy as np

from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.ledger_rows import (
    BUY_LIMIT,
    BUY_STOP,
    BUY_STOP_LIMIT,
    BUY_TYPES,
    FILL_BOC,
    FILL_FOK,
    FILL_IOC,
    FILL_RETURN,
    SELL_LIMIT,
    SELL_STOP_LIMIT,
    TIME_DAY,
    TIME_GTC,
    TIME_SPECIFIED,
    TIME_SPECIFIED_DAY,
    LedgerOrder,
    LedgerPosition,
)
from quarterdeck.core.brokers.simulator.simulated_server_time import NEW_YORK_OFFSETS, new_york_week_s
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR, Lots, Price, UtcNs

DONE = 10009
REQUOTE, REJECT = 10004, 10006
INVALID, INVALID_VOLUME, INVALID_PRICE, INVALID_STOPS = 10013, 10014, 10015, 10016
TRADE_DISABLED, MARKET_CLOSED, NO_MONEY, PRICE_OFF = 10017, 10018, 10019, 10021
INVALID_EXPIRATION, NO_CHANGES, FROZEN, INVALID_FILL = 10022, 10025, 10029, 10030
LIMIT_ORDERS, LIMIT_VOLUME, INVALID_ORDER, POSITION_CLOSED = 10033, 10034, 10035, 10036
INVALID_CLOSE_VOLUME, LIMIT_POSITIONS = 10038, 10040
LONG_ONLY, SHORT_ONLY, CLOSE_ONLY, FIFO_CLOSE, HEDGE_PROHIBITED = 10042, 10043, 10044, 10045, 10046

_EPOCH_WEEKDAY_S = 4 * S_PER_DAY
_WEEK_OPEN_S = 17 * S_PER_HOUR
_WEEK_CLOSE_S = 5 * S_PER_DAY + 17 * S_PER_HOUR
_LIMITS = (BUY_LIMIT, SELL_LIMIT, BUY_STOP_LIMIT, SELL_STOP_LIMIT)
_GRID_TOLERANCE = 1e-4


def session_mask(spec: Instrument, at_utc_ns: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """As `in_session` for many instants, weekly hours alone."""
    seconds = (at_utc_ns // NS_PER_S + NEW_YORK_OFFSETS.column(at_utc_ns) + _EPOCH_WEEKDAY_S) % (7 * S_PER_DAY)
    inside = np.zeros(len(seconds), dtype=np.bool_)
    for start, end in spec.sessions or ((_WEEK_OPEN_S, _WEEK_CLOSE_S),):
        inside |= (start <= seconds) & (seconds < end)
    return inside


def in_session(ledger: Ledger, spec: Instrument, at_utc_ns: UtcNs) -> bool:
    """Whether the symbol trades at that instant: its weekly hours (default Sunday to Friday 17:00 New York), less holidays."""
    second = new_york_week_s(at_utc_ns)
    spans = spec.sessions or ((_WEEK_OPEN_S, _WEEK_CLOSE_S),)
    if not any(start <= second < end for start, end in spans):
        return False
    return not any(start <= at_utc_ns < end for start, end in ledger.terms.holidays)


def on_grid(value: float, step: float) -> bool:
    """Whether a value is a whole number of steps, but for binary noise."""
    if step <= 0.0:
        return True
    steps = value / step
    return abs(steps - round(steps)) < _GRID_TOLERANCE


def volume_code(spec: Instrument, lots: Lots, *, closing: bool) -> int:
    """Minimum (not for closes), maximum and grid of the volume."""
    if lots <= 0.0 or lots > spec.volume_max_lots + 1e-9:
        return INVALID_VOLUME
    if not closing and lots < spec.volume_min_lots - 1e-9:
        return INVALID_VOLUME
    return 0 if on_grid(lots - (0.0 if closing else spec.volume_min_lots), spec.volume_step_lots) else INVALID_VOLUME


def filling_code(spec: Instrument, filling: int, *, kind: int) -> int:
    """The matrix of filling mode by execution mode; `kind` 0 and 1 are market orders."""
    market = kind in (0, 1)
    if spec.execution in ("request", "instant"):
        allowed = filling == FILL_FOK or (filling == FILL_RETURN and not market)
    elif filling == FILL_FOK:
        allowed = bool(spec.filling_flags & 1)
    elif filling == FILL_IOC:
        allowed = bool(spec.filling_flags & 2)
    elif filling == FILL_BOC:
        allowed = spec.execution == "exchange" and bool(spec.filling_flags & 4) and kind in _LIMITS
    else:
        allowed = filling == FILL_RETURN and (spec.execution == "exchange" or not market)
    return 0 if allowed else INVALID_FILL


def side_allowed_code(spec: Instrument, side: Side) -> int:
    """The symbol's trade mode, for orders that open."""
    if spec.trade_mode == "close_only":
        return CLOSE_ONLY
    if spec.trade_mode == "long_only" and side is Side.SELL:
        return LONG_ONLY
    if spec.trade_mode == "short_only" and side is Side.BUY:
        return SHORT_ONLY
    return 0


def stops_code(spec: Instrument, side: Side, stop: Price, target: Price, bid: Price, ask: Price) -> int:
    """Stop and target on the right side of the price that triggers them, at the stops level, on the tick grid."""
    grid = spec.tick_size or spec.point
    if stop < 0.0 or target < 0.0 or not on_grid(stop, grid) or not on_grid(target, grid):
        return INVALID_STOPS
    distance = spec.stops_level_points * spec.point
    noise = spec.point * _GRID_TOLERANCE
    if side is Side.BUY:
        wrong = (stop > 0.0 and stop > bid - distance + noise) or (target > 0.0 and target < bid + distance - noise)
    else:
        wrong = (stop > 0.0 and stop < ask + distance - noise) or (target > 0.0 and target > ask - distance + noise)
    return INVALID_STOPS if wrong else 0


def frozen(spec: Instrument, bid: Price, ask: Price, held: LedgerPosition | LedgerOrder) -> bool:
    """Whether a position's stop or target, or a pending order's price, lies inside the freeze level."""
    if not spec.freeze_level_points:
        return False
    distance = spec.freeze_level_points * spec.point
    if isinstance(held, LedgerOrder):
        price = ask if held.kind in BUY_TYPES else bid
        levels: tuple[Price, ...] = (held.price,)
    else:
        price = bid if held.side is Side.BUY else ask
        levels = (held.stop_price, held.target_price)
    return any(level > 0.0 and abs(price - level) <= distance for level in levels)


def pending_price_code(spec: Instrument, kind: int, price: Price, stop_limit: Price, bid: Price, ask: Price) -> int:
    """A pending order's price on its side of the market, at the stops level, on the grid; a stop-limit's limit behind it."""
    grid = spec.tick_size or spec.point
    if price <= 0.0 or not on_grid(price, grid):
        return INVALID_PRICE
    distance = spec.stops_level_points * spec.point - spec.point * _GRID_TOLERANCE
    if kind == BUY_LIMIT:
        fits = price <= ask - distance
    elif kind == SELL_LIMIT:
        fits = price >= bid + distance
    elif kind in (BUY_STOP, BUY_STOP_LIMIT):
        fits = price >= ask + distance
    else:
        fits = price <= bid - distance
    if not fits:
        return INVALID_PRICE
    if kind == BUY_STOP_LIMIT and not (0.0 < stop_limit < price and on_grid(stop_limit, grid)):
        return INVALID_PRICE
    if kind == SELL_STOP_LIMIT and not (stop_limit > price and on_grid(stop_limit, grid)):
        return INVALID_PRICE
    return 0


def expiry_utc_ns(ledger: Ledger, time_kind: int, expiration_server_s: int) -> UtcNs | None:
    """When an order of that kind ends, 0 for never; None when the request makes no sense."""
    if time_kind == TIME_GTC:
        return 0
    clock, now = ledger.clock, ledger.now_utc_ns
    if time_kind == TIME_DAY:
        day = clock.server_s(now) // S_PER_DAY + 1
        return clock.utc_ns(day * S_PER_DAY)
    if time_kind == TIME_SPECIFIED_DAY:
        expiration_server_s = (expiration_server_s // S_PER_DAY + 1) * S_PER_DAY
    elif time_kind != TIME_SPECIFIED:
        return None
    ends = clock.utc_ns(expiration_server_s)
    return ends if ends > now else None


def limits_code(ledger: Ledger, spec: Instrument, side: Side, lots: Lots, *, pending: bool) -> int:
    """The broker's caps: volume per direction, pending orders, positions, no hedging."""
    held = [position for position in ledger.positions.values() if position.symbol == spec.symbol]
    waiting = [order for order in ledger.orders.values() if order.symbol == spec.symbol]
    if spec.volume_limit_lots:
        used = sum(position.lots for position in held if position.side is side)
        used += sum(order.lots_left for order in waiting if order.side is side)
        if used + lots > spec.volume_limit_lots + 1e-9:
            return LIMIT_VOLUME
    if pending and ledger.terms.orders_max and len(ledger.orders) >= ledger.terms.orders_max:
        return LIMIT_ORDERS
    if not pending and ledger.terms.positions_max and len(ledger.positions) >= ledger.terms.positions_max:
        return LIMIT_POSITIONS
    if ledger.terms.hedging and ledger.terms.hedge_prohibited and any(position.side is not side for position in held):
        return HEDGE_PROHIBITED
    return 0


def fifo_code(ledger: Ledger, position: LedgerPosition) -> int:
    """Where the account closes first in, first out: only the oldest position of a symbol and side may go."""
    if not ledger.terms.fifo_close:
        return 0
    older = any(
        other.symbol == position.symbol and other.side is position.side and other.ticket < position.ticket
        for other in ledger.positions.values()
    )
    return FIFO_CLOSE if older else 0
