"""A desk made by hand for tests and pictures: rich enough that every panel has something to say, and the same every time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from core.link.client import EventBox
from core.link.messages import (
    Act,
    AnswerBody,
    AskBars,
    AskEquity,
    AskLedger,
    AskLog,
    AskNews,
    AskRehearsal,
    AskSettings,
    AskTrades,
    Bars,
    Cannot,
    CommandResult,
    EquityPoints,
    Event,
    Ledger,
    LedgerRow,
    LinkState,
    LogNow,
    NewsNow,
    Question,
    RehearsalNow,
    ReplayControl,
    SettingsNow,
    Trades,
)
from core.link.trades import AskRecord, AskStory, Group, RecordNow, Story, StoryStep
from core.model.book import Account
from core.model.commands import Command
from core.model.effects import TradeClosed, Verdict
from core.model.errors import NoEngineError
from core.model.inputs import News
from core.model.market import Bar, Side
from core.model.signals import Check
from core.model.snapshot import (
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
from core.model.units import H1_NS, M15_NS, NS_PER_S
from core.settings.load import shipped_settings, shipped_tree, with_own
from core.strategy.load import strategy_parameters

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
                usual_spread_pips=0.5 if index % 4 == 1 else 0.7,
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
        now_price=mid,
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
        care="trail from 0.5R, age out 17:46",
    )
    return msgspec.structs.replace(view, **changes)


def demo_positions() -> tuple[PositionView, ...]:
    return (
        demo_position(0),
        demo_position(1, "USDCHF", Side.SELL, lots=0.4),
        demo_position(2, "USDJPY", Side.BUY, lots=0.35, care="give-back armed at 21.40"),
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
        care="",
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
        book_risk_fraction=0.0121,
        book_risk_cap_fraction=0.03,
        all_stops_money=412.8,
        all_stops_cap_money=1012.4,
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
        without_stop=0,
        unknown_fates=0,
        book_agrees=True,
        oldest_quote_utc_ns=NOW - 4 * NS_PER_S,
        next_news=News(at_utc_ns=NOW + 87 * MINUTE, currency="USD", impact="high", title="JOLTS Job Openings"),
        calendar_available=True,
        next_bar_utc_ns=BAR + 2 * M15_NS,
        trades_today=3,
        entries_today=4,
        broker_offset_s=3 * 3600,
    )
    return msgspec.structs.replace(desk, **changes)


def demo_engine(**changes: Any) -> EngineHealth:
    engine = EngineHealth(
        run_id="r240702a",
        pid=4242,
        started_utc_ns=NOW - 5 * 3600 * NS_PER_S,
        wall_utc_ns=NOW,
        ready=True,
        feed_up=True,
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
        code="pause", state="REDUCE_ONLY", since_utc_ns=NOW - 31 * MINUTE, text="paused by the operator", way_back="resume"
    )


def drawdown_reason() -> ReasonView:
    return ReasonView(
        code="drawdown",
        state="HALTED",
        since_utc_ns=NOW - 90 * MINUTE,
        text="drawdown 10.2%, at most 10%",
        way_back="rearm by the operator",
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


class FakeClient:
    """A client of no engine: yields what it is given, remembers what was ordered, answers from the demo."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.box = EventBox()
        self.sent: list[Command] = []
        self.controls: list[ReplayControl] = []
        self.asked: list[Question] = []
        self.closed = False
        self.up = True
        self.hold: asyncio.Event | None = None
        self.reply: Callable[[Command], CommandResult] = lambda command: CommandResult(command_id="x", ok=True, text="done")
        self.answers: dict[type, AnswerBody] = {}
        for event in events:
            self.box.put(event)

    def give(self, *events: Event) -> None:
        for event in events:
            self.box.put(event)

    async def next(self) -> Event:
        return await self.box.get()

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        if not self.up:
            raise NoEngineError("the line to the engine is down", what_to_do="wait, or see `quarterdeck status`")
        self.sent.append(command)
        if self.hold is not None:
            await self.hold.wait()
        return self.reply(command)

    async def ask(self, question: Question, *, timeout_s: float = 10.0) -> AnswerBody:
        if not self.up:
            raise NoEngineError("the line to the engine is down")
        self.asked.append(question)
        if type(question) in self.answers:
            return self.answers[type(question)]
        match question:
            case AskBars(symbol=symbol, timeframe=timeframe, count=count):
                return Bars(symbol=symbol, timeframe=timeframe, bars=demo_bars(symbol, timeframe, count))
            case AskLedger(symbol=symbol):
                return Ledger(rows=demo_ledger(symbol), counts={"spread": 41, "confidence": 96, "budget": 3})
            case AskTrades(only=only):
                return Trades(trades=tuple(row for row in demo_trades() if only.passes(row)))
            case AskStory(position_id=position_id):
                return Story(position_id=position_id, steps=demo_steps())
            case AskRecord():
                return demo_record()
            case AskEquity(count=count):
                count = min(count, 120)
                return EquityPoints(
                    at_utc_ns=tuple(NOW - (count - n) * H1_NS for n in range(count)),
                    equity_money=tuple(10_000 + 2.1 * n + 70 * ((n * 37) % 19 - 9) / 9 for n in range(count)),
                )
            case AskSettings():
                return demo_settings()
            case AskRehearsal():
                return demo_rehearsal()
            case AskNews(since_utc_ns=since):
                return NewsNow(available=True, events=tuple(event for event in demo_news() if event.at_utc_ns >= since))
            case AskLog():
                return LogNow(lines=tuple(demo_log()))
            case _:
                return Cannot(why="not known here")

    async def control(self, control: ReplayControl) -> None:
        self.controls.append(control)

    async def close(self) -> None:
        self.closed = True


