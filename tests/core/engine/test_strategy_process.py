"""A strategy of the operator's own in its process: it may hang, crash, flood, eat or lie, and costs one pair one answer."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.engine.strategy_process import StrategyFailure, StrategyProcess
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.scan.scan_request import answer_request
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy, template_text
from tests.core.engine.faulty_strategies import process, question, strategy_file
from tests.laws.source import CHECKOUT

pytestmark = pytest.mark.processes
GENEROUS_S = 240.0


def with_process(
    folder: Path, bad: str, work: Callable[[StrategyProcess, list[StrategyFailure], list[str]], Awaitable[None]], **values: Any
) -> None:
    """`work` with a process whose strategy does `bad` for GBPUSD, under a live limit."""

    async def live() -> None:
        troubles: list[StrategyFailure] = []
        lines: list[str] = []
        own = process(folder, strategy_file(folder, bad, **values))
        await own.start()
        own.limit_s, own.wait_s = 1.0, GENEROUS_S
        own.listen_to_process(lines.append, troubles.append)
        try:
            await asyncio.wait_for(work(own, troubles, lines), GENEROUS_S)
        finally:
            await own.stop()

    asyncio.run(live())


@pytest.mark.parametrize(
    ("bad", "why", "kind"),
    [
        ("while True: pass", "took more than 1000 ms (strategy.time_limit_ms)", "StrategyLate"),
        ("import time; time.sleep(3600)", "took more than 1000 ms", "StrategyLate"),
        ("import os; os._exit(3)", "ended (exit code 3)", "StrategyEnded"),
        pytest.param(
            "import ctypes; ctypes.string_at(0)", "the strategy's process ended (", "StrategyEnded", marks=pytest.mark.posix
        ),
        ("[print('x' * 1000) for _ in range(10**9)]", "printed more than", "StrategyLate"),
        ("import os; [os.write(fd, b'nonsense' * 9) for fd in (4, 5)]", "sent an invalid answer", "StrategyGarbled"),
    ],
    ids=["endless", "asleep", "exit", "segfault", "flood", "nonsense"],
)
def test_strategy_failure_costs_one_answer_and_restarts_the_process(tmp_path: Path, bad: str, why: str, kind: str) -> None:
    async def work(own: StrategyProcess, troubles: list[StrategyFailure], lines: list[str]) -> None:
        first = own.pid
        if why == "printed more than":
            own.limit_s = 20.0  # a slow machine prints slowly
        for times in (1, 2, 3):
            ill, well = await asyncio.gather(own.ask(question("GBPUSD")), own.ask(question("EURUSD")))
            assert isinstance(ill, NoSignal)
            assert why in ill.withheld
            assert (ill.symbol, ill.features.atr_m15_price) == ("GBPUSD", 0.001)
            assert isinstance(well, Signal)
            assert troubles[-1].kind == kind
            assert (troubles[-1].symbol, troubles[-1].in_a_row) == ("GBPUSD", times)
        assert own.pid != first
        assert own.replaced == 3
        assert len(lines) < 200

    with_process(tmp_path, bad, work)


@pytest.mark.parametrize(("bad", "why"), [("raise ValueError('no')", "ValueError: no"), ("raise SystemExit(4)", "SystemExit: 4")])
def test_an_exception_costs_no_process(tmp_path: Path, bad: str, why: str) -> None:
    async def work(own: StrategyProcess, troubles: list[StrategyFailure], _lines: list[str]) -> None:
        first = own.pid
        for times in (1, 2, 3):
            found = await own.ask(question("GBPUSD"))
            assert isinstance(found, NoSignal)
            assert found.withheld == f"strategy error: {why}"
            assert troubles[-1] == StrategyFailure(kind="StrategyFailed", symbol="GBPUSD", text=found.withheld, in_a_row=times)
        assert isinstance(await own.ask(question("EURUSD")), Signal)
        assert (own.pid, len(troubles)) == (first, 3)

    with_process(tmp_path, bad, work)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is read from /proc")
def test_memory_has_an_end(tmp_path: Path) -> None:
    async def live() -> None:
        settings = strategy_file(tmp_path, "self.x = [bytearray(1 << 20) for _ in range(10**6)]", memory_max_mb=64)
        own = process(tmp_path, settings)
        await own.start()
        own.limit_s = GENEROUS_S
        found = await own.ask(question("GBPUSD"))
        await own.stop()
        assert isinstance(found, NoSignal)
        assert "MemoryError" in found.withheld

    asyncio.run(live())


def test_hang_location_and_printed_lines_are_logged(tmp_path: Path) -> None:
    async def work(own: StrategyProcess, _troubles: list[StrategyFailure], lines: list[str]) -> None:
        await own.ask(question("GBPUSD"))
        assert any("looking at GBPUSD" in line for line in lines)
        assert any("mine.py" in line and "misbehave" in line for line in lines)

    with_process(tmp_path, "print('looking at GBPUSD')\n            while True: pass", work)


def test_printing_megabytes_changes_no_answer(tmp_path: Path) -> None:
    async def work(own: StrategyProcess, troubles: list[StrategyFailure], lines: list[str]) -> None:
        first = own.pid
        own.limit_s = GENEROUS_S  # a slow machine prints slowly
        for _ in range(3):
            assert isinstance(await own.ask(question("GBPUSD")), Signal)
        assert (own.pid, troubles) == (first, [])
        assert any(line.startswith("... and ") and line.endswith(" bytes more") for line in lines)
        assert sum(map(len, lines)) < 5 * 16_384

    loud = "[print('x' * 99) for _ in range(10_000)]"
    with_process(tmp_path, loud, work, top=loud)


def test_repeated_crashes_back_off_and_no_request_waits_forever(tmp_path: Path) -> None:
    async def work(own: StrategyProcess, troubles: list[StrategyFailure], _lines: list[str]) -> None:
        waits = []
        for _ in range(4):
            began = time.monotonic()
            await own.ask(question("GBPUSD"))
            waits.append(time.monotonic() - began)
        # the first dies at once; the next wait for 0.1, 0.2 and 0.4 s of back-off
        assert [wait >= least for wait, least in zip(waits, (0.0, 0.1, 0.2, 0.4), strict=True)] == [True] * 4
        assert [trouble.in_a_row for trouble in troubles] == [1, 2, 3, 4]
        own.wait_s = 0.05
        found = await own.ask(question("EURUSD"))
        assert isinstance(found, NoSignal)
        assert found.withheld == "the strategy's process is being restarted (4 failures in a row)"

    with_process(tmp_path, "import os; os._exit(1)", work)


def test_an_answer_is_the_one_that_the_strategy_gives_here(tmp_path: Path) -> None:
    settings = strategy_file(tmp_path)

    async def live() -> None:
        own = process(tmp_path, settings)
        told = await own.start()
        here = load_strategy(settings, tmp_path)
        assert (told.name, told.hash, told.own) == (here.name, here.hash, True)
        assert (told.strategy.warmup_bars, told.strategy.warmup_h1_bars) == (100, 20)
        assert await own.ask(question("GBPUSD")) == answer_request(here, question("GBPUSD"))
        await own.stop()

    asyncio.run(live())


def test_pair_specific_parameters_reach_the_strategy(tmp_path: Path) -> None:
    strategy_file(tmp_path)
    named = (("strategy.file", "mine.py"), ("strategy.name", "Mine"))
    settings = shipped_settings(*named, ("pair.EURUSD.strategy.parameters", {"reach": 3.0}))

    async def live() -> None:
        own = process(tmp_path, settings)
        told = await own.start()
        assert [row.key for row in told.parameters] == ["strategy.parameters.reach"]
        assert (told.parameters[0].default, told.parameters[0].meaning, told.parameters[0].high) == (1.0, "Reach", 10.0)
        wide, usual = await own.ask(question("EURUSD")), await own.ask(question("USDJPY"))
        assert isinstance(wide, Signal)
        assert isinstance(usual, Signal)
        reach = (wide.entry_price - wide.stop_price) / (usual.entry_price - usual.stop_price)
        assert reach == pytest.approx(3.0)
        await own.stop()

    asyncio.run(live())


@pytest.mark.parametrize(
    ("top", "bad", "said"),
    [
        ("while True: pass", "pass", "took more than 8 s (strategy.load_timeout_s)"),
        ("import os; os._exit(9)", "pass", "exit code 9"),
        ("x = 1 / 0", "pass", "line 1: ZeroDivisionError"),
        ("", "raise ValueError('no')", "fails on a trial window"),
        ("", "self.warmup_bars = 50", "answers differently"),
    ],
    ids=["endless", "exit", "error", "trial", "twice"],
)
def test_file_that_does_not_load_is_refused_with_reason(tmp_path: Path, top: str, bad: str, said: str) -> None:
    settings = strategy_file(tmp_path, bad, top=top, load_timeout_s=8.0, everywhere=True)

    async def live() -> None:
        own = process(tmp_path, settings)
        with pytest.raises(SettingsError) as refused:
            await own.start()
        assert said in str(refused.value)
        assert own.pid is None

    asyncio.run(live())


def test_replay_has_no_time_limit_and_endless_loop_is_named(tmp_path: Path) -> None:
    settings = strategy_file(tmp_path, "while True: pass", load_timeout_s=8.0)

    async def live() -> None:
        own = process(tmp_path, settings)
        await own.start()
        with pytest.raises(SettingsError, match=r"strategy Mine \(mine.py\) took more than 8 s for GBPUSD"):
            await own.ask(question("GBPUSD"))
        await own.stop()

    asyncio.run(live())


def test_strategy_process_has_no_folder_on_path_and_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder in (tmp_path, elsewhere):
        (folder / "numpy.py").write_text("raise SystemExit('taken from the folder')\n")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("QUARTERDECK_ANY_TOKEN", "secret")
    show = "import os, sys; print([p for p in sys.path if 'elsewhere' in p], [n for n in os.environ if 'TOKEN' in n])"

    async def work(own: StrategyProcess, troubles: list[StrategyFailure], _lines: list[str]) -> None:
        heard: asyncio.Queue[str] = asyncio.Queue()
        own.listen_to_process(heard.put_nowait, troubles.append)
        await own.ask(question("GBPUSD"))
        assert await heard.get() == "[] []"

    with_process(tmp_path, show, work)


_ENGINE = """
import asyncio, pathlib, sys
from tests.core.engine.faulty_strategies import process, question, strategy_file
async def live():
    folder = pathlib.Path(sys.argv[1])
    own = process(folder, strategy_file(folder, sys.argv[2]))
    await own.start()
    assert "pandas" not in sys.modules
    print(own.pid, flush=True)
    await own.ask(question("GBPUSD"))
