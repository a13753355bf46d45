"""A terminal that a test can hold: one tmux server on a socket of its own, one window, keys in, screen out."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LIMIT_S = 90.0
"""The one limit of every wait: generous, because a busy machine is no failure."""
LOOK_AGAIN_S = 0.04
COMMAND = (sys.executable, "-m", "quarterdeck.cli.main")
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "TEXTUAL_ANIMATIONS": "none"}

NOT_INHERITED = ("COLORTERM", "NO_COLOR", "COLUMNS", "LINES", "LC_ALL", "LC_CTYPE")
"""What the test's own terminal says of itself is not true of the window."""


def until(done: Callable[[], object], what: Callable[[], str]) -> None:
    """Wait for a condition; `what` tells what was there instead."""
    deadline = time.monotonic() + LIMIT_S
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(what())
        time.sleep(LOOK_AGAIN_S)


class Terminal:
    """A window in which one command runs."""

    def __init__(self, tmux: str, socket: Path) -> None:
        """Nothing is opened before `open`."""
        self._base = [tmux, "-S", str(socket), "-f", os.devnull]
        self.pid = 0

    def open(self, *command: str, size: tuple[int, int] = (80, 24), env: Mapping[str, str] | None = None) -> None:
        """Run `quarterdeck COMMAND` in the window."""
        wanted = {**ENVIRONMENT, "TERM": "screen-256color", "LANG": "C.UTF-8", **(env or {})}
        words = [
            "env",
            *(f"--unset={name}" for name in NOT_INHERITED),
            *(f"{name}={value}" for name, value in wanted.items()),
            *COMMAND,
            *command,
        ]
        width, height = size
        self._tell("-u", "new-session", "-d", "-x", str(width), "-y", str(height), "-s", "desk", "cat")
        self._tell("set-option", "-g", "remain-on-exit", "on")
        self._tell("set-option", "-g", "escape-time", "20")
        self._tell("respawn-pane", "-k", "-t", "desk", shlex.join(words))
        self.pid = int(self._tell("display-message", "-p", "-t", "desk", "#{pane_pid}"))

    def press(self, *keys: str) -> None:
        """Keys by tmux's names, in one packet."""
        self._tell("send-keys", "-t", "desk", *keys)

    def type(self, text: str) -> None:
        """Letters as they are."""
        self._tell("send-keys", "-t", "desk", "-l", text)

    def send(self, data: bytes) -> None:
        """Bytes as a babbling terminal would send them."""
        self._tell("send-keys", "-t", "desk", "-H", *(f"{byte:02x}" for byte in data))

    def paste(self, text: str) -> None:
        """As the terminal's own paste does it: between the marks that say so, where the program asked for them."""
        self._tell("set-buffer", "--", text)
        self._tell("paste-buffer", "-p", "-t", "desk")

    def resize(self, width: int, height: int) -> None:
        """Another size."""
        self._tell("resize-window", "-t", "desk", "-x", str(width), "-y", str(height))

    @property
    def text(self) -> str:
        """The screen's words."""
        return self._tell("capture-pane", "-p", "-t", "desk")

    @property
    def painted(self) -> str:
        """The screen's words with the codes of their colours."""
        return self._tell("capture-pane", "-e", "-p", "-t", "desk")

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        width, height = self._tell("display-message", "-p", "-t", "desk", "#{pane_width} #{pane_height}").split()
        return int(width), int(height)

    @property
    def ended(self) -> int | None:
        """Exit code of the command; None while it runs."""
        dead, code = self._tell("display-message", "-p", "-t", "desk", "#{pane_dead}:#{pane_dead_status}").strip().split(":")
        return int(code or 0) if dead == "1" else None

    def until(self, *words: str, without: Sequence[str] = ()) -> str:
        """Wait until all patterns are on the screen and none of `without` is; returns the screen."""
        seen, over = "", None

        def settled() -> bool:
            nonlocal seen, over
            over = self.ended
            seen = self.text
            return there() or over is not None

        def there() -> bool:
            return all(re.search(word, seen) for word in words) and not any(re.search(word, seen) for word in without)

        until(settled, lambda: f"never came: {words} without {tuple(without)}; on the screen:\n{seen}")
        assert there(), f"ended with {over} before {words} came without {tuple(without)}; on the screen:\n{seen}"
        return seen

    def until_ended(self) -> int:
        """Wait until the command ended; returns its exit code."""
        until(lambda: self.ended is not None, lambda: f"never ended; on the screen:\n{self.text}")
        code = self.ended
        assert code is not None
        return code

    def close(self) -> None:
        """Take the terminal away, whatever runs in it."""
        with contextlib.suppress(subprocess.CalledProcessError):
            server = int(self._tell("display-message", "-p", "#{pid}"))
            self._tell("kill-server")
            until(lambda: not alive(server), lambda: f"tmux {server} lives on")

    def _tell(self, *words: str) -> str:
        done = subprocess.run(
            [*self._base, *words], check=True, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=LIMIT_S
        )
        return done.stdout


def alive(pid: int) -> bool:
    """Whether a process runs (one that ended and was not yet buried does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"
