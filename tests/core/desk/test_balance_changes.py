"""Money that moves on the desk: no transfer is a result, no result is lost, and what no deal explains waits."""

from __future__ import annotations

import random

import msgspec
import pytest

from quarterdeck.core.desk import desk_state
from quarterdeck.core.model.broker_account import BrokerPosition, Deal
from quarterdeck.core.model.commands import Resolve
from quarterdeck.core.model.effects import Alert, Close, CommandDone, MoneyMoved, Submit, TradeClosed
from quarterdeck.core.model.inputs import AccountRead, NewDeal
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, account, only

CALM = (("position.time_exit_hours", 0.0), ("position.trail_x_atr", 0.0), ("position.profit_retrace_pct", 100.0))
LATEST = 900_000


def deal(play: Play, money: float, *, deal_type: int = 2, comment: str = "", ticket: int = LATEST, at_s: float = 0.0) -> Deal:
    """A deal without a trade, `at_s` seconds from now."""
    credit = deal_type in (3, 20)
    return Deal(
        deal_ticket=ticket,
        order_ticket=0,
        position_id=0,
        symbol="",
        side=Side.BUY,
        entry="in",
        reason="client",
        lots=0.0,
        price=0.0,
        at_utc_ns=play.at + round(at_s * 1e9),
        balance_money=0.0 if credit else money,
        credit_money=money if credit else 0.0,
        comment=comment,
        deal_type=deal_type,
    )


def read(play: Play, balance: float, **more: object) -> list[object]:
    return list(play.give(AccountRead(account=account(balance_money=balance, **more))))


def reasons(play: Play) -> list[str]:
    return [reason.code for reason in play.desk.view().reasons]


def limits(play: Play) -> tuple[float, float, float]:
    """Day's base, peak and equity."""
    held = play.desk._ctx.state
    return held.breakers.day_base_money, held.breakers.peak_money, held.equity_money


@pytest.mark.parametrize("first", ["account", "deal"])
@pytest.mark.parametrize("amount", [5_000.0, -700.0])
def test_a_transfer_moves_base_and_peak_once_whichever_comes_first(first: str, amount: float) -> None:
    play = Play(shipped_settings()).start()
    if first == "account":
        read(play, 10_000.0 + amount)
        assert limits(play) == (10_000.0, 10_000.0, 10_000.0), "a balance without its deal is no result"
    told = play.give(NewDeal(deal=deal(play, amount)))
    read(play, 10_000.0 + amount)
    assert limits(play) == (10_000.0 + amount,) * 3
    assert reasons(play) == []
    assert only(told, MoneyMoved).kind == "transfer"
    assert only(told, Alert).kind == "money"
    assert play.desk.view().day_result_money == 0.0


@pytest.mark.parametrize("deal_type", [2, 5, 6])
def test_a_transfer_at_a_drawdown_leaves_its_share(deal_type: int) -> None:
    play = Play(shipped_settings(("breakers.day_loss_max_pct", 50.0))).start()
    position = play.enter()
    play.out(position, 1.08, -896.5)
    before = play.desk.view().drawdown_fraction
    assert before == pytest.approx(0.09, abs=0.001)
    for number, amount in enumerate((20_000.0, -25_000.0)):
        play.balance += amount
        play.give(NewDeal(deal=deal(play, amount, deal_type=deal_type, ticket=LATEST + number)))
        read(play, play.balance)
        assert play.desk.view().drawdown_fraction == pytest.approx(before)
    assert reasons(play) == []


def test_removed_credit_leaves_the_drawdown_and_the_balance() -> None:
    play = Play(shipped_settings(("breakers.day_loss_max_pct", 50.0))).start(credit_money=2_000.0)
    position = play.enter()
    play.out(position, 1.08, -1_000.0)
    before = play.desk.view().drawdown_fraction
    told = [*play.give(NewDeal(deal=deal(play, -2_000.0, deal_type=3))), *read(play, play.balance, credit_money=0.0)]
    assert play.desk.view().drawdown_fraction == pytest.approx(before)
    assert play.desk.view().balance_money == pytest.approx(play.balance)
    assert only(told, MoneyMoved).kind == "credit"


