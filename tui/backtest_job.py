"""The one backtest that this screen may have running: what was asked, how far it is, what came of it.

Promises: continues while other pages are looked at, ends with the screen; one at a time. Does not: draw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from quarterdeck.tui.command_process import CommandFailed, CommandProgress, CommandRunner
from quarterdeck.tui.view import backtest_form

LIMIT_S: Final = 4 * 3600.0
"""A backtest that takes longer belongs on a command line."""


class BacktestJob:
    """See the module."""

    def __init__(self, commands: CommandRunner) -> None:
        """Nothing asked."""
        self.values: dict[str, str] = {}
        self.told = CommandProgress(0.0, "")
        self.trouble = ""
        self.finished = 0
        """Runs that came to an end."""
        self._commands = commands
        self._task: asyncio.Task[object] | None = None

    @property
    def running(self) -> bool:
        """Whether one runs."""
        return self._task is not None and not self._task.done()

    async def run(self, values: Mapping[str, str]) -> None:
        """Run one to its end; the trouble is kept, never raised."""
        if self.running:
            return
        self.values, self.trouble, self.told = dict(values), "", CommandProgress(0.0, "reads the prices")
        self._task = asyncio.current_task()
        try:
            await self._commands.run(backtest_form.command_words(values), self._heard, LIMIT_S)
        except CommandFailed as error:
            self.trouble = str(error)
        except asyncio.CancelledError:
            self.trouble = "stopped manually; no report is kept"
            raise
        finally:
            self._task = None
            self.finished += 1

    def cancel(self) -> None:
        """Stop it."""
        if self._task is not None:
            self._task.cancel()

    def _heard(self, told: CommandProgress) -> None:
        self.told = told
