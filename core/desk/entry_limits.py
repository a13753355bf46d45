"""What limits an entry beyond its own filters: counts, leverage, the book's correlated risk, margin, the budget, the day.

Promises: reservations count like positions; a figure that is not known fails its check. Does not: hold formulas (`core.risk`).
Units: money in account currency, prices executable.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, week_second
from quarterdeck.core.desk import requests
from quarterdeck.core.desk.context import Context, PairPolicy
from quarterdeck.core.desk.correlations import correlation_matrix
from quarterdeck.core.desk.equity import entry_equity_money, shortfall_money
from quarterdeck.core.desk.margin import entry_margin_money, margin_level_pct, used_margin_money
from quarterdeck.core.desk.open_exposure import (
    OpenExposure,
    gap_fraction,
    gap_losses,
    notionals,
    open_risk,
    pair_positions_count,
    positions_count,
    reserved_risk,
    signed_risk_by_symbol,
)
from quarterdeck.core.desk.pricing import ExecutablePrices
from quarterdeck.core.desk.trading_state import add_reason, drop_reason
from quarterdeck.core.filters.trading_hours import WEEK_OPEN_S
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.signals import Check, Signal
from quarterdeck.core.model.units import Lots, Money
from quarterdeck.core.risk import breakers, prop_firm
from quarterdeck.core.risk.correlation import check_correlation
from quarterdeck.core.risk.exposure import all_stops_check, exposure_caps
from quarterdeck.core.risk.exposure import exposure as add_up
from quarterdeck.core.risk.open_risk import RiskPosition, budget_check, day_room_check, gap_loss_money, open_risk_money
from quarterdeck.core.risk.sizing import SizingResult, VolumeCap

CheckSink = Callable[[Check], bool]


def count_limits(ctx: Context, symbol: str, own: PairPolicy, take: CheckSink, *, adds: bool) -> None:
    """Breakers and counts; reservations hold their places."""
    state = ctx.state
    equity = entry_equity_money(ctx)
    if equity is None:
        take(Check("equity", None, None, False, "equity is not known: a rate is missing"))
        return
    take(requests.day_check(ctx))
    funded = requests.funded_day_check(ctx)
    if funded is not None:
        take(funded)
    _first_in_first_out(ctx, symbol, take)
    in_pair = pair_positions_count(ctx, symbol)
    reserved_margin = sum(held.margin_money for held in state.reservations.values())
    for check in breakers.entry_checks(
        state.breakers,
        ctx.account_policy.breakers,
        equity_money=equity,
        positions=positions_count(ctx),
        pair_positions=0 if adds else in_pair,
        entries_reserved=len(state.reservations),
        margin_level_pct=margin_level_pct(ctx, reserved_margin),
    ):
        if check.name == "pair_positions" and not adds:
            take(breakers.counted_check(check.name, in_pair, own.settings.breakers.positions_per_pair_max))
        else:
            take(check)


def _first_in_first_out(ctx: Context, symbol: str, take: CheckSink) -> None:
    """Where the oldest position of a symbol has to be closed first, a second one could not be closed by its own rules."""
    account = ctx.state.account
    if account is None or not account.fifo_close:
        return
    others = sum(1 for one in ctx.state.external_positions.values() if one.at_broker.symbol == symbol)
    older = pair_positions_count(ctx, symbol) if account.hedging else others
    note = f"the broker closes the oldest position of a symbol first, and {older} are open in {symbol} ({others} not opened here)"
    take(Check("fifo_close", float(older), 0.0, older == 0, note if older else ""))


class SizedEntry(Struct, frozen=True):
    """An entry as the position it would be at once, with its open risk; None while its money cannot be determined."""

    exposed: RiskPosition | None
    risk_money: Money | None


def sized_entry(ctx: Context, symbol: str, side: Side, sized: SizingResult, own: PairPolicy) -> SizedEntry:
    """What a sized entry would add to the book."""
    valuer, per_side = ctx.valuer(symbol), ctx.commission_money_per_lot(symbol)
    if valuer is None or per_side is None:
        return SizedEntry(None, None)
    exposed = RiskPosition(
        valuer=valuer,
        side=side,
        lots=sized.lots,
        open_price=sized.entry_price,
        stop_price=sized.stop_price,
        now_price=sized.entry_price,
        stop_distance=abs(sized.entry_price - sized.stop_price),
        close_cost_money=per_side * sized.lots,
    )
    return SizedEntry(exposed, open_risk_money(exposed, ctx.rates, own.slippage))


def exposure_limits(
    ctx: Context,
    spec: Instrument,
    side: Side,
    prices: ExecutablePrices,
    stands: list[OpenExposure],
    own: PairPolicy,
    take: CheckSink,
) -> tuple[VolumeCap, ...] | None:
    """Leverage as volumes that sizing obeys; None (and a failed check) when it cannot be determined."""
    valuer, equity = ctx.valuer(spec.symbol), entry_equity_money(ctx)
    held = notionals(ctx, stands)
    per_lot = None if valuer is None else valuer.notional_money(1.0, prices.entry_price, ctx.rates)
    if held is None or per_lot is None or per_lot <= 0.0 or equity is None:
        take(Check("leverage", None, None, False, "a rate into the account currency is missing"))
        return None
    limits = exposure_caps(add_up(held), spec, side, notional_money_per_lot=per_lot, equity_money=equity, policy=own.exposure)
    rules = ctx.settings.prop_firm
    if rules.enabled and rules.lots_max > 0.0:
        taken = sum(one.lots for one in ctx.state.positions.values()) + sum(one.lots for one in ctx.state.reservations.values())
        limits = (*limits, VolumeCap("funded_lots", rules.lots_max - taken, f"all positions together at most {rules.lots_max:g}"))
    return limits


def kelly_fraction(ctx: Context, take: CheckSink) -> float | None:
    """Risk per trade from the desk's own results; None while Kelly is off."""
    if not ctx.settings.kelly.enabled:
        drop_reason(ctx, "kelly", "Kelly is off")
        ctx.state.kelly_note = ""
        return None
    found = ctx.kelly.risk(ctx.state.results_r, ctx.account_policy.kelly)
    for check in found.checks:
        take(check if check.passed else Check(check.name, check.value, check.threshold, True, check.note))
    if found.negative and not ctx.state.kelly_negative:
        stops = ctx.settings.kelly.negative_action == "reduce_only"
        what_now = (
            "No new entries; open positions are still managed." if stops else "Entries continue at the smallest Kelly risk."
        )
        text = f"Kelly sizing finds no edge in the last {found.trades} trades (the Kelly fraction is not positive). {what_now}"
        ctx.emit(Alert(kind="risk", level="warning", text=f"{text} Review the strategy, or set kelly.enabled = false."))
    ctx.state.kelly_negative = found.negative
    ctx.state.kelly_note = found.note
    if found.negative and ctx.settings.kelly.negative_action == "reduce_only":
        add_reason(ctx, "kelly", f"Kelly sizing finds no edge: the Kelly fraction is {found.optimum or 0.0:.3f}")
        take(Check("kelly", found.optimum, 0.0, False, "the Kelly fraction is not positive"))
    return found.risk_fraction