def test_all_money_out_and_in_again_keeps_the_drawdown() -> None:
    play = Play(shipped_settings(("breakers.day_loss_max_pct", 50.0))).start()
    position = play.enter()
    play.out(position, 1.08, -496.5)
    before = play.desk.view().drawdown_fraction
    for number, amount in enumerate((-play.balance, 3_000.0)):
        play.balance += amount
        play.give(NewDeal(deal=deal(play, amount, ticket=LATEST + number)))
        read(play, play.balance)
    assert play.desk.view().drawdown_fraction == pytest.approx(before)
    assert reasons(play) == []


def test_ten_charges_are_a_loss_of_their_sum() -> None:
    play = Play(shipped_settings()).start()
    for number in range(10):
        play.balance -= 60.0
        play.give(NewDeal(deal=deal(play, -60.0, deal_type=7 + number % 6, ticket=LATEST + number)))
        read(play, play.balance)
    view = play.desk.view()
    assert (view.day_result_money, view.day_loss_money) == (-600.0, 600.0)
    assert reasons(play) == ["day_loss"]


@pytest.mark.parametrize(
    ("comment", "kind"),
    [("Withdrawal", "transfer"), ("Monthly fee", "result"), ("adjustment", "result"), ("revers. of #1001", "result"), ("coffee", "transfer")],
)  # fmt: skip
def test_a_balance_operation_is_told_by_its_comment(comment: str, kind: str) -> None:
    play = Play(shipped_settings()).start()
    assert only(play.give(NewDeal(deal=deal(play, -50.0, comment=comment))), MoneyMoved).kind == kind


def test_a_balance_operation_that_names_a_position_is_a_result() -> None:
    play = Play(shipped_settings()).start()
    position = play.enter()
    told = play.give(NewDeal(deal=deal(play, -50.0, comment=f"correction of #{position}")))
    assert only(told, MoneyMoved).kind == "result"


@pytest.mark.parametrize("deal_type", [12, 15, 19, 33])
def test_income_lessens_no_loss_of_the_day(deal_type: int) -> None:
    play = Play(shipped_settings()).start()
    position = play.enter()
    play.out(position, 1.08, -300.0)
    view = play.desk.view()
    lost, share = view.day_result_money, view.day_loss_money / view.day_base_money
    play.balance += 250.0
    told = play.give(NewDeal(deal=deal(play, 250.0, deal_type=deal_type)))
    read(play, play.balance)
    view = play.desk.view()
    assert only(told, MoneyMoved).kind == "income"
    assert view.day_result_money == pytest.approx(lost)
    assert view.day_loss_money / view.day_base_money == pytest.approx(share)
    assert ("deal type 33" in only(told, Alert).text) == (deal_type == 33)


def test_unknown_negative_money_counts_as_a_result() -> None:
    play = Play(shipped_settings()).start()
    play.balance -= 600.0
    play.give(NewDeal(deal=deal(play, -600.0, deal_type=44)))
    read(play, play.balance)
    assert reasons(play) == ["day_loss"]
    done = only(play.command(Resolve(client_id=str(LATEST), outcome="transfer")), CommandDone)
    assert (done.ok, reasons(play)) == (True, [])
    assert limits(play) == pytest.approx((9_400.0, 9_400.0, 9_400.0))
    assert not only(play.command(Resolve(client_id=str(LATEST), outcome="transfer")), CommandDone).ok, "once"


def test_missing_money_stops_entries_after_a_while_and_closes_nothing() -> None:
    play = Play(shipped_settings(*CALM, ("breakers.trip_action", "flatten"))).start()
    play.enter()
    read(play, play.balance - 2_000.0)
    assert reasons(play) == []
    alerts = [one for one in play.wait(31) if isinstance(one, Alert)]
    assert [(one.kind, one.level) for one in alerts] == [("money", "critical")]
    assert reasons(play) == ["unexplained_money"]
    assert not play.all(Close)
    play.wait(120)
    assert sum(1 for one in play.all(Alert) if one.kind == "money") == 1, "reported once"
    play.balance -= 2_000.0
    play.give(NewDeal(deal=deal(play, -2_000.0, at_s=-100)))
    read(play, play.balance)
    assert reasons(play) == []
    assert play.desk.view().drawdown_fraction < 0.001


