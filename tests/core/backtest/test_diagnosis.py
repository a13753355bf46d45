"""The diagnosis finds what it is for: too few trades, one lucky one, costs that eat the rest, entries no better than chance."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from quarterdeck.core.backtest.diagnosis import DiagnosisFinding, diagnose, worst_level
from quarterdeck.core.backtest.monte_carlo import balance_returns, max_drawdown, shuffled_drawdowns
from quarterdeck.core.backtest.random_entry_test import compare_with_random_entries
from quarterdeck.core.backtest.result import BacktestResult, EntryRecord, RefusedCandidate
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import DAY_NS, M15_NS
from tests.core.backtest import sample_runs, unskilled


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BacktestResult:
    settings = sample_runs.coin_settings(tmp_path_factory.mktemp("coin"), ("desk.pairs", ["EURUSD"]))
    done: BacktestResult = sample_runs.run(settings, bars=1_800)
    return done


def trades(results: list[float]) -> tuple[TradeClosed, ...]:
    begin = sample_runs.FIRST_NS + 20 * DAY_NS

    def one(number: int, result: float) -> TradeClosed:
        opened = begin + number * DAY_NS // 2
        return TradeClosed(
            position_id=number,
            symbol="EURUSD",
            side=Side.BUY,
            lots=1.0,
            opened_utc_ns=opened,
            closed_utc_ns=opened + 8 * M15_NS,
            open_price=1.1,
            close_price=1.1,
            stop_price=1.09,
            reason="target",
            rule="tick",
            gross_money=100.0 * result + 7.0,
            commission_money=-7.0,
            swap_money=0.0,
            net_money=100.0 * result,
            risk_money=100.0,
            result_r=result,
            peak_money=0.0,
            worst_money=0.0,
            signal_id="s",
            confidence=0.8,
        )

    return tuple(one(number, result) for number, result in enumerate(results))


def finding(found: list[DiagnosisFinding], name: str) -> DiagnosisFinding:
    return next(one for one in found if one.name.startswith(name))


def with_trades(base: BacktestResult, results: list[float], **more: Any) -> BacktestResult:
    made = trades(results)
    span = {"from_utc_ns": made[0].opened_utc_ns - DAY_NS, "to_utc_ns": made[-1].closed_utc_ns + DAY_NS} if made else {}
    return msgspec.structs.replace(base, trades=made, entered=(), equity=(), **span, **more)


def test_no_trades_is_said(base: BacktestResult) -> None:
    (only,) = diagnose(with_trades(base, []), {})
    assert only.level == "warning"


def test_few_trades_are_a_warning_many_are_not(base: BacktestResult) -> None:
    assert finding(diagnose(with_trades(base, [1.0, -1.0] * 5), {}), "Enough").level == "warning"
    assert finding(diagnose(with_trades(base, [1.0, -0.5] * 100), {}), "Enough").level == "fine"


def test_many_trades_whose_mean_may_be_nothing_are_not_enough(base: BacktestResult) -> None:
    found = finding(diagnose(with_trades(base, [1.0, -0.98] * 100), {}), "Enough")
    assert found.level == "doubt"
    assert "cannot be distinguished from zero; to tell that mean from zero would take about 39,40" in found.text


def test_entries_that_stopped_early_are_reported_with_a_remedy(base: BacktestResult) -> None:
    last = trades([0.1] * 40)[-1].opened_utc_ns
    later = {"to_utc_ns": last + 30 * DAY_NS, "from_utc_ns": last - 60 * DAY_NS}

    def refused(reason: str, count: int) -> tuple[RefusedCandidate, ...]:
        return tuple(
            RefusedCandidate("EURUSD", last + number * DAY_NS // 4, Side.BUY, reason, None, None) for number in range(count)
        )

    def told(*rejected: RefusedCandidate) -> DiagnosisFinding:
        return finding(
            diagnose(msgspec.structs.replace(with_trades(base, [0.1] * 40), rejected=rejected, **later), {}), "Traded to the end"
        )

    stopped = told(*refused("drawdown", 19), *refused("confidence", 1))
    assert stopped.level == "warning"
    assert "19 of 20 candidates since then were refused by drawdown. Entries resume when you accept" in stopped.text
    assert told(*refused("drawdown", 10), *refused("hours", 10)).level == "fine"
    assert told(*refused("confidence", 20)).level == "fine"


def test_one_trade_that_carries_it_all_is_a_warning(base: BacktestResult) -> None:
    assert finding(diagnose(with_trades(base, [-0.2] * 60 + [20.0]), {}), "Carried").level == "warning"
    assert finding(diagnose(with_trades(base, [0.5, -0.2] * 40), {}), "Carried").level == "fine"


def test_a_result_that_twice_the_costs_eat_is_a_warning(base: BacktestResult) -> None:
    # 7 of 100 at risk are 0.07 R a trade
    assert finding(diagnose(with_trades(base, [0.55, -0.5] * 40), {}), "Result at twice").level == "warning"
    assert finding(diagnose(with_trades(base, [0.9, -0.5] * 40), {}), "Result at twice").level == "fine"


def test_the_first_days_deciding_is_a_warning(base: BacktestResult) -> None:
    assert finding(diagnose(with_trades(base, [5.0] * 10 + [-0.2] * 60), {}), "Sensitive").level == "warning"
    assert finding(diagnose(with_trades(base, [0.4] * 70), {}), "Sensitive").level == "fine"


def test_the_worst_of_the_answers_counts() -> None:
    fine, doubt = (DiagnosisFinding(name="", level=level, text="") for level in ("fine", "doubt"))
    assert worst_level([fine, doubt, fine]) == "doubt"
    assert worst_level([]) == "fine"


def test_shuffled_drawdowns_are_bounded_and_repeatable() -> None:
    returns = np.array([0.02, -0.01] * 50)
    falls = shuffled_drawdowns(returns, 7)
    assert (falls == shuffled_drawdowns(returns, 7)).all()
    assert falls.min() >= 0.01 - 1e-12
    assert falls.max() <= 1.0 - 0.99**50 + 1e-9


def oracle(count: int, *, skill: bool) -> tuple[tuple[EntryRecord, ...], Candles]:
    """Entries on the side that the next bars go to, or on any."""
    candles = sample_runs.candles("EURUSD", 3, 4_000, holes=False)
    rows = np.linspace(100, 3_800, count).astype(int)
    entered = []
    for number, row in enumerate(rows.tolist()):
        opened = candles.open.item(row)
        up = candles.close.item(row + 15) > opened
        side = (Side.BUY if up else Side.SELL) if skill else (Side.BUY if number % 2 else Side.SELL)
        prices = (opened, opened - side * 0.003, opened + side * 0.003, 0.00002)
        entered.append(EntryRecord(number, "EURUSD", side, candles.open_utc_ns.item(row), *prices))
    return tuple(entered), candles


@pytest.mark.parametrize(("skill", "most", "least"), [(True, 0.05, 0.0), (False, 1.0, 0.02)], ids=["seer", "coin"])
def test_entries_are_weighed_against_chance(base: BacktestResult, skill: bool, most: float, least: float) -> None:
    entered, candles = oracle(120, skill=skill)
    found = compare_with_random_entries(judged(base, entered, candles), {"EURUSD": candles})
    assert found is not None
    assert least <= found.share_of_random_runs_as_good <= most
    assert abs(found.random_mean_r) < 0.1


def test_the_page_of_findings_comes_with_every_run(tmp_path: Path) -> None:
    settings = sample_runs.coin_settings(tmp_path, ("desk.pairs", ["EURUSD"]), ("strategy.parameters", {"every": 10}))
    done = sample_runs.run(settings, bars=2_600)
    found = diagnose(done, {"EURUSD": sample_runs.candles("EURUSD", 31, 2_600)})
    assert [one.name for one in found] == [
        one.name for one in diagnose(done, {"EURUSD": sample_runs.candles("EURUSD", 31, 2_600)})
    ]
    assert len(found) == 9


def test_shuffled_drawdowns_are_those_of_all_orders() -> None:
    returns = np.array([-0.03, -0.02, 0.01, 0.015, 0.04])
    every = np.array([max_drawdown(np.array(order)) for order in permutations(returns)])
    falls = shuffled_drawdowns(returns, 11)
    assert set(falls.round(9)) <= set(every.round(9))
    for pct in (5, 50, 95):
        assert np.percentile(falls, pct) == pytest.approx(np.percentile(every, pct), abs=0.003)


def test_the_deepest_drawdown_by_hand() -> None:
    # 1 -> 1.10 -> 0.99 -> 0.891 -> 1.2474: from 1.10 to 0.891
    assert max_drawdown(np.array([0.10, -0.10, -0.10, 0.40])) == pytest.approx(1.0 - 0.891 / 1.10)
    assert max_drawdown(np.array([0.01, 0.02])) == 0.0


def test_an_order_that_spared_the_account_is_called_lucky(base: BacktestResult) -> None:
    fair = [1.0, -0.9] * 40
    lucky = finding(diagnose(with_trades(base, fair), {}), "Drawdown")
    assert lucky.level == "doubt"
    assert "lucky" in lucky.text
    mixed = np.random.default_rng(5).permutation(fair).tolist()
    usual = finding(diagnose(with_trades(base, mixed), {}), "Drawdown")
    assert usual.level == "fine"
    assert usual.value == pytest.approx(lucky.value or 0.0, rel=0.1), "the same trades, the same band"


def test_drawdown_band_uses_returns_on_the_account_balance(base: BacktestResult) -> None:
    made = with_trades(base, [1.0, -1.0])
    returns = balance_returns(made)
    assert returns.tolist() == pytest.approx([100.0 / made.start_money, -100.0 / (made.start_money + 100.0)])


def test_always_buying_in_a_rising_market_is_no_skill(base: BacktestResult) -> None:
    rising = sample_runs.candles("EURUSD", 3, 4_000, holes=False)
    slope = np.arange(len(rising)) * 0.00012
    up = Candles(
        rising.open_utc_ns,
        *(column + slope for column in (rising.open, rising.high, rising.low, rising.close)),
        rising.tick_volume,
        rising.spread_points,
    )
    entered = tuple(
        EntryRecord(number, "EURUSD", Side.BUY, up.open_utc_ns.item(row), price, price - 0.003, price + 0.006, 0.00002)
        for number, row in enumerate(range(100, 3_900, 25))
        for price in (up.open.item(row),)
    )
    found = compare_with_random_entries(judged(base, entered, up), {"EURUSD": up})
    assert found is not None
    assert found.mean_r > 0.2, "the trend pays"
    assert found.share_of_random_runs_as_good > 0.05, "and pays anybody who buys"


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True], ids=["single", "clustered"])
@pytest.mark.parametrize(
    ("count", "bars", "least", "most"), [(12, 1_000, 0, 4), pytest.param(400, 1_500, 10, 32, marks=pytest.mark.soak)]
)
def test_no_skill_is_called_skill_as_seldom_as_chance_allows(
    base: BacktestResult, clustered: bool, count: int, bars: int, least: int, most: int
) -> None:
    called = 0
    for seed in range(count):
        candles = unskilled.markets(seed, bars)
        entered = unskilled.entries(seed, candles, clustered=clustered)
        found = compare_with_random_entries(unskilled.result(base, entered, candles), candles)
        called += found is not None and found.share_of_random_runs_as_good <= 0.05
    assert least <= called <= most, "99 % of what one in twenty gives"


def test_trades_of_one_day_are_one_witness_of_the_mean(base: BacktestResult) -> None:
    # two trades a day with one result: half as many witnesses, an error larger by the root of two
    pairs = [result for result in [1.0, -0.9] * 20 for _ in range(2)]
    text = finding(diagnose(with_trades(base, pairs), {}), "Enough").text
    assert "standard error of 0.152 R, by day" in text
    assert np.std(pairs, ddof=1) / np.sqrt(len(pairs)) == pytest.approx(0.107, abs=0.001)


def judged(base: BacktestResult, entered: tuple[EntryRecord, ...], candles: Candles) -> BacktestResult:
    span = {"from_utc_ns": candles.open_utc_ns.item(0), "to_utc_ns": candles.open_utc_ns.item(-1)}
    return msgspec.structs.replace(base, entered=entered, pairs=("EURUSD",), **span)
