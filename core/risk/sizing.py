"""How many lots a candidate may have: the money at risk divided by what one lot loses at its stop, rounded down.

Why: a wrong size is the one mistake that no stop repairs.
Promises: the loss at the stop with commission, in the account's own smallest unit, is never above the money asked to be risked;
lots lie on the volume grid; a stop is widened before sizing and never after; every step is in `SizingResult.checks`.
Does not: know other positions (`open_risk`, `correlation`, `exposure` do) or turn bid prices into executable ones.
Units: money in account currency, prices executable, shares as fractions.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.money import QuoteLookup, Valuer
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Lots, Money, Price, PriceDistance
from quarterdeck.core.risk.rounding import floor_lots, lots_of_steps, steps_of, stop_at_distance

_CENT_NOISE = 1e-9


class SizingPolicy(Struct, frozen=True, kw_only=True):
    """The operator's choices that sizing obeys."""

    risk_fraction: float
    """Share of the smaller of balance and equity that one trade may lose."""
    stop_spread_min_x: float
    stop_atr_min_x: float
    round_trip_cost_max_fraction: float
    effective_risk_warn_fraction: float
    tick_value_deviation_max_fraction: float


class SizingInput(Struct, frozen=True, kw_only=True):
    """What is to be sized: one instrument and side, at these quotes, with this stop."""

    instrument: Instrument
    side: Side
    bid: Price
    ask: Price
    stop_price: Price
    atr_price: PriceDistance
    """ATR(M15) of the pair."""
    commission_money_per_lot: Money
    """Both sides together."""
    tick_value_money: Money
    """The broker's own figure for a loss, one tick and one lot."""
    tick_value_expected_money: Money | None
    """The same by our formula from the quotes of the moment the broker's figure was read; None when no rate was known."""
    commission_round_trips: int = 0
    """Settled trades that the commission was learned from; 0 where settings assume it."""
    direction_lots: Lots = 0.0
    """Volume that already stands or waits in this symbol and direction, for the broker's volume limit."""

    @property
    def entry_price(self) -> Price:
        """A buy enters at the ask, a sell at the bid."""
        return self.ask if self.side is Side.BUY else self.bid


class VolumeCap(Struct, frozen=True):
    """A volume that something else than risk allows at most; the smallest one wins and says so."""

    name: str
    lots: Lots
    note: str = ""


class SizingResult(Struct, frozen=True, kw_only=True):
    """The answer. `reason` is empty when `lots` may be traded, else the machine word of what refused."""

    lots: Lots
    reason: str
    entry_price: Price
    stop_price: Price
    """Where the stop goes: as asked, or farther where it was too near."""
    risk_money: Money
    """What is lost at that stop with `lots`, commission included."""
    asked_risk_money: Money
    loss_money_per_lot: Money
    """Without commission."""
    commission_money: Money
    cost_fraction: float
    """Spread and commission of the round trip as a share of the stop distance."""
    equity_needed_money: Money
    """Equity that would suffice for the minimum volume; 0.0 where the minimum was not the trouble."""
    checks: tuple[Check, ...]

    @property
    def effective_fraction(self) -> float:
        """Risk taken as a share of the risk asked for."""
        return self.risk_money / self.asked_risk_money if self.asked_risk_money > 0.0 else 0.0


def size_position(
    candidate: SizingInput,
    policy: SizingPolicy,
    valuer: Valuer,
    rates: QuoteLookup,
    *,
    balance_money: Money,
    equity_money: Money,
    caps: tuple[VolumeCap, ...] = (),
) -> SizingResult:
    """Lots for `candidate` on an account of these figures; refusals come back as a reason, nothing is raised."""
    steps: list[Check] = []
    base = min(balance_money, equity_money)
    asked = max(base, 0.0) * policy.risk_fraction
    steps.append(
        Check("risk_base", base, 0.0, base > 0.0, f"smaller of balance {balance_money:.2f} and equity {equity_money:.2f}")
    )
    steps.append(Check("risk_asked", asked, None, asked > 0.0, f"{policy.risk_fraction:.3%} of it"))
    if asked <= 0.0:
        return _refused("equity", candidate, asked, steps)
    steps.append(tick_value_check(candidate, policy.tick_value_deviation_max_fraction))
    if not steps[-1].passed:
        return _refused("tick_value", candidate, asked, steps)
    stop_price, stop_checks = widen_stop(candidate, policy)
    steps += stop_checks
    if not stop_checks[-1].passed:
        return _refused("stop", candidate, asked, steps)
    loss = _loss_money(candidate, valuer, rates, 1.0, stop_price)
    if loss is None or loss <= 0.0:
        steps.append(Check("loss_per_lot", loss, None, False, "no rate into the account currency"))
        return _refused("rate", candidate, asked, steps)
    steps.append(Check("loss_per_lot", loss, None, True, f"plus commission {candidate.commission_money_per_lot:.2f}"))
    cost = _cost_check(candidate, policy, stop_price, loss)
    steps.append(cost)
    if not cost.passed:
        return _refused(cost.name, candidate, asked, steps, stop_price=stop_price, loss=loss, cost=cost.value or 0.0)
    return _sized(
        candidate, policy, valuer, rates, caps, asked=asked, stop_price=stop_price, loss=loss, cost=cost.value or 0.0, steps=steps
    )