def test_missing_money_counts_as_lost_for_an_entry() -> None:
    play = Play(shipped_settings(("risk.risk_per_trade_pct", 0.5), ("breakers.day_loss_max_pct", 50.0))).start()
    play.round(play.signal("EURUSD"))
    whole = play.said[-1]
    short = Play(shipped_settings(("risk.risk_per_trade_pct", 0.5), ("breakers.day_loss_max_pct", 50.0), ("breakers.drawdown_max_pct", 60.0))).start()  # fmt: skip
    read(short, 6_000.0)
    short.round(short.signal("EURUSD"))
    lots = [one.lots for play_ in (play, short) for one in play_.said if type(one).__name__ == "Submit"]
    assert whole is not None
    assert lots[1] == pytest.approx(0.6 * lots[0], abs=0.011)


@pytest.mark.parametrize(("outcome", "base", "result"), [("transfer", 9_300.0, 0.0), ("result", 10_000.0, -700.0)])
def test_the_operators_word_books_money_once(outcome: str, base: float, result: float) -> None:
    play = Play(shipped_settings(("breakers.day_loss_max_pct", 20.0))).start()
    read(play, 9_300.0)
    assert only(play.command(Resolve(client_id="money", outcome=outcome)), CommandDone).ok  # type: ignore[arg-type]
    for _ in range(2):  # the deal comes late, and changes nothing any more
        assert (limits(play)[0], play.desk.view().day_result_money) == pytest.approx((base, result))
        play.give(NewDeal(deal=deal(play, -700.0)))
        read(play, 9_300.0)
    assert not only(play.command(Resolve(client_id="money", outcome=outcome)), CommandDone).ok  # type: ignore[arg-type]


def test_too_much_money_is_not_judged_and_stops_nothing() -> None:
    play = Play(shipped_settings()).start()
    read(play, 12_500.0)
    play.wait(40)
    assert limits(play) == (10_000.0, 10_000.0, 10_000.0)
    assert reasons(play) == []
    assert [one.level for one in play.all(Alert) if one.kind == "money"] == ["warning"]


def test_a_trade_whose_deal_is_late_counts_at_once() -> None:
    play = Play(shipped_settings(*CALM)).start()
    position = play.enter()
    lots = play.held[position].lots
    play.quote("EURUSD", 1.0820)
    floating = play.desk.view().equity_money - play.balance
    assert floating < -90.0
    play.held.pop(position)
    loss = floating - 3.0
    read(play, play.balance + loss)
    play.book()
    play.book(), play.wait(6), play.book()
    read(play, play.balance + loss)
    assert play.desk.view().equity_money == pytest.approx(play.balance + loss), "not a second time, and not as nothing"
    play.wait(40)
    assert reasons(play) == [], "a closed trade explains it"
    assert lots > 0.0


def test_a_profit_whose_deal_is_late_is_no_loss() -> None:
    play = Play(shipped_settings(*CALM)).start()
    position = play.enter()
    play.quote("EURUSD", 1.0890)
    before = play.desk.view().equity_money
    play.held.pop(position)
    read(play, before)
    play.book(), play.book(), play.wait(6), play.book()
    read(play, before)
    assert play.desk.view().equity_money == pytest.approx(before)
    assert play.desk.view().drawdown_fraction == pytest.approx(0.0)


@pytest.mark.parametrize("paid_back_by", ["the deal", "a balance operation"])
def test_a_cancelled_deal_is_a_result_once(paid_back_by: str) -> None:
    play = Play(shipped_settings()).start()
    position = play.enter()
    lots = play.held[position].lots
    play.out(position, 1.09, 200.0)
    read(play, play.balance)
    net = 200.0 - round(3.5 * lots, 2)
    told = play.give(NewDeal(deal=cancelled(play, play.tickets + 90_000, position)))
    assert "cancelled sell" in only(told, Alert).text
    play.balance -= net
    if paid_back_by == "a balance operation":
        assert only(play.give(NewDeal(deal=deal(play, -net, comment="cancelled trade"))), MoneyMoved).kind == "result"
    read(play, play.balance)
    view = play.desk.view()
    assert view.equity_money == pytest.approx(play.balance)
    assert view.day_result_money == pytest.approx(play.balance - 10_000.0)
    play.wait(60)
    assert reasons(play) == []


