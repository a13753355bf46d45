"""What a demo desk remembers: bars, trades and their story, verdicts, figures, and a calendar."""

from __future__ import annotations

import msgspec

from quarterdeck.core.link.messages import (
    VerdictRow,
)
from quarterdeck.core.link.trade_queries import AccountReport, TimelineStep, TradeGroup
from quarterdeck.core.model.effects import TradeClosed, Verdict
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.market_data import Bar, Side
from quarterdeck.core.model.units import H1_NS, M15_NS, NS_PER_S
from tests.tui.demo_desk import BAR, MINUTE, NOW, PRICES, demo_checks


def demo_bars(symbol: str, timeframe: str, count: int) -> tuple[Bar, ...]:
    mid, digits, pip = PRICES.get(symbol, (1.2, 5, 0.0001))
    step = H1_NS if timeframe == "H1" else M15_NS
    state = sum(map(ord, symbol)) % 9973
    bars: list[Bar] = []
    close = mid - 40 * pip
    for number in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        drift = ((state >> 8) % 1000 / 1000 - 0.47) * 9 * pip
        state = (state * 1103515245 + 12345) % 2**31
        wick = ((state >> 8) % 1000 / 1000) * 4 * pip
        start, close = close, close + drift
        at = BAR - (count - 1 - number) * step
        bars.append(
            Bar(
                open_utc_ns=at,
                open=round(start, digits),
                high=round(max(start, close) + wick, digits),
                low=round(min(start, close) - wick, digits),
                close=round(close, digits),
            )
        )
    if not bars:
        return ()
    shift = mid - bars[-1].close
    return tuple(
        Bar(
            open_utc_ns=bar.open_utc_ns,
            open=round(bar.open + shift, digits),
            high=round(bar.high + shift, digits),
            low=round(bar.low + shift, digits),
            close=round(bar.close + shift, digits),
        )
        for bar in bars
    )


def demo_trades() -> tuple[TradeClosed, ...]:
    rows = []
    for number, (symbol, side, net, result_r, reason) in enumerate(
        (
            ("EURUSD", Side.BUY, 81.2, 0.8, "trail"),
            ("GBPUSD", Side.SELL, -101.4, -1.02, "stop"),
            ("USDJPY", Side.BUY, 152.0, 1.51, "target"),
            ("USDCHF", Side.SELL, -12.3, -0.12, "age"),
        )
    ):
        mid, digits, pip = PRICES[symbol]
        rows.append(
            TradeClosed(
                position_id=6900 + number,
                symbol=symbol,
                side=side,
                lots=0.5,
                opened_utc_ns=NOW - (number + 3) * H1_NS,
                closed_utc_ns=NOW - (number + 1) * H1_NS,
                open_price=mid,
                close_price=round(mid + side * net / 5 * pip, digits),
                stop_price=round(mid - side * 20 * pip, digits),
                reason=reason,
                rule=f"{reason} rule",
                gross_money=net + 3.5,
                commission_money=-3.5,
                swap_money=0.0,
                net_money=net,
                risk_money=100.0,
                result_r=result_r,
                peak_money=max(net, 0) + 20,
                worst_money=min(net, 0) - 10,
                signal_id=f"trend:{symbol}:M15:1",
                confidence=0.8 + number / 50,
            )
        )
    return tuple(rows)


def demo_ledger(symbol: str) -> tuple[VerdictRow, ...]:
    rows = []
    for number in range(8):
        outcome = ("entered", "refused", "none", "refused")[number % 4]
        reason = ("", "spread", "no trigger", "confidence")[number % 4]
        bar = BAR - number * M15_NS
        verdict = Verdict(
            symbol=symbol or "EURUSD",
            bar_open_utc_ns=bar,
            strategy="trend",
            outcome=outcome,  # type: ignore[arg-type]
            reason=reason,
            side=Side.BUY if outcome != "none" else None,
            checks=demo_checks(reason),
            lots=0.5 if outcome == "entered" else 0.0,
        )
        rows.append(VerdictRow(at_utc_ns=bar + M15_NS + NS_PER_S, verdict=verdict))
    return tuple(rows)


def demo_steps() -> tuple[TimelineStep, ...]:
    """A trade from signal to close, with care in between."""
    opened = NOW - 3 * H1_NS
    told = (
        (0, "signal", "buy EURUSD, confidence 0.80: entry 1.07421, stop 1.0727, target 1.07723 (bid)", demo_checks("")[:2]),
        (0, "verdict", "entered, 0.5 lots at risk 100.00", demo_checks("")),
        (0, "order", "r240702a-7: buy 0.5 at 1.07421, stop 1.0727, target 1.07723, risk 100.00", ()),
        (1, "filled", "r240702a-7: 0.5 at 1.07423, market 1.07421/1.07423, 92 ms (check 31, send 58)", ()),
        (1, "opened", "buy 0.5 at 1.07423 (quoted 1.07421, slipped 0.00002, spread 0.00002), stop 1.0727, at risk 101.00 of 100.00 asked", ()),
        (1, "deal", "4001 in: buy 0.5 at 1.07423 (expert), commission -1.75", ()),
        (3_600, "stop", "r240702a-9: stop 1.0745, target 1.07723 (trail)", ()),
        (3_600, "done", "r240702a-9: as asked", ()),
        (7_100, "deal", "4002 out: sell 0.5 at 1.0745 (stop, range_stop), profit +84.70, commission -1.75", ()),
        (7_100, "closed", "at 1.0745 by trail (range_stop): +0.80 R, +81.20 = +84.70 gross -3.50 commission +0.00 swap", ()),
    )  # fmt: skip
    return tuple(
        TimelineStep(at_utc_ns=opened + after * NS_PER_S, what=what, text=text, checks=checks)
        for after, what, text, checks in told
    )


