"""The screen over a real engine: on a replay in this process, and as a process of its own that may be killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("TEXTUAL_FPS", "1000")

import pytest

from quarterdeck.core.engine.run_lifecycle import StartedRun, run_to_end, start_run, watch_engine
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.journal.journal_schema import open_readonly
from quarterdeck.core.link.local_client import LocalClient
from quarterdeck.core.link.messages import ReplayControl
from quarterdeck.core.model.effects import PositionOpened
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.core.settings.home import Home
from quarterdeck.tui.app import DeskApp
from tests.e2e.processes import LONG_S, command, environment, journal_opens, quarterdeck, wait_for

if sys.platform != "win32":
    import fcntl
    import pty
    import termios


@contextlib.asynccontextmanager
async def engine_here(wish: RunRequest) -> AsyncIterator[tuple[StartedRun, LocalClient]]:
    """An engine in this event loop with a client, ended in order; its market stands still at the first position."""
    ready = await start_run(wish, on_step=lambda _: None)

    def hold(_at: int, effect: object) -> None:
        if isinstance(effect, PositionOpened):
            ready.engine.side.replay_control(ReplayControl(action="pause"))

    ready.engine.runner.listen(hold)
    client = LocalClient(ready.engine.side)
    watch_engine(ready.engine, client.publish)
    running = asyncio.create_task(run_to_end(ready, screen=True))
    try:
        yield ready, client
    finally:
        ready.engine.stop(why="test over")
        await running


@pytest.mark.slow
async def test_replay_is_paused_changed_and_flattened_and_journaled(recorded_data: Path, tmp_path: Path) -> None:
    wish = RunRequest(
        home=Home(tmp_path / "home"),
        pairs=("EURUSD", "GBPUSD", "USDJPY", "USDCHF"),
        replay=(recorded_data / "m15",),
        from_day=date(2024, 7, 1),
        to_day=date(2024, 7, 12),
        speed=None,
        speed_given=True,
    )
    async with engine_here(wish) as (ready, client):
        engine = ready.engine
        app = DeskApp(client, ready.loaded.settings.ui, home=tmp_path / "home")
        async with app.run_test(size=(120, 40), tooltips=False) as pilot:

            async def until(holds: Callable[[], Any], what: str) -> None:
                async with asyncio.timeout(LONG_S):
                    while not holds():  # noqa: ASYNC110 - whatever holds is not ours to set an event
                        await asyncio.sleep(0.005)
                assert holds(), what

            def desk() -> DeskView:
                snapshot = app.memory.snapshot
                assert snapshot is not None
                return snapshot.desk

            async def press(*keys: str) -> None:
                for key in keys:
                    await pilot.press(key)

            await until(lambda: app.memory.snapshot is not None and desk().positions, "a position on the screen")
            (ticket,) = (position.ticket for position in desk().positions)

            await press("p")
            await until(lambda: "paused" in [reason.code for reason in desk().reasons], "the pause")
            assert desk().state == "REDUCE_ONLY"

            await press("t")
            await until(lambda: getattr(app.screen, "book", None) is not None, "the parameters")
            await press("slash", *"risk_per_trade", "enter", "down", "enter", *("backspace" for _ in range(8)), *"0.5", "enter")
            await press("A", "y")
            await until(lambda: engine.runtime_settings.settings.risk.risk_per_trade_pct == 0.5, "the changed parameter")
            await press("escape", "escape")

            await press("F", *"flat")
            await until(lambda: not desk().positions, "no position any more")
            await until(lambda: desk().state == "HALTED", "the halt after a flatten")
            await press("escape", "q")
    assert journal_opens(tmp_path / "home")
    journal = open_readonly(tmp_path / "home" / "journal.sqlite")
    try:
        assert journal.execute("SELECT reason FROM trades ORDER BY seq DESC LIMIT 1").fetchone() == ("flatten",)
        assert journal.execute("SELECT position_id FROM trades WHERE reason = 'flatten'").fetchall() == [(ticket,)]
        changes = journal.execute("SELECT key, old, new FROM setting_changes WHERE key LIKE 'risk.%'").fetchall()
        assert changes == [("risk.risk_per_trade_pct", "1.0", "0.5")]
    finally:
        journal.close()
    audit = quarterdeck("audit", "--home", tmp_path / "home", "--json").json()
    assert audit["decisions"] == audit["agree"] > 0


# ------------------------------------------------------------------------------------------------------ a real terminal
class Terminal:
    """A command on a terminal of its own; what it draws is read away and kept in part."""

    def __init__(self, columns: int, rows: int, *words: str | Path) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update(environment(TERM="xterm-256color", LC_ALL="C.UTF-8"))
            argv = command(*words)
            os.execv(argv[0], argv)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self.master, False)
        self.drawn = b""
        self.code: int | None = None

    def look(self) -> bool:
        """Take what was drawn; whether the process lives."""
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(self.master, 65_536):
                self.drawn = (self.drawn + chunk)[-400_000:]
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is None

    def until(self, holds: Callable[[bytes], bool], what: str) -> None:
        """Read until what was drawn suits."""
        wait_for(lambda: not self.look() or holds(self.drawn), what)
        assert holds(self.drawn), what

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        wait_for(lambda: not self.look(), "the end of the screen")
        assert self.code is not None
        return self.code

    def kill(self) -> None:
        """What no process can hear."""
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            wait_for(lambda: not self.look(), "the end of the screen")

    def close(self) -> None:
        """Leave nothing behind."""
        self.kill()
        os.close(self.master)


@contextlib.contextmanager
def terminal(columns: int, rows: int, *words: str | Path) -> Iterator[Terminal]:
    """A terminal for the length of a block."""
    screen = Terminal(columns, rows, *words)
    try:
        yield screen
    finally:
        screen.close()


def painted(drawn: bytes) -> bool:
    """Whether a screen has taken the terminal and painted a frame."""
    return b"\x1b[?1049h" in drawn and drawn.count(b"\x1b[") > 20


posix = pytest.mark.skipif(sys.platform == "win32", reason="a terminal is made manually here")


def engine_ends(home: Path) -> None:
    quarterdeck("stop", "--keep", "--home", home)
    wait_for(lambda: not (home / "link.sock").exists(), "the end of the engine")


@posix
@pytest.mark.processes
def test_killed_screen_leaves_engine_trading_and_next_one_attaches(tmp_path: Path) -> None:
    home = tmp_path / "home"
    try:
        with terminal(100, 30, "run", "--home", home, "--speed", "600") as first:
            first.until(painted, "a painted screen")
            before = quarterdeck("status", "--home", home, "--json").json()
            first.kill()

        def goes_on() -> bool:
            now = quarterdeck("status", "--home", home, "--json").json()
            assert now["pid"] == before["pid"]
            return bool(now["tape_seq"] > before["tape_seq"])

        wait_for(goes_on, "a tape that grows without a screen")
        with terminal(100, 30, "run", "--home", home) as second:
            second.until(painted, "a painted screen")
            assert b"an engine runs here already: attaching to it" in second.drawn
            os.write(second.master, b"q")
            assert second.ended() == 0
            assert b"the engine continues" in second.drawn
        assert quarterdeck("status", "--home", home, "--json").json()["pid"] == before["pid"]
    finally:
        engine_ends(home)
    assert journal_opens(home)


@posix
@pytest.mark.processes
def test_terminal_of_20x5_opens_and_leaves_the_desk(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with terminal(20, 5, "run", "--in-process", "--home", home, "--speed", "600") as screen:
        screen.until(painted, "a painted screen")
        os.write(screen.master, b"q")
        assert screen.ended() in (0, 130)
        assert b"Traceback" not in screen.drawn
    assert journal_opens(home)


@posix
@pytest.mark.processes
def test_hangup_ends_a_screen_with_its_in_process_engine(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with terminal(80, 24, "run", "--in-process", "--home", home, "--speed", "600") as screen:
        screen.until(painted, "a painted screen")
        os.kill(screen.pid, signal.SIGHUP)
        screen.ended()
    assert journal_opens(home)
    assert not (home / "link.sock").exists()