def cancelled(play: Play, ticket: int, position: int) -> Deal:
    """The broker took a closing deal back: its type changes and its money is gone."""
    return Deal(
        deal_ticket=ticket, order_ticket=0, position_id=position, symbol="", side=Side.SELL, entry="out", reason="client",
        lots=0.0, price=0.0, at_utc_ns=play.at, deal_type=14,
    )  # fmt: skip


def test_funded_floors_are_judged_by_the_brokers_equity() -> None:
    rules = (("prop_firm.enabled", True), ("prop_firm.day_loss_pct", 5.0), ("prop_firm.overall_loss_pct", 10.0))
    play = Play(shipped_settings(*CALM, *rules, ("breakers.drawdown_max_pct", 90.0), ("breakers.day_loss_max_pct", 90.0))).start()
    position = play.enter()
    effects = read(play, play.balance, equity_money=9_510.0)
    assert only(effects, Close).position_id == position
    assert only(effects, Close).why == "funded_rule"


def test_a_checkpoint_from_before_keeps_its_balance() -> None:
    play = Play(shipped_settings()).start()
    old = msgspec.msgpack.decode(play.desk.checkpoint())
    del old["balance"], old["deal_money"], old["results_without_trade"]
    old["balance_money"], old["balance_ahead_money"] = 12_500.0, 2_500.0
    again = Play(play.settings, run_id="r2", at=play.at)
    again.balance = 12_500.0
    again.start(restored=msgspec.msgpack.encode(old))
    assert again.desk._ctx.state.balance.unexplained_money == pytest.approx(2_500.0)
    again.give(NewDeal(deal=deal(again, 2_500.0)))
    assert limits(again) == pytest.approx((12_500.0, 12_500.0, 12_500.0))
    assert desk_state.decoded(again.desk.checkpoint()) == again.desk._ctx.state


@pytest.mark.parametrize("seed", range(20))
def test_random_histories_end_in_what_their_deals_say(seed: int) -> None:
    """Balance, base and peak against figures that are reckoned here from the deals alone."""
    draw = random.Random(seed)
    play = Play(shipped_settings(("breakers.day_loss_max_pct", 90.0), ("breakers.drawdown_max_pct", 90.0))).start()
    balance = base = peak = 10_000.0
    result = 0.0
    late: list[Deal] = []
    for number in range(40):
        money = round(draw.uniform(-0.08, 0.08) * balance, 2)
        deal_type = draw.choice((2, 2, 4, 7, 12, 15, 17, 25))
        before, balance = balance, round(balance + money, 2)
        one = deal(play, money, deal_type=deal_type, ticket=LATEST + number)
        if deal_type == 2:
            base, peak = base * balance / before, peak * balance / before
        elif money > 0.0:
            base *= balance / before
        else:
            result += money
        peak = max(peak, balance)
        late.append(one)
        if draw.random() < 0.3:
            read(play, balance)  # before the deals that explain it
        if draw.random() < 0.6:
            for missing in late:
                play.give(NewDeal(deal=missing))
                if draw.random() < 0.3:
                    play.give(NewDeal(deal=missing))
            late.clear()
            read(play, balance)
        play.wait(draw.choice((0.0, 1.0, 10.0)))
    for missing in late:
        play.give(NewDeal(deal=missing))
    read(play, balance)
    view = play.desk.view()
    assert view.balance_money == pytest.approx(balance, abs=1e-6)
    assert view.equity_money == pytest.approx(balance, abs=1e-6)
    assert limits(play)[:2] == pytest.approx((base, peak), rel=1e-9)
    assert view.day_result_money == pytest.approx(result, abs=1e-6)
    assert reasons(play) == []


def test_a_fill_beyond_its_stop_uses_requested_risk() -> None:
    play = Play(shipped_settings(*CALM)).start()
    play.round(play.signal("EURUSD"))
    sent = play.last(Submit)
    position = play.fill(sent, price=sent.stop_price - 0.0010)
    play.out(position, sent.stop_price - 0.0015, -20.0)
    trade = play.last(TradeClosed)
    assert trade.risk_asked
    assert trade.risk_money == pytest.approx(sent.risk_money)
    assert abs(trade.result_r) < 1.0


