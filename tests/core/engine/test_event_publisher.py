"""One line reaches the file, the listener and every watcher; what libraries complain of is in the file too."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.engine.alerting import AlertSender
from quarterdeck.core.engine.event_publisher import EventPublisher, PublishedEvent
from quarterdeck.core.journal.log_file import LogFile
from quarterdeck.core.link.messages import LinkBye
from quarterdeck.core.model.effects import Alert, Effect, LogEvent, StateChanged, TradeClosed
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.settings.settings_loader import shipped_settings


def trade_closed() -> TradeClosed:
    words = {"symbol": "EURUSD", "reason": "stop", "rule": "", "signal_id": "", "side": 1}
    return msgspec.convert({name: words.get(name, 0) for name in TradeClosed.__struct_fields__}, TradeClosed, strict=False)


@pytest.fixture
def heard() -> list[LogLine]:
    return []


async def taken(title: str, body: str, level: str) -> str:
    del title, body, level
    return ""


@pytest.fixture
def voice(tmp_path: Path, heard: list[LogLine]):
    settings = shipped_settings()
    alerts = AlertSender((), lambda: settings.alerts, WallClock(), sends=[taken])
    voice = EventPublisher(LogFile(tmp_path, settings.journal), alerts, WallClock(), heard.append)
    yield voice
    voice.close()


def test_everybody_hears_it_once_and_in_order(voice: EventPublisher, heard: list[LogLine], tmp_path: Path) -> None:
    watched: list[PublishedEvent] = []
    voice.watchers.append(watched.append)
    voice.publish_text(1, "info", "run", "first")
    voice.publish_effect(2, Alert(kind="fill", level="warning", text="second"))
    voice.publish_event(LinkBye(why="over"))
    assert [line.text for line in heard] == ["first", "second"]
    assert watched == [*heard, LinkBye(why="over")]
    written = (tmp_path / "engine.log").read_text()
    assert written.index("first") < written.index("second")


def test_libraries_speak_into_the_log_until_the_run_is_over(voice: EventPublisher, tmp_path: Path) -> None:
    logging.getLogger("some.library").warning("a socket broke: %s", "why")
    logging.getLogger("some.library").info("nobody needs this")
    voice.close()
    logging.getLogger("some.library").warning("too late")
    written = (tmp_path / "engine.log").read_text()
    assert "level=warning kind=library.some.library" in written
    assert "a socket broke: why" in written
    assert "nobody needs this" not in written
    assert "too late" not in written


NAME = "the connection to the broker is"
DOWN = (
    Alert(kind="connection", level="critical", text=f"{NAME} down: no answer"),
    StateChanged(state="REDUCE_ONLY", reasons=("feed",), text=f"feed: {NAME} down: no answer"),
)
BACK = (
    StateChanged(state="ACTIVE", reasons=(), text=f"{NAME} back"),
    Alert(kind="connection", level="info", text=f"{NAME} back"),
)
UNKNOWN = (
    StateChanged(
        state="REDUCE_ONLY", reasons=("unknown_fate",), text="unknown_fate: open EURUSD 0.5 (r-1): the connection broke"
    ),
    Alert(
        kind="unknown_fate",
        level="critical",
        text="Entry order r-1 (EURUSD buy 0.5 lots) is unconfirmed: the connection broke",
        symbol="EURUSD",
    ),
    LogEvent(kind="unknown_fate", text="open r-1: the connection broke", level="error", symbol="EURUSD"),
)
BOOK = (
    StateChanged(
        state="REDUCE_ONLY", reasons=("feed", "book_unknown"), text="book_unknown: the broker's positions cannot be read: none"
    ),
    Alert(kind="state", level="warning", text="The broker's positions cannot be read: none. No new entries."),
)
CLOSED = (
    trade_closed(),
    Alert(kind="close", level="info", text="EURUSD buy 0.5 closed, stop: -50.00, -1.00 R", symbol="EURUSD", ticket=9),
)


@pytest.mark.parametrize(
    ("decision", "kind"),
    [(DOWN, "alert.connection"), (BACK, "state"), (UNKNOWN, "alert.unknown_fate"), (BOOK, "alert.state"), (CLOSED, "trade")],
)
def test_one_event_logs_one_line_and_still_sends_its_alert(
    voice: EventPublisher, heard: list[LogLine], decision: tuple[Effect, ...], kind: str
) -> None:
    taken: list[Alert] = []
    voice.alerts.take = taken.append  # type: ignore[method-assign]
    for effect in decision:
        voice.publish_effect(1, effect, decision)
    assert [line.kind for line in heard] == [kind]
    assert taken == [effect for effect in decision if isinstance(effect, Alert)]


def test_what_is_about_something_else_keeps_its_line(voice: EventPublisher, heard: list[LogLine]) -> None:
    decision = (
        StateChanged(state="REDUCE_ONLY", reasons=("feed",), text="book_unknown: the broker's positions can be read again"),
        LogEvent(kind="stop_moved", text="trail: stop 1.1", symbol="EURUSD"),
        Alert(kind="risk", level="critical", text="stop of #7 is gone", symbol="GBPUSD", ticket=7),
        StateChanged(state="ACTIVE", reasons=()),
    )
    for effect in decision:
        voice.publish_effect(1, effect, decision)
    assert [line.kind for line in heard] == ["state", "stop_moved", "alert.risk", "state"]


def test_a_resolved_alert_is_one_log_line(voice: EventPublisher, heard: list[LogLine]) -> None:
    text = "The broker connection is back"
    over = Alert(kind="connection", level="critical", text=f"{text}. Entries are allowed again.", resolved=True)
    decision = (StateChanged(state="ACTIVE", reasons=(), text=text), over)
    for effect in decision:
        voice.publish_effect(1, effect, decision)
    assert [(line.kind, line.level, line.resolved) for line in heard] == [("alert.connection", "info", True)]
