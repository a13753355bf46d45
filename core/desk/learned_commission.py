"""Commission as the account's settled round trips showed it: learned here, asked for through the context.

Guarantees: one deal teaches nothing; a figure that is older than `risk.learned_cost_days` rules no more. Where it was above what
settings assume, one trade at the least volume then asks anew: it renews the figure, or begins the learning again.
Does not: hold the formulas (`core.risk.commission`).
Units: money in account currency, positive where it is paid.
"""

from __future__ import annotations

from msgspec.structs import replace

from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import ManagedPosition
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.desk.memory_limits import ROUND_TRIPS_MAX, trim_list
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Money
from quarterdeck.core.risk.commission import RoundTrip, confirms, learned_commission
from quarterdeck.core.risk.sizing import VolumeCap


def round_trip_settled(ctx: Context, position: ManagedPosition) -> None:
    """A trade is over and its deals account for all of its volume: what it paid is learned from."""
    least = position.opened_lots - LOTS_NOISE
    if min(position.opened_deal_lots, position.closed_deal_lots) < least or position.opened_lots <= 0.0:
        return
    trip = RoundTrip(
        closed_utc_ns=position.closed_utc_ns or ctx.now,
        lots=position.opened_lots,
        open_money=-position.open_commission_money,
        close_money=-(position.commission_money - position.open_commission_money),
        deals=max(position.deals, 2),
    )
    pair, unit = ctx.pair(position.symbol), _unit_money(ctx)
    before = pair.learned_commission
    if before is not None and ctx.learned_commission(position.symbol) is None:
        if confirms(trip, before, unit):
            pair.learned_commission = replace(before, newest_utc_ns=trip.closed_utc_ns)
            return
        pair.round_trips.clear()
    pair.round_trips.append(trip)
    trim_list(pair.round_trips, ROUND_TRIPS_MAX)
    assumed = ctx.assumed_commission_money_per_lot(position.symbol)
    pair.learned_commission = learned_commission(
        pair.round_trips,
        assumed_money_per_lot=assumed,
        unit_money=unit,
        trips_min=ctx.policy(position.symbol).settings.risk.learned_cost_trades_min,
    )
    found = pair.learned_commission
    if found is not None and before is None:
        text = (
            f"{position.symbol}: {found.round_trips} round trips paid {found.open_money_per_lot:.2f} a lot to open and "
            f"{found.close_money_per_lot:.2f} to close; settings assume {assumed or 0.0:.2f} each"
        )
        ctx.note("commission", text, symbol=position.symbol)


def renewal(ctx: Context, spec: Instrument) -> tuple[VolumeCap, Check] | None:
    """Where a dear learned figure has expired: the least volume as a cap, and whether no other trade is asking; else None."""
    pair = ctx.pair(spec.symbol)
    old, assumed = pair.learned_commission, ctx.assumed_commission_money_per_lot(spec.symbol)
    if old is None or ctx.learned_commission(spec.symbol) is not None:
        return None
    if assumed is not None and old.side_money_per_lot <= assumed:
        return None
    asking = sum(1 for one in ctx.state.positions.values() if one.symbol == spec.symbol)
    asking += sum(1 for one in ctx.state.reservations.values() if one.symbol == spec.symbol)
    note = (
        f"the commission learned from {old.round_trips} round trips is older than "
        f"{ctx.policy(spec.symbol).settings.risk.learned_cost_days:g} days: one trade at the least volume asks anew"
    )
    return VolumeCap("learned_cost_lots", spec.volume_min_lots, note), Check("learned_cost", float(asking), 0.0, not asking, note)


def _unit_money(ctx: Context) -> Money:
    account = ctx.state.account
    return 0.01 if account is None else float(10.0**-account.currency_digits)
