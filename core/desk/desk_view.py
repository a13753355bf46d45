"""The desk as a screen shows it: plain figures made from the state, deciding nothing.

Promises: a figure that is not known is None, never zero; the lists are bounded. Does not: change the state.
"""

from __future__ import annotations

from quarterdeck.core.desk import requests
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.correlations import correlation_matrix
from quarterdeck.core.desk.desk_state import ExternalPosition, ManagedPosition
from quarterdeck.core.desk.entry_limits import before_weekend
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.desk.margin import margin_level_pct
from quarterdeck.core.desk.memory_limits import SIGNALS_MAX
from quarterdeck.core.desk.open_exposure import (
    gap_losses,
    notionals,
    open_risk,
    position_risk_money,
    positions_count,
    reserved_risk,
    signed_risk_by_symbol,
)
from quarterdeck.core.desk.position_management import remaining_risk_money, retrace_floor_money, time_exit_at, weekend_exit_at
from quarterdeck.core.desk.trading_state import trading_state
from quarterdeck.core.filters.news_window import next_release
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.snapshot import (
    CurrencyView,
    DeskView,
    DisplayState,
    FlattenView,
    LimitView,
    OrderView,
    PairView,
    PositionView,
    ReasonView,
    RiskView,
    SignalView,
)
from quarterdeck.core.model.units import M15_NS, NS_PER_S, Lots, Money, Price, UtcNs
from quarterdeck.core.risk import breakers, prop_firm
from quarterdeck.core.risk.correlation import book_risk_money
from quarterdeck.core.risk.exposure import exposure

_POSITIONS_MAX = 200


def desk_view(ctx: Context, at_utc_ns: UtcNs | None = None) -> DeskView:
    """Everything a screen shows of the desk, at its last input or at a later instant."""
    state = ctx.state
    at = max(at_utc_ns or 0, state.at_utc_ns)
    equity = state.equity_money
    ours = [held for held in state.positions.values() if held.lots > LOTS_NOISE]
    known_day = bool(state.breakers.day_started_utc_ns)
    quotes = [state.quotes[symbol].at_utc_ns for symbol in ctx.pairs if symbol in state.quotes]
    currencies = tuple(dict.fromkeys(c for symbol in ctx.pairs for c in _currencies(ctx, symbol)))
    return DeskView(
        at_utc_ns=at,
        seq=state.seq,
        mode=state.mode,
        account=state.account,
        state=_state(ctx),
        reasons=tuple(
            ReasonView(code=one.code, state=one.state, since_utc_ns=one.since_utc_ns, text=one.text, clears_when=one.clears_when)
            for one in state.reasons.values()
        ),
        equity_money=equity,
        balance_money=state.balance_money if state.account is not None else None,
        day_result_money=None if equity is None or not known_day else state.breakers.day_result_money(equity),
        day_loss_money=None if equity is None or not known_day else state.breakers.day_loss_money(equity),
        day_base_money=state.breakers.day_base_money if known_day else None,
        day_limit_money=breakers.day_limit_money(state.breakers, ctx.account_policy.breakers) if known_day else None,
        drawdown_fraction=None if equity is None else state.breakers.drawdown_fraction(equity),
        pairs=tuple(_pair(ctx, symbol, at) for symbol in ctx.pairs),
        signals=_signals(ctx),
        positions=tuple(
            [_ours(ctx, held) for held in ours] + [_foreign(ctx, held) for held in state.external_positions.values()]
        )[:_POSITIONS_MAX],
        orders=_orders(ctx),
        risk=_risk(ctx),
        positions_without_stop=sum(1 for held in ours if held.stop_missing or not held.stop_seen)
        + sum(1 for other in state.external_positions.values() if other.at_broker.stop_price is None),
        unconfirmed_orders=sum(1 for order in state.orders.values() if order.order_status == "unknown"),
        positions_match=None
        if state.book_known is not True
        else not any(held.volume_mismatches for held in state.positions.values()),
        oldest_quote_utc_ns=min(quotes, default=0),
        next_news=next_release(at, state.news, currencies, tuple(ctx.settings.news.impacts)),
        calendar_available=state.news.available,
        next_bar_utc_ns=at - at % M15_NS + M15_NS,
        trades_today=state.trades_today,
        entries_today=state.breakers.entries_today,
        flatten=_flatten(ctx),
        pending_orders_ours=sum(1 for order in state.pending.values() if order.magic == ctx.magic),
        external_count=len(state.external_positions),
        server_offset_s=state.broker_offset_s,
        clock_text=state.clock_text,
    )


