"""The end of a run: the policy, bounded, and what is left keeps its stop."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.commands import StopEngine
from quarterdeck.core.model.effects import Alert, Close, CommandDone, EndRun, Verdict
from quarterdeck.core.model.inputs import Unconfirmed
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, only


def test_flatten_ends_when_it_is_flat() -> None:
    play = Play().start()
    play.enter()
    close = only(play.command(StopEngine(why="SIGTERM")), Close)
    assert (close.why, close.urgent) == ("shutdown", True)
    play.close(close, 1.085, -3.1)
    play.book()
    effects = play.book()
    assert only(effects, EndRun).clean
    assert only(effects, CommandDone).ok
    assert "flat" not in [reason.code for reason in play.desk.view().reasons], "a stopped engine is not halted"


def test_it_is_bounded_and_alerts_what_keeps_its_stop() -> None:
    play = Play().start()
    play.enter()
    sent = only(play.command(StopEngine()), Close)
    play.report(sent.client_id, Unconfirmed(why="connection lost"))
    effects = play.wait(21)
    end = only(effects, EndRun)
    assert not end.clean
    assert "#1001 EURUSD buy 0.31 lots" in end.why
    assert "flatten" in [one.kind for one in effects if isinstance(one, Alert)]


def test_keep_leaves_everything_with_its_stop() -> None:
    play = Play().start()
    play.enter()
    effects = play.command(StopEngine(policy="keep", why="restart"))
    assert only(effects, EndRun).clean
    assert not [one for one in effects if isinstance(one, Close)]


@pytest.mark.parametrize("policy", ["settings", "keep"])
def test_no_entry_follows(policy: str) -> None:
    play = Play(shipped_settings(("engine.shutdown_action", "keep"))).start()
    play.command(StopEngine(policy=policy))  # type: ignore[arg-type]
    assert only(play.round(play.signal("EURUSD")), Verdict).reason == "stopping"


def test_a_second_word_ends_it_sooner() -> None:
    play = Play().start()
    play.enter()
    play.command(StopEngine())
    effects = play.command(StopEngine(policy="keep"), "c2")
    assert [one.command_id for one in effects if isinstance(one, CommandDone)] == ["c2"]
    play.close(play.last(Close), 1.085, 0.0)
    assert play.last(EndRun)
