"""A candidate's way to an order: filters in order, size, caps, gate. Each step leaves its number, its threshold and its verdict.

Promises: every candidate ends in one verdict, `entered` or `refused`, perhaps after `waiting`; it waits only when all that stands
against it may pass while it is fresh; the state is asked before all else and again by the gate. A figure that cannot be computed
refuses. Does not: hold formulas (`core.filters`, `core.risk`) or reserve (`risk_reservation`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.desk import entry_limits, learned_commission, position_closing, risk_reservation, stops
from quarterdeck.core.desk.context import Context, PairPolicy
from quarterdeck.core.desk.desk_state import EntryTerms, ManagedPosition, PendingSignal, SignalDecision
from quarterdeck.core.desk.equity import LOTS_NOISE, entry_equity_money, shortfall_money
from quarterdeck.core.desk.memory_limits import SIGNALS_MAX, TRADED_MAX, trim, trim_list
from quarterdeck.core.desk.open_exposure import direction_lots, open_exposures
from quarterdeck.core.desk.pricing import ExecutablePrices, executable
from quarterdeck.core.desk.pyramid import AddPlan, plan_add
from quarterdeck.core.desk.trading_state import worst_reason
from quarterdeck.core.filters import freshness, news_window, spread, trading_hours, volatility
from quarterdeck.core.filters.ruling import FilterResult
from quarterdeck.core.model.effects import Verdict
from quarterdeck.core.model.market_data import Instrument, Quote
from quarterdeck.core.model.signals import Check, Signal
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.risk import sizing
from quarterdeck.core.risk.sizing import SizingResult

_SENT_MAX = 64
EntryOutcome = Literal["entered", "refused", "waiting"]


class EntryChecks:
    """The checks of one judgement and what the first failures mean."""

    __slots__ = ("again_utc_ns", "checks", "final_failure", "passing_failure")

    def __init__(self) -> None:
        """Nothing found yet."""
        self.checks: list[Check] = []
        self.final_failure = ""
        """First failure that will not pass by itself."""
        self.passing_failure = ""
        """First failure that may."""
        self.again_utc_ns = 0

    def add(self, check: Check, *, passing: bool = False) -> bool:
        """Take a check; returns whether it passed."""
        self.checks.append(check)
        if not check.passed:
            if passing:
                self.passing_failure = self.passing_failure or check.name
            else:
                self.final_failure = self.final_failure or check.name
        return check.passed

    def rule(self, ruling: FilterResult, fresh_until_utc_ns: int) -> bool:
        """Take a filter's answer; it may pass only if it can do so while the signal is fresh."""
        check = ruling.check
        if check.passed:
            self.checks.append(check)
            return True
        may = ruling.may_pass_later and (ruling.passes_from_utc_ns == 0 or ruling.passes_from_utc_ns <= fresh_until_utc_ns)
        return self.add(check, passing=may)

    def failed(self) -> bool:
        """Something stands against it."""
        return bool(self.final_failure or self.passing_failure)


class PricedSignal(Struct, frozen=True, kw_only=True):
    """A candidate at executable prices."""

    spec: Instrument
    quote: Quote
    prices: ExecutablePrices
    policy: PairPolicy


def signal_score(ctx: Context, found: Signal) -> float:
    """Confidence times net reward/risk, for the order within a round; 0.0 where it cannot be determined yet."""
    quote, spec = ctx.state.quotes.get(found.symbol), ctx.spec(found.symbol)
    if quote is None or spec is None:
        return 0.0
    prices = executable(found, quote, spec, ctx.typical_spread(found.symbol) or 0.0)
    ratio = net_reward_risk(ctx, found, prices, prices.stop_price)
    return found.confidence * ratio if ratio is not None else 0.0


def net_reward_risk(ctx: Context, found: Signal, prices: ExecutablePrices, stop_price: float) -> float | None:
    """What the target brings for what the stop costs, one lot, commission of both sides included."""
    valuer, per_side = ctx.valuer(found.symbol), ctx.commission_money_per_lot(found.symbol)
    if valuer is None or per_side is None:
        return None
    won = valuer.profit_money(found.side, 1.0, prices.entry_price, prices.target_price, ctx.rates)
    lost = valuer.profit_money(found.side, 1.0, prices.entry_price, stop_price, ctx.rates)
    if won is None or lost is None or lost - 2.0 * per_side >= 0.0:
        return None
    return (won - 2.0 * per_side) / (2.0 * per_side - lost)