def _state(ctx: Context) -> DisplayState:
    return "STARTING" if "starting" in ctx.state.reasons else trading_state(ctx)


def _currencies(ctx: Context, symbol: str) -> tuple[str, ...]:
    spec = ctx.spec(symbol)
    return spec.currencies if spec is not None else ()


def _pair(ctx: Context, symbol: str, at_utc_ns: UtcNs) -> PairView:
    state, pair, spec, quote = ctx.state, ctx.state.pairs.get(symbol), ctx.spec(symbol), ctx.state.quotes.get(symbol)
    pip = spec.pip if spec is not None else 0.0
    opened = spec is not None and ctx.is_open(spec, at_utc_ns)
    age_max = ctx.policy(symbol).quote_age_max_ns
    stale = opened and (quote is None or at_utc_ns - quote.at_utc_ns > age_max)
    usual = ctx.typical_spread(symbol)
    seen = pair is not None and pair.features_bar_utc_ns > 0
    features = pair.features if pair is not None else None
    return PairView(
        symbol=symbol,
        digits=spec.digits if spec is not None else 5,
        pip=pip,
        bid=quote.bid if quote is not None else None,
        ask=quote.ask if quote is not None else None,
        quote_utc_ns=quote.at_utc_ns if quote is not None else 0,
        session_open=opened,
        stale=stale,
        spread_pips=quote.spread_price / pip if quote is not None and pip > 0.0 else None,
        typical_spread_pips=usual / pip if usual is not None and pip > 0.0 else None,
        atr_pips=features.atr_m15_price / pip if features is not None and seen and pip > 0.0 else None,
        atr_percentile_pct=features.atr_percentile_pct if features is not None and seen else None,
        regime=features.regime if features is not None else "unknown",
        h1_trend=features.h1_trend if features is not None else "unknown",
        m15_state=features.m15_state if features is not None else "",
        last_bar_utc_ns=pair.last_bar_utc_ns if pair is not None else 0,
        verdict=(f"{pair.outcome}: {pair.reason}" if pair.reason else pair.outcome) if pair is not None else "",
        entries_blocked="; ".join(one.text for one in state.pairs[symbol].block_reasons.values()) if pair is not None else "",
    )


def _signals(ctx: Context) -> tuple[SignalView, ...]:
    return tuple(
        SignalView(
            symbol=one.symbol,
            bar_open_utc_ns=one.bar_open_utc_ns,
            decided_utc_ns=one.decided_utc_ns,
            side=one.side,
            confidence=one.confidence,
            outcome=one.outcome,
            reason=one.reason,
            text=one.text,
            checks=one.checks,
        )
        for one in reversed(ctx.state.signals[-SIGNALS_MAX:])
    )


def _ours(ctx: Context, held: ManagedPosition) -> PositionView:
    spec, price = ctx.spec(held.symbol), ctx.exit_price(held.symbol, held.side)
    task = ctx.state.closes.get(held.position_id)
    profit = None if held.floating_money is None else held.floating_money + held.swap_money
    part = remaining_risk_money(held)
    return PositionView(
        position_id=held.position_id,
        ticket=held.ticket,
        symbol=held.symbol,
        side=held.side,
        ours=True,
        lots=held.lots,
        open_price=held.open_price,
        current_price=price,
        stop_price=held.stop_price,
        target_price=held.target_price,
        opened_utc_ns=held.opened_utc_ns,
        pips=_pips(spec, held.side, held.open_price, price),
        profit_money=profit,
        result_r=profit / part if profit is not None and part > 0.0 else None,
        stop_distance_pips=_pips(spec, held.side, held.stop_price, price),
        open_risk_money=position_risk_money(ctx, held),
        peak_money=held.peak_money,
        closing=task is not None,
        next_action=_care(ctx, held),
        closable=task is None or not task.blocked,
        blocked=task.blocked if task is not None else "",
        spread_cost_money=_spread_cost(ctx, held.symbol, held.side, held.lots),
        margin_money=_margin(ctx, held.symbol, held.side, held.lots, held.open_price),
    )


