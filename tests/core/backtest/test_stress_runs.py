"""The same days run again: more expensive, and begun later; and what the diagnosis makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quarterdeck.core.backtest.backtester import Backtest, BacktestProgress
from quarterdeck.core.backtest.diagnosis import diagnose
from quarterdeck.core.backtest.stress_runs import LATER_DAYS, double_costs, double_spreads, run_stress
from quarterdeck.core.data.series import BarSeries, PairData, Recording, TickSeries
from quarterdeck.core.model.units import DAY_NS
from quarterdeck.core.settings.settings_loader import for_pair, shipped_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy
from tests.core.backtest import sample_runs


def test_every_spread_is_twice_and_bids_stay() -> None:
    bid = sample_runs.candles("EURUSD", 1, 400)
    lifted = [column + 0.0002 for column in (bid.open, bid.high, bid.low, bid.close)]
    ask = type(bid)(bid.open_utc_ns, *lifted, bid.tick_volume, bid.spread_points)
    ticks = TickSeries(symbol="EURUSD", at_utc_ns=bid.open_utc_ns, bid=bid.open, ask=bid.open + 0.0001)
    bars = [BarSeries(symbol="EURUSD", timeframe="M15", bid=bid, ask=own, spread_known=True) for own in (None, ask)]
    pair = PairData(symbol="EURUSD", series=(ticks, *bars))
    made = double_spreads(Recording(pairs=(pair,), conversions=(pair,), from_utc_ns=0, to_utc_ns=1))
    for group in (made.pairs, made.conversions):
        dear, plain, own = group[0].series
        assert isinstance(dear, TickSeries)
        assert isinstance(plain, BarSeries)
        assert isinstance(own, BarSeries)
        assert own.ask is not None
        assert np.allclose(dear.ask - dear.bid, 0.0002)
        assert (dear.bid == ticks.bid).all()
        assert (np.asarray(plain.bid.spread_points) == 2 * np.asarray(bid.spread_points)).all()
        assert (plain.bid.close == bid.close).all()
        assert np.allclose(own.ask.low - own.bid.low, 0.0004)


def test_named_costs_are_twice_those_of_a_pair_too() -> None:
    settings = shipped_settings(("costs.slippage_pips", 0.3), ("pair.EURUSD.costs.spread_floor_pips", 0.2))
    dear = double_costs(settings)
    assert dear.costs.commission_usd_per_lot_side == 2 * settings.costs.commission_usd_per_lot_side
    assert dear.costs.slippage_pips == pytest.approx(0.6)
    assert dear.costs.spread_intrabar_x == settings.costs.spread_intrabar_x
    assert for_pair(dear, "EURUSD").costs.spread_floor_pips == pytest.approx(0.4)
    most = shipped_settings(("costs.commission_usd_per_lot_side", 80.0))
    assert double_costs(most).costs.commission_usd_per_lot_side == 100.0


@pytest.mark.slow
def test_the_days_are_run_again_and_told(tmp_path: Path) -> None:
    settings = sample_runs.coin_settings(tmp_path, ("desk.pairs", ["EURUSD"]), ("strategy.parameters", {"every": 25}))
    strategy = load_strategy(settings)
    market = sample_runs.coin_market(settings, strategy, bars=5_400)
    result = Backtest(market, settings, strategy).run_once()
    again = run_stress(market, settings, strategy, result, None)
    assert again is not None
    assert tuple(days for days, _ in again.later_starts) == LATER_DAYS
    for days, run in again.later_starts:
        assert run.from_utc_ns == result.from_utc_ns + days * DAY_NS
        assert run.to_utc_ns == result.to_utc_ns
    late = result.from_utc_ns + 2 * LATER_DAYS[-1] * DAY_NS
    same = [trade.opened_utc_ns for trade in again.later_starts[0][1].trades if trade.opened_utc_ns >= late]
    assert same, "the later part is traded too"
    assert len(again.at_double_costs.trades) < len(result.trades), "what gets too dear is refused"
    once, twice = (
        run.summary.commission_money / sum(trade.lots for trade in run.trades) for run in (result, again.at_double_costs)
    )
    assert twice == pytest.approx(2 * once, rel=0.01)
    texts = {one.name: one.text for one in diagnose(result, market.candles(settings), again)}
    assert "run again at twice" in texts["Result at twice the costs?"]
    assert "1, 3, 7, 12, 19 days later" in texts["Sensitive to the first day?"]


def test_a_wish_to_stop_ends_the_reruns(tmp_path: Path) -> None:
    settings = sample_runs.coin_settings(tmp_path, ("desk.pairs", ["EURUSD"]))
    strategy = load_strategy(settings)
    market = sample_runs.coin_market(settings, strategy, bars=2_200)
    result = Backtest(market, settings, strategy).run_once()

    def enough(_progress: BacktestProgress) -> bool:
        return False

    assert run_stress(market, settings, strategy, result, enough) is None
