"""A real terminal that goes away, stalls or babbles; only where there are pseudo-terminals."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import sys
import termios
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")]
PATIENCE_S = 60.0


class Terminal:
    """The screen over the demo desk in a pseudo-terminal of its own."""

    def __init__(self, tmp_path: Path) -> None:
        import pty

        script = (
            "import asyncio, msgspec\n"
            "from quarterdeck.core.settings.settings_loader import shipped_settings\n"
            "from tests.tui.demo_client import FakeClient, live_events\n"
            "from quarterdeck.tui.app import run_screen\n"
            "raise SystemExit(run_screen(FakeClient(live_events()), shipped_settings().ui))\n"
        )
        self.pid, self.line = pty.fork()
        if self.pid == 0:  # pragma: no cover - the child becomes another program
            os.chdir(CHECKOUT)
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", HOME=str(tmp_path))
            os.execv(sys.executable, [sys.executable, "-c", script])
        fcntl.ioctl(self.line, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.seen = b""

    def wait_for(self, words: bytes) -> None:
        while words not in self.seen:
            ready, _, _ = select.select([self.line], [], [], PATIENCE_S)
            assert ready, f"never came: {words!r}; seen {self.seen[-300:]!r}"
            try:
                self.seen += os.read(self.line, 65_536)
            except OSError:
                pytest.fail(f"ended before {words!r}: {self.seen[-1000:]!r}")

    def exit_code(self) -> int:
        """Drain, and wait for the end."""
        while True:
            try:
                ready, _, _ = select.select([self.line], [], [], PATIENCE_S)
                if not ready or not os.read(self.line, 65_536):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def terminal(tmp_path):
    made = Terminal(tmp_path)
    made.wait_for(b"FLATTEN")
    return made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_screen_and_gives_the_terminal_back(terminal, number):
    os.kill(terminal.pid, number)
    terminal.wait_for(b"\x1b[?1049l")
    assert terminal.exit_code() == 128 + number


def test_a_terminal_that_is_gone_ends_the_screen(terminal):
    os.close(terminal.line)
    _, status = os.waitpid(terminal.pid, 0)
    assert os.waitstatus_to_exitcode(status) in (129, -signal.SIGHUP)


def test_bytes_that_are_no_text_do_not_end_it(terminal):
    os.write(terminal.line, b"\xff\xfe\xe9 \x1b[<32;NaN;NaNM\x1b[200~paste\x00\x1b[201~")
    os.write(terminal.line, b"q")
    assert terminal.exit_code() == 0


def test_a_stalled_terminal_does_not_hold_up_a_key(terminal):
    for _ in range(300):
        os.write(terminal.line, b"12345z")  # a storm of repaints while nobody reads
    os.write(terminal.line, b"q")
    assert terminal.exit_code() == 0