asyncio.run(live())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and process ids as POSIX knows them")
def test_strategy_process_ends_with_a_killed_engine_even_in_loop(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ENGINE, str(tmp_path), "while True: pass"]
    engine = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    assert engine.stdout is not None
    child = int(engine.stdout.readline())
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait(GENEROUS_S)
    engine.stdout.close()
    limit = time.monotonic() + GENEROUS_S
    while _alive(child):
        assert time.monotonic() < limit, "the strategy outlived its engine"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    # a dead process that nobody has queried yet is not alive
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_dataframe_template_uses_pandas_only_in_its_process(tmp_path: Path) -> None:
    text = template_text() + (
        "\n\nclass Framed:\n    name = 'framed'\n    Parameters = CrossingParameters\n    warmup_bars = 100\n    warmup_h1_bars = 20\n"
        "    def __init__(self, parameters):\n        self.p = parameters\n"
        "    def on_frames(self, m15, h1, instrument):\n        close = float(m15['close'].iloc[-1])\n"
        "        return Decision(side=Side.BUY, entry_price=close, stop_price=close - 0.01, target_price=close + 0.02, confidence=0.8)\n"
    )
    settings = strategy_file(tmp_path, name="Framed")
    (tmp_path / "mine.py").write_text(text)

    async def live() -> None:
        own = process(tmp_path, settings)
        await own.start()
        own.limit_s = GENEROUS_S
        assert isinstance(await own.ask(question("GBPUSD")), Signal)
        await own.stop()

    asyncio.run(live())
