"""The drill: five positions on one side of the dollar, everything gaps one per cent against it in one tick, half the quotes go missing.

The loss stays within the figure shown before, it is said at once, the breaker trips, and no entry follows: not from what is asked
next, not after a restart.
"""

from __future__ import annotations

import pytest

from quarterdeck.core.model.effects import Alert, EquityMarked, StateChanged, Submit, TradeClosed, Verdict
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import BID, Play

SHORT_DOLLAR = {
    "EURUSD": (Side.BUY, 60.0),
    "GBPUSD": (Side.BUY, 70.0),
    "AUDUSD": (Side.BUY, 36.0),
    "USDJPY": (Side.SELL, 83.0),
    "USDCHF": (Side.SELL, 48.0),
}
"""Side, and a stop of a bit more than half a per cent in pips."""
SEEN = ("EURUSD", "USDJPY", "AUDUSD")
"""The others fall silent."""


@pytest.fixture
def five(monkeypatch: pytest.MonkeyPatch) -> Play:
    monkeypatch.setitem(BID, "AUDUSD", 0.66000)
    settings = shipped_settings(
        ("desk.pairs", list(SHORT_DOLLAR)), ("risk.risk_per_trade_pct", 0.85), ("correlation.risk_max_pct", 6.0)
    )
    play = Play(settings).start(pairs=tuple(SHORT_DOLLAR))
    for symbol, (side, pips) in SHORT_DOLLAR.items():
        play.enter(symbol, side, stop_pips=pips, target_pips=3 * pips)
        play.next_bar()
    assert len(play.held) == 5
    return play


def gapped(symbol: str) -> float:
    side, _ = SHORT_DOLLAR[symbol]
    return round(BID[symbol] * (1.0 - 0.01 * side), 3 if "JPY" in symbol else 5)


def money(symbol: str, side: Side, lots: float, opened: float, price: float) -> float:
    """What the broker books, in dollars."""
    result = (price - opened) * side * lots * 100_000.0
    return round(result if symbol.endswith("USD") else result / price, 2)


def gap(play: Play) -> list[object]:
    """The tick, then the broker's stops at the price after the gap."""
    said: list[object] = []
    for symbol in SEEN:
        said += play.quote(symbol, gapped(symbol))
    for ticket, held in list(play.held.items()):
        spread = 0.01 if "JPY" in held.symbol else 0.0001
        price = gapped(held.symbol) if held.side is Side.BUY else round(gapped(held.symbol) + spread, 5)
        said += play.out(ticket, price, money(held.symbol, held.side, held.lots, held.open_price, price))
    return said


def test_gap_loss_stays_within_the_figure_and_is_reported_immediately(five: Play) -> None:
    before = five.desk.view()
    shown = before.risk.gap_risk_money
    assert before.equity_money is not None
    assert shown is not None
    assert shown <= 0.10 * before.equity_money, "or one of them would not have been entered"
    five.at += 5 * NS_PER_S
    at = five.at
    said = gap(five)
    after = five.desk.view()
    assert after.equity_money is not None
    assert five.at == at, "within the same instant of the market"
    lost = before.equity_money - after.equity_money
    assert 0.05 * 10_000.0 < lost <= shown
    assert not five.held
    assert len([one for one in said if isinstance(one, TradeClosed)]) == 5
    trip = next(one for one in said if isinstance(one, Alert) and one.kind == "breaker")
    assert (trip.level, trip.text.split(":")[0]) == ("critical", "Daily loss limit reached")
    assert any(isinstance(one, StateChanged) and "day_loss" in one.reasons for one in said)
    assert min(one.day_result_money for one in said if isinstance(one, EquityMarked)) < -0.05 * 10_000.0
    assert after.state == "REDUCE_ONLY"
    assert "day_loss" in [reason.code for reason in after.reasons]
    assert after.oldest_quote_utc_ns < five.at, "the age of the silent ones is on screen"


def test_no_entry_follows_not_even_after_a_restart(five: Play) -> None:
    gap(five)
    sent = len(five.all(Submit))
    five.next_bar()
    asked = five.round(five.signal("EURUSD"), five.signal("USDCHF", Side.SELL))
    assert {(one.outcome, one.reason) for one in asked if isinstance(one, Verdict)} == {("refused", "day_loss")}
    assert len(five.all(Submit)) == sent
    again = Play(five.settings, run_id="r2", at=five.at)
    again.balance = five.balance
    again.start(restored=five.desk.checkpoint(), pairs=tuple(SHORT_DOLLAR))
    again.next_bar()
    asked = again.round(again.signal("EURUSD"))
    assert [(one.outcome, one.reason) for one in asked if isinstance(one, Verdict)] == [("refused", "day_loss")]
    assert not again.all(Submit)
