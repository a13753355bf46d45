"""The desk as a whole: dispatch, wake-ups, quote interest."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from core.desk import desk as module
from core.model.inputs import Input
from core.model.units import NS_PER_S
from core.settings.load import shipped_settings
from tests.core.desk.playbook import Play


def test_every_kind_of_input_has_its_room() -> None:
    source = Path(module.__file__ or "").read_text(encoding="utf-8")
    for kind in get_args(Input):
        assert f"{kind.__name__}(" in source.replace("Started | Restored", "Started(Restored("), kind.__name__


def test_nothing_open_costs_nothing_and_waits_for_the_day_alone() -> None:
    play = Play().start()
    assert play.desk.wake_at() == play.at + 9 * 3600 * NS_PER_S
    assert play.desk.quote_interest() == ((), ())
    assert play.quote("EURUSD", 1.0851) == []


def test_interest_follows_what_is_open_and_what_converts_it() -> None:
    play = Play(shipped_settings(("risk.tick_value_gap_max_pct", 100.0))).start(currency="GBP")
    play.enter("EURUSD")
    hot, conversion = play.desk.quote_interest()
    assert hot == ("EURUSD",)
    assert conversion == ("GBPUSD",)
