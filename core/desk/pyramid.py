"""Adding to a winner: the strategy asks again, the stops are tightened and confirmed, then the add is an entry like any other.

Promises: at most so many adds, none after a partial close; if all stops of the group are hit, costs and slippage included, the
loss is never above the money risked by the first entry. The desk adds only what a strategy asked for.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from quarterdeck.core.desk import stops
from quarterdeck.core.desk.context import Context, PairPolicy
from quarterdeck.core.desk.desk_state import ManagedPosition
from quarterdeck.core.desk.open_exposure import managed_exposure
from quarterdeck.core.desk.pricing import ExecutablePrices
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Money, Price
from quarterdeck.core.risk.open_risk import RiskPosition, open_risk_money
from quarterdeck.core.risk.sizing import VolumeCap


class CheckCollector(Protocol):
    """Who receives the checks; says whether one passed."""

    def __call__(self, check: Check, *, passing: bool = False) -> bool:
        """Take a check; `passing` says that a failure may pass by itself."""
        ...


class AddPlan(Struct, frozen=True, kw_only=True):
    """An add that may be sized: to which position, and the most it may have."""

    leader_id: int
    cap: VolumeCap
    stop_price: Price
    """The add's stop; on a netting account it becomes the whole's, and is never looser than that was."""
    holds_whole: bool


def plan_add(
    ctx: Context, held: list[ManagedPosition], prices: ExecutablePrices, own: PairPolicy, take: CheckCollector
) -> AddPlan | None:
    """Whether the group may grow now; every condition is a check. `take` receives them."""
    care = own.settings.position
    leader = next((one for one in held if one.position_id == one.group_id), held[0])
    adds = max(leader.adds, len(held) - 1)
    take(Check("pyramid_adds", adds + 1, care.pyramid_adds_max, adds < care.pyramid_adds_max))
    whole = not any(one.partly_closed or one.retrace_done for one in held)
    take(Check("pyramid_whole", None, None, whole, "" if whole else "none after a partial close"))
    peak_r = leader.peak_money / leader.risk_money if leader.risk_money > 0.0 else 0.0
    take(Check("pyramid_peak", peak_r, care.pyramid_from_r, peak_r >= care.pyramid_from_r, "peak in R"))
    won = all((one.net_money or 0.0) > 0.0 for one in held)
    take(Check("pyramid_winner", leader.net_money, 0.0, won, "every part of the group is in profit"))
    atr = ctx.pair(leader.symbol).features.atr_m15_price
    now_price = ctx.exit_price(leader.symbol, leader.side)
    back = None if now_price is None or atr <= 0.0 else (leader.peak_price - now_price) * leader.side / atr
    enough = back is not None and back >= care.pyramid_pullback_x_atr
    ready = take(Check("pyramid_pullback", back, care.pyramid_pullback_x_atr, enough, "x ATR under the best price"))
    conditions = adds < care.pyramid_adds_max and whole and peak_r >= care.pyramid_from_r and won and ready
    if not conditions or not _stops_tight(ctx, held, prices, take):
        return None
    return _room(ctx, leader, held, prices, own, take)


def _stops_tight(ctx: Context, held: list[ManagedPosition], prices: ExecutablePrices, take: CheckCollector) -> bool:
    """Every stop of the group is at least where the add's will; else it is moved there first, and the add waits."""
    loose = [one for one in held if stops.tighter(one.side, prices.stop_price, one.stop_price)]
    if not loose:
        return take(Check("pyramid_stops", None, None, True, "the stops of the group are tight"))
    sent = [one.modify_id != "" or stops.tighten(ctx, one, prices.stop_price, stops.TRAIL) for one in loose]
    note = "waits until the tightened stops stand" if all(sent) else "a stop of the group cannot be tightened now"
    take(Check("pyramid_stops", float(len(loose)), 0.0, False, note), passing=all(sent))
    return False


def _room(
    ctx: Context,
    leader: ManagedPosition,
    held: list[ManagedPosition],
    prices: ExecutablePrices,
    own: PairPolicy,
    take: CheckCollector,
) -> AddPlan | None:
    """What the first entry risked, less what the group still loses from its entries at its stops, is what the add may risk."""
    lost: Money = 0.0
    for one in held:
        loss = _loss_from_entry(ctx, one, own)
        if loss is None:
            take(Check("pyramid_risk", None, leader.risk_money, False, "a rate is missing"))
            return None
        lost += loss
    per_lot = _add_risk_per_lot(ctx, leader, prices, own)
    room = leader.risk_money - lost
    fits = per_lot is not None and per_lot > 0.0 and room > 0.0
    note = f"group loses {lost:.2f} at its stops, first entry risked {leader.risk_money:.2f}"
    take(Check("pyramid_risk", lost, leader.risk_money, fits, note))
    if per_lot is None or not fits:
        return None
    account = ctx.state.account
    netting = account is not None and not account.hedging
    whole = netting and stops.tighter(leader.side, leader.stop_price, prices.stop_price)
    return AddPlan(
        leader_id=leader.position_id,
        cap=VolumeCap("pyramid_lots", room / per_lot, note),
        stop_price=leader.stop_price if whole else prices.stop_price,
        holds_whole=netting,
    )


def _loss_from_entry(ctx: Context, position: ManagedPosition, own: PairPolicy) -> Money | None:
    """Loss of the whole trade if its stop is hit with slippage, both commissions included; a locked profit counts against it."""
    exposed = managed_exposure(ctx, position)
    if exposed is None:
        return None
    worst = position.stop_price - position.side * own.slippage.allowance(exposed.valuer.instrument, exposed.stop_distance)
    result = exposed.valuer.profit_money(position.side, position.lots, position.open_price, worst, ctx.rates)
    return None if result is None else -result - position.open_commission_money + exposed.close_cost_money


def _add_risk_per_lot(ctx: Context, leader: ManagedPosition, prices: ExecutablePrices, own: PairPolicy) -> Money | None:
    valuer, per_side = ctx.valuer(leader.symbol), ctx.commission_money_per_lot(leader.symbol)
    if valuer is None or per_side is None:
        return None
    add = RiskPosition(
        valuer=valuer,
        side=leader.side,
        lots=1.0,
        open_price=prices.entry_price,
        stop_price=prices.stop_price,
        now_price=prices.entry_price,
        stop_distance=abs(prices.entry_price - prices.stop_price),
        close_cost_money=2.0 * per_side,
    )
    return open_risk_money(add, ctx.rates, own.slippage)
