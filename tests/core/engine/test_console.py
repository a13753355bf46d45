"""Windows ends a console process when its handler returns: the engine's returns when everything is closed."""

from __future__ import annotations

import threading

import pytest

from quarterdeck.core.engine.console import EVENTS, ConsoleEvents


@pytest.mark.parametrize("event", [2, 5, 6])
def test_an_ending_event_waits_until_everything_is_closed(event):
    heard, closed = [], threading.Event()

    def told(name):
        heard.append(name)
        threading.Thread(target=lambda: (closed.set(), events.finished())).start()

    events = ConsoleEvents(told, patience_s=60.0)
    assert events.handle(event)
    assert closed.is_set()
    assert heard == [EVENTS[event]]


def test_ctrl_break_is_told_and_returns_at_once():
    heard = []
    events = ConsoleEvents(heard.append, patience_s=60.0)
    assert events.handle(1)
    assert heard == ["SIGBREAK"]
    events.finished()


def test_patience_ends_before_the_systems():
    events = ConsoleEvents(lambda _: None, patience_s=0.0)
    assert events.handle(6)
    events.finished()


def test_ctrl_c_stays_a_signal():
    events = ConsoleEvents(lambda _: pytest.fail("told"))
    assert not events.handle(0)
    events.finished()
