"""A desk made manually for tests and pictures: rich enough that every panel has something to say, and the same every time."""

from __future__ import annotations

from typing import Any

import msgspec

from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.snapshot import (
    CurrencyView,
    DeskView,
    EngineHealth,
    LimitView,
    LogLine,
    PairView,
    PositionView,
    ReasonView,
    RiskView,
    SignalView,
    Snapshot,
)
from quarterdeck.core.model.units import M15_NS, NS_PER_S

MINUTE = 60 * NS_PER_S
NOW = 1_719_930_788 * NS_PER_S
"""Tuesday 2024-07-02 14:33:08 UTC."""
BAR = NOW - NOW % M15_NS - M15_NS

PRICES = {
    "EURUSD": (1.07412, 5, 0.0001),
    "GBPUSD": (1.26588, 5, 0.0001),
    "USDJPY": (161.432, 3, 0.01),
    "USDCHF": (0.90374, 5, 0.0001),
    "AUDUSD": (0.66591, 5, 0.0001),
    "EURGBP": (0.84853, 5, 0.0001),
    "EURJPY": (173.401, 3, 0.01),
    "XAUUSD": (2331.45, 2, 0.1),
    "USDCAD": (1.37288, 5, 0.0001),
    "NZDUSD": (0.60752, 5, 0.0001),
}
TRENDS = ("up", "up", "flat", "down")
REGIMES = ("normal", "high", "low", "normal")
STATES = ("pullback", "breakout up", "inside", "momentum dn")
VERDICTS = ("entered buy 0.50", "refused: spread", "no trigger", "entered sell 0.40", "refused: confidence", "none: H1 flat")


def demo_pairs(count: int = 4) -> tuple[PairView, ...]:
    names = list(PRICES) + [f"CROSS{number:02d}" for number in range(30)]
    pairs = []
    for index, symbol in enumerate(names[:count]):
        mid, digits, pip = PRICES.get(symbol, (1.2 + index / 100, 5, 0.0001))
        spread = 0.6 + 0.3 * (index % 4)
        pairs.append(
            PairView(
                symbol=symbol,
                digits=digits,
                pip=pip,
                bid=round(mid, digits),
                ask=round(mid + spread * pip, digits),
                quote_utc_ns=NOW - (index % 5) * NS_PER_S,
                spread_pips=spread,
                typical_spread_pips=0.5 if index % 4 == 1 else 0.7,
                atr_pips=6.2 + index,
                atr_percentile_pct=20.0 + 13 * (index % 6),
                regime=REGIMES[index % 4],
                h1_trend=TRENDS[index % 4],
                m15_state=STATES[index % 4],
                last_bar_utc_ns=BAR,
                verdict=VERDICTS[index % 6],
            )
        )
    return tuple(pairs)


def demo_position(number: int, symbol: str = "EURUSD", side: Side = Side.BUY, **changes: Any) -> PositionView:
    mid, digits, pip = PRICES.get(symbol, (1.2, 5, 0.0001))
    pips = 8.3 - 5.1 * number
    view = PositionView(
        position_id=7000 + number,
        ticket=7000 + number,
        symbol=symbol,
        side=side,
        ours=True,
        lots=0.5,
        open_price=round(mid - side * pips * pip, digits),
        current_price=mid,
        stop_price=round(mid - side * 14.2 * pip, digits),
        target_price=round(mid + side * 22 * pip, digits),
        opened_utc_ns=NOW - (47 + 31 * number) * MINUTE,
        pips=pips,
        profit_money=round(pips * 5, 2),
        result_r=round(pips / 18.0, 2),
        stop_distance_pips=14.2,
        open_risk_money=71.0,
        peak_money=round(max(pips * 5, 0) + 12.4, 2),
        closing=False,
        next_action="trail from 0.5R, time exit 17:46",
    )
    return msgspec.structs.replace(view, **changes)