def evaluate_signal(ctx: Context, candidate: PendingSignal) -> bool:
    """Judge a candidate now; True when it is to wait for another look."""
    found = candidate.signal
    findings = EntryChecks()
    own = ctx.policy(found.symbol)
    expires = found.bar_end_utc_ns + own.signal_age_max_ns
    _standing(ctx, candidate, findings, own)
    priced = _filters(ctx, found, findings, own, expires)
    if candidate.after_close_of and not findings.failed():
        _after_close(ctx, candidate, findings)
    if priced is None or findings.failed():
        return _not_now(ctx, candidate, findings, expires)
    plan = _own_position(ctx, candidate, findings, priced)
    if findings.failed():
        return _not_now(ctx, candidate, findings, expires)
    entry_limits.count_limits(ctx, found.symbol, own, findings.add, adds=plan is not None)
    if findings.failed():
        return _not_now(ctx, candidate, findings, expires)
    ticket = _sized(ctx, candidate, findings, priced, plan)
    if ticket is None:
        return _not_now(ctx, candidate, findings, expires)
    candidate.tries += 1
    client_id = risk_reservation.submit(ctx, ticket)
    ctx.state.traded_signals[found.id] = client_id
    trim(ctx.state.traded_signals, TRADED_MAX)
    if candidate.tries > 1:
        ctx.state.sent = [held for held in ctx.state.sent if held.signal.id != found.id]
    ctx.state.sent.append(candidate)
    trim_list(ctx.state.sent, _SENT_MAX)
    _verdict(ctx, candidate, "entered", "", findings, lots=ticket.lots, risk_money=ticket.risk_money, client_id=client_id)
    return False


def _standing(ctx: Context, candidate: PendingSignal, findings: EntryChecks, own: PairPolicy) -> None:
    """The state, the pair, and the signal itself."""
    found, state = candidate.signal, ctx.state
    pair = ctx.pair(found.symbol)
    worst = worst_reason(ctx)
    if worst is not None:
        findings.add(Check(worst.code, None, None, False, worst.text))
    for reason in pair.block_reasons.values():
        findings.add(Check(f"barred_{reason.code}", None, None, False, reason.text))
    for symbol in state.suspects:
        note = f"a quote of {symbol} jumped: the next quote decides"
        findings.add(Check("spike", None, None, False, note), passing=True)
    spec = ctx.spec(found.symbol)
    if spec is None or found.symbol not in ctx.pairs:
        findings.add(Check("instrument", None, None, False, "not a traded pair, or its specification is unknown"))
    elif spec.trade_mode not in ("full", "long_only" if found.side > 0 else "short_only"):
        findings.add(Check("trade_mode", None, None, False, f"the broker allows {spec.trade_mode} only"))
    if found.id in state.traded_signals:
        findings.add(Check("traded", None, None, False, "this signal became an order before"))
    if pair.late_bar_utc_ns == found.bar_open_utc_ns:
        findings.add(Check("late_bar", None, None, False, "the bar was recognised too late"))
    if pair.gap_bar_utc_ns == found.bar_open_utc_ns:
        findings.add(Check("hole", None, None, False, "bars are missing before this one"))
    findings.add(freshness.signal_age(ctx.now, found.bar_end_utc_ns, max_s=own.settings.scan.signal_age_max_s).check)
    least = own.settings.strategy.confidence_min
    findings.add(Check("confidence", found.confidence, least, found.confidence >= least))


