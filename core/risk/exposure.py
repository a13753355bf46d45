"""Leverage by notional, per position, per currency and in all; and what equity loses when every stop is hit with a gap behind it.

Why: 1 % risk on a 2-ATR stop of M15 is ten times equity of notional on EURUSD, and a gap does not stop at stops.
Promises: losses of different pairs never offset each other here; a missing rate gives None, never 0.
Units: money in account currency; limits are multiples of equity or fractions of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.money import QuoteLookup, Valuer
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Lots, Money, Price
from quarterdeck.core.risk.sizing import VolumeCap


class ExposurePolicy(Struct, frozen=True, kw_only=True):
    """Highest notional as multiples of equity."""

    position_max_x_equity: float
    currency_max_x_equity: float
    total_max_x_equity: float


class Notional(Struct, frozen=True, kw_only=True):
    """One position's worth in account currency, without sign, and the two legs it is on."""

    base_currency: str
    profit_currency: str
    side: Side
    money: Money


class BookExposure(Struct, frozen=True, kw_only=True):
    """What the whole book is worth: in all, and net per currency (positive: held, negative: owed), by currency name."""

    total_money: Money
    currencies: tuple[tuple[str, Money], ...]

    def net(self, currency: str) -> Money:
        """Net notional of one currency; 0.0 where the book has none."""
        for name, money in self.currencies:
            if name == currency:
                return money
        return 0.0


def notional(valuer: Valuer, side: Side, lots: Lots, price: Price, rates: QuoteLookup) -> Notional | None:
    """Worth of a position at `price`; None while a rate is missing."""
    money = valuer.notional_money(lots, price, rates)
    if money is None:
        return None
    spec = valuer.instrument
    return Notional(base_currency=spec.base_currency, profit_currency=spec.profit_currency, side=side, money=money)


def exposure(book: Sequence[Notional]) -> BookExposure:
    """Add a book up: total without sign, currencies with it."""
    total, net = 0.0, dict[str, float]()
    for held in book:
        total += held.money
        net[held.base_currency] = net.get(held.base_currency, 0.0) + held.side * held.money
        net[held.profit_currency] = net.get(held.profit_currency, 0.0) - held.side * held.money
    return BookExposure(total_money=total, currencies=tuple(sorted(net.items())))


def exposure_caps(
    book: BookExposure,
    instrument: Instrument,
    side: Side,
    *,
    notional_money_per_lot: Money,
    equity_money: Money,
    policy: ExposurePolicy,
) -> tuple[VolumeCap, ...]:
    """Most lots that a candidate may have under each of the three limits, for `sizing.size`; never below zero."""
    equity, per_lot, total = max(equity_money, 0.0), notional_money_per_lot, book.total_money
    alone, in_all = policy.position_max_x_equity * equity, policy.total_max_x_equity * equity - total
    base, profit, legs = instrument.base_currency, instrument.profit_currency, policy.currency_max_x_equity
    net_base, net_profit = book.net(base), book.net(profit)
    bought, paid = legs * equity - side * net_base, legs * equity + side * net_profit
    return (
        VolumeCap("leverage_position", max(alone, 0.0) / per_lot, f"{policy.position_max_x_equity:g} x equity"),
        VolumeCap(f"leverage_{base}", max(bought, 0.0) / per_lot, f"{base} net {net_base:.0f}, limit {legs:g} x equity"),
        VolumeCap(f"leverage_{profit}", max(paid, 0.0) / per_lot, f"{profit} net {net_profit:.0f}, limit {legs:g} x equity"),
        VolumeCap(
            "leverage_total", max(in_all, 0.0) / per_lot, f"held {total:.0f}, limit {policy.total_max_x_equity:g} x equity"
        ),
    )


def exposure_checks(book: BookExposure, *, equity_money: Money, policy: ExposurePolicy) -> tuple[Check, ...]:
    """The book as it stands against its limits, as multiples of equity, for screens; equity at or below zero fails all."""
    if equity_money <= 0.0:
        return (Check("leverage_total", None, policy.total_max_x_equity, False, "no equity"),)
    total = book.total_money / equity_money
    checks = [Check("leverage_total", total, policy.total_max_x_equity, total <= policy.total_max_x_equity)]
    for currency, money in book.currencies:
        times, limit = money / equity_money, policy.currency_max_x_equity
        checks.append(Check(f"leverage_{currency}", times, limit, abs(times) <= limit))
    return tuple(checks)


def all_stops_check(
    losses: Sequence[Money | None], own_money: Money | None, *, equity_money: Money, max_fraction: float, gap_fraction: float
) -> Check:
    """All stops hit with a gap, summed without offset, the candidate's own included; an entry that lifts it over the limit fails.

    `losses` and `own_money` come from `open_risk.gap_loss_money`; one that is not known fails the check.
    """
    limit = max(equity_money, 0.0) * max_fraction
    held: Money | None = 0.0
    for loss in losses:
        held = None if held is None or loss is None else held + loss
    if own_money is None or held is None:
        return Check("all_stops", None, limit, False, "a rate into the account currency is missing")
    return Check(
        "all_stops",
        held + own_money,
        limit,
        held + own_money <= limit,
        f"open positions {held:.2f}, this entry {own_money:.2f}, gap {gap_fraction:.2%} of price beyond each stop",
    )
