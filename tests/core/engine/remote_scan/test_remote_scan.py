"""Several machines scan over a real Redis: they share the pairs, die, come late, come twice and talk nonsense, and no trade changes."""

from __future__ import annotations

import asyncio
import base64
import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.engine.engine import Engine
from quarterdeck.core.engine.remote_scan.address import RedisAddress, connect
from quarterdeck.core.engine.run_lifecycle import StartedRun, run_to_end, start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.link.messages import ReplayControl
from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.inputs import Input
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.settings.home import Home
from quarterdeck.core.study.summary import Summary, SummaryCounter
from tests.conftest import CHECKOUT
from tests.core.engine.faulty_strategies import strategy_file
from tests.core.engine.remote_scan.conftest import PASSWORD, MachineProcess, RedisOfOurs, happens, wait_for
from tests.parity.test_replay_and_backtest import BUSY

pytestmark = [pytest.mark.processes, pytest.mark.slow]
DAY = (date(2024, 3, 4), date(2024, 3, 4))
BUSY_STRATEGY = "strategy.parameters={h1_slope_min_x_atr = 1.0, pullback_rsi = 50.0}"
VALUES = (*BUSY, ("desk.pairs", ["EURUSD", "USDJPY"]))
Machines = Callable[..., MachineProcess]
Meanwhile = Callable[[Engine, "Run"], Awaitable[None]]