def test_a_charge_of_yesterday_called_a_transfer_leaves_todays_base() -> None:
    rules = (("prop_firm.enabled", True), ("prop_firm.day_start", "17:00"), ("prop_firm.day_zone", "America/New_York"))
    play = Play(shipped_settings(("breakers.day_loss_max_pct", 50.0), *rules)).start()
    play.balance -= 600.0
    play.give(NewDeal(deal=deal(play, -600.0, deal_type=44)))
    read(play, play.balance)
    play.wait(12 * 3600.0)
    assert limits(play) == pytest.approx((9_400.0, 10_000.0, 9_400.0))
    assert only(play.command(Resolve(client_id=str(LATEST), outcome="transfer")), CommandDone).ok
    assert limits(play) == pytest.approx((9_400.0, 9_400.0, 9_400.0))
    assert play.desk.view().day_result_money == pytest.approx(0.0)
    assert play.desk._ctx.state.prop_firm.day_base_money == pytest.approx(9_400.0)
    assert play.desk._ctx.state.prop_firm.starting_balance_money == pytest.approx(9_400.0)


def by_hand(play: Play, lots: float, bid: float) -> int:
    """Someone's own position, bought at `bid` in a book that was read."""
    play.tickets += 1
    play.held[play.tickets] = BrokerPosition(
        ticket=play.tickets, position_id=play.tickets, symbol="EURUSD", side=Side.BUY, lots=lots, open_price=bid, stop_price=1.0,
        target_price=0.0, opened_utc_ns=play.at, magic=0, comment="",
    )  # fmt: skip
    play.book()
    return play.tickets


@pytest.mark.parametrize("moved_pips", [-35.0, 60.0])
@pytest.mark.parametrize("order", ["deal book account", "book deal account", "account deal book", "book account deal"])
def test_a_close_of_others_counts_once_whichever_comes_first(order: str, moved_pips: float) -> None:
    play = Play(shipped_settings(*CALM, ("breakers.trip_action", "flatten"))).start()
    position, profit = by_hand(play, 1.0, 1.085), moved_pips * 10.0
    play.quote("EURUSD", 1.085 + moved_pips / 10_000)
    worth, peak = play.desk.view().equity_money, limits(play)[1]
    assert worth == pytest.approx(10_000.0 + profit)
    held = play.held.pop(position)
    play.balance += profit
    play.at += NS_PER_S
    closed = Deal(
        deal_ticket=LATEST, order_ticket=1, position_id=position, symbol="EURUSD", side=Side.SELL, entry="out", reason="client",
        lots=held.lots, price=1.085 + moved_pips / 10_000, at_utc_ns=play.at, profit_money=profit,
    )  # fmt: skip
    told = {"deal": lambda: play.give(NewDeal(deal=closed)), "book": play.book, "account": lambda: read(play, play.balance)}
    for one in order.split():
        told[one]()
        assert limits(play)[1:] == pytest.approx((peak, worth)), one
    assert reasons(play) == []
    play.wait(120)
    assert limits(play)[1:] == pytest.approx((peak, worth))
    assert reasons(play) == []


def test_an_external_loss_without_deal_is_booked() -> None:
    play = Play(shipped_settings(*CALM)).start()
    position = by_hand(play, 1.0, 1.085)
    play.quote("EURUSD", 1.0820)
    held = play.held.pop(position)
    play.at += NS_PER_S
    play.balance -= 300.0
    play.book()
    for _ in range(3):
        read(play, play.balance)
        play.wait(35.0)
    assert (reasons(play), play.desk.view().balance_money) == ([], pytest.approx(9_700.0))
    late = Deal(
        deal_ticket=LATEST, order_ticket=1, position_id=position, symbol="EURUSD", side=Side.SELL, entry="out", reason="client",
        lots=held.lots, price=1.0820, at_utc_ns=play.at, profit_money=-300.0,
    )  # fmt: skip
    play.give(NewDeal(deal=late))
    read(play, play.balance)
    assert limits(play)[2] == pytest.approx(9_700.0), "once"