def _filters(ctx: Context, found: Signal, findings: EntryChecks, own: PairPolicy, expires: int) -> PricedSignal | None:
    """All filters, each with its number; the candidate at executable prices when there is a quote."""
    spec, quote = ctx.spec(found.symbol), ctx.state.quotes.get(found.symbol)
    if spec is None:
        return None
    rules = own.settings.filters
    fresh = freshness.quote_age(ctx.now, quote, spec, max_s=rules.quote_age_max_s, known=own.early_closes)
    findings.rule(fresh, expires)
    findings.rule(trading_hours.entry_hours(ctx.now, own.entry_hours), expires)
    findings.rule(trading_hours.rollover(ctx.now, own.rollover), expires)
    findings.rule(trading_hours.weekend(ctx.now, own.no_entries_week_s), expires)
    early = trading_hours.early_close(ctx.now, spec, own.early_closes, no_entries_ns=own.early_close_no_entries_ns)
    if early is not None:
        findings.rule(early, expires)
    _conversion_rates(ctx, found.symbol, findings)
    hold = own.settings.news.no_calendar_action == "hold"
    findings.rule(news_window.news_window(ctx.now, ctx.releases(spec), hold_when_unavailable=hold), expires)
    features = found.features
    findings.rule(
        volatility.atr_price(features.atr_m15_price, found.entry_price, max_fraction=rules.atr_price_max_pct / 100.0), expires
    )
    calm, wild = volatility.atr_percentile(
        features.atr_percentile_pct, min_pct=rules.atr_percentile_min, max_pct=rules.atr_percentile_max
    )
    findings.rule(calm, expires)
    findings.rule(wild, expires)
    if quote is None:
        return None
    usual = ctx.typical_spread(found.symbol)
    prices = executable(found, quote, spec, usual or 0.0)
    distance = (prices.entry_price - prices.stop_price) * found.side
    floor = own.settings.costs.spread_floor_pips * spec.pip
    if rules.spread_pips_max > 0.0:
        findings.rule(spread.spread_cap(prices.spread_price, spec.pip, max_pips=rules.spread_pips_max), expires)
    findings.rule(spread.spread_stop(prices.spread_price, distance, max_fraction=rules.spread_stop_max_pct / 100.0), expires)
    most = rules.spread_typical_max_x
    findings.rule(spread.spread_vs_typical(prices.spread_price, usual, pip=spec.pip, max_x=most, usual_min_price=floor), expires)
    moved = own.settings.scan.price_moved_max_pct / 100.0
    reference = abs(found.entry_price - found.stop_price)
    findings.rule(freshness.price_moved(found.entry_price, quote.bid, reference, max_fraction=moved), expires)
    return PricedSignal(spec=spec, quote=quote, prices=prices, policy=own)


def _conversion_rates(ctx: Context, symbol: str, findings: EntryChecks) -> None:
    """Size and risk depend on these rates as on the pair's own: an old one refuses by its name."""
    for name in ctx.valuation_symbols(symbol):
        quote = ctx.state.quotes.get(name)
        if name == symbol or quote is None:
            continue
        age = ctx.now - quote.at_utc_ns
        if age > M15_NS or name in ctx.state.silent:
            note = f"{name} values {symbol} in account currency"
            findings.add(Check("conversion_rate", age / NS_PER_S, M15_NS / NS_PER_S, False, note), passing=True)


def _after_close(ctx: Context, candidate: PendingSignal, findings: EntryChecks) -> None:
    """Close and reverse: nothing is opened before the old position is surely closed."""
    if candidate.after_close_of in ctx.state.positions:
        findings.add(Check("reverse", None, None, False, "waits until the old position is closed"), passing=True)


def _own_position(ctx: Context, candidate: PendingSignal, findings: EntryChecks, priced: PricedSignal) -> AddPlan | None:
    """A position of ours in that pair: an add where pyramiding allows one, else the operator's choice."""
    found = candidate.signal
    held = [one for one in ctx.state.positions.values() if one.symbol == found.symbol and one.lots > LOTS_NOISE]
    account = ctx.state.account
    if (
        account is not None
        and not account.hedging
        and any(one.at_broker.symbol == found.symbol for one in ctx.state.external_positions.values())
    ):
        findings.add(Check("netting_foreign", None, None, False, "the pair holds volume that this desk did not open"))
        return None
    if not held:
        return None
    if all(one.side is found.side for one in held):
        if priced.policy.settings.position.pyramid:
            return plan_add(ctx, held, priced.prices, priced.policy, findings.add)
        return None
    _against(ctx, candidate, findings, held, priced)
    return None


def _against(
    ctx: Context, candidate: PendingSignal, findings: EntryChecks, held: list[ManagedPosition], priced: PricedSignal
) -> None:
    choice = priced.policy.settings.filters.opposite_signal_action
    opposite = [one for one in held if one.side is not candidate.signal.side]
    if choice == "ignore":
        findings.add(Check("own_position", float(len(opposite)), 0.0, False, "an opposite position is open: ignored"))
        return
    for one in opposite:
        position_closing.start_close(ctx, one.position_id, "reverse" if choice == "reverse" else "strategy")
    if choice == "reverse":
        candidate.after_close_of = opposite[0].position_id
        findings.add(Check("reverse", None, None, False, "waits until the old position is closed"), passing=True)
    else:
        findings.add(Check("own_position", float(len(opposite)), 0.0, False, "an opposite position is open: it is closed"))