def _foreign(ctx: Context, foreign: ExternalPosition) -> PositionView:
    held = foreign.at_broker
    spec, price = ctx.spec(held.symbol), ctx.exit_price(held.symbol, held.side)
    task = ctx.state.closes.get(held.position_id)
    profit = None if foreign.floating_money is None else foreign.floating_money + held.swap_money
    return PositionView(
        position_id=held.position_id,
        ticket=held.ticket,
        symbol=held.symbol,
        side=held.side,
        ours=False,
        lots=held.lots,
        open_price=held.open_price,
        current_price=price,
        stop_price=held.stop_price,
        target_price=held.target_price,
        opened_utc_ns=held.opened_utc_ns,
        pips=_pips(spec, held.side, held.open_price, price),
        profit_money=profit,
        result_r=None,
        stop_distance_pips=None if held.stop_price is None else _pips(spec, held.side, held.stop_price, price),
        open_risk_money=position_risk_money(ctx, foreign),
        peak_money=0.0,
        closing=task is not None,
        next_action="external, left alone" if held.stop_price is not None else "external, NO STOP",
        closable=task is None or not task.blocked,
        blocked=task.blocked if task is not None else "",
        spread_cost_money=_spread_cost(ctx, held.symbol, held.side, held.lots),
        margin_money=_margin(ctx, held.symbol, held.side, held.lots, held.open_price),
    )


def _spread_cost(ctx: Context, symbol: str, side: Side, lots: Lots) -> Money | None:
    """What lies between the two prices, for that volume."""
    here, there, valuer = ctx.exit_price(symbol, side), ctx.exit_price(symbol, side.opposite), ctx.valuer(symbol)
    if here is None or there is None or valuer is None:
        return None
    crossed = valuer.profit_money(side, lots, there, here, ctx.rates)
    return None if crossed is None else -crossed


def _margin(ctx: Context, symbol: str, side: Side, lots: Lots, price: Price) -> Money | None:
    account, valuer = ctx.state.account, ctx.valuer(symbol)
    if account is None or valuer is None:
        return None
    return valuer.margin_money(side, lots, price, account.leverage, ctx.rates)


def _pips(spec: Instrument | None, side: int, from_price: float, to_price: float | None) -> float | None:
    return None if spec is None or to_price is None else (to_price - from_price) * side / spec.pip


def _care(ctx: Context, held: ManagedPosition) -> str:
    """What position management will do next, in words."""
    if held.stop_missing:
        return "setting its stop again"
    if held.pending_exit is not None:
        return f"closes ({held.pending_exit}) at the next fresh quote"
    policy = ctx.policy(held.symbol)
    own, words = policy.settings.position, []
    part = remaining_risk_money(held)
    if own.trail_x_atr > 0.0 and part > 0.0:
        begun = held.peak_money >= own.trail_from_r * part
        words.append(f"trails {own.trail_x_atr:g} ATR" if begun else f"trail from {own.trail_from_r:g}R")
    if own.profit_retrace_pct < 100.0 and not held.retrace_done and held.peak_money >= retrace_floor_money(held, policy):
        words.append(f"partial close below {held.peak_money * (1.0 - own.profit_retrace_pct / 100.0):.2f}")
    ends = [
        (at, word)
        for at, word in ((time_exit_at(held, policy), "time"), (weekend_exit_at(ctx, held, policy), "weekend"))
        if at is not None
    ]
    if ends:
        at, word = min(ends)
        words.append(f"{word} exit {_hour(at)}")
    return ", ".join(words)


def _hour(at_utc_ns: UtcNs) -> str:
    second = at_utc_ns // NS_PER_S % 86_400
    return f"{second // 3600:02d}:{second // 60 % 60:02d}"