def demo_record() -> AccountReport:
    """Two months of an account."""

    def groups(*rows: tuple[str, int, float, float, float]) -> tuple[TradeGroup, ...]:
        return tuple(
            TradeGroup(name=name, trades=trades, win_fraction=won, mean_r=mean_r, net_money=money)
            for name, trades, won, mean_r, money in rows
        )

    points = 160
    return AccountReport(
        mode="simulated", account=5551234, server="Simulated-Demo", currency="USD", runs=1, trades=51, won=22, win_fraction=22 / 51,
        expectancy_r=-0.21, deviation_r=0.93, mean_win_r=0.74, mean_loss_r=-0.94, profit_factor=0.61, net_money=-798.7,
        costs_money=-169.86, best_r=1.87, worst_r=-1.02, losses_in_row_max=5, mean_hours=2.4, days=41, sharpe=-1.31, sortino=-1.66,
        drawdown_fraction=0.0927, drawdown_money=932.1, in_market_fraction=0.118, positions_max=3,
        by_pair=groups(
            ("EURUSD", 14, 0.36, -0.24, -241.1), ("GBPUSD", 15, 0.4, -0.18, -201.9), ("USDCHF", 11, 0.64, 0.11, 96.2),
            ("USDJPY", 11, 0.36, -0.41, -451.9),
        ),
        by_hour=groups(*((f"{hour:02d}", 3 + hour % 4, 0.3 + hour % 5 / 10, (hour % 7 - 4) / 10, (hour % 7 - 4) * 31.0) for hour in range(7, 20))),
        hours_zone="Europe/London",
        by_confidence=groups(("0.7", 9, 0.33, -0.31, -260.0), ("0.8", 31, 0.42, -0.22, -590.2), ("0.9", 11, 0.55, 0.06, 51.5)),
        by_exit=groups(("age", 13, 0.54, 0.05, 61.0), ("stop", 23, 0.0, -0.98, -2_190.2), ("target", 4, 1.0, 1.7, 672.0), ("trail", 11, 1.0, 0.6, 658.5)),
        results=((-1.0, 25), (-0.5, 4), (0.0, 6), (0.5, 11), (1.0, 1), (1.5, 3), (2.0, 1)),
        refusals=(("drawdown", 354), ("confidence", 211), ("hours", 58), ("pair_positions", 12), ("cost", 2)),
        errors=(("requote", 3), ("feed", 1)),
        at_utc_ns=tuple(NOW - (points - n) * 9 * H1_NS for n in range(points)),
        equity_money=tuple(10_000 - 5.0 * n + 90 * ((n * 37) % 19 - 9) / 9 for n in range(points)),
    )  # fmt: skip


def empty_record() -> AccountReport:
    """An account that has not traded yet."""
    unknown = dict.fromkeys(
        (
            "win_fraction", "expectancy_r", "deviation_r", "mean_win_r", "mean_loss_r", "profit_factor", "best_r", "worst_r",
            "mean_hours", "sharpe", "sortino", "drawdown_fraction", "drawdown_money", "in_market_fraction", "positions_max",
        )
    )  # fmt: skip
    nothing = dict.fromkeys(("trades", "won", "net_money", "costs_money", "losses_in_row_max", "days"), 0)
    empty = dict.fromkeys(
        ("by_pair", "by_hour", "by_confidence", "by_exit", "results", "refusals", "errors", "at_utc_ns", "equity_money"), ()
    )
    return msgspec.structs.replace(demo_record(), **unknown, **nothing, **empty)


def demo_news() -> tuple[NewsEvent, ...]:
    return (
        NewsEvent(at_utc_ns=NOW - 19 * H1_NS, currency="USD", impact="high", title="ISM Manufacturing PMI"),
        NewsEvent(at_utc_ns=NOW - 5 * H1_NS, currency="EUR", impact="high", title="CPI Flash Estimate"),
        NewsEvent(at_utc_ns=NOW + 87 * MINUTE, currency="USD", impact="high", title="JOLTS Job Openings"),
        NewsEvent(at_utc_ns=NOW + 127 * MINUTE, currency="CHF", impact="medium", title="Consumer prices"),
        NewsEvent(at_utc_ns=NOW + 27 * 60 * MINUTE, currency="GBP", impact="low", title="Services PMI"),
    )
