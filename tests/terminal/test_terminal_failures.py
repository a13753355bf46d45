"""The screen's misfortunes are its own: terminal gone, process killed, line stalled, log flooded; the engine does not notice."""

from __future__ import annotations

import itertools
import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quarterdeck.core.model.snapshot import LogLine
from tests.cli.fake_engine import ScriptedEngine, running, snapshot
from tests.conftest import CHECKOUT
from tests.terminal.conftest import Home
from tests.terminal.tmux import COMMAND, ENVIRONMENT, Terminal, alive, until

FLOOD_LINES = 10_000
FLOODS = 5


def test_closed_terminal_ends_the_screen_while_engine_trades(terminal: Terminal, ship: Home) -> None:
    engine = ship.status()["pid"]
    terminal.open(*ship.words("monitor"))
    terminal.until("SIMULATED", r"\d pos")
    screen = terminal.pid
    terminal.close()
    until(lambda: not alive(screen), lambda: f"the screen {screen} lives on without a terminal")
    ship.until_it_trades_on()
    assert ship.status()["pid"] == engine


def test_a_killed_screen_leaves_the_engine_it_started_trading(terminal: Terminal, home: Home) -> None:
    terminal.open(*home.words("run"))
    terminal.until("SIMULATED", r"\d pos")
    engine = home.status()["pid"]
    os.kill(terminal.pid, signal.SIGKILL)
    until(lambda: not alive(terminal.pid), lambda: "the screen lives on")
    home.until_it_trades_on()
    assert home.status()["pid"] == engine
    terminal.close()
    terminal.open(*home.words("monitor"))
    terminal.until("SIMULATED", r"\d pos")


def test_a_line_that_nobody_reads_holds_up_nothing(ship: Home) -> None:
    with screen_on_a_pty(ship) as (process, line):
        read_until(line, b"FLATTEN")
        ship.until_it_trades_on()
        os.write(line, b"q")
        read_until(line, b"\x1b[?1049l")
        assert process.wait(60) == 0
    ship.until_it_trades_on()


def test_ten_thousand_lines_at_once_freeze_neither_engine_nor_screen(terminal: Terminal, tmp_path: Path) -> None:
    """The engine's thread takes its turns while it floods; keys are answered in the flood; what was left out is said."""
    engine = ScriptedEngine(lambda command: (True, "done"))
    numbers = itertools.count(1)

    def flood() -> None:
        assert engine.server is not None
        for number in itertools.islice(numbers, FLOOD_LINES):
            engine.server.publish(line(number))

    with running(tmp_path, engine, first=snapshot(), then=snapshot()):
        terminal.open("monitor", "--home", str(tmp_path), size=(120, 40))
        terminal.until("REPLAY", "5 Log")
        for _ in range(FLOODS):
            assert engine.server is not None
            engine.loop.call_soon_threadsafe(flood)
            terminal.press("?")
            terminal.until("Steering the desk")
            terminal.press("Escape")
            terminal.until("5 Log", without=["Steering the desk"])
        terminal.until(f"line {FLOODS * FLOOD_LINES}")
        terminal.press("p")
        until(lambda: engine.commands, lambda: terminal.text)
        terminal.press("q")
        assert terminal.until_ended() == 0


def line(number: int) -> LogLine:
    return LogLine(at_utc_ns=1_720_000_000_000_000_000 + number, level="info", kind="flood", text=f"line {number}")


@contextmanager
def screen_on_a_pty(home: Home) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`monitor` on a terminal whose reader is this test: it reads when it likes."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    environment = {**os.environ, **ENVIRONMENT, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [*COMMAND, *home.words("monitor")],
        cwd=CHECKOUT,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)


def read_until(line: int, wanted: bytes) -> None:
    seen = bytearray()

    def there() -> bool:
        if select.select([line], [], [], 0.05)[0]:
            try:
                seen.extend(os.read(line, 65_536))
            except OSError:
                return True
        return wanted in seen

    until(there, lambda: f"never came: {wanted!r}; last was {bytes(seen[-300:])!r}")
