"""The broker's grids: whole volume steps and whole ticks.

Why: 0.29 / 0.01 is 28.999999999999996 in floats, and half of 0.03 lots is no volume at all; both cost trades if done manually.
Promises: results lie on the grid, as the float nearest to their decimal. Does not: decide how much.
"""

from __future__ import annotations

import math

from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.units import Lots, Price, PriceDistance

_NOISE = 1e-9
_DECIMALS = 8


def floor_lots(instrument: Instrument, lots: Lots) -> Lots:
    """The greatest volume of the grid that is not above `lots`; 0.0 when that is under the minimum."""
    step = instrument.volume_step_lots
    start = _grid_start(instrument)
    on_grid = rounded(start + math.floor((lots - start) / step + _NOISE) * step, _DECIMALS)
    return on_grid if on_grid + _NOISE >= instrument.volume_min_lots else 0.0


def lots_of_steps(instrument: Instrument, steps: int) -> Lots:
    """The volume of `steps` whole steps."""
    return rounded(_grid_start(instrument) + steps * instrument.volume_step_lots, _DECIMALS)


def steps_of(instrument: Instrument, lots: Lots) -> int:
    """Whole steps in `lots`, rounded down."""
    return math.floor((lots - _grid_start(instrument)) / instrument.volume_step_lots + _NOISE)


def partial_lots(instrument: Instrument, lots: Lots, fraction: float) -> Lots:
    """Volume to close so that about `fraction` leaves and what stays can stand alone; 0.0 when there is no such volume."""
    part = floor_lots(instrument, lots * fraction)
    if part <= 0.0:
        return 0.0
    if part >= lots - _NOISE:
        return lots
    smallest = instrument.volume_min_lots
    if lots - part + _NOISE >= smallest:
        return part
    return floor_lots(instrument, lots - smallest)


def effective_tick(instrument: Instrument) -> PriceDistance:
    """The price grid; `point` where the broker leaves the tick size out."""
    return instrument.tick_size or instrument.point


def price_down(instrument: Instrument, price: Price) -> Price:
    """The nearest tick not above `price`."""
    tick = effective_tick(instrument)
    return rounded(math.floor(price / tick + _NOISE * price / tick + _NOISE) * tick, instrument.digits)


def price_up(instrument: Instrument, price: Price) -> Price:
    """The nearest tick not below `price`."""
    tick = effective_tick(instrument)
    return rounded(math.ceil(price / tick - _NOISE * price / tick - _NOISE) * tick, instrument.digits)


def stop_at_distance(instrument: Instrument, side: Side, entry_price: Price, distance: PriceDistance) -> Price:
    """The stop of a position of `side`, at least `distance` away from its entry, on the tick grid."""
    if side is Side.BUY:
        return price_down(instrument, entry_price - distance)
    return price_up(instrument, entry_price + distance)


def _grid_start(instrument: Instrument) -> Lots:
    """Steps count from zero, unless the minimum itself is off that grid: then from the minimum."""
    smallest, step = instrument.volume_min_lots, instrument.volume_step_lots
    rest = smallest - math.floor(smallest / step + _NOISE) * step
    return rest if rest > _NOISE else 0.0
