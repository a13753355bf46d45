"""A machine's clock in question: entries stop and say both figures, positions are managed, and the operator's word lifts it."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.commands import MACHINE_CLOCK, Resolve
from quarterdeck.core.model.effects import Alert, CommandDone
from quarterdeck.core.model.inputs import CommandReceived, ServerClockRule
from tests.core.desk.playbook import Play

WHY = "the server is at UTC+2:00 by this machine's clock and at UTC+3:00 by the weekly opens"
DOUBTS = {"unconfirmed": "clock_unconfirmed", "contradicted": "clock_contradicted"}


def clock(judgement: str) -> ServerClockRule:
    return ServerClockRule(rule="eet", offset_s=10_800, judgement=judgement, why=WHY)  # type: ignore[arg-type]


def codes(play: Play) -> list[str]:
    return [reason.code for reason in play.desk.view().reasons]


def resolve(play: Play, client_id: str = MACHINE_CLOCK, outcome: str = "pc_right") -> CommandDone:
    command = Resolve(client_id=client_id, outcome=outcome)  # type: ignore[arg-type]
    found = play.give(CommandReceived(command_id="c", origin="test", command=command))
    return next(one for one in found if isinstance(one, CommandDone))


@pytest.mark.parametrize("judgement", DOUBTS)
def test_a_doubtful_clock_stops_entries_and_says_both_figures(judgement: str) -> None:
    play = Play().start()
    told = play.give(clock(judgement))
    assert codes(play) == [DOUBTS[judgement]]
    assert play.desk.view().state == "REDUCE_ONLY"
    assert play.desk.view().clock_text == WHY
    (alert,) = [one for one in told if isinstance(one, Alert)]
    assert WHY in alert.text
    assert "quarterdeck resolve clock --pc-right" in alert.text
    assert not [one for one in play.give(clock(judgement)) if isinstance(one, Alert)], "once an episode"
    play.give(clock("agrees"))
    assert play.desk.view().state == "ACTIVE"


@pytest.mark.parametrize("judgement", DOUBTS)
def test_the_operator_lifts_it_until_judged_again(judgement: str) -> None:
    play = Play().start()
    assert not resolve(play).ok, "nothing is in question"
    play.give(clock(judgement))
    assert not resolve(play, outcome="absent").ok
    assert not resolve(play, client_id="r1-1").ok
    assert codes(play) == [DOUBTS[judgement]]
    assert resolve(play).ok
    assert play.desk.view().state == "ACTIVE"
    play.give(clock("contradicted"))
    assert codes(play) == ["clock_contradicted"]


def test_one_doubt_takes_the_place_of_the_other() -> None:
    play = Play().start()
    for judgement in ("unconfirmed", "contradicted", "unconfirmed"):
        play.give(clock(judgement))
        assert codes(play) == [DOUBTS[judgement]]


def test_a_clock_that_was_not_judged_changes_nothing() -> None:
    judged, old = Play().start(), Play().start()
    judged.give(ServerClockRule(rule="eet", offset_s=7_200, judgement="agrees"))
    said = old.give(ServerClockRule(rule="eet", offset_s=7_200))
    assert said == []
    assert (old.desk.view().state, judged.desk.view().state) == ("ACTIVE", "ACTIVE")
