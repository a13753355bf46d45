"""Asking a strategy of the operator's own: a process that may hang, crash, flood or eat, and an engine that never notices.

Promises: the file is read, tried and asked in that process alone; one question is inside at a time; past its limit, at its end or
at an odd answer the process (and what it started) is killed, a new one is started after a back-off, and the question's answer is
a `NoSignal` that says why; questions behind it wait for the new process, but never longer than they were given. What it prints
becomes log lines, so many bytes between two answers; more is read, counted and dropped, so printing never blocks a strategy. The
process ends with the engine, however that ends.
Does not: decide what an answer is worth, or write it anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine import strategy_messages as wire
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.pipes.framing import MalformedMessage, pack_frame, read_frame
from quarterdeck.core.scan.plan import STRATEGY_ERROR
from quarterdeck.core.scan.scan_request import ScanRequest, encode_request
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy
from quarterdeck.core.strategy.strategy_proxy import StrategyDeclaration, strategy_proxy

_LATE_GRACE_S = 0.25
"""The process ends itself at the limit, with a traceback of where it was; so much later it is ended from here."""
_ENDING_S = 2.0
_LAST_WORDS_S = 0.25
_PRINTED_BYTES_MAX = 16_384
"""What is kept of that which it prints between two answers."""
_READ_BYTES = 65_536
_LINE_LETTERS_MAX = 300
_LINES_KEPT = 200
_SECRET_PREFIX = "QUARTERDECK_"

PrintListener = Callable[[str], None]


class StrategyFailure(Struct, frozen=True, kw_only=True):
    """A question without an answer, or a process that would not start."""

    kind: str
    """Counted under this name: `StrategyLate`, `StrategyEnded`, `StrategyGarbled`, `StrategyUnloaded`."""
    symbol: str
    """Empty where it concerns the process alone."""
    text: str
    in_a_row: int
    """How often now for this pair, without an answer between."""


class ScanBackend(Protocol):
    """Who answers questions about closed bars, wherever that may be."""

    async def ask(self, look: ScanRequest) -> Signal | NoSignal:
        """The strategy's answer, or that there is none and why."""
        ...