def _orders(ctx: Context) -> tuple[OrderView, ...]:
    return tuple(
        OrderView(
            client_id=one.client_id,
            symbol=one.symbol,
            what=one.kind,
            side=one.side,
            lots=one.lots,
            sent_utc_ns=one.sent_utc_ns,
            order_status=one.order_status,
        )
        for one in ctx.state.orders.values()
    )


def _risk(ctx: Context) -> RiskView:
    state, equity = ctx.state, ctx.state.equity_money
    own, risks = ctx.settings, signed_risk_by_symbol(ctx)
    weekend = before_weekend(ctx, ctx.pairs[0]) if ctx.pairs else False
    whole, over_weekend = _all_stops(ctx, weekend=weekend), _all_stops(ctx, weekend=True)
    book: float | None = None
    if risks is not None and equity is not None and equity > 0.0:
        offset = own.correlation.offset_max_pct / 100.0
        book = (
            book_risk_money(risks, correlation_matrix(ctx, [symbol for symbol, _ in risks]), offset_max_fraction=offset) / equity
            if risks
            else 0.0
        )
    worth = notionals(ctx)
    legs: tuple[CurrencyView, ...] = ()
    if worth is not None and equity is not None and equity > 0.0:
        legs = tuple(CurrencyView(currency=name, net_x_equity=money / equity) for name, money in exposure(worth).currencies)
    return RiskView(
        open_money=open_risk(ctx),
        reserved_money=reserved_risk(ctx),
        cap_money=None if equity is None else max(equity, 0.0) * ctx.account_policy.open_risk_max_fraction,
        correlated_risk_fraction=book,
        correlated_risk_cap_fraction=own.correlation.risk_max_pct / 100.0,
        gap_risk_money=whole,
        weekend_gap_risk_money=over_weekend,
        gap_risk_cap_money=None if equity is None else max(equity, 0.0) * own.exposure.gap_risk_max_pct / 100.0,
        limits=_limits(ctx),
        currencies=legs,
        kelly=state.kelly_note,
    )


def _all_stops(ctx: Context, *, weekend: bool) -> Money | None:
    losses = gap_losses(ctx, weekend=weekend)
    return None if any(loss is None for loss in losses) else sum(loss for loss in losses if loss is not None)


def _limits(ctx: Context) -> tuple[LimitView, ...]:
    state, equity = ctx.state, ctx.state.equity_money
    if equity is None or not state.breakers.day_started_utc_ns:
        return ()
    units = {"day_loss": "share", "drawdown": "share", "losses_in_row": "trades", "entries": "entries", "positions": "positions"}
    found = [
        LimitView(
            name=one.name,
            value=one.value,
            limit=one.threshold,
            unit=units.get(one.name, "%"),
            tripped=one.tripped,
            since_utc_ns=one.since_utc_ns,
            resets_when=one.rearm,
        )
        for one in breakers.breaker_views(
            state.breakers,
            ctx.account_policy.breakers,
            equity_money=equity,
            positions=positions_count(ctx),
            margin_level_pct=margin_level_pct(ctx),
        )
    ]
    if ctx.settings.prop_firm.enabled:
        buffer = ctx.account_policy.prop_firm.reduce_only_buffer_fraction
        found.extend(
            LimitView(
                name=limit.name,
                value=limit.left_money,
                limit=limit.floor_money,
                unit="money left, equity floor",
                tripped=limit.left_fraction <= buffer,
                resets_when="itself" if limit.name == "funded_overall" else "day",
            )
            for limit in prop_firm.limits(state.prop_firm, ctx.account_policy.prop_firm, equity_money=equity)
        )
        requests_check = requests.funded_day_check(ctx)
        if requests_check is not None:
            found.append(
                LimitView(
                    name=requests_check.name,
                    value=float(state.prop_firm_requests_today),
                    limit=float(ctx.settings.prop_firm.requests_per_day_max),
                    unit="requests",
                    tripped=not requests_check.passed,
                    resets_when="day",
                )
            )
    return tuple(found)


def _flatten(ctx: Context) -> FlattenView | None:
    now = ctx.state.flatten
    if now is None:
        return None
    return FlattenView(
        scope=now.scope, since_utc_ns=now.since_utc_ns, done=now.done, text=now.text, left_open=tuple(now.left_open)
    )
