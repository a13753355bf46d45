"""The desk as a whole: dispatch, wake-ups, quote interest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from quarterdeck.core.desk import desk as module
from quarterdeck.core.model.effects import Alert, LogEvent, StateChanged
from quarterdeck.core.model.inputs import EngineFault, Input
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, only


def test_every_kind_of_input_has_its_room() -> None:
    source = Path(module.__file__ or "").read_text(encoding="utf-8")
    for kind in get_args(Input):
        assert re.search(rf"isinstance\(told, {kind.__name__}\)|(case|\|) {kind.__name__}\(\)", source), kind.__name__


def test_nothing_open_costs_nothing_and_waits_for_the_day_alone() -> None:
    play = Play().start()
    assert play.desk.wake_at() == play.at + 9 * 3600 * NS_PER_S
    assert play.desk.quote_interest() == ((), ())
    assert play.quote("EURUSD", 1.0851) == []


def test_interest_follows_what_is_open_and_what_converts_it() -> None:
    play = Play(shipped_settings(("risk.tick_value_deviation_max_pct", 100.0))).start(currency="GBP")
    play.enter("EURUSD")
    hot, conversion = play.desk.quote_interest()
    assert hot == ("EURUSD",)
    assert conversion == ("GBPUSD",)


def test_resolved_fault_is_reported_in_unambiguous_words() -> None:
    play = Play().start()
    play.give(EngineFault(kind="journal", active=True, why="the disk is full"))
    (back,) = [effect for effect in play.give(EngineFault(kind="journal", active=False)) if isinstance(effect, StateChanged)]
    assert back.text == "The fault is over (journal)"
    play.give(EngineFault(kind="clock", active=True, why="it moved"))
    back = play.give(EngineFault(kind="clock", active=False, why="the same again"))[0]
    assert isinstance(back, StateChanged)
    assert back.text == "the same again"


def test_a_halt_says_that_open_positions_are_not_managed() -> None:
    play = Play().start()
    play.enter()
    told = only(play.give(EngineFault(kind="account_changed", active=True, why="the terminal changed from 1 to 2")), Alert)
    assert "open positions are NOT managed; only their stops at the broker protect them" in told.text
    assert told.text.endswith("again and you run `quarterdeck resume`.")


def test_restored_account_is_reported_while_the_halt_stays() -> None:
    play = Play().start()
    play.give(EngineFault(kind="account_changed", active=True, why="the terminal changed from 1 to 2"))
    told = play.give(EngineFault(kind="account_changed", active=False, why="the account is back"))
    assert [effect.text for effect in told if isinstance(effect, LogEvent)] == [
        "the account is back; no entries until you run `quarterdeck resume`"
    ]
    assert play.desk.view().state == "HALTED"
