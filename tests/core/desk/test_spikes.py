"""One quote out of proportion closes nothing and raises no peak; the pair's next quote, or two seconds of silence, decides."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.commands import Flatten
from quarterdeck.core.model.effects import Close, LogEvent, Modify, Verdict
from quarterdeck.core.model.inputs import AccountRead
from quarterdeck.core.model.signals import Features, NoSignal
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import BID, Play, account, only
from tests.core.desk.test_balance_changes import CALM, reasons

RULES = (*CALM, ("breakers.day_loss_max_pct", 3.0), ("breakers.trip_action", "flatten"), ("risk.open_risk_max_pct", 20.0))
CRASH = BID["EURUSD"] - 0.0110


def holding(*more: tuple[str, object]) -> tuple[Play, int]:
    """A long euro with an ATR of ten pips."""
    play = Play(shipped_settings(*RULES, *more)).start()
    position = play.enter()
    features = Features(atr_m15_price=0.0010, atr_h1_price=0.0020, regime="normal")
    play.give(NoSignal(symbol="EURUSD", strategy="trend", strategy_hash="h", bar_open_utc_ns=play.bar_open(), features=features))
    play.desk._ctx.pair("EURUSD").features = features
    return play, position


@pytest.mark.parametrize("wide", [False, True])
def test_a_spike_that_the_next_quote_denies_trips_nothing(wide: bool) -> None:
    play, _ = holding()
    peak = play.desk._ctx.state.breakers.peak_money
    effects = play.quote("EURUSD", CRASH, spread=0.0220 if wide else None)
    assert not [one for one in effects if isinstance(one, Close)]
    effects += play.quote("EURUSD", BID["EURUSD"] - 0.0001, after_s=0.5)
    play.wait(10.0)
    assert reasons(play) == []
    assert not play.all(Close)
    assert [one.kind for one in effects if isinstance(one, LogEvent)] == ["spike", "spike_denied"]
    assert play.desk._ctx.state.breakers.peak_money == peak


@pytest.mark.parametrize("how", ["next quote", "silence"])
def test_a_crash_that_is_confirmed_trips(how: str) -> None:
    play, position = holding()
    play.quote("EURUSD", CRASH)
    effects = play.quote("EURUSD", CRASH - 0.0002, after_s=0.3) if how == "next quote" else play.wait(2.0)
    assert only(effects, Close).position_id == position
    assert "day_loss" in reasons(play)


def test_a_favourable_spike_moves_neither_peak_nor_stop() -> None:
    play, position = holding(("position.trail_x_atr", 2.0), ("position.profit_retrace_pct", 25.0))
    play.book()
    before = play.desk._ctx.state.breakers.peak_money
    play.quote("EURUSD", BID["EURUSD"] + 0.0100)
    play.quote("EURUSD", BID["EURUSD"] + 0.0001, after_s=0.2)
    play.wait(5.0)
    state = play.desk._ctx.state
    assert state.breakers.peak_money == pytest.approx(before, abs=10.0)
    assert state.positions[position].peak_money < 10.0
    assert not play.all(Modify)
    assert not play.all(Close)


def test_entries_wait_while_a_quote_is_suspect() -> None:
    play, _ = holding()
    play.next_bar()
    play.quote("EURUSD", CRASH)
    assert only(play.round(play.signal("GBPUSD")), Verdict).outcome == "waiting"


def test_the_operators_flatten_and_the_firms_figure_never_wait() -> None:
    play, position = holding()
    play.quote("EURUSD", CRASH)
    assert only(play.command(Flatten()), Close).position_id == position
    rules = (("prop_firm.enabled", True), ("prop_firm.day_loss_pct", 5.0))
    play, position = holding(*rules)
    assert not [one for one in play.quote("EURUSD", CRASH) if isinstance(one, Close)]
    effects = play.give(AccountRead(account=account(balance_money=play.balance, equity_money=9_400.0)))
    assert only(effects, Close).why == "funded_rule"
