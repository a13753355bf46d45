"""From an effect of the desk to the dictionary that `order_send` takes: the one builder for opening, changing, closing, removing.

Why: what a broker refuses for its form (filling mode, volume off the grid, unrounded price, an int where a float must be) is
known beforehand, and a close that forgets its position's ticket opens a new one.
Promises: pure; floats are Python floats and whole numbers Python ints; keys are the module's and never None; a close always names
its position; prices are on the tick grid; volumes on the step grid, rounded down; the comment is the client id, ASCII, at
most 25.
Rules: mt5 reference sections 3.1 to 3.4 (MQL5 reference of MqlTradeRequest; platform manual for filling modes).
"""

from __future__ import annotations

import math
from typing import Any

from quarterdeck.core.brokers.mt5 import mt5_constants as mt5
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.effects import Cancel, Close, Modify, Submit
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.market_data import Instrument, Quote, Side
from quarterdeck.core.model.units import Lots, Price

RequestDict = dict[str, Any]
_GRID_NOISE = 1e-7


class FillingMemory:
    """Which filling mode each symbol took; the same one opens, changes and closes."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._taken: dict[str, int] = {}
        self._barred: dict[str, tuple[int, ...]] = {}

    def modes(self, instrument: Instrument) -> tuple[int, ...]:
        """Modes to try, best first; none twice, and none that this symbol refused before."""
        barred = self._barred.get(instrument.symbol, ())
        modes = [mode for mode in filling_candidates(instrument) if mode not in barred]
        taken = self._taken.get(instrument.symbol)
        if taken in modes:
            modes.remove(taken)
            modes.insert(0, taken)
        return tuple(modes) or filling_candidates(instrument)

    def took(self, symbol: str, mode: int) -> None:
        """The symbol accepted this mode."""
        self._taken[symbol] = mode

    def refused(self, symbol: str, mode: int) -> None:
        """The symbol refused this mode (return code 10030)."""
        if mode not in self._barred.get(symbol, ()):
            self._barred[symbol] = (*self._barred.get(symbol, ()), mode)
        if self._taken.get(symbol) == mode:
            del self._taken[symbol]


def filling_candidates(instrument: Instrument) -> tuple[int, ...]:
    """Filling modes of a market order, best first. The symbol's mask is no mode: bit 4 is book-or-cancel, never RETURN."""
    flags = instrument.filling_flags
    flagged = [mode for mask, mode in ((mt5.MASK_IOC, mt5.FILLING_IOC), (mt5.MASK_FOK, mt5.FILLING_FOK)) if flags & mask]
    if instrument.execution in ("request", "instant"):
        return (mt5.FILLING_FOK,)
    if instrument.execution == "exchange":
        return (mt5.FILLING_RETURN, *flagged)
    return tuple(flagged) or (mt5.FILLING_FOK, mt5.FILLING_IOC, mt5.FILLING_RETURN)


def open_request(
    effect: Submit,
    instrument: Instrument,
    quote: Quote,
    *,
    broker_symbol: str,
    filling: int,
    magic: int,
    target_price: Price | None,
) -> RequestDict:
    """A market order with its stop and target in it, at the executable side of `quote`.

    Raises:
        InvariantBroken: volume off the grid or out of bounds, or an id that is no comment: the desk sized or named it wrongly.
    """
    lots = floor_volume(instrument, effect.lots)
    invariant(lots > 0.0 and abs(lots - effect.lots) < _GRID_NOISE, "an entry's volume is on the grid", effect=effect)
    invariant(lots <= instrument.volume_max_lots + _GRID_NOISE, "an entry's volume is one order", effect=effect)
    return {
        "action": mt5.ACTION_DEAL,
        "symbol": broker_symbol,
        "volume": lots,
        "type": mt5.ORDER_BUY if effect.side is Side.BUY else mt5.ORDER_SELL,
        "price": grid_price(instrument, quote.ask if effect.side is Side.BUY else quote.bid),
        "sl": grid_price(instrument, effect.stop_price),
        "tp": grid_price(instrument, target_price),
        "deviation": int(effect.deviation_points),
        "type_filling": filling,
        "type_time": mt5.TIME_GTC,
        "magic": int(magic),
        "comment": comment_of(effect.client_id),
    }


