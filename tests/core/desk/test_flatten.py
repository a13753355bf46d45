"""Flatten: entries stop first, everything in scope goes, and "flat" is said when it is proven."""

from __future__ import annotations

from quarterdeck.core.model.broker_account import BrokerOrder
from quarterdeck.core.model.commands import Flatten, Pause, Resume
from quarterdeck.core.model.effects import Alert, Cancel, Close, CommandDone, Effect, QueryBook, StateChanged, Submit, Verdict
from quarterdeck.core.model.inputs import ConnectionState, Filled, NotExecuted, OrderRejected, RequestDone, Unconfirmed
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import MONDAY, NOON, Play, kinds, only
from tests.core.desk.test_entry_evaluation import foreign

FREE = (("correlation.risk_max_pct", 50.0), ("exposure.gap_risk_max_pct", 90.0), ("exposure.currency_max_x_equity", 90.0))


def two(**more: object) -> tuple[Play, int, int]:
    play = Play(shipped_settings(*FREE, *more.items())).start()
    first = play.enter("EURUSD")
    play.next_bar()
    second = play.enter("USDJPY", Side.SELL)
    play.book()
    return play, first, second


def closes(effects: list[Effect]) -> list[Close]:
    return [effect for effect in effects if isinstance(effect, Close)]


def test_largest_open_risk_first_and_no_entry_after() -> None:
    play, first, second = two()
    play.quote("EURUSD", 1.0835)
    effects = play.command(Flatten())
    assert kinds(effects)[0] == "StateChanged", "entries stop first"
    assert [one.position_id for one in closes(effects)] == [second, first], "the loser has less left to lose"
    assert all(one.urgent and one.why == "flatten" for one in closes(effects))
    play.next_bar()
    assert only(play.round(play.signal("GBPUSD")), Verdict).reason == "flatten"


def test_flat_is_said_after_two_readings_and_holds_until_resumed() -> None:
    play, first, second = two()
    sent = {one.position_id: one for one in closes(play.command(Flatten(), "f1"))}
    play.close(sent[first], 1.085, -3.1)
    play.close(sent[second], 150.90, 0.0)
    assert not play.all(CommandDone)
    play.book()
    assert not play.all(CommandDone), "one reading is not enough"
    effects = play.book()
    done = only(effects, CommandDone)
    assert (done.command_id, done.ok) == ("f1", True)
    assert "flat, verified" in done.text
    assert [e for e in effects if isinstance(e, StateChanged)][-1].state == "HALTED"
    play.next_bar()
    assert only(play.round(play.signal("GBPUSD")), Verdict).reason == "flat"
    assert only(play.command(Resume()), StateChanged).state == "ACTIVE"
    assert not play.desk.view().reasons


def test_an_unknown_reading_starts_the_count_again() -> None:
    play, _first, _second = two()
    for one in closes(play.command(Flatten())):
        play.close(one, 1.085, 0.0)
    play.book()
    play.book(known=False)
    play.book()
    assert not play.all(CommandDone)
    play.book()
    assert play.all(CommandDone)


def test_no_close_waits_for_the_retry_of_another() -> None:
    play, _first, _second = two()
    sent = closes(play.command(Flatten()))
    play.report(sent[0].client_id, OrderRejected(kind="retry", code=10004, reason="requote"))
    retried = play.all(Close)[2:]
    assert [one.position_id for one in retried] == [sent[0].position_id], "a first requote is repeated at once"
    play.report(retried[0].client_id, OrderRejected(kind="retry", code=10004, reason="requote"))
    assert len(play.all(Close)) == 3, "the second after a wait"
    play.close(sent[1], 1.085, 0.0)
    effects = play.wait(4)
    assert [one.position_id for one in closes(effects)] == [sent[0].position_id]


def test_after_unconfirmed_close_only_still_open_volume_is_resent() -> None:
    play, first, _second = two()
    sent = {one.position_id: one for one in closes(play.command(Flatten()))}
    effects = play.report(sent[first].client_id, Unconfirmed(why="timed out"))
    assert not closes(effects)
    assert not closes(play.wait(3)), "nothing before the book was read"
    play.book(known=False)
    assert not closes(play.said[-6:])
    play.out(first, 1.085, -1.6, lots=0.16, reason="expert")
    effects = play.book()
    assert [(one.position_id, one.lots) for one in closes(effects)] == [(first, 0.15)]
    assert closes(effects)[0].client_id != sent[first].client_id


def test_not_executed_close_is_not_repeated_before_book_is_known() -> None:
    play, first, _ = two()
    sent = next(one for one in closes(play.command(Flatten())) if one.position_id == first)
    play.report(sent.client_id, Unconfirmed(why="timed out"))
    assert not closes(play.report(sent.client_id, NotExecuted(why="not in history")))
    assert [one.position_id for one in closes(play.book())] == [first]


def test_pending_orders_of_ours_go_first_and_only_ours() -> None:
    play, _, _ = two()
    for ticket, magic in ((70, play.settings.account.magic), (71, 0)):
        play.pending[ticket] = BrokerOrder(
            ticket=ticket, symbol="EURUSD", kind="limit", side=Side.BUY, lots=0.1, price=1.08, stop_price=None,
            target_price=None, placed_utc_ns=NOON, magic=magic,
        )  # fmt: skip
    play.book()
    effects = play.command(Flatten())
    names = kinds(effects)
    assert names.index("Cancel") < names.index("Close")
    assert only(effects, Cancel).order_ticket == 70
    del play.pending[70]
    play.report(only(effects, Cancel).client_id, RequestDone())


