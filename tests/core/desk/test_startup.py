"""Beginning from nothing, from a checkpoint of the same run, and after a crash."""

from __future__ import annotations

import pytest

from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.model.effects import Alert, Close, Modify, QueryBook, QueryOrder, StateChanged, Submit, TradeClosed, Verdict
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.inputs import Filled, NotExecuted, SequencedInput, TimerFired
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, only


def crashed(play: Play) -> Play:
    again = Play(play.settings, run_id="r2", at=play.at + 1)
    again.held, again.balance, again.tickets = play.held, play.balance, play.tickets
    return again.start(restored=play.desk.checkpoint())


def test_nothing_is_entered_before_account_instruments_and_book_are_known() -> None:
    play = Play()
    play.start()
    states = [e.state for e in play.all(StateChanged)]
    assert states == ["REDUCE_ONLY", "ACTIVE"]


def test_the_first_input_is_started() -> None:
    with pytest.raises(InvariantError, match="Started"):
        Desk().on(SequencedInput(seq=1, at_utc_ns=0, input=TimerFired()))


@pytest.mark.parametrize(("seq", "at"), [(2, 0), (0, 0), (1, -1)])
def test_inputs_come_without_a_gap_and_time_never_goes_back(seq: int, at: int) -> None:
    play = Play().start()
    with pytest.raises(InvariantError):
        play.desk.on(SequencedInput(seq=play.seq + seq, at_utc_ns=play.at + at, input=TimerFired()))
    with pytest.raises(InvariantError):
        play.timer()


def test_crash_before_reply_queries_the_order_and_resends_nothing() -> None:
    play = Play().start()
    order = only(play.round(play.signal("EURUSD")), Submit)
    again = crashed(play)
    asked = again.all(QueryOrder)
    assert [one.client_id for one in asked] == [order.client_id]
    assert not again.all(Submit)
    assert only(again.round(again.signal("GBPUSD")), Verdict).reason == "unknown_fate"
    again.report(order.client_id, NotExecuted(why="not there"))
    again.next_bar()
    entered = only(again.round(again.signal("GBPUSD")), Submit)
    assert entered.client_id == "r2-2"


def test_fill_during_crash_is_adopted_with_stop_and_history() -> None:
    play = Play().start()
    order = only(play.round(play.signal("EURUSD")), Submit)
    play.hold(order, 77, order.lots, 1.0851)
    again = crashed(play)
    assert [one.position_id for one in again.desk.view().positions] == [77]
    assert not again.desk.view().orders
    again.deal_in(order, 77, order.lots, 1.0851)
    again.report(order.client_id, Filled(order_ticket=77, position_id=77, deal_ticket=50_077, lots=order.lots, price=1.0851))
    assert again.desk.view().positions[0].lots == order.lots
    trade = only(again.out(77, 1.082, -96.1), TradeClosed)
    assert trade.signal_id == order.signal_id
    assert trade.result_r == pytest.approx(-1.0, abs=0.01)


def test_the_peak_survives_and_care_goes_on() -> None:
    play = Play(shipped_settings(("position.trail_x_atr", 0.0))).start()
    play.enter()
    play.book()
    play.quote("EURUSD", 1.0880, after_s=30)
    again = crashed(play)
    assert again.desk.view().positions[0].peak_money > 80.0
    assert [e.why for e in again.all(Close)] == ["give_back"], "due at the first fresh quote"


def test_a_trade_that_closed_meanwhile_is_settled_by_its_deals() -> None:
    play = Play().start()
    position = play.enter()
    held = play.held.pop(position)
    again = crashed(play)
    again.held[position] = held
    trade = only(again.out(position, 1.082, -96.1), TradeClosed)
    assert trade.position_id == position
    assert again.desk.view().balance_money == pytest.approx(again.balance)


def test_interrupted_close_is_read_before_it_is_repeated() -> None:
    play = Play(shipped_settings(("position.time_exit_hours", 1.0), ("position.trail_x_atr", 0.0))).start()
    position = play.enter()
    play.book()
    play.at += 3600 * 1_000_000_000
    first = only(play.quote("EURUSD"), Close)
    again = crashed(play)
    assert [one.kind for one in again.all(Alert) if one.kind == "unknown_fate"]
    repeated = again.all(Close)
    assert [one.position_id for one in repeated] == [position], "sent again only after the book showed it open"
    assert repeated[0].client_id != first.client_id


def test_interrupted_stop_move_is_resolved_from_the_book() -> None:
    play = Play(shipped_settings(("position.profit_retrace_pct", 100.0))).start()
    position = play.enter()
    play.book()
    moved = only(play.quote("EURUSD", 1.0875, after_s=5), Modify)
    play.modified(moved)
    again = crashed(play)
    assert again.desk.view().positions[0].stop_price == moved.stop_price
    assert again.desk.view().positions[0].position_id == position
    assert "unknown_fate" not in [reason.code for reason in again.desk.view().reasons]


def test_the_book_is_asked_for_again_while_it_is_unknown() -> None:
    play = Play().start()
    play.book(known=False)
    assert play.desk.view().positions_match is None
    assert play.desk.view().state == "REDUCE_ONLY"
    assert only(play.wait(5.5), QueryBook)
    play.book()
    assert play.desk.view().state == "ACTIVE"


@pytest.mark.parametrize(
    ("strategy", "kept"),
    [
        ((("strategy.name", "trend"),), 1),
        ((("strategy.name", "another"),), 0),
        ((("strategy.name", "trend"), ("strategy.file", "mine.py")), 0),
    ],
    ids=["the same", "another", "another file"],
)
def test_the_results_behind_kelly_are_those_of_the_same_strategy(strategy: tuple[tuple[str, object], ...], kept: int) -> None:
    play = Play().start()
    play.out(play.enter(), 1.08, -10.0)
    assert len(play.desk._ctx.state.results_r) == 1
    again = Play(shipped_settings(*strategy), run_id="r2", at=play.at).start(restored=play.desk.checkpoint())
    assert len(again.desk._ctx.state.results_r) == kept