def tick_value_check(candidate: SizingInput, gap_max_fraction: float) -> Check:
    """Whether the broker's tick value may be trusted: there, and near what its own contract gives."""
    seen, expected = candidate.tick_value_money, candidate.tick_value_expected_money
    if not seen > 0.0:
        return Check("tick_value", seen, 0.0, False, "the broker reports none")
    if expected is None or not expected > 0.0:
        return Check("tick_value", seen, None, False, "cannot be compared: no rate into the account currency")
    gap = abs(seen - expected) / expected
    return Check("tick_value", gap, gap_max_fraction, gap <= gap_max_fraction, f"broker {seen:.5g}, computed {expected:.5g}")


def widen_stop(candidate: SizingInput, policy: SizingPolicy) -> tuple[Price, list[Check]]:
    """The executable stop, moved away to the farthest of its floors where it is nearer, with a check for each floor."""
    spec, entry = candidate.instrument, candidate.entry_price
    asked = (entry - candidate.stop_price) * candidate.side
    if asked <= 0.0:
        return candidate.stop_price, [Check("stop_distance", asked, 0.0, False, "the stop is on the wrong side of the entry")]
    spread = candidate.ask - candidate.bid
    points, noise = spec.stops_level_points, _CENT_NOISE * entry
    spreads, atrs = policy.stop_spread_min_x, policy.stop_atr_min_x
    broker, wide, wild = points * spec.point + spread, spreads * spread, atrs * candidate.atr_price
    checks = [
        Check("stop_floor_broker", asked, broker, True, f"{points} points and the spread{_widened(asked, broker - noise)}"),
        Check("stop_floor_spread", asked, wide, True, f"{spreads:g} x spread{_widened(asked, wide - noise)}"),
        Check("stop_floor_atr", asked, wild, True, f"{atrs:g} x ATR(M15){_widened(asked, wild - noise)}"),
    ]
    farthest = max(broker, wide, wild)
    stop = candidate.stop_price
    if asked < farthest - noise:
        stop = stop_at_distance(spec, candidate.side, entry, farthest)
    checks.append(Check("stop_distance", (entry - stop) * candidate.side, None, stop > 0.0, f"{entry} to {stop}"))
    return stop, checks


def _widened(asked: PriceDistance, floor: PriceDistance) -> str:
    return "" if asked >= floor else ": widened"


def _loss_money(candidate: SizingInput, valuer: Valuer, rates: QuoteLookup, lots: Lots, stop_price: Price) -> Money | None:
    profit = valuer.profit_money(candidate.side, lots, candidate.entry_price, stop_price, rates)
    return None if profit is None else -profit


def _commission_money(candidate: SizingInput, valuer: Valuer, lots: Lots) -> Money:
    return valuer.commission_money(lots, 0.5 * candidate.commission_money_per_lot)


def _cost_check(candidate: SizingInput, policy: SizingPolicy, stop_price: Price, loss: Money) -> Check:
    distance = (candidate.entry_price - stop_price) * candidate.side
    spread_share = (candidate.ask - candidate.bid) / distance
    share = spread_share + candidate.commission_money_per_lot / loss
    most, trips = policy.round_trip_cost_max_fraction, candidate.commission_round_trips
    note = f"spread {spread_share:.1%} and commission {share - spread_share:.1%} of the stop distance"
    if trips:
        return Check("learned_cost", share, most, share <= most, f"{note}, learned from {trips} round trips")
    return Check("cost", share, most, share <= most, note)


