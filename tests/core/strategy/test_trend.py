"""The shipped strategy on walks and on recorded data: it trades on every pair and both sides, and its votes tell why not."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from quarterdeck.core.data.recorded_prices import load_candles
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.scan.h1_bars import build_h1
from quarterdeck.core.strategy.trend import TrendParameters, TrendStrategy
from tests.core.scan.random_walks import instrument, walk

STRATEGY = TrendStrategy(TrendParameters())


def prepared(m15, strategy=STRATEGY):
    return strategy.prepare(m15, build_h1(m15), instrument())


def mirrored(candles: Candles) -> Candles:
    """The same market seen from the other currency: what rose falls."""
    return Candles(
        candles.open_utc_ns, 4.0 - candles.open, 4.0 - candles.low, 4.0 - candles.high, 4.0 - candles.close, candles.tick_volume
    )


def test_it_warms_up_in_a_thousand_bars():
    assert 900 <= STRATEGY.warmup_bars <= 1000
    assert STRATEGY.warmup_h1_bars <= 60


def test_candidates_are_exactly_the_rows_where_it_decides():
    columns = prepared(walk(7, 3000))
    found = STRATEGY.candidates(columns)
    decisions = [STRATEGY.decide(columns, row, instrument()) for row in range(len(columns))]
    assert [decision.side is not None for decision in decisions] == found.tolist()
    assert found[:900].sum() == 0
    assert found.sum() > 10
    for decision in decisions:
        assert all(vote.passed for vote in decision.votes) == (decision.side is not None)


def test_inverted_market_is_sold_where_it_was_bought():
    m15 = walk(8, 4000, holes=False)
    up, down = prepared(m15), prepared(mirrored(m15))
    rows = np.flatnonzero(STRATEGY.candidates(up))
    sides = [
        (STRATEGY.decide(up, row, instrument()).side, STRATEGY.decide(down, row, instrument()).side) for row in rows.tolist()
    ]
    turned = [one is not None and other is not None and one is other.opposite for one, other in sides]
    assert len(turned) > 20
    assert sum(turned) >= 0.95 * len(turned)  # rounding may move a figure over its threshold


def test_stops_and_targets_follow_the_regime():
    columns = prepared(walk(9, 6000))
    multiples = {"low": (2.0, 4.4), "normal": (2.5, 5.0), "high": (3.0, 5.7)}
    seen = set()
    for row in np.flatnonzero(STRATEGY.candidates(columns)).tolist():
        decision = STRATEGY.decide(columns, row, instrument())
        atr_price = columns["atr"][row]
        stop_x, target_x = multiples[decision.regime]
        assert abs(decision.entry_price - decision.stop_price) == pytest.approx(stop_x * atr_price)
        assert abs(decision.target_price - decision.entry_price) == pytest.approx(target_x * atr_price)
        assert decision.entry_price == columns.m15.close[row]
        seen.add(decision.regime)
    assert seen == {"low", "normal", "high"}


def test_parameters_move_what_they_name():
    m15 = walk(10, 4000)
    few = TrendStrategy(TrendParameters(h1_slope_min_x_atr=8.0))
    assert few.candidates(prepared(m15, few)).sum() < STRATEGY.candidates(prepared(m15)).sum()
    sure = TrendStrategy(TrendParameters(confidence_base=1.0))
    columns = prepared(m15, sure)
    assert columns["confidence"][-1] == 1.0
    longer = TrendStrategy(TrendParameters(m15_slow_bars=200, regime_days=30))
    assert longer.warmup_bars >= 4000


def test_it_trades_on_every_recorded_pair_and_both_sides(recorded_data):
    first, end = (np.datetime64(day).astype("datetime64[ns]").astype(int) for day in ("2024-07-01", "2024-10-01"))
    total = 0
    for symbol in ("EURUSD", "GBPUSD", "USDJPY", "USDCHF"):
        m15 = load_candles(recorded_data / "m15", symbol).bid
        columns = prepared(m15)
        rows = np.flatnonzero(STRATEGY.candidates(columns) & (m15.open_utc_ns >= first) & (m15.open_utc_ns < end))
        good = [
            row
            for row in rows.tolist()
            if columns["confidence"][row] >= 0.78 and 6 <= m15.open_utc_ns[row] // 3_600_000_000_000 % 24 < 19
        ]
        sides = [STRATEGY.decide(columns, row, instrument(symbol)).side for row in good]
        assert min(sides.count(Side.BUY), sides.count(Side.SELL)) >= 5
        total += len(good)
    assert 100 <= total <= 400


def test_gold_is_compared_with_its_own_days():
    # 92 bars a day, each day alike: by its own day the market is exactly as usual at every hour
    hour = np.tile(np.arange(92) / 92.0, 20)
    stamps = np.arange(len(hour)) * 900 * 10**9
    level = np.full(len(hour), 2000.0)
    gold = Candles(stamps, level, level + 1.0 + hour, level, level)
    spec = replace(instrument("XAUUSD"), base_currency="XAU")
    assert (spec.m15_bars_a_day, instrument("EURUSD").m15_bars_a_day) == (92, 96)
    assert replace(spec, sessions=((0, 5 * 72_000),)).m15_bars_a_day == 80
    columns = STRATEGY.prepare(gold, build_h1(gold), spec)
    assert columns["volatility"][-500:] == pytest.approx(1.0)
    assert abs(STRATEGY.prepare(gold, build_h1(gold), instrument())["volatility"][-500:] - 1.0).max() > 0.01
