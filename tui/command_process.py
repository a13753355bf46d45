"""Commands of ours as child processes of the screen: backtests and what-ifs never run in its loop, nor in the engine's.

Promises: no shell; below everybody else's priority; bounded in time and in what it may say; progress is reported as it comes;
killed when it is no longer wanted, and it ends by itself when the screen is gone. What goes wrong is one line. Does not:
understand what the command says.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from quarterdeck.core.model.errors import UNREADABLE
from quarterdeck.tui.view.backtest_report import BacktestReport, backtest_report_of
from quarterdeck.tui.view.lines import clean

ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
LINE_BYTES_MAX: Final = 64 * 1024
REPORTS_MAX: Final = 200
"""Newest ones of the folder."""
RESULT_JSON_NAME: Final = "essentials.json"
_NICE: Final = 10


class CommandProgress(NamedTuple):
    """How far a command has come."""

    fraction: float
    words: str


class CommandFailed(Exception):
    """Why a command has no answer, on one line."""


class CommandRunner(Protocol):
    """What screens may have run beside them; `HomeCommandRunner` does it, tests may give another."""

    home: Path | None

    async def run(self, words: Sequence[str], told: Callable[[CommandProgress], None], limit_s: float) -> dict[str, Any]:
        """Run a command that prints one JSON object at its end. Raises CommandFailed."""
        ...

    async def reports(self) -> tuple[BacktestReport, ...]:
        """Finished backtests of the home, newest first."""
        ...


class HomeCommandRunner:
    """Commands on one home."""

    def __init__(self, home: Path | None) -> None:
        """None where nobody knows where the engine lives."""
        self.home = home

    async def run(self, words: Sequence[str], told: Callable[[CommandProgress], None], limit_s: float) -> dict[str, Any]:
        """See `CommandRunner`."""
        if self.home is None:
            raise CommandFailed("the home folder of the engine is not known here")
        line = [sys.executable, "-m", "quarterdeck.cli.main", *words, "--home", str(self.home), "--json", "--progress-json"]
        try:
            process = await asyncio.create_subprocess_exec(
                *line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, limit=LINE_BYTES_MAX, **_aside()
            )
        except OSError as error:
            raise CommandFailed(f"the command cannot be started: {error.strerror or error}") from error
        hearing = asyncio.ensure_future(_heard(process, told))
        try:
            _be_nice(process.pid)
            async with asyncio.timeout(limit_s):
                answer: dict[str, Any] = await _answer(process)
                said, code = await hearing, await process.wait()
        except TimeoutError as error:
            raise CommandFailed(f"stopped after {limit_s:.0f} s, its time") from error
        finally:
            hearing.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.gather(hearing, return_exceptions=True)
            await process.communicate()
        if not answer:
            raise CommandFailed(said.removeprefix("quarterdeck: ") or f"ended with code {code} and no word why")
        return answer

    async def reports(self) -> tuple[BacktestReport, ...]:
        """See `CommandRunner`."""
        return () if self.home is None else await asyncio.to_thread(_reports, self.home / "reports")


def _aside() -> dict[str, Any]:
    """Out of the way of terminal and engine: no keys reach it, and it yields the processor to both."""
    if sys.platform == "win32":
        flags = subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def _be_nice(pid: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, _NICE)


async def _heard(process: asyncio.subprocess.Process, told: Callable[[CommandProgress], None]) -> str:
    """Follow progress; returns the last line that was none: the reason, where it fails."""
    assert process.stderr is not None
    last = ""
    while True:
        try:
            line = await process.stderr.readline()
        except ValueError:  # a line beyond all measure
            continue
        if not line:
            return last
        text = clean(line.decode(errors="replace").strip())
        progress = _progress(text) if text.startswith("{") else None
        if progress is not None:
            told(progress)
        elif text:
            last = text


def _progress(text: str) -> CommandProgress | None:
    try:
        row = msgspec.json.decode(text, type=dict[str, Any])
        left = "" if row["left_s"] is None else f", {row['left_s']:.0f} s left"
        name = f"{row['name']} " if row["name"] else ""
        return CommandProgress(float(row["progress"]), clean(f"{name}{row['at']}{left}"))
    except (*UNREADABLE, KeyError, TypeError):
        return None


async def _answer(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The object on the last line; what is longer than allowed ends the command."""
    assert process.stdout is not None
    said = bytearray()
    while block := await process.stdout.read(LINE_BYTES_MAX):
        said += block
        if len(said) > ANSWER_BYTES_MAX:
            raise CommandFailed(f"said more than {ANSWER_BYTES_MAX // 1024 // 1024} MiB")
    last = bytes(said).strip().rpartition(b"\n")[2]
    try:
        return msgspec.json.decode(last, type=dict[str, Any]) if last.startswith(b"{") else {}
    except UNREADABLE:
        return {}


def _reports(folder: Path) -> tuple[BacktestReport, ...]:
    try:
        files = [path for path in folder.glob(f"*/{RESULT_JSON_NAME}") if path.stat().st_size <= ANSWER_BYTES_MAX]
        files.sort(key=lambda path: (path.stat().st_mtime_ns, path.parent.name), reverse=True)
    except OSError:
        return ()
    found = (_report(path) for path in files[:REPORTS_MAX])
    return tuple(report for report in found if report is not None)


def _report(path: Path) -> BacktestReport | None:
    try:
        return backtest_report_of(path.parent.name, msgspec.json.decode(path.read_bytes(), type=dict[str, Any]))
    except (OSError, *UNREADABLE, KeyError, TypeError):
        return None