def _sized(
    candidate: SizingInput,
    policy: SizingPolicy,
    valuer: Valuer,
    rates: QuoteLookup,
    caps: tuple[VolumeCap, ...],
    *,
    asked: Money,
    stop_price: Price,
    loss: Money,
    cost: float,
    steps: list[Check],
) -> SizingResult:
    spec, commission = candidate.instrument, candidate.commission_money_per_lot
    by_risk, risked = _lots_within(candidate, valuer, rates, asked, stop_price, loss + commission)
    steps.append(
        Check(
            "lots_by_risk", by_risk, spec.volume_min_lots, True, f"{asked:.2f} / {loss + commission:.2f} a lot, down to the step"
        )
    )
    lots, reason = by_risk, "minimum_lots"
    for cap in _broker_caps(candidate) + caps:
        # what lies a step above needs no rounding to be enough
        allowed = lots if cap.lots >= lots + spec.volume_step_lots else floor_lots(spec, max(cap.lots, 0.0))
        if lots > allowed:
            why = cap.note and f": {cap.note}"
            steps.append(Check(cap.name, lots, cap.lots, allowed > 0.0, f"shrunk from {lots:g} to {allowed:g}{why}"))
            lots, reason = allowed, cap.name
        else:
            steps.append(Check(cap.name, lots, cap.lots, True, cap.note))
        if allowed <= 0.0 < by_risk:
            return _refused(cap.name, candidate, asked, steps, stop_price=stop_price, loss=loss, cost=cost)
    if lots < spec.volume_min_lots - _CENT_NOISE:
        least = _loss_money(candidate, valuer, rates, spec.volume_min_lots, stop_price) or 0.0
        needed = (least + _commission_money(candidate, valuer, spec.volume_min_lots)) / policy.risk_fraction
        steps.append(Check("minimum_lots", lots, spec.volume_min_lots, False, f"equity of {needed:.2f} would suffice"))
        return _refused(reason, candidate, asked, steps, stop_price=stop_price, loss=loss, cost=cost, needed=needed)
    steps.append(Check("minimum_lots", lots, spec.volume_min_lots, True))
    if lots != by_risk:
        risked = _loss_money(candidate, valuer, rates, lots, stop_price) or 0.0
    paid = _commission_money(candidate, valuer, lots)
    risk = risked + paid
    low = risk < policy.effective_risk_warn_fraction * asked
    only = "only " if low else ""
    steps.append(
        Check("effective_risk", risk / asked, policy.effective_risk_warn_fraction, True, f"{only}{risk:.2f} of {asked:.2f}")
    )
    return SizingResult(
        lots=lots,
        reason="",
        entry_price=candidate.entry_price,
        stop_price=stop_price,
        risk_money=risk,
        asked_risk_money=asked,
        loss_money_per_lot=loss,
        commission_money=paid,
        cost_fraction=cost,
        equity_needed_money=0.0,
        checks=tuple(steps),
    )


def _lots_within(
    candidate: SizingInput, valuer: Valuer, rates: QuoteLookup, asked: Money, stop_price: Price, per_lot: Money
) -> tuple[Lots, Money]:
    """Start one step above the quotient and come down to the first volume whose loss, as the broker would book it, fits.

    Returns it on the grid, 0.0 where it is under the minimum, with its loss.
    """
    spec = candidate.instrument
    steps = steps_of(spec, asked / per_lot) + 1
    while steps > 0:
        lots = lots_of_steps(spec, steps)
        loss = _loss_money(candidate, valuer, rates, lots, stop_price)
        if loss is not None and loss + _commission_money(candidate, valuer, lots) <= asked + _CENT_NOISE:
            fitting = floor_lots(spec, lots)
            return fitting, loss if fitting == lots else _loss_money(candidate, valuer, rates, fitting, stop_price) or 0.0
        steps -= 1
    return 0.0, 0.0


def _broker_caps(candidate: SizingInput) -> tuple[VolumeCap, ...]:
    spec = candidate.instrument
    caps: tuple[VolumeCap, ...] = (VolumeCap("maximum_lots", spec.volume_max_lots),)
    if spec.volume_limit_lots > 0.0:
        room = spec.volume_limit_lots - candidate.direction_lots
        caps += (VolumeCap("limit_lots", room, f"limit {spec.volume_limit_lots:g}, taken {candidate.direction_lots:g}"),)
    return caps


def _refused(
    reason: str,
    candidate: SizingInput,
    asked: Money,
    steps: list[Check],
    *,
    stop_price: Price | None = None,
    loss: Money = 0.0,
    cost: float = 0.0,
    needed: Money = 0.0,
) -> SizingResult:
    return SizingResult(
        lots=0.0,
        reason=reason,
        entry_price=candidate.entry_price,
        stop_price=candidate.stop_price if stop_price is None else stop_price,
        risk_money=0.0,
        asked_risk_money=asked,
        loss_money_per_lot=loss,
        commission_money=0.0,
        cost_fraction=cost,
        equity_needed_money=needed,
        checks=tuple(steps),
    )
