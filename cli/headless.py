"""The engine in this process, without a screen: steps of the start, progress, and the summary at the end.

Promises: results go to stdout, all else to stderr; whoever started this as a child hears each step, and the one line of error.
Does not: start or stop the engine by itself (`core.engine.run_lifecycle` does).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from quarterdeck.cli import summary_text
from quarterdeck.cli.output import print_json, say, warn
from quarterdeck.cli.start_record import EXIT_RESTART, RESTART_WORD, record_start
from quarterdeck.core.clock.wall import WallClock, iso
from quarterdeck.core.engine.engine import Engine, RunEnd
from quarterdeck.core.engine.engine_process import StartupPipe
from quarterdeck.core.engine.preflight import check_start
from quarterdeck.core.engine.run_lifecycle import StartedRun, run_to_end, start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.model.plain_text import plain_text
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.study.summary import SummaryCounter

_PROGRESS_S = 1.0
_PROGRESS_UNSEEN_S = 10.0
_SHOWN_LEVELS = ("warning", "error", "critical")


def run_headless(wish: RunRequest, *, as_json: bool) -> int:
    """Run the engine to its end and return the exit code. Raises QuarterdeckError when it cannot start."""
    pipe = StartupPipe()
    try:
        return asyncio.run(_run(wish, pipe, as_json=as_json))
    except QuarterdeckError as error:
        pipe.failed(error.one_line(), error.exit_code)
        raise


def check_here(wish: RunRequest) -> int:
    """Check what a start needs, in this process, and start nothing. Raises the QuarterdeckError that it would end with."""
    pipe = StartupPipe()

    def step(text: str) -> None:
        pipe.step(text)
        warn(text)

    try:
        asyncio.run(check_start(wish, WallClock(), step))
    except QuarterdeckError as error:
        pipe.failed(error.one_line(), error.exit_code)
        raise
    pipe.ready()
    print("it can start: settings, strategy and the way to the broker are in order")
    return 0


async def _run(wish: RunRequest, pipe: StartupPipe, *, as_json: bool) -> int:
    def step(text: str) -> None:
        pipe.step(text)
        warn(text)

    tally = SummaryCounter()
    ready = await start_run(wish, on_step=step, on_line=_show)
    ready.engine.runner.listen(tally.on_effect)
    record = record_start(wish)
    pipe.ready()
    warn("ready")
    with _progress(ready.engine):
        end = await run_to_end(ready)
    _tell_end(ready, end, tally, as_json=as_json)
    if end.exit_code:
        warn(end.why)
    if record.supervised and end.clean and RESTART_WORD in end.why:
        return EXIT_RESTART
    return end.exit_code


@contextlib.contextmanager
def _progress(engine: Engine) -> Iterator[None]:
    task = asyncio.create_task(_say_progress(engine), name="progress") if engine.venue.ends else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            if sys.stderr.isatty():
                print(file=sys.stderr)


async def _say_progress(engine: Engine) -> None:
    seen = sys.stderr.isatty()
    while True:
        await asyncio.sleep(_PROGRESS_S if seen else _PROGRESS_UNSEEN_S)
        snapshot = engine.snapshot()
        done, rate = snapshot.engine.replay_fraction or 0.0, snapshot.engine.bars_per_s or 0.0
        text = f"{iso(snapshot.desk.at_utc_ns)[:10]}  {done:4.0%}  {rate:,.0f} bars/s"
        print(f"\r{text}   " if seen else text, end="" if seen else "\n", file=sys.stderr, flush=True)


def _show(line: LogLine) -> None:
    if line.level in _SHOWN_LEVELS or line.resolved:
        level = "resolved" if line.resolved else line.level
        print(plain_text(f"{iso(line.at_utc_ns)} {level} {line.kind} {line.text}"), file=sys.stderr, flush=True)


def _tell_end(ready: StartedRun, end: RunEnd, tally: SummaryCounter, *, as_json: bool) -> None:
    venue, summary = ready.engine.venue, tally.summary()
    account = ready.engine.desk.view().account
    currency = account.currency if account is not None else ready.loaded.settings.simulation.currency
    seed = f", seed {venue.seed}"
    say(f"{venue.label}{'' if seed in venue.label else seed}: {end.why}")
    if venue.faults is not None:
        struck = ", ".join(f"{name} {count}" for name, count in sorted(venue.faults.drawn.items()))
        print(f"faults that struck: {struck or 'none'}")
    for line in summary_text.lines(summary, currency):
        print(line)
    if as_json:
        home = str(ready.engine.home.root)
        more: dict[str, Any] = {"clean": end.clean, "ended": end.why, "currency": currency, "mode": venue.mode, "home": home}
        print_json(summary_text.summary_json(summary, **more))
