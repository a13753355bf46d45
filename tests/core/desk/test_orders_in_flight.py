"""Requests in flight: unconfirmed orders are queried, alerted, and never sent again."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.commands import Resolve
from quarterdeck.core.model.effects import (
    Alert,
    CommandDone,
    LogEvent,
    PositionOpened,
    QueryBook,
    QueryOrder,
    StateChanged,
    Submit,
    TradeClosed,
    Verdict,
)
from quarterdeck.core.model.inputs import Accepted, Filled, NewDeal, NotExecuted, OrderOutcome, OrderRejected, Unconfirmed
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, kinds, only


def sent(play: Play) -> Submit:
    return only(play.round(play.signal("EURUSD")), Submit)


def test_unconfirmed_order_is_queried_every_five_seconds_and_realerted() -> None:
    play = Play().start()
    order = sent(play)
    effects = play.report(order.client_id, Unconfirmed(why="timed out"))
    asked = only(effects, QueryOrder)
    assert (asked.client_id, asked.symbol, asked.lots, asked.position_id) == (order.client_id, "EURUSD", order.lots, 0)
    assert only(effects, Alert).kind == "unknown_fate"
    assert only(effects, StateChanged).reasons == ("unknown_fate",)
    later = play.wait(30)
    assert kinds(later) == ["QueryOrder"] * 6
    later = play.wait(600)
    assert [e.kind for e in later if isinstance(e, Alert)] == ["unknown_fate"]
    assert not [e for e in later if isinstance(e, Submit)]
    assert play.desk.view().unconfirmed_orders == 1


def test_it_stops_entries_in_all_pairs_or_in_its_own() -> None:
    for scope, reasons in (("all", ["unknown_fate"]), ("pair", [""])):
        play = Play(shipped_settings(("execution.unknown_order_scope", scope))).start()
        order = sent(play)
        play.report(order.client_id, Unconfirmed(why="timed out"))
        play.next_bar()
        found = play.round(play.signal("EURUSD"), play.signal("GBPUSD"))
        verdicts = {one.symbol: one.reason for one in found if isinstance(one, Verdict)}
        assert [verdicts["GBPUSD"]] == reasons
        assert verdicts["EURUSD"] in ("unknown_fate", "barred_unknown_fate")
        known = [one for one in play.report(order.client_id, NotExecuted(why="not there")) if isinstance(one, Alert)]
        assert [(one.kind, one.level, one.resolved) for one in known] == [("unknown_fate", "critical", True)], (
            "its end is reported as its beginning was"
        )
        assert f"Entry order {order.client_id} (EURUSD buy 0.31 lots) was not executed: nothing was opened." in known[0].text
        assert not play.desk.view().reasons
        assert not play.desk.view().pairs[0].entries_blocked


@pytest.mark.parametrize(
    "end", [NotExecuted(why="rejected"), Filled(order_ticket=5, position_id=9, deal_ticket=7, lots=0.31, price=1.0851)]
)
def test_entries_resume_once_an_accepted_unconfirmed_order_is_proven(end: OrderOutcome) -> None:
    for scope in ("all", "pair"):
        play = Play(shipped_settings(("execution.unknown_order_scope", scope))).start()
        order = sent(play)
        play.report(order.client_id, Unconfirmed(why="timed out"))
        play.report(order.client_id, Accepted(order_ticket=5))
        play.report(order.client_id, end)
        assert not play.desk.view().reasons
        assert not play.desk.view().pairs[0].entries_blocked
        assert not play.desk.view().unconfirmed_orders


def test_accepted_order_does_not_lift_another_orders_entry_stop() -> None:
    play = Play().start()
    first, second = [e for e in play.round(play.signal("EURUSD"), play.signal("USDJPY")) if isinstance(e, Submit)]
    for order in (first, second):
        play.report(order.client_id, Unconfirmed(why="timed out"))
    play.report(first.client_id, Accepted(order_ticket=5))
    assert [reason.code for reason in play.desk.view().reasons] == ["unknown_fate"]
    play.report(second.client_id, Accepted(order_ticket=6))
    assert not play.desk.view().reasons


def test_no_report_at_all_becomes_an_unknown_fate() -> None:
    play = Play().start()
    sent(play)
    assert play.desk.wake_at() == play.at + 40 * NS_PER_S
    assert [e.kind for e in play.wait(41) if isinstance(e, LogEvent)] == ["unknown_fate"]


def test_accepted_is_neither_and_the_deal_proves_it() -> None:
    play = Play().start()
    order = sent(play)
    play.report(order.client_id, Accepted(order_ticket=88))
    assert play.desk.view().orders[0].order_status == "accepted"
    assert only(play.wait(6), QueryOrder).client_id == order.client_id
    play.hold(order, 88, order.lots, order.quoted_price)
    play.deal_in(order, 88, order.lots, order.quoted_price)
    assert only(play.said[-6:], PositionOpened).position_id == 88
    assert only(play.wait(6), QueryOrder).client_id == order.client_id
    play.report(order.client_id, Filled(order_ticket=88, position_id=88, deal_ticket=50_088, lots=order.lots, price=1.0851))
    assert not play.desk.view().orders
    assert len(play.desk.view().positions) == 1


def test_fill_after_a_refusal_is_accepted_and_read() -> None:
    play = Play().start()
    order = sent(play)
    play.report(order.client_id, OrderRejected(kind="refused", code=10006, reason="rejected"))
    late = Filled(order_ticket=88, position_id=88, deal_ticket=50_088, lots=order.lots, price=1.0851)
    effects = play.report(order.client_id, late)
    told = only(effects, Alert)
    assert told.level == "critical"
    assert f"EURUSD buy order {order.client_id} was executed" in told.text
    assert f"with its stop at {order.stop_price}" in told.text
    assert only(effects, QueryBook)
    play.hold(order, 88, order.lots, 1.0851)
    play.book()
    assert [one.position_id for one in play.desk.view().positions] == [88]
    play.deal_in(order, 88, order.lots, 1.0851)
    assert play.desk.view().positions[0].lots == order.lots


def test_a_report_for_nobody_changes_nothing() -> None:
    play = Play().start()
    before = play.desk.checkpoint()
    assert not play.report("zz-9", NotExecuted(why="never heard of it"))
    play.seq, after = play.seq, play.desk.checkpoint()
    assert len(after) == len(before)


def test_our_own_bug_is_an_alert() -> None:
    play = Play().start()
    effects = play.report(sent(play).client_id, OrderRejected(kind="internal_error", code=10013, reason="invalid request"))
    assert only(effects, Alert).level == "critical"


def test_the_operator_may_say_which_position_it_became() -> None:
    play = Play().start()
    order = sent(play)
    play.report(order.client_id, Unconfirmed(why="timed out"))
    effects = play.command(Resolve(client_id=order.client_id, outcome="filled", position_id=88))
    assert only(effects, CommandDone).ok
    assert play.desk.view().risk.reserved_money > 0.0, "until the book shows it"
    play.hold(order, 88, order.lots, 1.0851)
    play.held[88] = msgspec.structs.replace(play.held[88], comment="")
    play.book()
    assert [one.position_id for one in play.desk.view().positions] == [88]
    assert play.desk.view().risk.reserved_money == 0.0
    assert play.last(PositionOpened).signal_id == order.signal_id


def test_early_deals_with_broker_comment_belong_to_their_trade() -> None:
    play = Play().start()
    order = sent(play)
    play.report(order.client_id, Unconfirmed(why="timed out"))
    half = round(order.lots / 2, 2)
    for deal_ticket, lots in ((1, half), (2, round(order.lots - half, 2))):
        play.give(
            NewDeal(
                deal=Deal(
                    deal_ticket=deal_ticket, order_ticket=88, position_id=88, symbol="EURUSD", side=Side.BUY, entry="in",
                    reason="expert", lots=lots, price=1.0851, at_utc_ns=play.at, commission_money=-2.0,
                    magic=play.settings.account.magic, comment="server",
                )
            )
        )  # fmt: skip
    play.hold(order, 88, order.lots, 1.0851)
    play.report(order.client_id, Filled(order_ticket=88, position_id=88, deal_ticket=2, lots=order.lots, price=1.0851))
    play.at += NS_PER_S
    play.book()
    trade = only(play.out(88, 1.0822, -50.0), TradeClosed)
    assert (trade.lots, trade.commission_money) == (order.lots, pytest.approx(-4.0 - 3.5 * order.lots, abs=0.01))
