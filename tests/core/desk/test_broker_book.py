"""The broker's book against ours."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.commands import Acknowledge
from quarterdeck.core.model.effects import (
    Alert,
    Close,
    CommandDone,
    LogEvent,
    Modify,
    QueryBook,
    StateChanged,
    TradeClosed,
    Verdict,
)
from quarterdeck.core.model.inputs import AccountRead, NewDeal
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, account, kinds, only
from tests.core.desk.test_entry_evaluation import foreign


def test_vanished_position_is_queried_and_its_deal_gives_the_reason() -> None:
    play = Play().start()
    position = play.enter()
    play.at += 1
    held = play.held.pop(position)
    assert only(play.book(), QueryBook)
    assert play.desk.view().positions_match is False
    play.held[position] = held
    trade = only(play.out(position, 1.082, -96.1), TradeClosed)
    assert (trade.reason, trade.net_money) == ("stop", pytest.approx(-98.28, abs=0.02))
    assert not play.desk.view().positions


def test_two_readings_without_it_are_believed_before_the_deal_comes() -> None:
    play = Play().start()
    position = play.enter()
    held = play.held.pop(position)
    for _ in range(2):
        play.at += 1_000_000_000
        play.book()
    assert not play.desk.view().positions, "no risk is counted for it"
    play.held[position] = held
    assert only(play.out(position, 1.0862, 34.1, reason="client"), TradeClosed).reason == "manual"


def test_manual_partial_close_follows_the_deal_once() -> None:
    play = Play().start()
    position = play.enter()
    for _ in range(2):
        play.at += 1_000_000_000
        play.held[position] = msgspec.structs.replace(play.held[position], lots=0.11)
        play.book()
    assert play.desk.view().positions[0].lots == 0.11
    play.held[position] = msgspec.structs.replace(play.held[position], lots=0.31)
    play.out(position, 1.086, 18.0, reason="client", lots=0.20)
    assert play.desk.view().positions[0].lots == 0.11
    play.book()
    assert play.desk.view().positions_match


def test_foreign_positions_are_counted_and_left_alone() -> None:
    play = Play().start()
    play.held[9] = foreign("GBPUSD")
    effects = play.book()
    assert only(effects, Alert).kind == "risk"
    view = play.desk.view()
    assert view.external_count == 1
    assert not view.positions[0].ours
    assert view.risk.open_money is not None
    assert view.risk.open_money > 30.0
    assert view.state == "ACTIVE"


def test_one_without_a_stop_stops_entries_until_it_is_acknowledged() -> None:
    play = Play().start()
    play.held[9] = foreign("GBPUSD", stop_price=None)
    assert "foreign_no_stop" in only(play.book(), StateChanged).reasons
    assert only(play.round(play.signal("EURUSD")), Verdict).reason == "foreign_no_stop"
    effects = play.command(Acknowledge(what="foreign_no_stop"))
    assert only(effects, CommandDone).ok
    assert only(effects, StateChanged).state == "ACTIVE"
    play.book()
    assert play.desk.view().risk.open_money > 50.0, "it counts with an assumed stop"
    assert not play.all(Modify)
    assert not play.all(Close)


def test_what_settings_adopt_is_cared_for_and_gets_a_stop() -> None:
    play = Play(shipped_settings(("account.manage_external_positions", True))).start()
    play.round(play.signal("USDCHF", confidence=0.1, features=play.signal("USDCHF").features))
    play.held[9] = foreign("EURUSD", stop_price=None)
    effects = play.book()
    assert only(effects, Modify).why == "restore"
    assert play.desk.view().positions[0].ours


def test_what_a_hand_opened_tells_kelly_nothing_of_the_strategy() -> None:
    play = Play(shipped_settings(("account.manage_external_positions", True))).start()
    play.held[9] = foreign("EURUSD", stop_price=1.08)
    play.book()
    trade = only(play.out(9, 1.08, -300.0), TradeClosed)
    assert trade.result_r < 0.0
    assert play.desk._ctx.state.results_r == []
    play.out(play.enter("GBPUSD"), 1.26, -10.0)
    assert len(play.desk._ctx.state.results_r) == 1


def test_a_deposit_is_no_result() -> None:
    play = Play().start()
    deposit = Deal(
        deal_ticket=5, order_ticket=0, position_id=0, symbol="", side=1, entry="in", reason="other", lots=0.0, price=0.0,
        at_utc_ns=play.at, balance_money=5_000.0,
    )  # fmt: skip
    told = only(play.give(NewDeal(deal=deposit)), Alert)
    assert (told.kind, told.level) == ("money", "warning")
    assert told.text.startswith("Deposit +5,000.00 USD (balance, deal 5). Equity is now 15,000.00 USD.")
    view = play.desk.view()
    assert (view.balance_money, view.equity_money, view.day_result_money) == (15_000.0, 15_000.0, 0.0)
    play.give(AccountRead(account=account(balance_money=15_000.0)))
    assert play.desk.view().drawdown_fraction == 0.0
    play.give(NewDeal(deal=deposit))
    assert play.desk.view().balance_money == 15_000.0


@pytest.mark.parametrize("account_first", [True, False])
def test_money_counts_once_whichever_comes_first(account_first: bool) -> None:
    play = Play().start()
    position = play.enter()
    play.give(AccountRead(account=account(balance_money=play.balance)))
    after = round(play.balance - 96.1 - 1.08, 2)
    if account_first:
        play.give(AccountRead(account=account(balance_money=after)))
    play.out(position, 1.082, -96.1)
    assert play.balance == pytest.approx(after, abs=0.011)
    if not account_first:
        play.give(AccountRead(account=account(balance_money=play.balance)))
    assert play.desk.view().balance_money == pytest.approx(play.balance, abs=0.011)
    assert play.desk.view().equity_money == pytest.approx(play.balance, abs=0.011)


def test_a_book_older_than_a_close_brings_nothing_back() -> None:
    play = Play().start()
    position = play.enter()
    old = dict(play.held)
    play.out(position, 1.082, -96.1)
    play.held = old
    play.book()
    assert not play.desk.view().positions


def test_a_position_of_ours_from_an_earlier_life_is_adopted() -> None:
    play = Play().start()
    play.held[9] = foreign("EURUSD", magic=play.settings.account.magic, comment="r0-4")
    effects = play.book()
    assert [e.kind for e in effects if isinstance(e, LogEvent)] == ["adopted"]
    view = play.desk.view().positions[0]
    assert view.ours
    assert view.stop_price == pytest.approx(1.0817, abs=1e-4)
    assert kinds(effects).count("Close") == 0
