"""One line reaches the file, the listener and every watcher; what libraries complain of stands in the file too."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from core.clock.wall import WallClock
from core.engine.alerting import AlertSender
from core.engine.voice import Told, Voice
from core.journal.logs import LogFile
from core.link.messages import Bye
from core.model.effects import Alert
from core.model.snapshot import LogLine
from core.settings.load import shipped_settings


@pytest.fixture
def heard() -> list[LogLine]:
    return []


@pytest.fixture
def voice(tmp_path: Path, heard: list[LogLine]):
    settings = shipped_settings()
    alerts = AlertSender((), lambda: settings.alerts, WallClock(), send=lambda _title, _body: ())
    voice = Voice(LogFile(tmp_path, settings.journal), alerts, WallClock(), heard.append)
    yield voice
    voice.close()


def test_everybody_hears_it_once_and_in_order(voice: Voice, heard: list[LogLine], tmp_path: Path) -> None:
    watched: list[Told] = []
    voice.watchers.append(watched.append)
    voice.say(1, "info", "run", "first")
    voice.effect(2, Alert(kind="fill", level="warning", text="second"))
    voice.show(Bye(why="over"))
    assert [line.text for line in heard] == ["first", "second"]
    assert watched == [*heard, Bye(why="over")]
    written = (tmp_path / "engine.log").read_text()
    assert written.index("first") < written.index("second")


def test_libraries_speak_into_the_log_until_the_run_is_over(voice: Voice, tmp_path: Path) -> None:
    logging.getLogger("some.library").warning("a socket broke: %s", "why")
    logging.getLogger("some.library").info("nobody needs this")
    voice.close()
    logging.getLogger("some.library").warning("too late")
    written = (tmp_path / "engine.log").read_text()
    assert "level=warning kind=library.some.library" in written
    assert "a socket broke: why" in written
    assert "nobody needs this" not in written
    assert "too late" not in written
