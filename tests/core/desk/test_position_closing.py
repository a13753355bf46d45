"""Unconfirmed closes: when the position's being open still is proof enough to send again, and when it is not."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.commands import ClosePosition, Flatten
from quarterdeck.core.model.effects import Alert, Close, Effect, QueryBook, QueryOrder, TradeClosed
from quarterdeck.core.model.inputs import BrokerBook, Filled, NewDeal, NotExecuted, Unconfirmed
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, only

LOST = Unconfirmed(why="no answer")
AGED = (("position.time_exit_hours", 1.0), ("position.trail_x_atr", 0.0))


def giving_back(*, hedging: bool = True) -> tuple[Play, Close]:
    """A position of 0.31 that has half on its way out."""
    play = Play(shipped_settings(("position.trail_x_atr", 0.0))).start(hedging=hedging)
    play.enter("EURUSD")
    play.book()
    effects = [effect for bid in (1.0865, 1.0880, 1.0870) for effect in play.quote("EURUSD", bid, after_s=30.0)]
    close = only(effects, Close)
    assert (close.why, close.lots) == ("give_back", 0.15)
    return play, close


def aged(*, hedging: bool) -> tuple[Play, Close]:
    """A position whose time is over, on its way out as a whole."""
    play = Play(shipped_settings(*AGED)).start(hedging=hedging)
    play.enter("EURUSD")
    play.book()
    close = only(play.quote("EURUSD", after_s=3_700.0), Close)
    assert (close.why, close.lots) == ("age", 0.31)
    return play, close


@pytest.mark.parametrize("hedging", [True, False])
def test_partial_close_is_resent_only_when_proven_not_executed(hedging: bool) -> None:
    play, close = giving_back(hedging=hedging)
    play.report(close.client_id, LOST)
    assert not [effect for effect in play.book() if isinstance(effect, Close)], "it may be carried out yet"
    asked = [effect for effect in play.wait(12.0) if isinstance(effect, QueryOrder)]
    assert {effect.client_id for effect in asked} == {close.client_id}
    play.report(close.client_id, NotExecuted(why="no trace"))
    again = only(play.book(), Close)
    assert (again.lots, again.why) == (0.15, "give_back")
    assert again.client_id != close.client_id


def test_late_executed_partial_close_is_not_repeated() -> None:
    play, close = giving_back()
    play.report(close.client_id, LOST)
    play.book()
    play.close(close, 1.0870, 28.5)
    assert not [effect for effect in play.book() if isinstance(effect, Close)]
    assert play.desk.view().positions[0].lots == 0.16
    assert not play.desk.view().unconfirmed_orders


def test_full_close_is_resent_unless_it_could_reverse_the_position() -> None:
    for hedging, sent in ((True, [0.31]), (False, [])):
        play, close = aged(hedging=hedging)
        play.report(close.client_id, LOST)
        assert [effect.lots for effect in play.book() if isinstance(effect, Close)] == sent


@pytest.mark.parametrize("word", ["flatten", "close"])
def test_the_operators_word_waits_for_no_proof(word: str) -> None:
    play, close = aged(hedging=False)
    play.report(close.client_id, LOST)
    play.book()
    position = play.desk.view().positions[0]
    effects = play.command(Flatten(scope="ours") if word == "flatten" else ClosePosition(position_id=position.position_id))
    effects += play.book()
    assert only(effects, Close).urgent


def test_a_fill_that_is_told_after_the_wait_ends_it() -> None:
    play, close = aged(hedging=False)
    play.report(close.client_id, LOST)
    play.book()
    play.close(close, 1.0850, -1.0)
    assert not play.desk.view().positions
    late = Filled(order_ticket=1, position_id=close.position_id, deal_ticket=1, lots=0.31, price=1.085)
    assert not [effect for effect in play.report(close.client_id, late) if isinstance(effect, Close)]


@pytest.mark.parametrize("late", [True, False])
def test_netting_operator_decision_leaves_room_for_unconfirmed_partial_close(late: bool) -> None:
    play, part = giving_back(hedging=False)
    play.report(part.client_id, LOST)
    rest = only(play.command(Flatten(scope="ours")) + play.book(), Close)
    assert (rest.lots, rest.urgent) == (0.16, True), "0.15 may be closed yet; together they are what is open"
    if late:
        play.close(part, 1.0870, 28.5)
        play.close(rest, 1.0870, 30.0)
        assert not play.desk.view().positions
        return
    effects = play.close(rest, 1.0870, 30.0) + play.book()
    again = only(effects, Close)
    assert (again.lots, again.urgent) == (0.15, True), "twice the whole of what is left closes it once"


@pytest.mark.parametrize("hedging", [True, False])
@pytest.mark.parametrize("executed", [True, False])
def test_operator_half_close_is_not_resent_while_unconfirmed(hedging: bool, executed: bool) -> None:
    play = Play(shipped_settings(*AGED)).start(hedging=hedging)
    position = play.enter("EURUSD")
    play.book()
    half = only(play.command(ClosePosition(position_id=position, lots=0.16)), Close)
    play.report(half.client_id, LOST)
    effects = play.out(position, 1.0870, 28.5, reason="expert", lots=0.16) if executed else []
    effects += play.book() + play.wait(20.0)
    assert not [effect for effect in effects if isinstance(effect, Close)], "0.16 and 0.16 would be more than was held"
    if executed:
        fill = Filled(order_ticket=play.tickets, position_id=position, deal_ticket=play.tickets + 90_000, lots=0.16, price=1.0870)
        effects = play.report(half.client_id, fill) + play.book()
        assert not [effect for effect in effects if isinstance(effect, Close)]
        assert play.desk.view().positions[0].lots == 0.15
    else:
        play.report(half.client_id, NotExecuted(why="no trace"))
        assert only(play.book(), Close).lots == 0.16


@pytest.mark.parametrize("hedging", [True, False])
def test_after_unconfirmed_order_nothing_is_sent_before_a_new_read(hedging: bool) -> None:
    play, close = giving_back(hedging=hedging)
    play.report(close.client_id, LOST)
    play.book(known=False)
    play.close(close, 1.0870, 28.5)
    assert not [effect for effect in play.command(Flatten()) if isinstance(effect, Close)]
    again = only(play.book(), Close)
    assert (again.lots, again.why, again.urgent) == (0.16, "flatten", True)


@pytest.mark.parametrize("hedging", [True, False])
def test_read_started_before_order_became_unconfirmed_proves_nothing(hedging: bool) -> None:
    play = Play(shipped_settings(*AGED)).start(hedging=hedging)
    play.enter("EURUSD")
    play.book()
    close = only(play.command(Flatten()), Close)
    begun, before = play.at, tuple(play.held.values())
    play.at += 3 * NS_PER_S
    play.report(close.client_id, LOST)
    effects = play.give(BrokerBook(known=True, at_utc_ns=begun, positions=before))
    assert only(effects, QueryBook), "0.31 stood then; a part of the close may have been carried out since"
    play.held[close.position_id] = msgspec.structs.replace(before[0], lots=0.12)
    sent = [effect for _ in range(2) for effect in (*play.book(), *play.wait(5.0)) if isinstance(effect, Close)]
    assert [effect.lots for effect in sent] == [0.12]


def test_unconfirmed_partial_close_ends_with_the_read_after_proof() -> None:
    play, close = giving_back()
    play.report(close.client_id, LOST)
    play.close(close, 1.0870, 28.5)
    assert not [effect for effect in play.book() if isinstance(effect, Close)]
    assert only(play.command(Flatten()), Close).lots == 0.16


# ------------------------------------------------------------------------------------------------ reversed on netting
def turned(play: Play, close: Close) -> Deal:
    """A hand closed 0.16 of 0.31 while the close of all was in doubt; that close comes late and turns the rest round."""
    held = play.held[close.position_id]
    play.at += 1_000_000_000
    play.held[close.position_id] = msgspec.structs.replace(
        held, ticket=7_000, side=Side.SELL, lots=0.16, stop_price=None, target_price=None, comment=close.client_id
    )
    return Deal(
        deal_ticket=70_001, order_ticket=7_000, position_id=close.position_id, symbol="EURUSD", side=Side.SELL, entry="inout",
        reason="expert", lots=0.31, price=1.0850, at_utc_ns=play.at, profit_money=-1.5, magic=held.magic, comment=close.client_id,
    )  # fmt: skip


def hand_closes_part(play: Play, close: Close) -> list[Effect]:
    return play.out(close.position_id, 1.0850, -1.6, reason="client", lots=0.16)


def told_turned(effects: list[Effect]) -> bool:
    return any(isinstance(one, Alert) and one.level == "critical" and "reversed" in one.text for one in effects)


def closed_again(play: Play, effects: list[Effect]) -> None:
    """What is on the other side leaves at once, by its own ticket, and the books agree again."""
    again = only(effects, Close)
    assert (again.side, again.lots, again.ticket, again.why, again.urgent) == (Side.SELL, 0.16, 7_000, "no_stop", True)
    play.close(again, 1.0851, -1.6)
    play.at += 1_000_000_000
    play.book()
    view = play.desk.view()
    assert view.positions == ()
    assert view.positions_match
    assert view.balance_money == pytest.approx(play.balance, abs=0.011)


def test_close_larger_than_the_position_is_reported_and_reversal_closed() -> None:
    play, close = aged(hedging=False)
    play.report(close.client_id, LOST)
    hand_closes_part(play, close)
    play.book()
    deal = turned(play, close)
    play.balance += deal.profit_money
    effects = play.give(NewDeal(deal=deal))
    assert told_turned(effects)
    trade = only(effects, TradeClosed)
    assert (trade.reason, trade.lots, trade.close_price) == ("age", 0.31, 1.085)
    assert only(effects, QueryBook)
    play.at += 1_000_000_000
    closed_again(play, play.book())


def test_reversed_position_without_deal_is_accepted_at_second_read() -> None:
    play, close = aged(hedging=False)
    play.report(close.client_id, LOST)
    hand = msgspec.structs.replace(play.held[close.position_id])
    deal = turned(play, close)
    assert told_turned(play.book())
    assert not play.all(TradeClosed)
    play.at += 1_000_000_000
    assert only(play.book(), TradeClosed).reason == "unaccounted"
    play.at += 1_000_000_000
    effects = play.book()
    shown = play.held[close.position_id]
    play.held[close.position_id] = hand
    hand_closes_part(play, close)
    play.held[close.position_id] = shown
    play.balance += deal.profit_money
    play.give(NewDeal(deal=deal))
    assert play.desk.view().positions[0].lots == 0.16, "deals of what is over do not move what stands now"
    play.report(
        close.client_id, Filled(order_ticket=7_000, position_id=close.position_id, deal_ticket=70_001, lots=0.31, price=1.085)
    )
    assert play.desk.view().positions[0].lots == 0.16
    closed_again(play, effects)


def test_manually_reversed_position_is_no_longer_ours() -> None:
    play, close = aged(hedging=False)
    play.report(close.client_id, LOST)
    deal = turned(play, close)
    play.held[close.position_id] = msgspec.structs.replace(play.held[close.position_id], magic=0, stop_price=1.09)
    play.balance += deal.profit_money
    play.give(NewDeal(deal=msgspec.structs.replace(deal, lots=0.47, reason="client", magic=0, comment="")))
    play.at += 1_000_000_000
    assert not [effect for effect in play.book() if isinstance(effect, Close)]
    assert (play.desk.view().external_count, len(play.all(TradeClosed))) == (1, 1)
    assert play.all(TradeClosed)[0].reason == "manual"
