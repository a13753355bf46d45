"""Who is away hears that the engine died, and that it does not come up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quarterdeck.core.engine.crash_alerts import START_FAILED_NAME, alert_crashed_run, alert_failed_start
from quarterdeck.core.journal.log_file import newest_lines
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.errors import AlreadyRunningError, BrokerError, StorageError
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.model.units import NS_PER_S
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes


def crashes(world: World) -> list[LogLine]:
    return [line for line in newest_lines(world.home.logs, 1000) if line.kind == "alert.crash"]


def test_killed_run_is_alerted_by_next_run_clean_end_not(tmp_path: Path) -> None:
    world = World(tmp_path / "home", seed=3, desk__pairs=["EURUSD"])
    world.scanner = EagerScanner(3, pip_sizes(world.settings))

    async def lives(world: World) -> list[int]:
        told = []
        await world.start()
        await world.until(lambda: len(world.desk_lots()) > 0, 30.0, "a position")
        told.append(len(crashes(world)))
        await world.bury()
        await world.start()
        told.append(len(crashes(world)))
        await world.close()
        await world.start()
        told.append(len(crashes(world)))
        await world.close()
        return told

    assert world.run(lives) == [0, 1, 1]
    (line,) = crashes(world)
    assert line.level == "critical"
    assert "ended without a word" in line.text
    assert line.text.endswith("up again, 1 in care")


class Starting:
    """As much of an engine as a start that fails has."""

    def __init__(self, home: Path, *, urls: bool = True, made_up: bool = False) -> None:
        self.home = SimpleNamespace(root=home)
        self.venue = SimpleNamespace(terminal=object() if made_up else None)
        self.now_s = 1_000_000
        self.clock = SimpleNamespace(utc_ns=lambda: self.now_s * NS_PER_S)
        self.told: list[Alert] = []
        self.publisher = SimpleNamespace(
            alerts=SimpleNamespace(active=urls), publish_alert=lambda _at, alert: self.told.append(alert)
        )


def failed(engine: Any, error: Exception | None = None) -> int:
    alert_failed_start(engine, error or StorageError("the disk is full", what_to_do="make room"))
    return len(engine.told)


def test_unattended_failed_start_is_alerted_once_an_hour(tmp_path: Path) -> None:
    engine = Starting(tmp_path)
    assert failed(engine) == 1
    assert engine.told[0].level == "critical"
    assert "did not start" in engine.told[0].text
    assert "the disk is full; make room" in engine.told[0].text
    engine.now_s += 35
    again = Starting(tmp_path)
    again.now_s = engine.now_s
    assert failed(again) == 0, "the supervisor tries again, in another process"
    again.now_s += 3_600
    assert failed(again) == 1
    again.now_s += 1
    alert_crashed_run(again, None)  # type: ignore[arg-type]
    assert failed(again) == 2, "it was up in between"


def test_attended_or_simulated_runs_send_no_crash_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(Starting(tmp_path, made_up=True)) == 0
    assert failed(Starting(tmp_path, urls=False)) == 0
    assert failed(Starting(tmp_path), AlreadyRunningError("another engine holds this home")) == 0, "that one trades"
    assert not (tmp_path / START_FAILED_NAME).exists()
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: True))
    assert failed(Starting(tmp_path), BrokerError("no terminal")) == 0
    monkeypatch.undo()
    assert failed(Starting(tmp_path / "nowhere"), BrokerError("no terminal")) == 1, "a home that takes no file"
