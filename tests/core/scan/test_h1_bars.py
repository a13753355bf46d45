"""H1 bars are built from quarters that are over, and only whole ones at the window's edge."""

from __future__ import annotations

import numpy as np

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.units import H1_NS, M15_NS
from quarterdeck.core.scan.h1_bars import build_h1

START_NS = 480_000 * H1_NS


def quarters(*numbers: int) -> Candles:
    n = np.array(numbers, np.int64)
    price = 1.0 + n / 100.0
    return Candles(START_NS + n * M15_NS, price, price + 0.005, price - 0.003, price + 0.001, n + 1, 9 - n)


def test_h1_bar_takes_first_open_extremes_and_last_close():
    h1 = build_h1(quarters(0, 1, 2, 3))
    assert len(h1) == 1
    bar = h1.bar(0)
    assert (bar.open_utc_ns, bar.open, bar.high, bar.low, bar.close) == (START_NS, 1.0, 1.03 + 0.005, 1.0 - 0.003, 1.03 + 0.001)
    assert (bar.tick_volume, bar.spread_points) == (1 + 2 + 3 + 4, 6)


def test_unfinished_or_cut_hour_is_omitted():
    assert len(build_h1(quarters(0, 1, 2))) == 0
    assert build_h1(quarters(2, 3, 4, 5, 6, 7)).open_utc_ns.tolist() == [START_NS + H1_NS]
    assert len(build_h1(quarters())) == 0
    assert len(build_h1(quarters(1, 2, 3))) == 0


def test_missing_quarters_make_an_hour_of_those_there_are():
    h1 = build_h1(quarters(0, 2, 12, 13, 15))
    assert h1.open_utc_ns.tolist() == [START_NS, START_NS + 3 * H1_NS]
    assert h1.close.tolist() == [1.021, 1.15 + 0.001]


def test_hour_without_last_quarter_closes_with_a_later_bar():
    assert len(build_h1(quarters(0, 1))) == 0
    assert build_h1(quarters(0, 1, 4)).close.tolist() == [1.011]