def demo_positions() -> tuple[PositionView, ...]:
    return (
        demo_position(0),
        demo_position(1, "USDCHF", Side.SELL, lots=0.4),
        demo_position(2, "USDJPY", Side.BUY, lots=0.35, next_action="profit retracement armed at 21.40"),
    )


def foreign_position(number: int = 9) -> PositionView:
    return demo_position(
        number,
        "XAUUSD",
        Side.SELL,
        ours=False,
        lots=0.1,
        stop_price=None,
        target_price=None,
        stop_distance_pips=None,
        result_r=None,
        next_action="",
    )


def demo_signals() -> tuple[SignalView, ...]:
    def signal(symbol: str, bars_ago: int, side: Side, confidence: float, outcome: Any, reason: str, text: str) -> SignalView:
        bar = BAR - bars_ago * M15_NS
        return SignalView(
            symbol=symbol,
            bar_open_utc_ns=bar,
            decided_utc_ns=bar + M15_NS + NS_PER_S,
            side=side,
            confidence=confidence,
            outcome=outcome,
            reason=reason,
            text=text,
            checks=demo_checks(),
        )

    return (
        signal("EURUSD", 0, Side.BUY, 0.84, "entered", "", "0.50 at 1.07421, stop 1.07270, risk 0.98%"),
        signal("GBPUSD", 0, Side.BUY, 0.81, "refused", "spread", "spread 2.2x usual, at most 3; 12.4% of stop, at most 10"),
        signal("USDJPY", 1, Side.BUY, 0.88, "waiting", "quote_age", "waits for a fresh quote"),
        signal("USDCHF", 2, Side.SELL, 0.79, "entered", "", "0.40 at 0.90361, stop 0.90498, risk 1.00%"),
        signal("GBPUSD", 5, Side.SELL, 0.71, "refused", "confidence", "confidence 0.71, at least 0.78"),
        signal("EURUSD", 9, Side.SELL, 0.80, "refused", "budget", "open risk would be 5.4%, at most 5.0%"),
    )


def demo_checks(reason: str = "spread") -> tuple[Check, ...]:
    """Numbers that fit the verdict: all met, or all but the one that `reason` names."""
    confidence, of_stop = (0.71 if reason == "confidence" else 0.81), (12.4 if reason == "spread" else 8.6)
    return (
        Check("h1_trend", 1.0, 0.0, True, "EMA 50 over EMA 200, rising"),
        Check(
            "m15_break", -0.4 if reason == "no trigger" else 0.8, 0.0, reason != "no trigger", "ATR(M15) beyond the bars before"
        ),
        Check("confidence", confidence, 0.78, reason != "confidence", ""),
        Check("net_reward_risk", 1.62, 1.5, True, "after 0.9 pips of cost"),
        Check("spread_of_stop", of_stop, 10.0, reason != "spread", f"{of_stop / 9.5:.1f} pips on a stop of 10.5"),
        Check("spread_of_usual", 2.2, 3.0, True, ""),
    )


def demo_risk() -> RiskView:
    return RiskView(
        open_money=183.2,
        reserved_money=98.5,
        cap_money=506.2,
        correlated_risk_fraction=0.0121,
        correlated_risk_cap_fraction=0.03,
        gap_risk_money=412.8,
        gap_risk_cap_money=1012.4,
        limits=(
            LimitView(name="day_loss", value=0.0, limit=0.05, unit="share"),
            LimitView(name="drawdown", value=0.011, limit=0.1, unit="share"),
            LimitView(name="losses_in_row", value=2.0, limit=5.0, unit="trades"),
            LimitView(name="entries", value=4.0, limit=10.0, unit="entries"),
            LimitView(name="positions", value=3.0, limit=5.0, unit="positions"),
            LimitView(name="margin_level", value=1022.4, limit=300.0, unit="%"),
        ),
        currencies=(
            CurrencyView(currency="USD", net_x_equity=-3.1),
            CurrencyView(currency="EUR", net_x_equity=5.4),
            CurrencyView(currency="CHF", net_x_equity=3.9),
            CurrencyView(currency="JPY", net_x_equity=-3.5),
        ),
        kelly="off",
    )