class StrategyProcess:
    """See the module. `start`, then `ask`, then `stop`."""

    def __init__(self, settings: Settings, home: Path, clock: Clock) -> None:
        """Nothing is started before `start`."""
        self._settings = settings
        self._section = settings.strategy
        self._engine = settings.engine
        self._home = home
        self._clock = clock
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._inside = asyncio.Lock()
        self._restart: asyncio.Task[None] | None = None
        self._numbers = 0
        self._failures = 0
        """Processes lost in a row, without an answer between."""
        self._rows: dict[str, int] = {}
        self._waiting_lines: list[str] = []
        self._printed_bytes = 0
        """Since the last question."""
        self._unended = b""
        """The line that it has begun to print."""
        self.limit_s: float | None = None
        """Longest a strategy may take; None gives up only after `strategy.load_timeout_s`, and then ends the run."""
        self.wait_s = self._section.load_timeout_s
        """Longest a question waits for others, or for a new process."""
        self.replaced = 0
        """Processes lost so far."""
        self.on_trouble: Callable[[StrategyFailure], None] = _unheard
        self._on_line: PrintListener | None = None

    @property
    def pid(self) -> int | None:
        """The process's id; None while there is none."""
        return None if self._process is None else self._process.pid

    # ----------------------------------------------------------------------------------------------------- its life
    async def start(self) -> LoadedStrategy:
        """Start it and have the file loaded and tried. Raises SettingsError with what is wrong with the file."""
        self._loaded = strategy_proxy(await self._spawned())
        return self._loaded

    def listen_to_process(self, on_line: PrintListener, on_trouble: Callable[[StrategyFailure], None]) -> None:
        """Called with what it prints, and what goes wrong; lines that came before are reported now."""
        self._on_line, self.on_trouble = on_line, on_trouble
        lines, self._waiting_lines = self._waiting_lines, []
        for line in lines:
            on_line(line)

    async def stop(self) -> None:
        """End it: by the end of its input, else by force."""
        restart, self._restart = self._restart, None
        if restart is not None:
            restart.cancel()
            await asyncio.gather(restart, return_exceptions=True)
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _ENDING_S)
        if process is not None:
            await self._killed(process)

    # --------------------------------------------------------------------------------------------------- a question
    async def ask(self, look: ScanRequest) -> Signal | NoSignal:
        """The strategy's answer, or that there is none and why.

        Raises:
            SettingsError: without a limit, when nothing came before `strategy.load_timeout_s`, or no new process could be had.
        """
        data = encode_request(look)  # the bars are views that the next bar changes
        try:
            async with asyncio.timeout(self.wait_s):
                await self._inside.acquire()
        except TimeoutError:
            return look.no_answer(self._loaded, f"the strategy was busy with other pairs for {self.wait_s:g} s")
        try:
            if self._process is None:
                why = await self._new_process()
                if why:
                    return look.no_answer(self._loaded, why)
            return await self._asked(look, data)
        finally:
            self._inside.release()

    async def _new_process(self) -> str:
        """Wait for the process that is on its way; why there is none."""
        restart = self._restart
        if restart is None:
            return "the strategy's process is not running"
        done, _ = await asyncio.wait((restart,), timeout=self.wait_s)
        if done and self._process is not None:
            return ""
        if self.limit_s is None:
            raise SettingsError(
                f"the process of strategy {self._named()} does not start again", what_to_do="correct the strategy"
            )
        return f"the strategy's process is being restarted ({self._failures} failures in a row)"

    async def _asked(self, look: ScanRequest, data: bytes) -> Signal | NoSignal:
        process, symbol = self._process, look.instrument.symbol
        assert process is not None
        assert process.stdin is not None
        self._numbers += 1
        self._count_printing_anew()
        limit_s = self._section.load_timeout_s if self.limit_s is None else self.limit_s
        began_s = self._clock.monotonic_s()
        question = wire.StrategyQuestion(number=self._numbers, limit_s=limit_s, look=msgspec.Raw(data))
        try:
            async with asyncio.timeout(limit_s + _LATE_GRACE_S):
                process.stdin.write(pack_frame(wire.encode(question)))
                await process.stdin.drain()
                message = wire.decode_from_child(await read_frame(process.stdout))
            if (
                not isinstance(message, wire.StrategyAnswer)
                or message.number != self._numbers
                or not self._is_of(look, message.found)
            ):
                raise MalformedMessage("it answered another request")
        except (TimeoutError, OSError, EOFError, MalformedMessage) as error:
            took_s = self._clock.monotonic_s() - began_s
            why = await self._lost(process, symbol, error, late=took_s >= limit_s, limit_s=limit_s)
            return look.no_answer(self._loaded, why)
        took_ms = (self._clock.monotonic_s() - began_s) * 1000.0
        self._failures = 0
        if self.limit_s is not None and took_ms > limit_s * 1000.0:
            why = f"the strategy took {took_ms:.0f} ms; strategy.time_limit_ms allows {limit_s * 1000.0:g}"
            self._tell("StrategyLate", symbol, why)
            return look.no_answer(self._loaded, why)
        if isinstance(message.found, NoSignal) and message.found.withheld.startswith(STRATEGY_ERROR):
            self._tell("StrategyFailed", symbol, message.found.withheld)
        else:
            self._rows.pop(symbol, None)
        return message.found

    def _is_of(self, look: ScanRequest, found: Signal | NoSignal) -> bool:
        """It speaks of what it was asked, under its own name."""
        loaded = self._loaded
        return (found.symbol, found.bar_open_utc_ns, found.strategy, found.strategy_hash) == (
            look.instrument.symbol,
            look.bar_open_utc_ns,
            loaded.name,
            loaded.hash,
        )

    async def _lost(self, process: Process, symbol: str, error: Exception, *, late: bool, limit_s: float) -> str:
        """The process cannot be trusted any more: end it, begin another, and say why."""
        flooded = self._printed_bytes > _PRINTED_BYTES_MAX
        self._process = None
        self.replaced += 1
        self._failures += 1
        code = await self._killed(process)
        if late and self.limit_s is None:
            raise SettingsError(
                f"strategy {self._named()} took more than {limit_s:g} s for {symbol}",
                what_to_do="correct the strategy (the log says where it was), or raise strategy.load_timeout_s",
            )
        if late:
            kind, why = "StrategyLate", f"the strategy took more than {limit_s * 1000.0:g} ms (strategy.time_limit_ms)"
        elif isinstance(error, MalformedMessage):
            kind, why = "StrategyGarbled", f"the strategy's process sent an invalid answer: {error}"
        else:
            kind, why = "StrategyEnded", f"the strategy's process ended ({_ending(code)})"
        why = f"{why}, and it printed more than {_PRINTED_BYTES_MAX} bytes" if flooded else why
        self._restart = asyncio.create_task(self._start_again(), name="strategy process")
        self._tell(kind, symbol, why)
        return why

    def _tell(self, kind: str, symbol: str, why: str) -> None:
        in_a_row = self._rows[symbol] = self._rows.get(symbol, 0) + 1
        self.on_trouble(StrategyFailure(kind=kind, symbol=symbol, text=why, in_a_row=in_a_row))

    def _named(self) -> str:
        return f"{self._section.name} ({self._section.file})"

    # -------------------------------------------------------------------------------------------------- the process
    async def _start_again(self) -> None:
        """Back-off, then a new process, until there is one; recorded days have no clock to wait by."""
        while True:
            if self.limit_s is not None:
                wait_s = self._engine.retry_min_s * 2.0 ** min(self._failures - 1, 16)
                await asyncio.sleep(min(wait_s, self._engine.retry_max_s))
            try:
                told = await self._spawned()
            except (OSError, SettingsError) as error:
                self._failures += 1
                self._tell("StrategyUnloaded", "", f"the strategy's process does not start: {error}")
                if self.limit_s is None:
                    return
                continue
            if told.hash == self._loaded.hash:
                return
            process, self._process = self._process, None
            if process is not None:
                await self._killed(process)
            self._failures += 1
            self._tell("StrategyUnloaded", "", "the strategy's file is not what it was at the start")
            if self.limit_s is None:
                return

    async def _spawned(self) -> StrategyDeclaration:
        """A process with the file loaded and tried. Raises SettingsError, OSError."""
        limit_s = self._section.load_timeout_s
        paths = os.pathsep.join(path for path in sys.path if path)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET_PREFIX)}
        options: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        # -P keeps the current folder off the path, -u lets what is printed come at once
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-u",
            "-m",
            "quarterdeck.core.engine.strategy_child",
            str(self._section.memory_max_mb),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment | {"PYTHONPATH": paths},
            **options,
        )
        self._count_printing_anew()
        self._reading = asyncio.create_task(self._read_printed(process), name="strategy's words")
        try:
            async with asyncio.timeout(limit_s):
                assert process.stdin is not None
                process.stdin.write(pack_frame(wire.encode(wire.LoadStrategy(settings=self._settings, home=str(self._home)))))
                await process.stdin.drain()
                first = wire.decode_from_child(await read_frame(process.stdout))
        except (TimeoutError, OSError, EOFError, MalformedMessage) as error:
            code = await self._killed(process)
            how = f"took more than {limit_s:g} s (strategy.load_timeout_s)" if isinstance(error, TimeoutError) else _ending(code)
            raise SettingsError(f"strategy {self._named()} cannot be loaded: {how}", what_to_do="correct the strategy") from error
        except BaseException:
            await self._killed(process)
            raise
        if not isinstance(first, StrategyDeclaration):
            await self._killed(process)
            wrong = (
                first
                if isinstance(first, wire.StrategyLoadError)
                else wire.StrategyLoadError(error="it sent an invalid answer", what_to_do="")
            )
            raise SettingsError(wrong.error, what_to_do=wrong.what_to_do)
        self._process = process
        return first

    async def _killed(self, process: Process) -> int | None:
        """End it and what it started; its exit code, None where the system cannot end it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        code: int | None = None
        with contextlib.suppress(TimeoutError):
            code = await asyncio.wait_for(process.wait(), 10.0)
        reading, self._reading = self._reading, None
        if reading is not None:
            await asyncio.wait((reading,), timeout=_LAST_WORDS_S)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return code

    # ------------------------------------------------------------------------------------------------ what it prints
    def _count_printing_anew(self) -> None:
        dropped, self._printed_bytes = self._printed_bytes - _PRINTED_BYTES_MAX, 0
        if dropped > 0:
            self._line(f"... and {dropped:,} bytes more".encode())

    async def _read_printed(self, process: Process) -> None:
        """Lines of the log. The pipe is read to its end whatever is kept of it: a full pipe would stop the strategy."""
        source = process.stderr
        assert source is not None
        while data := await source.read(_READ_BYTES):
            room = max(_PRINTED_BYTES_MAX - self._printed_bytes, 0)
            self._printed_bytes += len(data)
            *lines, self._unended = (self._unended + data[:room]).split(b"\n")
            if room < len(data):
                lines, self._unended = [*lines, self._unended], b""
            self._unended = self._unended[-_PRINTED_BYTES_MAX:]
            for line in lines:
                self._line(line)
        self._line(self._unended)
        self._unended = b""
        self._count_printing_anew()

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()[:_LINE_LETTERS_MAX]
        if not text:
            return
        if self._on_line is not None:
            self._on_line(text)
        elif len(self._waiting_lines) < _LINES_KEPT:
            self._waiting_lines.append(text)


def _ending(code: int | None) -> str:
    if code is None:
        return "it cannot be ended"
    if code < 0 and sys.platform != "win32":
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _unheard(_trouble: StrategyFailure) -> None:
    """Nobody listens yet."""
