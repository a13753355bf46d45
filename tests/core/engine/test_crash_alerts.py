"""Who is away hears that the engine died, and that it does not come up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quarterdeck.core.engine.crash_alerts import START_FAILED_NAME, alert_crashed_run, alert_failed_start
from quarterdeck.core.engine.run_lifecycle import start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.journal.log_file import newest_lines
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.errors import AlreadyRunningError, BrokerError, QuarterdeckError, StorageError
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.home import Home
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
    assert "crashed at about" in line.text
    assert "position is managed again" in line.text


class Starting:
    """As much of an engine as a start that fails has."""

    def __init__(self, home: Path, *, urls: bool = True, made_up: bool = False) -> None:
        self.home = Home(home)
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
    assert "The engine failed to start" in engine.told[0].text
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


def test_another_reason_is_told_at_once(tmp_path: Path) -> None:
    engine = Starting(tmp_path)
    assert failed(engine, BrokerError("no terminal")) == 1
    assert failed(engine, BrokerError("no terminal")) == 1
    assert failed(engine, StorageError("the disk is full")) == 2


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    bodies: list[str] = []

    def taken(title: str, body: str, level: str) -> str:
        bodies.append(f"{title} {level} {body}")
        return ""

    monkeypatch.setattr("quarterdeck.core.engine.alerting.apprise_sender", lambda urls: [taken for _ in urls])
    monkeypatch.setenv("QUARTERDECK_ALERT_URLS", "json://127.0.0.1:9")
    monkeypatch.setattr("sys.stderr", None)
    return bodies


LIVE = '[desk]\nmode = "live"\n[account]\ngateway = "ws://127.0.0.1:9"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LIVE + "[risk]\nrisk_per_trade_pct = 500.0\n", "risk_per_trade_pct"),
        (LIVE + '[strategy]\nfile = "gone.py"\nname = "Mine"\n', "gone.py"),
        (LIVE, "there is no token for the gateway"),
        ("[[[", "not valid TOML"),
    ],
    ids=["settings", "strategy", "way to the broker", "no settings at all"],
)
async def test_a_start_that_fails_at_its_first_steps_is_told(tmp_path: Path, sent: list[str], text: str, said: str) -> None:
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(QuarterdeckError):
        await start_run(RunRequest(home=Home(tmp_path)), on_step=lambda _: None)
    (body,) = sent
    assert "critical" in body
    assert "The engine failed to start. Open positions are NOT managed" in body
    assert said in body


async def test_a_market_that_is_made_up_alerts_nobody(tmp_path: Path, sent: list[str]) -> None:
    (tmp_path / "settings.toml").write_text('[strategy]\nfile = "gone.py"\nname = "Mine"\n')
    with pytest.raises(QuarterdeckError):
        await start_run(RunRequest(home=Home(tmp_path)), on_step=lambda _: None)
    assert sent == []


def test_attended_or_simulated_runs_send_no_crash_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(Starting(tmp_path, made_up=True)) == 0
    assert failed(Starting(tmp_path, urls=False)) == 0
    assert failed(Starting(tmp_path), AlreadyRunningError("another engine holds this home")) == 0, "that one trades"
    assert not (tmp_path / START_FAILED_NAME).exists()
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: True))
    assert failed(Starting(tmp_path), BrokerError("no terminal")) == 0
    monkeypatch.undo()
    assert failed(Starting(tmp_path / "nowhere"), BrokerError("no terminal")) == 1, "a home that takes no file"