def demo_rehearsal() -> RehearsalNow:
    """A tighter cap and a shorter life: one position ages out, one trails later, the cap is passed, the drawdown's breaker trips."""
    before = demo_desk()
    first, second, *rest = before.positions
    risk = msgspec.structs.replace(
        before.risk,
        cap_money=None if before.risk.open_money is None else round(before.risk.open_money * 0.9, 2),
        limits=tuple(
            msgspec.structs.replace(limit, limit=limit.limit / 10, tripped=True) if limit.name == "drawdown" else limit
            for limit in before.risk.limits
        ),
    )
    moved = msgspec.structs.replace(second, care="trail from 1.0R")
    after = msgspec.structs.replace(before, positions=(first, moved, *rest), risk=risk)
    return RehearsalNow(before=before, after=after, acts=(Act(position_id=first.position_id, close_lots=first.lots, why="age"),))


def demo_ledger(symbol: str) -> tuple[LedgerRow, ...]:
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
        rows.append(LedgerRow(at_utc_ns=bar + M15_NS + NS_PER_S, verdict=verdict))
    return tuple(rows)


def demo_steps() -> tuple[StoryStep, ...]:
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
        StoryStep(at_utc_ns=opened + after * NS_PER_S, what=what, text=text, checks=checks) for after, what, text, checks in told
    )


def demo_record() -> RecordNow:
    """Two months of an account."""

    def groups(*rows: tuple[str, int, float, float, float]) -> tuple[Group, ...]:
        return tuple(
            Group(name=name, trades=trades, win_fraction=won, mean_r=mean_r, net_money=money)
            for name, trades, won, mean_r, money in rows
        )

    points = 160
    return RecordNow(
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


def empty_record() -> RecordNow:
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


def demo_news() -> tuple[News, ...]:
    return (
        News(at_utc_ns=NOW - 19 * H1_NS, currency="USD", impact="high", title="ISM Manufacturing PMI"),
        News(at_utc_ns=NOW - 5 * H1_NS, currency="EUR", impact="high", title="CPI Flash Estimate"),
        News(at_utc_ns=NOW + 87 * MINUTE, currency="USD", impact="high", title="JOLTS Job Openings"),
        News(at_utc_ns=NOW + 127 * MINUTE, currency="CHF", impact="medium", title="Consumer prices"),
        News(at_utc_ns=NOW + 27 * 60 * MINUTE, currency="GBP", impact="low", title="Services PMI"),
    )


def demo_settings(**changes: Any) -> SettingsNow:
    own = strategy_parameters(shipped_settings().strategy)
    tree = with_own(shipped_tree(), own)
    packed = msgspec.Raw(msgspec.msgpack.encode(tree))
    row = SettingsNow(
        tree=packed,
        file_tree=packed,
        overridden=("risk.risk_per_trade_pct",),
        changes=((NOW - 90 * MINUTE, "risk.risk_per_trade_pct", "0.5", "1.0", "screen"),),
        own=own,
    )
    return msgspec.structs.replace(row, **changes)


def live_events(**changes: Any) -> list[Event]:
    """What a screen gets in its first second."""
    return [LinkState(up=True, mode="simulated"), *demo_log(), demo_snapshot(**changes)]
