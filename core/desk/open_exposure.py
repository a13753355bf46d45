"""The book as risk sees it: what is open, what is foreign and what is reserved, in the words of `core.risk`.

Promises: a figure that cannot be computed is None, and None never lets an entry pass. A external position counts; one without a
stop counts as if it was at the operator's multiple of ATR(H1), or, where no ATR is known, at the weekend gap from the price.
Units: money in account currency, prices executable.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.desk.context import Context, PairPolicy
from quarterdeck.core.desk.desk_state import ExternalPosition, ManagedPosition, Reservation
from quarterdeck.core.desk.equity import LOTS_NOISE, amount
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import H1_NS, Lots, Money
from quarterdeck.core.risk.exposure import Notional, notional
from quarterdeck.core.risk.open_risk import RiskPosition, assumed_stop, gap_loss_money, open_risk_money


def managed_exposure(ctx: Context, position: ManagedPosition) -> RiskPosition | None:
    """One of our positions; None while its quote or the cost of closing it is unknown."""
    valuer, now_price = ctx.valuer(position.symbol), ctx.exit_price(position.symbol, position.side)
    per_lot = ctx.close_commission_money_per_lot(position.symbol)
    if valuer is None or now_price is None or per_lot is None:
        return None
    return RiskPosition(
        valuer=valuer,
        side=position.side,
        lots=position.lots,
        open_price=position.open_price,
        stop_price=position.stop_price,
        now_price=now_price,
        stop_distance=abs(position.open_price - position.first_stop_price),
        close_cost_money=per_lot * position.lots,
    )


def external_exposure(ctx: Context, foreign: ExternalPosition) -> RiskPosition | None:
    """A position that is not ours, with its stop or an assumed one."""
    held = foreign.at_broker
    valuer, now_price = ctx.valuer(held.symbol), ctx.exit_price(held.symbol, held.side)
    per_lot = ctx.close_commission_money_per_lot(held.symbol)
    if valuer is None or now_price is None or per_lot is None:
        return None
    stop = held.stop_price
    if stop is None:
        own = ctx.policy(held.symbol).settings
        pair = ctx.state.pairs.get(held.symbol)
        atr = pair.features.atr_h1_price if pair is not None else 0.0
        distance = own.risk.external_stop_x_atr * atr if atr > 0.0 else own.exposure.gap_weekend_pct / 100.0 * now_price
        stop = assumed_stop(valuer.instrument, held.side, now_price, distance, x_atr=1.0)
    return RiskPosition(
        valuer=valuer,
        side=held.side,
        lots=held.lots,
        open_price=held.open_price,
        stop_price=stop,
        now_price=now_price,
        stop_distance=abs(held.open_price - stop),
        close_cost_money=per_lot * held.lots,
    )


class OpenExposure(Struct, frozen=True):
    """A position as risk sees it now, with its open risk; None where that cannot be determined."""

    symbol: str
    side: Side
    lots: Lots
    exposed: RiskPosition | None
    risk_money: Money | None


def open_exposures(ctx: Context) -> list[OpenExposure]:
    """All that is open, ours and foreign. Who asks more than one thing of it, before anything else is booked, hands it on."""
    found: list[OpenExposure] = []
    for position in ctx.state.positions.values():
        if position.lots > LOTS_NOISE:
            exposed = managed_exposure(ctx, position)
            risk = _risk_money(ctx, position.symbol, exposed)
            found.append(OpenExposure(position.symbol, position.side, position.lots, exposed, risk))
    for foreign in ctx.state.external_positions.values():
        held, exposed = foreign.at_broker, external_exposure(ctx, foreign)
        found.append(OpenExposure(held.symbol, held.side, held.lots, exposed, _risk_money(ctx, held.symbol, exposed)))
    return found


def _risk_money(ctx: Context, symbol: str, exposed: RiskPosition | None) -> Money | None:
    return None if exposed is None else open_risk_money(exposed, ctx.rates, ctx.policy(symbol).slippage)


def position_risk_money(ctx: Context, position: ManagedPosition | ExternalPosition) -> Money | None:
    """Open risk of one position."""
    if isinstance(position, ManagedPosition):
        if position.lots <= LOTS_NOISE:
            return 0.0
        exposed = managed_exposure(ctx, position)
        symbol = position.symbol
    else:
        exposed = external_exposure(ctx, position)
        symbol = position.at_broker.symbol
    return _risk_money(ctx, symbol, exposed)


def open_risk(ctx: Context, stands: list[OpenExposure] | None = None) -> Money | None:
    """Open risk of all that stands; None while a part of it is not known."""
    total = 0.0
    for one in open_exposures(ctx) if stands is None else stands:
        if one.risk_money is None:
            return None
        total += one.risk_money
    return total


def reserved_risk(ctx: Context) -> Money:
    """Risk promised to orders in flight."""
    return sum(reservation.risk_money for reservation in ctx.state.reservations.values())


def signed_risk_by_symbol(ctx: Context, stands: list[OpenExposure] | None = None) -> list[tuple[str, Money]] | None:
    """Risk per symbol with its sign (a sell negative), reservations included; None while a part is not known."""
    risks: list[tuple[str, Money]] = []
    for one in open_exposures(ctx) if stands is None else stands:
        if one.risk_money is None:
            return None
        risks.append((one.symbol, one.side * one.risk_money))
    risks.extend((held.symbol, held.side * held.risk_money) for held in ctx.state.reservations.values())
    return risks


def gap_fraction(own: PairPolicy, *, weekend: bool) -> float:
    """How far beyond its stop a fill is assumed in the worst case."""
    rules = own.settings.exposure
    return (rules.gap_weekend_pct if weekend else rules.gap_pct) / 100.0


def gap_losses(ctx: Context, stands: list[OpenExposure] | None = None, *, weekend: bool) -> list[Money | None]:
    """What equity loses position by position if each stop fills with a gap behind it, reservations included."""
    losses: list[Money | None] = []
    for one in open_exposures(ctx) if stands is None else stands:
        exposed, fraction = one.exposed, gap_fraction(ctx.policy(one.symbol), weekend=weekend)
        losses.append(None if exposed is None else gap_loss_money(exposed, ctx.rates, gap_fraction=fraction))
    losses.extend(
        _reserved_gap(ctx, held, gap_fraction(ctx.policy(held.symbol), weekend=weekend))
        for held in ctx.state.reservations.values()
    )
    return losses


def gap_words(ctx: Context, position: ManagedPosition) -> str:
    """What a position may lose until its market opens, in a sentence."""
    exposed = managed_exposure(ctx, position)
    fraction = gap_fraction(ctx.policy(position.symbol), weekend=True)
    loss = None if exposed is None else gap_loss_money(exposed, ctx.rates, gap_fraction=fraction)
    return (
        "The cost of a price gap cannot be computed."
        if loss is None
        else f"A price gap of {fraction:.1%} beyond its stop would cost {amount(ctx, loss)}."
    )


def _reserved_gap(ctx: Context, held: Reservation, fraction: float) -> Money | None:
    valuer, per_lot = ctx.valuer(held.symbol), ctx.commission_money_per_lot(held.symbol)
    if valuer is None or per_lot is None:
        return None
    entry = RiskPosition(
        valuer=valuer,
        side=held.side,
        lots=held.lots,
        open_price=held.entry_price,
        stop_price=held.stop_price,
        now_price=held.entry_price,
        stop_distance=abs(held.entry_price - held.stop_price),
        close_cost_money=per_lot * held.lots,
    )
    return gap_loss_money(entry, ctx.rates, gap_fraction=fraction)


def notionals(ctx: Context, stands: list[OpenExposure] | None = None) -> list[Notional] | None:
    """Worth of all that is held or reserved; None while a rate is missing."""
    found: list[Notional] = []
    for stand in open_exposures(ctx) if stands is None else stands:
        exposed = stand.exposed
        one = None if exposed is None else notional(exposed.valuer, stand.side, stand.lots, exposed.now_price, ctx.rates)
        if one is None:
            return None
        found.append(one)
    for held in ctx.state.reservations.values():
        valuer = ctx.valuer(held.symbol)
        one = None if valuer is None else notional(valuer, held.side, held.lots, held.entry_price, ctx.rates)
        if one is None:
            return None
        found.append(one)
    return found


def positions_count(ctx: Context) -> int:
    """Positions open and places reserved, ours and foreign."""
    state = ctx.state
    count = sum(1 for held in state.positions.values() if held.lots > LOTS_NOISE)
    return count + len(state.external_positions) + len(state.reservations)


def pair_positions_count(ctx: Context, symbol: str) -> int:
    """The same for one pair; what was added to a position shares its place."""
    state = ctx.state
    count = sum(
        1
        for held in state.positions.values()
        if held.lots > LOTS_NOISE and held.symbol == symbol and held.group_id == held.position_id
    )
    count += sum(1 for held in state.external_positions.values() if held.at_broker.symbol == symbol)
    return count + sum(1 for held in state.reservations.values() if held.symbol == symbol and not held.adds)


def direction_lots(ctx: Context, symbol: str, side: Side) -> Lots:
    """Volume that stands, waits or is reserved in one symbol and direction, for the broker's volume limit."""
    state = ctx.state
    total = sum(held.lots for held in state.positions.values() if held.symbol == symbol and held.side is side)
    total += sum(
        foreign.at_broker.lots
        for foreign in state.external_positions.values()
        if foreign.at_broker.symbol == symbol and foreign.at_broker.side is side
    )
    total += sum(order.lots for order in state.pending.values() if order.symbol == symbol and order.side is side)
    return total + sum(held.lots for held in state.reservations.values() if held.symbol == symbol and held.side is side)


def completed_hours(open_utc_ns: list[int], now_utc_ns: int) -> int:
    """How many of the hours kept are over."""
    count = len(open_utc_ns)
    while count and open_utc_ns[count - 1] + H1_NS > now_utc_ns:
        count -= 1
    return count