class Run:
    """One day replayed: what it came to, and what its log said."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.questions = 0
        self.inputs: list[Input] = []
        self.summary: Summary
        self.scanning = ""

    @property
    def log(self) -> str:
        return "".join(file.read_text() for file in sorted((self.home / "logs").glob("*.log*")))


def replayed(home: Path, data: Path, *values: tuple[str, Any], meanwhile: Meanwhile | None = None) -> Run:
    """Replay the day; `meanwhile` continues beside it and is over before the run is looked at."""
    home.mkdir(exist_ok=True)
    run, tally = Run(home), SummaryCounter()

    async def live() -> None:
        own = any(key == "strategy.file" for key, _ in values)
        busy = tuple(pair for pair in VALUES if not (own and pair[0] == "strategy.parameters"))
        wish = RunRequest(home=Home(home), values=(*busy, *values), replay=(data / "m15",), from_day=DAY[0], to_day=DAY[1])
        ready: StartedRun = await start_run(wish, on_step=lambda _text: None)
        engine = ready.engine
        give = engine.runner.feed_input

        def watched(item: Input, at_utc_ns: int) -> tuple[Effect, ...]:
            run.inputs.append(item)
            run.questions += isinstance(item, Signal | NoSignal)
            run.scanning = engine.health.scanning
            return give(item, at_utc_ns)

        engine.runner.feed_input = watched  # type: ignore[method-assign] # a test looks over its shoulder
        engine.runner.listen(tally.on_effect)

        async def goes_on() -> None:
            assert meanwhile is not None
            try:
                await meanwhile(engine, run)
            except BaseException:
                engine.stop(why="what continued beside it failed")  # a replay that it paused would stand for ever
                raise

        beside = asyncio.create_task(goes_on()) if meanwhile is not None else None
        end = await run_to_end(ready)
        assert end.exit_code == 0, end.why
        if beside is not None:
            await beside

    asyncio.run(live())
    run.summary = tally.summary()
    return run


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, recorded_data: Path) -> Summary:
    """The day as one machine trades it by itself."""
    summary = replayed(tmp_path_factory.mktemp("alone") / "home", recorded_data).summary
    assert summary.trades >= 5
    return summary


def redis(server: RedisOfOurs) -> Any:
    return connect(RedisAddress(address=server.address, password=PASSWORD, prefix="quarterdeck"), text=True)


def over(server: RedisOfOurs) -> tuple[str, Any]:
    return ("scan.redis", server.address)


def test_two_workers_share_pairs_and_trade_as_one_machine(
    tmp_path: Path, recorded_data: Path, redis_here: RedisOfOurs, machine: Machines, alone: Summary
) -> None:
    both = [machine(name, BUSY_STRATEGY) for name in ("a", "b")]
    wait_for(lambda: all(one.said("scanning at") for one in both), "two machines")
    run = replayed(tmp_path / "engine", recorded_data, over(redis_here))
    assert run.summary == alone
    assert run.scanning == "2 scan workers (a, b)"
    assert "ScanUnanswered" not in run.log
    assert [one.end() for one in both] == [0, 0]
    answers = [int(one.lines[-1].split()[0]) for one in both]
    assert sum(answers) == 2 * 97  # every bar of both pairs, each answered once
    assert PASSWORD not in run.log + "".join(line for one in both for line in one.lines)


def test_a_machine_that_dies_in_the_middle_changes_nothing(
    tmp_path: Path, recorded_data: Path, redis_here: RedisOfOurs, machine: Machines, alone: Summary
) -> None:
    one, other = machine("a", BUSY_STRATEGY), machine("b", BUSY_STRATEGY)
    wait_for(lambda: one.said("scanning at") and other.said("scanning at"), "two machines")

    async def kill(_engine: Engine, run: Run) -> None:
        await happens(lambda: run.questions >= 40, "some bars")
        one.end(kill=True)

    run = replayed(tmp_path / "engine", recorded_data, over(redis_here), meanwhile=kill)
    assert run.summary == alone


def test_lost_redis_falls_back_to_local_scan_and_recovers(
    tmp_path: Path, recorded_data: Path, redis_here: RedisOfOurs, machine: Machines, alone: Summary
) -> None:
    only = machine("a", BUSY_STRATEGY, "engine.retry_min_s=0.1")
    wait_for(lambda: only.said("scanning at"), "a machine")
    seen: list[str] = []

    async def kill(engine: Engine, run: Run) -> None:
        await happens(lambda: run.questions >= 40, "some bars")
        engine.run_loop.control(ReplayControl(action="pause"))
        redis_here.kill()
        await happens(lambda: engine.health.scanning.startswith("here: unix://"), "the engine knows")
        seen.append(engine.snapshot().engine.scanning)
        for _ in range(3):
            before = run.questions
            engine.run_loop.control(ReplayControl(action="step_bar"))
            await happens(lambda before=before: run.questions > before, "it scans by itself")
        redis_here.start()
        await happens(lambda: engine.health.scanning == "1 scan worker (a)", "it goes back")
        engine.run_loop.control(ReplayControl(action="play"))

    run = replayed(tmp_path / "engine", recorded_data, over(redis_here), ("engine.retry_min_s", 0.1), meanwhile=kill)
    assert run.summary == alone
    assert run.scanning == "1 scan worker (a)"
    assert seen[0].startswith("here: unix://")
    assert "alert.connection" in run.log
    assert "Scanning: here: unix://" in run.log
    assert "Scanning: 1 scan worker (a)" in run.log


def test_every_answer_twice_trades_no_more(
    tmp_path: Path, recorded_data: Path, redis_here: RedisOfOurs, machine: Machines, alone: Summary
) -> None:
    only = machine("a", BUSY_STRATEGY)
    wait_for(lambda: only.said("scanning at"), "a machine")

    async def echo(engine: Engine, _run: Run) -> None:
        await echoing(redis_here, engine, lambda fields: fields if "echo" not in fields else None, "completed")

    run = replayed(tmp_path / "engine", recorded_data, over(redis_here), meanwhile=echo)
    assert run.summary == alone
    twice = [item.id for item in run.inputs if isinstance(item, Signal)]
    assert len(twice) > len(set(twice))


def test_nonsense_for_answers_is_refused_and_the_engine_looks_itself(
    tmp_path: Path, recorded_data: Path, redis_here: RedisOfOurs, machine: Machines, alone: Summary
) -> None:
    only = machine("a", BUSY_STRATEGY)
    wait_for(lambda: only.said("scanning at"), "a machine")
    nonsense = ['"x"', "[]", '"' + base64.b64encode(os.urandom(200)).decode() + '"', '"' + "A" * 200_000 + '"']
    turn = 0

    def garbled(fields: dict[str, str]) -> dict[str, str]:
        nonlocal turn
        turn += 1
        return {"event": "completed", "jobId": fields["jobId"], "returnvalue": nonsense[turn % len(nonsense)]}

    async def disturb(engine: Engine, _run: Run) -> None:
        await echoing(redis_here, engine, garbled, "added")

    run = replayed(tmp_path / "engine", recorded_data, over(redis_here), meanwhile=disturb)
    assert run.summary == alone
    assert "refused: not a valid answer" in run.log


def test_worker_with_another_strategy_is_unused_and_both_report_why(
    tmp_path: Path, recorded_data: Path, redis_here: RedisOfOurs, machine: Machines, alone: Summary
) -> None:
    other = machine("other", "strategy.parameters={pullback_rsi = 40.0}")
    wait_for(lambda: other.said("scanning at"), "a machine")

    async def hear(engine: Engine, _run: Run) -> None:
        engine.run_loop.control(ReplayControl(action="pause"))
        await happens(lambda: other.said("it sends no work to this machine"), "it says so")
        engine.run_loop.control(ReplayControl(action="play"))

    run = replayed(tmp_path / "engine", recorded_data, over(redis_here), meanwhile=hear)
    assert run.summary == alone
    assert run.scanning == "here: no scan worker is connected"
    assert "other has strategy trend" in run.log
    other.end()
    assert other.lines[-1] == "0 questions answered"


def test_wrong_password_is_reported_with_remedy_and_never_shown(
    tmp_path: Path, redis_here: RedisOfOurs, machine: Machines
) -> None:
    (tmp_path / "machine-a").mkdir()
    (tmp_path / "machine-a" / "secrets.toml").write_text('redis_password = "hunter2"\n')
    (tmp_path / "machine-a" / "secrets.toml").chmod(0o600)
    only = machine("a", password="")
    wait_for(lambda: only.said("it refuses the password; see QUARTERDECK_REDIS_PASSWORD"), "the reason")
    assert only.end() == 0
    assert "hunter2" not in "".join(only.lines)


def test_without_machines_and_told_to_hold_nothing_is_entered(
    tmp_path: Path, recorded_data: Path, redis_here: RedisOfOurs
) -> None:
    run = replayed(tmp_path / "engine", recorded_data, over(redis_here), ("scan.no_worker_action", "no_entries"))
    assert run.summary.entered == 0
    assert sum("no scan worker is connected" in line for line in run.log.splitlines()) == 1, "said once, by the desk"
    assert "No scan worker, no signals: no scan worker is connected" in run.log
    with sqlite3.connect(run.home / "journal.sqlite") as journal:
        (held,) = journal.execute("SELECT count(*) FROM no_signals WHERE withheld = 'no scan worker is connected'").fetchone()
    assert held == 2 * 97


HANGS = """
from pathlib import Path
import time
HANG = Path(__file__).parent / "hang"
"""
OWN: tuple[tuple[str, Any], ...] = (
    ("desk.pairs", ["GBPUSD"]),
    ("strategy.file", "mine.py"),
    ("strategy.name", "Mine"),
    ("strategy.time_limit_ms", 60_000.0),
    ("strategy.confidence_min", 0.0),
)
OWN_WORDS = ("strategy.file=mine.py", "strategy.name=Mine", "strategy.time_limit_ms=60000")


def own_strategy(home: Path, *, hangs: bool = False) -> None:
    """A strategy file that hangs as long as another file lies beside it."""
    home.mkdir(exist_ok=True)
    strategy_file(home, "while HANG.exists(): time.sleep(0.005)", top=HANGS)
    if hangs:
        (home / "hang").touch()


@pytest.fixture(scope="module")
def alone_with_own(tmp_path_factory: pytest.TempPathFactory, recorded_data: Path) -> Summary:
    home = tmp_path_factory.mktemp("own") / "home"
    own_strategy(home)
    summary = replayed(home, recorded_data, *OWN).summary
    assert summary.trades >= 1
    return summary


def test_killed_workers_job_is_reassigned_in_time(
    tmp_path: Path, recorded_data: Path, redis_here: RedisOfOurs, machine: Machines, alone_with_own: Summary
) -> None:
    own_strategy(tmp_path / "machine-a", hangs=True)
    own_strategy(tmp_path / "machine-b")
    first = machine("a", *OWN_WORDS)
    wait_for(lambda: first.said("scanning at"), "a machine")
    took_s: list[float] = []

    async def hand_over(_engine: Engine, run: Run) -> None:
        client, clock = redis(redis_here), WallClock()
        try:
            await happens(lambda: first.said("sends work to this machine"), "the engine is there")
            (key,) = [key async for key in client.scan_iter("quarterdeck:scan-*:events")]
            active = key.removesuffix("events") + "active"
            while not await client.llen(active):  # noqa: ASYNC110 - another process takes the question
                await asyncio.sleep(0.01)
            second = machine("b", *OWN_WORDS)
            await happens(lambda: second.said("scanning at"), "another machine")
            first.end(kill=True)
            killed_s = clock.monotonic_s()
            await happens(lambda: run.questions > 0, "the answer")
            took_s.append(clock.monotonic_s() - killed_s)
        finally:
            await client.aclose()

    own_strategy(tmp_path / "engine")
    waits = ("scan.response_timeout_s", 60.0)
    run = replayed(tmp_path / "engine", recorded_data, *OWN, over(redis_here), waits, meanwhile=hand_over)
    assert run.summary == alone_with_own
    assert "ScanUnanswered" not in run.log
    assert took_s[0] < 6.0, took_s  # scan.worker_timeout_s is 3; the machine under test is shared


def test_late_answer_is_recorded_but_not_traded(
    tmp_path: Path, recorded_data: Path, redis_here: RedisOfOurs, machine: Machines, alone_with_own: Summary
) -> None:
    own_strategy(tmp_path / "machine-a", hangs=True)
    only = machine("a", *OWN_WORDS)
    wait_for(lambda: only.said("scanning at"), "a machine")
    late: list[str] = []

    async def answer_late(engine: Engine, run: Run) -> None:
        await happens(lambda: scanned(run) >= 1, "the engine looks itself")
        engine.run_loop.control(ReplayControl(action="pause"))
        before = scanned(run)
        (tmp_path / "machine-a" / "hang").unlink()
        await happens(lambda: scanned(run) > before, "the late answer")
        late.extend(item.id for item in run.inputs if isinstance(item, Signal))
        engine.run_loop.control(ReplayControl(action="play"))

    own_strategy(tmp_path / "engine")
    impatient = ("scan.response_timeout_s", 0.5)
    run = replayed(tmp_path / "engine", recorded_data, *OWN, over(redis_here), impatient, meanwhile=answer_late)
    assert len(late) > len(set(late))
    assert run.summary == alone_with_own
    assert "no scan worker answered within 0.5 s" in run.log
    with sqlite3.connect(run.home / "journal.sqlite") as journal:
        (last,) = journal.execute("SELECT max(rowid) FROM runs").fetchone()
    assert last == 1
    audited = subprocess.run(
        [sys.executable, "-m", "quarterdeck.cli.main", "audit", "--home", str(run.home)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert audited.returncode == 0, audited.stdout + audited.stderr


def scanned(run: Run) -> int:
    return sum(isinstance(item, Signal) for item in run.inputs)


async def echoing(
    server: RedisOfOurs, engine: Engine, made: Callable[[dict[str, str]], dict[str, str] | None], event: str
) -> None:
    """While the engine runs, put what `made` makes of each event of that kind into the stream of events."""
    client = redis(server)
    try:
        last = "0-0"
        (key,) = [key async for key in client.scan_iter("quarterdeck:scan-*:events")] or [""]
        while not engine.ended.done():
            if not key:
                found = [name async for name in client.scan_iter("quarterdeck:scan-*:events")]
                key = found[0] if found else ""
                await asyncio.sleep(0.01)
                continue
            for _, entries in await client.xread({key: last}, block=20) or ():
                for last, fields in entries:  # noqa: B007 - the last one read is where to continue
                    if fields.get("event") == event:
                        item = made(fields)
                        if item is not None:
                            await client.xadd(key, {**item, "echo": "1"})
    finally:
        await client.aclose()