def close_requests(
    effect: Close, instrument: Instrument, quote: Quote, *, broker_symbol: str, filling: int, magic: int, open_lots: Lots
) -> tuple[RequestDict, ...]:
    """The orders that close `effect.lots`, never more than the `open_lots` still there; several where one order may not hold it.

    The whole position goes with its exact volume (the minimum does not bind a close); a part is rounded down to the step. Empty
    when a part is less than one step.
    """
    whole = effect.lots >= open_lots - _GRID_NOISE
    lots = rounded(open_lots, 8) if whole else floor_step(instrument, effect.lots)
    return tuple(
        {
            "action": mt5.ACTION_DEAL,
            "symbol": broker_symbol,
            "volume": piece,
            "type": mt5.ORDER_SELL if effect.side is Side.BUY else mt5.ORDER_BUY,
            "price": grid_price(instrument, quote.bid if effect.side is Side.BUY else quote.ask),
            "deviation": int(effect.deviation_points),
            "type_filling": filling,
            "type_time": mt5.TIME_GTC,
            "magic": int(magic),
            "comment": comment_of(effect.client_id),
            "position": int(effect.ticket),
        }
        for piece in _pieces(instrument, lots)
    )


def modify_request(effect: Modify, instrument: Instrument, *, broker_symbol: str, magic: int) -> RequestDict:
    """Stop and target of a position, both whole: what is left out would be removed."""
    return {
        "action": mt5.ACTION_SLTP,
        "symbol": broker_symbol,
        "position": int(effect.ticket),
        "sl": grid_price(instrument, effect.stop_price),
        "tp": grid_price(instrument, effect.target_price),
        "magic": int(magic),
        "comment": comment_of(effect.client_id),
    }


def cancel_request(effect: Cancel, *, broker_symbol: str, magic: int) -> RequestDict:
    """Removal of a pending order."""
    return {
        "action": mt5.ACTION_REMOVE,
        "order": int(effect.order_ticket),
        "symbol": broker_symbol,
        "magic": int(magic),
        "comment": comment_of(effect.client_id),
    }


def remove_request(order_ticket: int, *, broker_symbol: str, magic: int) -> RequestDict:
    """Removal of what is left of an order of ours that filled in part."""
    return {"action": mt5.ACTION_REMOVE, "order": int(order_ticket), "symbol": broker_symbol, "magic": int(magic)}


def stops_problem(instrument: Instrument, side: Side, quote: Quote, stop_price: Price | None, target_price: Price | None) -> str:
    """Why stop or target cannot be at this quote: the wrong side, or nearer than the stops level; empty when they can."""
    room = instrument.stops_level_points * instrument.point
    sign, out = (1.0, quote.bid) if side is Side.BUY else (-1.0, quote.ask)
    noise = instrument.point * 0.01
    if instrument.execution == "exchange":
        room = 0.0
    if stop_price is not None and sign * (out - stop_price) < room - noise:
        return f"stop {stop_price} is on the wrong side of {out}, or nearer than {instrument.stops_level_points} points"
    if target_price is not None and sign * (target_price - out) < room - noise:
        return f"target {target_price} is on the wrong side of {out}, or nearer than {instrument.stops_level_points} points"
    return ""


def grid_price(instrument: Instrument, price: Price | None) -> float:
    """A price on the tick grid with the symbol's digits, as a Python float; 0.0 for none."""
    if price is None:
        return 0.0
    tick = instrument.tick_size or instrument.point
    return rounded(round(float(price) / tick) * tick, instrument.digits)


def floor_volume(instrument: Instrument, lots: Lots) -> float:
    """Volume on the step grid counted from the minimum, rounded down; 0.0 under the minimum."""
    least, step = instrument.volume_min_lots, instrument.volume_step_lots
    if lots < least - _GRID_NOISE:
        return 0.0
    return rounded(least + math.floor((lots - least) / step + _GRID_NOISE) * step, 8)


def floor_step(instrument: Instrument, lots: Lots) -> float:
    """Volume on the step grid counted from zero, rounded down: for closing a part, where the minimum does not bind."""
    step = instrument.volume_step_lots
    return rounded(math.floor(lots / step + _GRID_NOISE) * step, 8)


def comment_of(client_id: str) -> str:
    """The comment that carries our id. Raises InvariantBroken for an id that no server would keep whole."""
    fits = 0 < len(client_id) <= mt5.COMMENT_MAX and client_id.isascii() and client_id.isprintable()
    invariant(fits, "a client id fits a comment", client_id=client_id)
    return client_id


def _pieces(instrument: Instrument, lots: Lots) -> tuple[float, ...]:
    most = instrument.volume_max_lots
    if lots <= 0.0:
        return ()
    if most <= 0.0 or lots <= most + _GRID_NOISE:
        return (lots,)
    full = math.floor(lots / most + _GRID_NOISE)
    rest = rounded(lots - full * most, 8)
    return (float(most),) * full + ((rest,) if rest > _GRID_NOISE else ())
