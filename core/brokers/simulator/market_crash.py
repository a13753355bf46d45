"""The sterling crash of 2016-10-06 as a scripted day of the simulated market, to be met with open positions.

What is real: the onset from 23:07:03 UTC (1.2600 to 1.2436 in eleven seconds), the rebound phase around 23:13 with spreads of up
to 38 pips and gaps of seconds, both from recorded quotes. What is not: the 5.7 minutes between, with the low; they are
interpolated to a low near 1.1840, and so is the way back to 1.2400 by the half hour. The label says so. Everything around it is
the seeded market.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from quarterdeck.core.brokers.simulator.market_seeded import SeededMarket
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from quarterdeck.core.settings.schema import CostsSection

CRASH_UTC_NS: UtcNs = 1_475_795_223 * NS_PER_S
"""2016-10-06 23:07:03 UTC."""
LABEL = "simulated market scripted after the sterling crash of 2016-10-06; its low is interpolated"

_LEVEL = 1.2601
_WORTHS = {
    "EUR": 1.115,
    "GBP": _LEVEL,
    "JPY": 1 / 103.8,
    "CHF": 1 / 0.981,
    "AUD": 0.757,
    "NZD": 0.717,
    "CAD": 1 / 1.323,
    "XAU": 1_255.0,
}
"""About where things stood; the history walks from here, so the crash begins near its level and is scripted relative to it."""
# seconds after the beginning, price of sterling in dollars
_PATH = (
    (0.0, 1.2601),
    (2.3, 1.2580),
    (4.5, 1.2552),
    (7.0, 1.2507),
    (9.0, 1.2491),
    (11.2, 1.2437),
    (30.0, 1.2250),
    (55.0, 1.1990),
    (95.0, 1.1840),
    (150.0, 1.1930),
    (240.0, 1.2060),
    (354.0, 1.2101),
    (358.0, 1.2068),
    (361.0, 1.2045),
    (364.5, 1.2125),
    (369.8, 1.2199),
    (371.4, 1.2179),
    (700.0, 1.2330),
    (1_380.0, 1.2400),
    (7_200.0, 1.2420),
)
# seconds after the beginning, least spread in pips
_SPREAD = (
    (0.0, 2.0),
    (8.0, 6.0),
    (20.0, 24.0),
    (60.0, 38.0),
    (130.0, 30.0),
    (350.0, 16.0),
    (361.0, 38.0),
    (372.0, 12.0),
    (900.0, 5.0),
    (2_400.0, 1.0),
)
_SILENT_FROM_S, _SILENT_TO_S = 5.0, 400.0
_QUIET_SHARE_PCT = 55


class SterlingCrash:
    """The script: sterling's fall, the spread of everything against sterling, and the silences in between."""

    def __init__(self, seed: int) -> None:
        """`seed` decides which instants are silent."""
        self._seed = seed

    def shift_log(self, currency: str, at_utc_ns: IntArray) -> FloatArray | None:
        """Sterling's fall against where it stood."""
        if currency != "GBP":
            return None
        seconds, price = (np.array(column) for column in zip(*_PATH, strict=True))
        since = (at_utc_ns - CRASH_UTC_NS) / NS_PER_S
        shift: FloatArray = np.log(np.interp(since, seconds, price) / _LEVEL)
        return shift

    def spread_price(self, spec: Instrument, at_utc_ns: IntArray, spread_price: FloatArray) -> FloatArray:
        """At least the scripted width wherever sterling is one of the two."""
        if "GBP" not in spec.currencies:
            return spread_price
        seconds, pips = (np.array(column) for column in zip(*_SPREAD, strict=True))
        since = (at_utc_ns - CRASH_UTC_NS) / NS_PER_S
        inside = (since >= seconds[0]) & (since <= seconds[-1])
        return np.where(inside, np.maximum(spread_price, np.interp(since, seconds, pips) * spec.pip), spread_price)

    def silent(self, spec: Instrument, at_utc_ns: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
        """More than half of the instants of the first minutes carry no quote of sterling."""
        if "GBP" not in spec.currencies:
            return None
        since = (at_utc_ns - CRASH_UTC_NS) / NS_PER_S
        inside = (since >= _SILENT_FROM_S) & (since <= _SILENT_TO_S)
        # a hash of instant and seed, so that a silence does not depend on how the day is asked for
        mixed = (at_utc_ns // NS_PER_S * 2_654_435_761 + self._seed * 40_503) % 4_294_967_296 // 65_536 % 100
        hushed: np.ndarray[tuple[int], np.dtype[np.bool_]] = inside & (mixed < _QUIET_SHARE_PCT)
        return hushed


def crash_market(
    instruments: Sequence[Instrument],
    costs: Mapping[str, CostsSection],
    *,
    seed: int,
    start_utc_ns: UtcNs,
    history_days: int,
    tick_s: int = 3,
    end_utc_ns: UtcNs | None = None,
) -> SeededMarket:
    """The day of the crash; start hours before 2016-10-06 23:07 UTC so that positions are open. Raises DataError."""
    return SeededMarket(
        instruments,
        costs,
        seed=seed,
        start_utc_ns=start_utc_ns,
        history_days=history_days,
        tick_s=tick_s,
        end_utc_ns=end_utc_ns,
        script=SterlingCrash(seed),
        label=f"{LABEL}, seed {seed}",
        worths=_WORTHS,
    )
