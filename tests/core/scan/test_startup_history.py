"""The desk begins with H1 closes and the spreads usual at each quarter of the week."""

from __future__ import annotations

import numpy as np

from quarterdeck.core.data.recorded_prices import load_candles
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.units import DAY_NS, M15_NS
from quarterdeck.core.scan.h1_bars import build_h1
from quarterdeck.core.scan.startup_history import startup_history, usual_spreads, week_quarters
from tests.core.scan.random_walks import MONDAY_NS, walk


def test_weeks_begin_on_sunday_midnight():
    assert week_quarters(np.array([MONDAY_NS, MONDAY_NS - DAY_NS, MONDAY_NS - DAY_NS - 1])).tolist() == [96, 0, 671]


def test_typical_spread_was_observed_in_that_quarter_of_week():
    weeks = np.arange(10) * 7 * DAY_NS
    stamps = np.concatenate((weeks + MONDAY_NS, weeks + MONDAY_NS + M15_NS))
    order = np.argsort(stamps)
    spreads = np.concatenate((np.arange(10), np.full(10, 40)))[order]
    flat = np.ones(20)
    usual = usual_spreads(Candles(stamps[order], flat, flat, flat, flat, None, spreads), 80.0)
    assert usual[96:98].tolist() == [7.0, 40.0]
    assert np.isnan(np.delete(usual, [96, 97])).all()


def test_history_holds_the_last_hours_and_prices():
    m15 = walk(4, 700)
    history = startup_history("EURUSD", m15, point=0.00001, h1_bars=50, percentile_pct=95.0, add_price=0.00002)
    h1 = build_h1(m15)[-50:]
    assert history.h1_open_utc_ns == tuple(h1.open_utc_ns.tolist())
    assert history.h1_close_price == tuple(h1.close.tolist())
    seen = [price for price in history.usual_spread_price if price]
    assert len(history.usual_spread_price) == 672
    assert min(seen) >= 0.00002
    assert max(seen) < 0.000101


def test_recorded_spreads_are_widest_at_the_rollover(recorded_data):
    m15 = load_candles(recorded_data / "m15", "EURUSD").bid[-8000:]
    usual = usual_spreads(m15, 95.0)
    wednesday = slice(3 * 96, 4 * 96)
    assert int(np.nanargmax(usual[wednesday])) // 4 in (20, 21, 22)