def test_external_positions_stay_unless_whole_account_is_chosen() -> None:
    play, first, second = two()
    play.held[9] = foreign("EURUSD")
    play.book()
    assert sorted(one.position_id for one in closes(play.command(Flatten()))) == [first, second]
    for one in play.all(Close):
        play.close(one, 1.085, 0.0)
    play.book()
    play.book()
    assert "1 position not opened by this desk (#9 EURUSD buy 0.1 lots) is left alone" in play.last(CommandDone).text
    effects = play.command(Flatten(scope="account"), "c2")
    assert [one.position_id for one in closes(effects)] == [9]
    play.close(closes(effects)[0], 1.085, 0.0)
    for _ in range(3):
        play.book()
    assert (play.last(CommandDone).command_id, play.last(CommandDone).ok) == ("c2", True)


def test_closed_market_is_listed_and_closing_resumes_at_open() -> None:
    play, first, second = two()
    sent = closes(play.command(Flatten(), "f1"))
    opens = play.at + 3600 * NS_PER_S
    for one in sent:
        play.report(one.client_id, OrderRejected(kind="market_closed", code=10018, reason="market closed", retry_utc_ns=opens))
    play.book()
    done = play.last(CommandDone)
    assert not done.ok
    assert "market closed until Mon 13:15 UTC" in done.text
    told = [one.text for one in play.all(Alert) if one.kind in ("flatten", "error")]
    assert "Nobody can close them before the open" in told[-1]
    assert not [text for text in told if "close it in the terminal" in text or "close them in the terminal" in text]
    view = play.desk.view()
    assert view.state == "REDUCE_ONLY"
    assert view.flatten is not None
    assert len(view.flatten.left_open) == 2
    effects = play.wait(3600)
    assert sorted(one.position_id for one in closes(effects)) == [first, second]


def test_a_closed_market_may_wait_for_a_normal_spread() -> None:
    play, first, _ = two(**{"flatten.reopen_action": "when_spread_normal"})
    opens = play.at + 600 * NS_PER_S
    for one in closes(play.command(Flatten())):
        play.report(one.client_id, OrderRejected(kind="market_closed", code=10018, reason="closed", retry_utc_ns=opens))
    play.at = opens
    play.quote("EURUSD", spread=0.0030)
    assert first not in [one.position_id for one in closes(play.wait(5))]
    play.quote("EURUSD")
    assert first in [one.position_id for one in closes(play.wait(2))]


def test_flatten_works_paused_and_with_the_feed_down() -> None:
    play, _first, _second = two()
    play.command(Pause())
    play.give(ConnectionState(is_connected=False, why="connection lost"))
    sent = closes(play.command(Flatten()))
    assert len(sent) == 2
    for one in sent:
        play.close(one, 1.085, 0.0)
    play.book()
    play.book()
    assert play.last(CommandDone).ok
    assert list(play.desk._ctx.state.reasons) == ["paused", "feed", "flat"]


def test_entry_in_flight_is_awaited_and_closed_when_filled() -> None:
    play = Play().start()
    sent = only(play.round(play.signal("EURUSD")), Submit)
    assert not closes(play.command(Flatten(), "f1"))
    play.book()
    play.book()
    assert not play.all(CommandDone), "an entry without an outcome is not flat"
    position = play.fill(sent)
    assert [one.position_id for one in closes(play.said[-8:])] == [position] or closes(play.book())
    play.close(play.last(Close), 1.085, 0.0)
    for _ in range(3):
        play.book()
    assert play.last(CommandDone).ok


def test_with_nothing_open_it_is_flat_after_two_readings() -> None:
    play = Play(at=MONDAY + 12 * 3600 * NS_PER_S).start()
    assert only(play.command(Flatten(), "f1"), QueryBook)
    play.book()
    play.book()
    assert play.last(CommandDone).ok


def test_every_candidate_that_waited_gets_its_verdict() -> None:
    play = Play().start()
    play.quote("EURUSD", spread=0.0005)
    play.round(play.signal("EURUSD"))
    effects = play.command(Flatten())
    assert [(one.outcome, one.reason) for one in effects if isinstance(one, Verdict)] == [("refused", "flatten")]


def test_a_weekend_of_leftovers_asks_for_nothing_every_few_seconds() -> None:
    play, _, _ = two()
    opens = play.at + 49 * 3600 * NS_PER_S
    for one in closes(play.command(Flatten())):
        play.report(one.client_id, OrderRejected(kind="market_closed", code=10018, reason="closed", retry_utc_ns=opens))
    play.book()
    before = len(play.tape)
    play.wait(48 * 3600)
    assert len(play.tape) - before < 20


def test_money_that_is_not_read_yet_is_said_with_flat() -> None:
    play, first, second = two()
    sent = {one.position_id: one for one in closes(play.command(Flatten(), "f1"))}
    play.close(sent[first], 1.085, -3.1)
    late = play.held.pop(second)
    fill = Filled(order_ticket=7, position_id=second, deal_ticket=8, lots=late.lots, price=150.90)
    play.report(sent[second].client_id, fill)
    play.book()
    assert only(play.book(), CommandDone).text.endswith("; the result of 1 closed position is still to be read")
