"""Textual hardened for money at stake: a stalled, lost or babbling terminal never freezes, spins or crashes the screen.

Promises: frames are dropped instead of blocking the event loop, and one full repaint follows when the line drains; a closed
terminal ends the screen within seconds; SIGTERM and SIGHUP restore the terminal; bytes that are no UTF-8 become marks; what is
pasted is never taken for keys; a crash prints no local variables.
Does not: keep an engine alive (that is another process). It touches private names of Textual, which is therefore pinned
exactly.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import queue
import signal
import sys
from functools import partial
from typing import Any

from rich.segment import Segments
from rich.traceback import Traceback
from textual.app import App
from textual.driver import Driver
from textual.filter import Monochrome, NoColor

from quarterdeck.tui.ansi_compact import compact_ansi

EXIT_TERMINAL_LOST = 129


def hardened_driver() -> type[Driver] | None:
    """The driver for this system's terminal; None leaves the choice to Textual."""
    if sys.platform == "win32":
        return None
    from textual.drivers import linux_driver

    from quarterdeck.tui.paste_filter import PasteSafeParser

    linux_driver.XTermParser = PasteSafeParser  # type: ignore[attr-defined]
    # the driver decodes input strictly by default, and one Latin-1 byte would end the app
    linux_driver.getincrementaldecoder = _tolerant_decoder  # type: ignore[attr-defined, assignment]

    class ResilientDriver(linux_driver.LinuxDriver):
        """Drops frames rather than wait for the terminal."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.dropped = 0
            self.written = 0
            self._torn = False

        @property
        def backlog(self) -> int:
            """Writes that wait for the terminal."""
            thread = self._writer_thread
            return 0 if thread is None else thread._queue.qsize()  # noqa: SLF001 - the only way to know

        def _get_terminal_size(self) -> tuple[int, int]:
            """As the app sees it: where a terminal has no size, two guesses would repaint against each other for ever."""
            width, height = self._app.console.size
            return width, height

        def write(self, data: str) -> None:
            """Queue `data`, made lean, if there is room, else drop it and remember to repaint."""
            thread = self._writer_thread
            if thread is None or not thread.is_alive():
                self.dropped += 1
                return
            data = compact_ansi(data)
            try:
                thread._queue.put_nowait(data)  # noqa: SLF001 - put() would block the event loop
            except queue.Full:
                self.dropped += 1
                self._torn = True
                return
            self.written += len(data)
            if self._torn and self.backlog < 3:
                self._torn = False
                self._app.call_later(self._app.screen.refresh)

        def close(self) -> None:
            """Let the writer finish, but wait no longer than a second."""
            thread = self._writer_thread
            if thread is None:
                return
            with contextlib.suppress(queue.Full):
                thread._queue.put_nowait(None)  # noqa: SLF001 - stop() would block
                thread.join(1.0)

    return ResilientDriver


def _tolerant_decoder(encoding: str) -> partial[codecs.IncrementalDecoder]:
    return partial(codecs.getincrementaldecoder(encoding), errors="replace")


class HardenedApp(App[int]):
    """An app that leaves cleanly whatever happens to its terminal, and whose exit code tells."""

    def __init__(self) -> None:
        """With the resilient driver where there is one; under NO_COLOR no colour leaves at all, only bold and reverse."""
        for name in ("COLUMNS", "LINES"):  # a parent's (readline sets them): they would hide the terminal's own size
            os.environ.pop(name, None)
        super().__init__(driver_class=hardened_driver())
        if self.no_color:
            # Textual would send grey shades, and black on black where a theme uses the terminal's own colours
            self._filters[:] = [NoColor(), *(one for one in self._filters if not isinstance(one, Monochrome))]

    def on_mount(self) -> None:
        """Watch the terminal. Runs beside a subclass's own `on_mount`."""
        if self.is_headless:
            return
        if sys.platform != "win32":
            loop = asyncio.get_running_loop()
            for number in (signal.SIGHUP, signal.SIGTERM):
                loop.add_signal_handler(number, partial(self._end, 128 + number))
        self.set_interval(2.0, self._check_terminal)

    @property
    def line_backlog(self) -> int:
        """Frames that wait for the terminal; above a few the line is slower than the screen."""
        return int(getattr(self._driver, "backlog", 0))

    def _check_terminal(self) -> None:
        try:
            alive = os.isatty(0)
        except OSError:
            alive = False
        if not alive:
            self._end(EXIT_TERMINAL_LOST)

    def _end(self, code: int) -> None:
        self.exit(code, return_code=code)

    def _fatal_error(self) -> None:
        """A traceback without local variables: they may hold secrets."""
        self.bell()
        text = Traceback(show_locals=False, width=None)
        self._exit_renderables.append(Segments(self.console.render(text, self.console.options)))
        self._close_messages_no_wait()
