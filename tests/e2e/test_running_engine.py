"""Commands to an engine in another process, over its real socket; and what a kill leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quarterdeck.core.journal.journal_schema import open_readonly
from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.link.messages import LinkBye, LinkState, ReplayControl
from quarterdeck.core.model.snapshot import Snapshot
from tests.e2e.processes import (
    LONG_S,
    REPLAY_WORDS,
    EngineProcess,
    engine,
    journal_opens,
    quarterdeck,
    small_recording,
    wait_for,
)

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")]
DEMO = ("--speed", "2400")
"""The simulated market, forty minutes a second: a position comes within a few."""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[EngineProcess]:
    with engine(tmp_path / "home", *DEMO) as process:
        yield process.ready()


def seen(home: Path, holds: Callable[[Snapshot], bool], *, hold: bool = False) -> Snapshot:
    """Watch until a snapshot suits; with `hold` the market stands still from then on, however slow the commands are."""

    async def watch() -> Snapshot:
        client = SocketClient(home, client="test", watch=True)
        await client.start()
        try:
            async with asyncio.timeout(LONG_S):
                while True:
                    event = await client.next()
                    if isinstance(event, Snapshot) and holds(event):
                        if not hold or event.engine.replay_speed == 0.0:
                            return event
                        await client.control(ReplayControl(action="pause"))
        finally:
            await client.close()

    return asyncio.run(watch())


def test_an_operator_steers_an_engine_that_runs_elsewhere(running: EngineProcess) -> None:
    home = running.home
    snapshot = seen(home, lambda now: bool(now.desk.positions), hold=True)
    assert all(position.stop_price for position in snapshot.desk.positions)

    paused = quarterdeck("pause", "--home", home)
    assert paused.code == 0, paused.err
    status = quarterdeck("status", "--home", home, "--json").json()
    assert (status["state"], status["mode"]) == ("REDUCE_ONLY", "simulated")
    assert "paused" in status["reasons"]
    resumed = quarterdeck("resume", "--home", home)
    assert resumed.code == 0, resumed.err
    assert "paused" not in quarterdeck("status", "--home", home, "--json").json()["reasons"]

    changed = quarterdeck("set", "risk.risk_per_trade_pct=0.5", "--home", home)
    assert changed.code == 0, changed.err
    assert "risk.risk_per_trade_pct: 1.0 -> 0.5" in changed.out
    refused = quarterdeck("set", "risk.risk_per_trade_pct=50", "--home", home)
    assert (refused.code, "risk_per_trade_pct" in refused.last_error) == (3, True), refused.err
    assert '"risk.risk_per_trade_pct"]\nvalue = 0.5' in (home / "overrides.toml").read_text()

    why = quarterdeck("why", "--home", home)
    assert why.code == 0, why.err
    flat = quarterdeck("flatten", "--yes", "--home", home)
    assert flat.code == 0, flat.err
    status = quarterdeck("status", "--home", home, "--json").json()
    assert (status["positions"], status["state"]) == (0, "HALTED")

    running.tell(signal.SIGTERM)
    assert running.ended() == 0, running.err
    audit = quarterdeck("audit", "--home", home, "--json").json()
    assert audit["decisions"] == audit["agree"] > 0
    journal = open_readonly(home / "journal.sqlite")
    try:
        assert journal.execute("SELECT count(*) FROM trades WHERE reason = 'flatten'").fetchone()[0] >= 1
        assert journal.execute("SELECT old, new FROM setting_changes WHERE key = 'risk.risk_per_trade_pct'").fetchall() == [
            ("1.0", "0.5")
        ]
    finally:
        journal.close()


def test_watcher_sees_the_current_state_and_hears_the_goodbye(running: EngineProcess) -> None:
    async def watch() -> tuple[list[Snapshot], list[object]]:
        client = SocketClient(running.home, client="test", watch=True)
        await client.start()
        snapshots: list[Snapshot] = []
        others: list[object] = []
        try:
            async with asyncio.timeout(LONG_S):
                while not any(isinstance(event, LinkState) and not event.up for event in others):
                    event = await client.next()
                    if isinstance(event, Snapshot):
                        snapshots.append(event)
                        if len(snapshots) == 1:
                            running.tell(signal.SIGTERM)
                    else:
                        others.append(event)
        finally:
            await client.close()
        return snapshots, others

    snapshots, others = asyncio.run(watch())
    assert snapshots[0].engine.ready
    byes = [event for event in others if isinstance(event, LinkBye)]
    assert [bye.why for bye in byes] == ["SIGTERM: flatten"]
    down = [event for event in others if isinstance(event, LinkState) and not event.up]
    assert down[0].ended
    assert running.ended() == 0


def test_killed_engine_leaves_a_readable_journal_and_restartable_home(running: EngineProcess) -> None:
    home = running.home
    seen(home, lambda now: bool(now.desk.positions))
    running.kill()
    assert (home / "link.sock").exists(), "a kill tidies nothing up"
    gone = quarterdeck("status", "--home", home)
    assert gone.code == 8, gone.err
    assert "the last heartbeat was" in gone.last_error
    assert journal_opens(home)
    with engine(home, *DEMO) as again:
        again.ready()
        assert quarterdeck("status", "--home", home, "--json").json()["pid"] == again.process.pid
        again.tell(signal.SIGTERM)
        assert again.ended() == 0
    audit = quarterdeck("audit", "--home", home, "--json").json()
    assert audit["decisions"] == audit["agree"]


def test_systemd_hears_that_it_is_ready_and_alive_and_stops(tmp_path: Path) -> None:
    folder = small_recording(tmp_path / "m15")
    words = ("--replay", folder, *REPLAY_WORDS[:-1], "1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(LONG_S)
        with engine(tmp_path / "home", *words, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000") as process:
            assert line.recv(500) == b"READY=1\nSTATUS=recorded days from m15"
            assert line.recv(500) == b"WATCHDOG=1"
            assert line.recv(500) == b"WATCHDOG=1"
            os.kill(process.process.pid, signal.SIGTERM)
            heard = b""
            while heard != b"STOPPING=1":
                heard = line.recv(500)
            assert process.ended() == 0


def test_a_restart_is_a_new_process_for_the_same_desk(running: EngineProcess) -> None:
    home = running.home
    done = quarterdeck("restart", "--home", home, "--json")
    assert done.code == 0, done.err
    told = done.json()
    try:
        assert running.ended() == 0
        assert "restart: keep" in running.out
        assert told["pid"] != running.process.pid
        assert quarterdeck("status", "--home", home, "--json").json()["pid"] == told["pid"]
    finally:
        quarterdeck("stop", "--keep", "--home", home)
        wait_for(lambda: not (home / "link.sock").exists(), "the end of the second engine")
