"""Commands that were run already: a what-if and two finished backtests, made manually and the same every time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from quarterdeck.core.model.units import DAY_NS, M15_NS
from quarterdeck.tui.command_process import CommandFailed, CommandProgress
from quarterdeck.tui.view.backtest_report import BacktestReport, backtest_report_of
from tests.tui.demo_desk import NOW

WHATIF: dict[str, Any] = {
    "label": "tape of run 7f3a",
    "from_utc_ns": NOW - 7 * DAY_NS,
    "to_utc_ns": NOW,
    "bars": 4_800,
    "elapsed_s": 2.4,
    "currency": "USD",
    "difference_money": -41.2,
    "figures": {
        "trades": [22.0, 17.0],
        "result_money": [184.1, 142.9],
        "result_r": [3.9, 3.1],
        "drawdown_pct": [1.4, 0.9],
        "refused": [19.0, 24.0],
    },
    "decisions": {
        "candidates": 41,
        "changed": 6,
        "by": [
            {"was": "entered", "now": "confidence", "count": 5},
            {"was": "spread", "now": "confidence", "count": 1},
        ],
    },
    "exits": {"both": 17, "changed": 2, "by": [{"was": "stop", "now": "age", "count": 2}]},
    "reality": {"trades": 22, "same": 21},
    "notes": [],
}


def plain_report(sign: int = 1, **changes: Any) -> dict[str, Any]:
    """What `essentials.json` holds."""
    start = NOW - 90 * DAY_NS
    money = 412.3 * sign
    return {
        "label": "m15",
        "pairs": ["EURUSD", "USDJPY"],
        "from_utc_ns": start,
        "to_utc_ns": NOW,
        "currency": "USD",
        "complete": True,
        "path": "pessimistic",
        "bars": 12_480,
        "elapsed_s": 1.2,
        "settings_changed": {"risk.risk_per_trade_pct": "0.5"} if sign > 0 else {},
        "figures": {
            "trades": 61.0 + sign,
            "result_money": money,
            "result_r": 8.1 * sign,
            "expectancy_r": 0.13 * sign,
            "won_pct": 46.0,
            "profit_factor": 1.21,
            "drawdown_pct": 3.2,
            "sharpe": None,
            "costs_r": -2.1,
            "refused": 105.0,
        },
        "refusals": {"spread": 41, "confidence": 40 + 3 * sign, "news": 24},
        "months": [
            {
                "month": f"2024-0{4 + n}",
                "trades": 20 + n,
                "result_money": money / 3 + 90 * (n - 1),
                "result_fraction": 0.01 * (n - 1),
            }
            for n in range(3)
        ],
        "pair_figures": {
            "EURUSD": {"trades": 40, "won": 19, "expectancy_r": 0.21, "net_money": money + 90.0},
            "USDJPY": {"trades": 22, "won": 9, "expectancy_r": -0.04, "net_money": -90.0},
        },
        "equity": [[start + n * M15_NS * 96, 10_000 + sign * 4.6 * n + 60 * ((n * 37) % 19 - 9) / 9] for n in range(90)],
        "findings": [
            {"level": "fine", "name": "Enough trades", "text": "62 trades: a mean of 0.13 R is known to within 0.2 R."},
            {"level": "doubt", "name": "One trade", "text": "the best trade made a third of the result."},
        ],
        "notes": [],
        **changes,
    }


class DemoCommands:
    """See the module. `answer` is what runs answer; with `held` they wait until it is set."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home
        self.asked: list[list[str]] = []
        self.held: asyncio.Event | None = None
        self.fails = ""
        self.finished: tuple[BacktestReport, ...] = ()

    async def run(self, words: Sequence[str], told: Callable[[CommandProgress], None], limit_s: float) -> dict[str, Any]:
        self.asked.append(list(words))
        told(CommandProgress(0.42, "2024-06-28, 2 s left"))
        if self.held is not None:
            await self.held.wait()
        if self.fails:
            raise CommandFailed(self.fails)
        return WHATIF if words[0] == "whatif" else plain_report()

    async def reports(self) -> tuple[BacktestReport, ...]:
        return self.finished


def demo_reports() -> tuple[BacktestReport, ...]:
    return (
        backtest_report_of("backtest_2024-04-03_2024-07-02_a1b2c3d4", plain_report()),
        backtest_report_of("backtest_2024-04-03_2024-07-02_99aa88bb", plain_report(-1)),
        backtest_report_of("backtest_2024-04-03_2024-05-02_0f0f0f0f_partial", plain_report(complete=False)),
    )