def demo_account(**changes: Any) -> Account:
    account = Account(
        login=5551234,
        server="Simulated-Demo",
        mode="simulated",
        currency="USD",
        currency_digits=2,
        leverage=30,
        hedging=True,
        balance_money=10_083.4,
        equity_money=10_124.27,
    )
    return msgspec.structs.replace(account, **changes)


def demo_desk(**changes: Any) -> DeskView:
    desk = DeskView(
        at_utc_ns=NOW,
        seq=48_211,
        mode="simulated",
        account=demo_account(),
        state="ACTIVE",
        reasons=(),
        equity_money=10_124.27,
        balance_money=10_083.4,
        day_result_money=124.27,
        day_base_money=10_000.0,
        day_limit_money=500.0,
        drawdown_fraction=0.011,
        pairs=demo_pairs(),
        signals=demo_signals(),
        positions=demo_positions(),
        orders=(),
        risk=demo_risk(),
        positions_without_stop=0,
        unconfirmed_orders=0,
        positions_match=True,
        oldest_quote_utc_ns=NOW - 4 * NS_PER_S,
        next_news=NewsEvent(at_utc_ns=NOW + 87 * MINUTE, currency="USD", impact="high", title="JOLTS Job Openings"),
        calendar_available=True,
        next_bar_utc_ns=BAR + 2 * M15_NS,
        trades_today=3,
        entries_today=4,
        server_offset_s=3 * 3600,
    )
    return msgspec.structs.replace(desk, **changes)


def demo_engine(**changes: Any) -> EngineHealth:
    engine = EngineHealth(
        run_id="r240702a",
        pid=4242,
        started_utc_ns=NOW - 5 * 3600 * NS_PER_S,
        wall_utc_ns=NOW,
        ready=True,
        connection_up=True,
        broker_round_trip_ms=12.0,
        journal_lag_ms=8.0,
        tape_seq=48_211,
        tape_bytes_day=3_400_000,
        loop_lag_ms=1.2,
        errors=(("retry", 2), ("refused", 1)),
        home="/home/op/desk",
        market="simulated market, seed 7",
    )
    return msgspec.structs.replace(engine, **changes)


def demo_snapshot(number: int = 1, *, engine: EngineHealth | None = None, **changes: Any) -> Snapshot:
    return Snapshot(number=number, desk=demo_desk(**changes), engine=engine or demo_engine())


def paused_reason() -> ReasonView:
    return ReasonView(
        code="paused", state="REDUCE_ONLY", since_utc_ns=NOW - 31 * MINUTE, text="paused by the operator", clears_when="resume"
    )


def drawdown_reason() -> ReasonView:
    return ReasonView(
        code="drawdown",
        state="HALTED",
        since_utc_ns=NOW - 90 * MINUTE,
        text="drawdown 10.2%, at most 10%",
        clears_when="reset by the operator",
    )


def demo_log(count: int = 30) -> list[LogLine]:
    texts = (
        ("info", "signal", "buy 0.84: H1 up, pullback to EMA 20, RSI 41", "EURUSD", 0),
        ("info", "fill", "bought 0.50 at 1.07421, stop 1.07270", "EURUSD", 7000),
        ("warning", "spread", "spread 1.5 pips, 2.2x usual for this minute", "GBPUSD", 0),
        ("info", "trail", "stop moved to 161.290", "USDJPY", 7002),
        ("error", "send", "requote, tried again", "USDCHF", 0),
    )
    lines = []
    for number in range(count):
        level, kind, text, symbol, ticket = texts[number % len(texts)]
        at = NOW - (count - number) * 41 * NS_PER_S
        lines.append(LogLine(at_utc_ns=at, level=level, kind=kind, text=text, symbol=symbol, ticket=ticket))  # type: ignore[arg-type]
    return lines