def _sized(
    ctx: Context, candidate: PendingSignal, findings: EntryChecks, priced: PricedSignal, plan: AddPlan | None
) -> risk_reservation.EntryOrder | None:
    """Size, reward for the risk, then everything that caps; None when it is refused."""
    found = candidate.signal
    stands = open_exposures(ctx)
    limits = entry_limits.exposure_limits(ctx, priced.spec, found.side, priced.prices, stands, priced.policy, findings.add)
    if limits is None:
        return None
    if plan is not None:
        limits = (*limits, plan.cap)
        priced = replace(priced, prices=replace(priced.prices, stop_price=plan.stop_price))
    sized = _size(ctx, found, priced, limits, findings)
    if sized is None:
        return None
    wanted = entry_limits.sized_entry(ctx, found.symbol, found.side, sized, priced.policy)
    part = entry_limits.correlation(ctx, found, sized.lots, wanted, stands, priced.policy, findings.add)
    if part is None:
        return None
    if part < sized.lots - LOTS_NOISE:
        sized = _size(
            ctx,
            found,
            priced,
            (*limits, sizing.VolumeCap("correlation_lots", part, "reduced to the limit of all positions together")),
            findings,
        )
        if sized is None:
            return None
        wanted = entry_limits.sized_entry(ctx, found.symbol, found.side, sized, priced.policy)
    if not _worth_it(ctx, found, priced, sized, findings):
        return None
    if plan is not None and plan.holds_whole and stops.tighter(found.side, plan.stop_price, sized.stop_price):
        findings.add(Check("pyramid_stops", sized.stop_price, plan.stop_price, False, "the add would loosen the group's stop"))
        return None
    margin, budget = entry_limits.risk_and_margin(ctx, wanted, stands, priced.policy, findings.add)
    if findings.failed() or margin is None or budget is None:
        return None
    return risk_reservation.EntryOrder(
        symbol=found.symbol,
        side=found.side,
        lots=sized.lots,
        entry_price=sized.entry_price,
        stop_price=sized.stop_price,
        target_price=priced.prices.target_price,
        budget_money=budget,
        risk_money=sized.risk_money,
        margin_money=margin,
        entry=EntryTerms(
            signal_id=found.id,
            strategy=found.strategy,
            bar_open_utc_ns=found.bar_open_utc_ns,
            quoted_price=sized.entry_price,
            stop_price=sized.stop_price,
            target_price=priced.prices.target_price,
            risk_money=sized.risk_money,
            spread_price=priced.prices.spread_price,
            confidence=found.confidence,
            adds_to_position_id=plan.leader_id if plan is not None else 0,
        ),
    )


def _size(
    ctx: Context, found: Signal, priced: PricedSignal, limits: tuple[sizing.VolumeCap, ...], findings: EntryChecks
) -> SizingResult | None:
    spec, quote = priced.spec, priced.quote
    valuer, per_side, equity = ctx.valuer(found.symbol), ctx.commission_money_per_lot(found.symbol), entry_equity_money(ctx)
    if valuer is None or per_side is None or equity is None:
        findings.add(Check("rate", None, None, False, "a rate into the account currency is missing"))
        return None
    renewed, learned = learned_commission.renewal(ctx, spec), ctx.learned_commission(found.symbol)
    if renewed is not None:
        cap, alone = renewed
        limits = (*limits, cap)
        if not findings.add(alone):
            return None
    asked = sizing.SizingInput(
        instrument=spec,
        side=found.side,
        bid=quote.bid,
        ask=quote.ask,
        stop_price=priced.prices.stop_price,
        atr_price=found.features.atr_m15_price,
        commission_money_per_lot=2.0 * per_side,
        commission_round_trips=0 if learned is None else learned.round_trips,
        tick_value_money=spec.tick_value_loss_money,
        tick_value_expected_money=ctx.pair(found.symbol).tick_value_expected_money,
        direction_lots=direction_lots(ctx, found.symbol, found.side) if spec.volume_limit_lots > 0.0 else 0.0,
    )
    policy, balance = priced.policy.sizing, ctx.state.balance_money + shortfall_money(ctx)
    share = entry_limits.kelly_fraction(ctx, findings.add)
    if share is not None:
        policy = replace(policy, risk_fraction=min(share, policy.risk_fraction))
    sized = sizing.size_position(asked, policy, valuer, ctx.rates, balance_money=balance, equity_money=equity, caps=limits)
    findings.checks.extend(sized.checks)
    if sized.reason:
        findings.final_failure = findings.final_failure or sized.reason
        return None
    return sized


def _worth_it(ctx: Context, found: Signal, priced: PricedSignal, sized: SizingResult, findings: EntryChecks) -> bool:
    least = priced.policy.settings.strategy.net_reward_risk_min
    ratio = net_reward_risk(ctx, found, priced.prices, sized.stop_price)
    learned = ctx.learned_commission(found.symbol)
    note = "executable prices, commission included"
    if learned is not None:
        note = f"executable prices, commission learned from {learned.round_trips} round trips included"
    return findings.add(Check("reward_risk", ratio, least, ratio is not None and ratio >= least, note))


