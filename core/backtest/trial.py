"""One trial of a search, as a worker runs it: settings with some values changed, a backtest, its figures. Plain bytes in and out.

Promises: the same job gives the same answer in any process on any machine; a worker keeps the last markets it loaded, bounded.
Does not: choose values.
"""

from __future__ import annotations

import math
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.backtest.backtest_settings import with_changes
from quarterdeck.core.backtest.compare import headline_figures
from quarterdeck.core.backtest.recorded_days import DataRequest, RecordedDays, load_market
from quarterdeck.core.backtest.result_tables import daily_returns
from quarterdeck.core.backtest.search_space import with_searched_values
from quarterdeck.core.compiled.load import backtested
from quarterdeck.core.engine.scanner_setup import history_bars
from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy

GOALS = {
    "expectancy": "mean result in R",
    "result": "sum of results in R",
    "sharpe": "Sharpe ratio of daily equity",
    "drawdown": "result in percent, divided by the maximum drawdown in percent",
    "sqn": "mean result divided by its standard deviation, times the square root of the number of trades (at most 100)",
}
_MARKETS_KEPT = 3
_DAILY_DIGITS = 9
"""A millionth of a thousandth of equity: far under a cent of any account."""


class TrialJob(Struct, frozen=True, kw_only=True):
    """What a worker needs to know."""

    home: str
    folders: tuple[str, ...]
    from_day: date | None
    to_day: date | None
    rates: dict[str, float]
    settings: dict[str, Any]
    values: dict[str, Any]
    goal: str
    trades_min: int = 30


class TrialOutcome(Struct, frozen=True, kw_only=True):
    """What it found."""

    goal: float | None
    figures: dict[str, float | None]
    digest: str
    why: str = ""
    daily: tuple[float, ...] = ()
    """Return of each open day of the range; empty where the run did not come to its end."""


def evaluate(job: bytes) -> bytes:
    """Run one job; whatever an operator could repair is an answer without a goal that says why."""
    asked = msgspec.json.decode(job, type=TrialJob)
    try:
        outcome = run_job(asked)
    except QuarterdeckError as error:
        outcome = TrialOutcome(goal=None, figures={}, digest="", why=error.one_line())
    return msgspec.json.encode(outcome)


def run_job(job: TrialJob) -> TrialOutcome:
    """Run one job. Raises QuarterdeckError for values that cannot be together, or data that are too short for them."""
    base = msgspec.convert(job.settings, Settings, strict=False)
    settings = with_changes(base, with_searched_values(job.settings, job.values))
    home = Path(job.home)
    strategy = load_strategy(settings, home)
    market = _market(job, settings, strategy)
    result = backtested(market, settings, strategy)
    figures = headline_figures(result)
    daily = tuple(round(one, _DAILY_DIGITS) for one in daily_returns(result))
    trades = [trade.result_r for trade in result.trades]
    if len(trades) < job.trades_min:
        why = f"{len(trades)} trades, {job.trades_min} are wanted"
        return TrialOutcome(goal=None, figures=figures, digest=result.summary.digest, why=why, daily=daily)
    goal = _goal(job.goal, trades, figures, 100.0 * result.summary.result_money / result.start_money)
    why = "" if goal is not None else "cannot be judged"
    return TrialOutcome(goal=goal, figures=figures, digest=result.summary.digest, why=why, daily=daily)


def _goal(name: str, results: list[float], figures: dict[str, float | None], result_pct: float) -> float | None:
    if name == "expectancy":
        return figures["expectancy_r"]
    if name == "result":
        return figures["result_r"]
    if name == "sharpe":
        return figures["sharpe"]
    if name == "drawdown":
        fall = figures["drawdown_pct"]
        return result_pct / fall if fall else None
    middle = math.fsum(results) / len(results)
    spread = math.sqrt(math.fsum((one - middle) ** 2 for one in results) / max(len(results) - 1, 1))
    return middle / spread * math.sqrt(min(len(results), 100)) if spread > 0.0 else None


def _market(job: TrialJob, settings: Settings, strategy: LoadedStrategy) -> RecordedDays:
    priced = msgspec.json.encode(
        (settings.desk.pairs, settings.simulation.currency, settings.news.files, settings.costs.default_spread_pips)
    )
    wish = msgspec.json.encode((job.folders, job.from_day, job.to_day, job.rates, job.home))
    return _loaded(_kept(wish, priced, history_bars(strategy, settings)), wish, settings, strategy)


@lru_cache(maxsize=_MARKETS_KEPT)
def _kept(_wish: bytes, _priced: bytes, _history: int) -> list[RecordedDays]:
    return []


def _loaded(place: list[RecordedDays], wish: bytes, settings: Settings, strategy: LoadedStrategy) -> RecordedDays:
    if not place:
        folders, from_day, to_day, rates, home = msgspec.json.decode(
            wish, type=tuple[tuple[str, ...], date | None, date | None, dict[str, float], str]
        )
        asked = DataRequest(folders=tuple(map(Path, folders)), from_day=from_day, to_day=to_day, rates=rates)
        place.append(load_market(asked, settings, strategy, Home(Path(home))))
    return place[0]
