"""What an account pays in commission, learned from settled round trips.

Guarantees: the figure is weighted by volume over all round trips that teach; open and close are apart, so an account that pays at
one end only is not charged twice. A figure that rounding explains is not learned. A round trip whose rounding, or whose minimum
charge, would rule the figure teaches nothing.
Does not: know prices, or when to refuse (`core.risk.sizing`).
Units: money in account currency, positive where it is paid.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from quarterdeck.core.model.units import Lots, Money, UtcNs

_ROUNDING_FRACTION_MAX = 0.1
"""A round trip teaches nothing where the rounding of its deals is more than so much of its commission."""
_TINY_FRACTION = 0.1
"""Nor where its volume is under so much of the largest one: a minimum per deal would rule there."""
_RATE_FRACTION = 0.02
"""A commission in another currency moves with the rate by so much between two looks."""


class RoundTrip(Struct, frozen=True, kw_only=True):
    """The commission and fees of one trade from its first to its last deal."""

    closed_utc_ns: UtcNs
    lots: Lots
    open_money: Money
    close_money: Money
    deals: int

    @property
    def money(self) -> Money:
        """Both ends."""
        return self.open_money + self.close_money


class LearnedCommission(Struct, frozen=True, kw_only=True):
    """Commission of one lot by the account's own deals, where it is not what settings assume."""

    open_money_per_lot: Money
    close_money_per_lot: Money
    round_trips: int
    newest_utc_ns: UtcNs

    @property
    def side_money_per_lot(self) -> Money:
        """Half of a round trip."""
        return 0.5 * (self.open_money_per_lot + self.close_money_per_lot)


def learned_commission(
    trips: Sequence[RoundTrip], *, assumed_money_per_lot: Money | None, unit_money: Money, trips_min: int
) -> LearnedCommission | None:
    """The figure of the round trips that teach; None while they are fewer than `trips_min`, or agree with what is assumed.

    `assumed_money_per_lot` is for one side, None while no rate is known; `unit_money` the account's smallest unit.
    """
    taught = [trip for trip in trips if _teaches(trip, trips, assumed_money_per_lot or 0.0, unit_money)]
    if not taught or len(taught) < trips_min:
        return None
    lots = sum(trip.lots for trip in taught)
    opened, closed = sum(trip.open_money for trip in taught), sum(trip.close_money for trip in taught)
    if assumed_money_per_lot is not None and _agree(taught, assumed_money_per_lot, unit_money):
        return None
    return LearnedCommission(
        open_money_per_lot=max(opened, 0.0) / lots,
        close_money_per_lot=max(closed, 0.0) / lots,
        round_trips=len(taught),
        newest_utc_ns=max(trip.closed_utc_ns for trip in taught),
    )


def confirms(trip: RoundTrip, learned: LearnedCommission, unit_money: Money) -> bool:
    """Whether one trade, however small, paid what was learned, but for rounding."""
    return _agree([trip], learned.side_money_per_lot, unit_money)


def _agree(trips: Sequence[RoundTrip], side_money_per_lot: Money, unit_money: Money) -> bool:
    expected = 2.0 * side_money_per_lot * sum(trip.lots for trip in trips)
    rounding = 0.5 * unit_money * (sum(trip.deals for trip in trips) + 1)
    return abs(sum(trip.money for trip in trips) - expected) <= rounding + _RATE_FRACTION * expected


def _teaches(trip: RoundTrip, trips: Sequence[RoundTrip], assumed_money_per_lot: Money, unit_money: Money) -> bool:
    if trip.lots <= 0.0 or trip.lots < _TINY_FRACTION * max(one.lots for one in trips):
        return False
    charged = max(2.0 * assumed_money_per_lot * trip.lots, trip.money)
    return charged <= 0.0 or 0.5 * unit_money * trip.deals <= _ROUNDING_FRACTION_MAX * charged