def correlation(
    ctx: Context, found: Signal, lots: Lots, entry: SizedEntry, stands: list[OpenExposure], own: PairPolicy, take: CheckSink
) -> Lots | None:
    """How many of its lots the correlated risk of the book allows; None when it refuses."""
    settings = own.settings.correlation
    risks, equity, own_risk = signed_risk_by_symbol(ctx, stands), entry_equity_money(ctx), entry.risk_money
    if risks is None or equity is None or own_risk is None:
        take(Check("correlation", None, None, False, "the open risk of a position is not known"))
        return None
    at_risk = [one for one in risks if one[1] != 0.0]  # what cannot lose any more adds nothing, whatever it moves with
    verdict = check_correlation(
        at_risk,
        (found.symbol, found.side * own_risk),
        correlation_matrix(ctx, [*(symbol for symbol, _ in at_risk), found.symbol]),
        equity_money=equity,
        max_fraction=settings.risk_max_pct / 100.0,
        offset_max_fraction=settings.offset_max_pct / 100.0,
        policy=settings.over_limit_action,
    )
    if not take(verdict.check):
        return None
    return lots * verdict.take_fraction


def risk_and_margin(
    ctx: Context, entry: SizedEntry, stands: list[OpenExposure], own: PairPolicy, take: CheckSink
) -> tuple[Money | None, Money | None]:
    """Margin and open risk that the entry would take, checked against all that is left; (margin, risk)."""
    state, exposed, own_risk = ctx.state, entry.exposed, entry.risk_money
    equity, account = entry_equity_money(ctx), state.account
    held, used = open_risk(ctx, stands), used_margin_money(ctx)
    if equity is None or account is None or exposed is None or held is None or used is None:
        take(Check("budget", None, None, False, "open risk or margin of the open positions is not known"))
        return None, None
    symbol = exposed.valuer.instrument.symbol
    margin = entry_margin_money(ctx, symbol, exposed.side, exposed.lots, exposed.open_price)
    if own_risk is None or margin is None:
        take(Check("budget", None, None, False, "a rate into the account currency is missing"))
        return None, None
    reserved = reserved_risk(ctx)
    most = ctx.account_policy.open_risk_max_fraction
    take(budget_check(open_money=held, reserved_money=reserved, own_money=own_risk, equity_money=equity, max_fraction=most))
    take(
        day_room_check(
            day_loss_money=state.breakers.day_loss_money(equity),
            open_money=held,
            reserved_money=reserved,
            own_money=own_risk,
            limit_money=breakers.day_limit_money(state.breakers, ctx.account_policy.breakers),
        )
    )
    free = equity - used - sum(one.margin_money for one in state.reservations.values())
    take(Check("margin", margin, free, margin <= free, "margin of the entry against what is free"))
    _gaps(ctx, exposed, stands, own, equity, take)
    return margin, own_risk


