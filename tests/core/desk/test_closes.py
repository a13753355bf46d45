"""Closes of unknown fate: when the position's being open still is proof enough to send again, and when it is not."""

from __future__ import annotations

import pytest

from core.model.commands import ClosePosition, Flatten
from core.model.effects import AskFate, Close
from core.model.inputs import Absent, Filled, UnknownFate
from core.settings.load import shipped_settings
from tests.core.desk.playbook import Play, only

LOST = UnknownFate(why="no answer")
AGED = (("care.age_max_hours", 1.0), ("care.trail_x_atr", 0.0))


def giving_back(*, hedging: bool = True) -> tuple[Play, Close]:
    """A position of 0.31 that has half on its way out."""
    play = Play(shipped_settings(("care.trail_x_atr", 0.0))).start(hedging=hedging)
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
def test_a_part_is_never_sent_again_before_it_is_proven_absent(hedging: bool) -> None:
    play, close = giving_back(hedging=hedging)
    play.report(close.client_id, LOST)
    assert not [effect for effect in play.book() if isinstance(effect, Close)], "it may be carried out yet"
    asked = [effect for effect in play.wait(12.0) if isinstance(effect, AskFate)]
    assert {effect.client_id for effect in asked} == {close.client_id}
    play.report(close.client_id, Absent(why="no trace"))
    again = only(play.book(), Close)
    assert (again.lots, again.why) == (0.15, "give_back")
    assert again.client_id != close.client_id


def test_a_part_that_was_carried_out_late_is_not_closed_twice() -> None:
    play, close = giving_back()
    play.report(close.client_id, LOST)
    play.book()
    play.close(close, 1.0870, 28.5)
    assert not [effect for effect in play.book() if isinstance(effect, Close)]
    assert play.desk.view().positions[0].lots == 0.16
    assert not play.desk.view().unknown_fates


def test_the_whole_goes_on_where_a_second_close_finds_nothing_and_waits_where_it_would_turn_the_position_round() -> None:
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
def test_on_netting_the_operators_word_leaves_to_a_part_in_doubt_what_it_may_still_close(late: bool) -> None:
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
