"""What the open book may still lose, and whether one more entry fits under the cap.

Open risk of a position: what equity loses if its stop is hit, counted from now or from its entry, whichever is less, with the
cost to close and a slippage allowance; never below zero. A position without a stop counts with an assumed one.
Promises: unknown rates give None, never 0. Does not: hold reservations (the desk's gate does).
Units: money in account currency, prices executable, shares as fractions.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.money import QuoteLookup, Valuer
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Lots, Money, Pips, Price, PriceDistance
from quarterdeck.core.risk.rounding import stop_at_distance


class SlippagePolicy(Struct, frozen=True, kw_only=True):
    """How much worse than its price a stop is assumed to fill: the greater of the two."""

    pips_min: Pips
    stop_fraction: float

    def allowance(self, instrument: Instrument, stop_distance: PriceDistance) -> PriceDistance:
        """Allowance in price for a stop that was set `stop_distance` away from the entry."""
        return max(self.pips_min * instrument.pip, self.stop_fraction * max(stop_distance, 0.0))


class RiskPosition(Struct, frozen=True, kw_only=True):
    """A position, or an entry about to be one, as its risk is counted."""

    valuer: Valuer
    side: Side
    lots: Lots
    open_price: Price
    stop_price: Price
    now_price: Price
    """Where it could be closed now: the bid for a buy, the ask for a sell. For a candidate its own entry price."""
    stop_distance: PriceDistance
    """Distance of the stop when it was set first, for the slippage allowance."""
    close_cost_money: Money = 0.0
    """Commission still to pay for the close."""


def assumed_stop(instrument: Instrument, side: Side, now_price: Price, atr_h1: PriceDistance, *, x_atr: float) -> Price:
    """Where the stop of a position without one is counted: `x_atr` times ATR(H1) from the price it could be closed at."""
    return stop_at_distance(instrument, side, now_price, x_atr * atr_h1)


def open_risk_money(position: RiskPosition, rates: QuoteLookup, slippage: SlippagePolicy) -> Money | None:
    """Open risk of one position; None while a rate is missing."""
    allowance = slippage.allowance(position.valuer.instrument, position.stop_distance)
    worst_price = position.stop_price - position.side * allowance
    now, at_stop = _result(position, position.now_price, rates), _result(position, worst_price, rates)
    if now is None or at_stop is None:
        return None
    return max(min(now, 0.0) - at_stop + position.close_cost_money, 0.0)


def gap_loss_money(position: RiskPosition, rates: QuoteLookup, *, gap_fraction: float) -> Money | None:
    """What equity loses from now if the stop fills `gap_fraction` of price beyond itself; at least 0, None without a rate."""
    worst_price = position.stop_price * (1.0 - position.side * gap_fraction)
    now, at_gap = _result(position, position.now_price, rates), _result(position, worst_price, rates)
    if now is None or at_gap is None:
        return None
    return max(now - at_gap + position.close_cost_money, 0.0)


def _result(position: RiskPosition, price: Price, rates: QuoteLookup) -> Money | None:
    return position.valuer.profit_money(position.side, position.lots, position.open_price, price, rates)


def budget_check(
    *, open_money: Money, reserved_money: Money, own_money: Money, equity_money: Money, max_fraction: float
) -> Check:
    """Whether open, reserved and the candidate's own risk fit together under the cap; value and threshold in money."""
    total, cap = open_money + reserved_money + own_money, max(equity_money, 0.0) * max_fraction
    return Check(
        "budget",
        total,
        cap,
        total <= cap,
        f"open {open_money:.2f}, pending {reserved_money:.2f}, this entry {own_money:.2f}; max {max_fraction:.2%} of equity",
    )


def day_room_check(
    *, day_loss_money: Money, open_money: Money, reserved_money: Money, own_money: Money, limit_money: Money
) -> Check:
    """Whether the day's limit would hold if everything open, reserved and the candidate lost; money."""
    total = max(day_loss_money, 0.0) + open_money + reserved_money + own_money
    return Check(
        "day_room",
        total,
        limit_money,
        total <= limit_money,
        f"lost today {day_loss_money:.2f}, open {open_money:.2f}, pending {reserved_money:.2f}, this entry {own_money:.2f}",
    )