def before_weekend(ctx: Context, symbol: str) -> bool:
    """Whether what is entered now would stand over the weekend."""
    return _before_weekend(ctx, ctx.policy(symbol))


def _before_weekend(ctx: Context, own: PairPolicy) -> bool:
    second = week_second(ctx.now, NEW_YORK)
    return second >= own.no_entries_week_s or second < WEEK_OPEN_S


def _gaps(
    ctx: Context, exposed: RiskPosition, stands: list[OpenExposure], own: PairPolicy, equity: Money, take: CheckSink
) -> None:
    """All stops hit with a gap behind each; on a funded account the same against its limits."""
    weekend = _before_weekend(ctx, own)
    fraction = gap_fraction(own, weekend=weekend)
    own_loss = gap_loss_money(exposed, ctx.rates, gap_fraction=fraction)
    most = own.settings.exposure.gap_risk_max_pct / 100.0
    check = all_stops_check(
        gap_losses(ctx, stands, weekend=weekend), own_loss, equity_money=equity, max_fraction=most, gap_fraction=fraction
    )
    take(check)
    if ctx.settings.prop_firm.enabled:
        lots = exposed.lots + sum(one.lots for one in ctx.state.positions.values())
        for rule in prop_firm.entry_checks(
            ctx.state.prop_firm,
            ctx.account_policy.prop_firm,
            equity_money=equity,
            balance_money=ctx.state.balance_money + shortfall_money(ctx),
            all_stops_money=check.value,
            lots_after=lots + sum(one.lots for one in ctx.state.reservations.values()),
        ):
            take(rule)