def _not_now(ctx: Context, candidate: PendingSignal, findings: EntryChecks, expires_utc_ns: int) -> bool:
    """Refuse, or let it wait when all that stands against it may pass while it is fresh."""
    held = candidate.waiting_reason
    # what it waits for stays the reason while it stands: a quote that grows old meanwhile is not what stopped it
    still = bool(held) and any(check.name == held and not check.passed for check in findings.checks)
    passing = held if still else findings.passing_failure
    if not findings.final_failure and findings.passing_failure and ctx.now < expires_utc_ns:
        first_time = not held
        candidate.waiting_reason, candidate.checks = passing, _plain(findings.checks)
        if first_time:
            _verdict(ctx, candidate, "waiting", passing, findings)
        return True
    reason = findings.final_failure or passing
    if reason == "signal_age" and candidate.waiting_reason:
        reason = candidate.waiting_reason
    _verdict(ctx, candidate, "refused", reason, findings)
    return False


def _plain(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The same checks with their numbers as floats, so that they read back from a checkpoint as they were written."""
    return tuple([check if _is_plain(check.value) and _is_plain(check.threshold) else _in_floats(check) for check in checks])


def _is_plain(figure: object) -> bool:
    return figure is None or type(figure) is float


def _in_floats(check: Check) -> Check:
    value = None if check.value is None else float(check.value)
    threshold = None if check.threshold is None else float(check.threshold)
    return Check(check.name, value, threshold, check.passed, check.note)


def reject_all_waiting(ctx: Context, reason: str) -> None:
    """Nothing that waits will be judged any more."""
    state = ctx.state
    over = [*state.waiting, *state.round.candidates]
    state.waiting.clear()
    state.round.candidates.clear()
    for candidate in over:
        reject_waiting(ctx, candidate, reason)


def reject_waiting(ctx: Context, candidate: PendingSignal, reason: str) -> None:
    """A waiting candidate is over without another look."""
    findings = EntryChecks()
    findings.checks = list(candidate.checks)
    _verdict(ctx, candidate, "refused", reason, findings)


def _verdict(
    ctx: Context,
    candidate: PendingSignal,
    outcome: EntryOutcome,
    reason: str,
    findings: EntryChecks,
    *,
    lots: float = 0.0,
    risk_money: float = 0.0,
    client_id: str = "",
) -> None:
    """One line of the "why not?" ledger, and the same for the screen."""
    found = candidate.signal
    checks = _plain((*found.votes, *findings.checks))
    pair = ctx.pair(found.symbol)
    pair.outcome, pair.reason = outcome, reason
    ctx.wake_changed = True
    ctx.emit(
        Verdict(
            symbol=found.symbol,
            bar_open_utc_ns=found.bar_open_utc_ns,
            strategy=found.strategy,
            outcome=outcome,
            reason=reason,
            side=found.side,
            checks=checks,
            lots=lots,
            risk_money=risk_money,
            client_id=client_id,
        )
    )
    seen = ctx.state.signals
    _forget(seen, found.symbol, found.bar_open_utc_ns)
    seen.append(
        SignalDecision(
            symbol=found.symbol,
            bar_open_utc_ns=found.bar_open_utc_ns,
            decided_utc_ns=ctx.now,
            side=found.side,
            confidence=found.confidence,
            outcome=outcome,
            reason=reason,
            text=_text(findings, outcome, reason, lots),
            checks=checks,
        )
    )
    trim_list(seen, SIGNALS_MAX)


def _forget(seen: list[SignalDecision], symbol: str, bar_open_utc_ns: int) -> None:
    """What was said before of the same candidate; a bar that had not begun yet is refused once and never judged again."""
    for row in range(len(seen) - 1, -1, -1):
        one = seen[row]
        if one.decided_utc_ns < bar_open_utc_ns:
            return
        if one.bar_open_utc_ns == bar_open_utc_ns and one.symbol == symbol:
            del seen[row]
            return


def _text(findings: EntryChecks, outcome: str, reason: str, lots: float) -> str:
    """The verdict in a few words: the number against its threshold."""
    if outcome == "entered":
        return f"{lots:g} lots"
    for check in findings.checks:
        if check.name == reason and not check.passed:
            figure = "" if check.value is None else f"{check.value:.4g}"
            limit = "" if check.threshold is None else f", limit {check.threshold:.4g}"
            return f"{figure}{limit} {check.note}".strip()
    return reason
