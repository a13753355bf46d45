"""Commands beside the screen: progress, one line of trouble, a bound in time and size, and nothing left running."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from quarterdeck.tui import command_process
from quarterdeck.tui.command_process import CommandFailed, CommandProgress, HomeCommandRunner
from tests.tui.demo_commands import plain_report


@pytest.fixture
def acting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A command line of our own in place of the program's: it does what the test writes."""
    package = tmp_path / "quarterdeck" / "cli"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> HomeCommandRunner:
        (package / "main.py").write_text(f"import json, os, sys, time\n{text}\n")
        return HomeCommandRunner(tmp_path)

    return write


async def ran(commands: HomeCommandRunner, limit_s: float = 30.0) -> tuple[dict, list[CommandProgress]]:
    told: list[CommandProgress] = []
    return await commands.run(["backtest"], told.append, limit_s), told


async def test_the_last_line_is_the_answer_and_progress_is_told(acting) -> None:
    row = '{"progress": 0.5, "name": "", "at": "2024-01-08", "bars_per_s": 9, "left_s": 3.2}'
    commands = acting(f"print({row!r}, file=sys.stderr)\nprint('words')\nprint(json.dumps(sys.argv[1:]and dict(a=sys.argv[1:])))")
    answer, told = await ran(commands)
    assert answer["a"][0] == "backtest"
    assert {"--json", "--progress-json", "--home"} <= set(answer["a"])
    assert told == [CommandProgress(0.5, "2024-01-08, 3 s left")]


async def test_what_goes_wrong_is_the_command_s_own_line(acting) -> None:
    with pytest.raises(CommandFailed, match=r"^there is no data\?; choose other days$"):
        await ran(acting("print('quarterdeck: there is no data\\x1b; choose other days', file=sys.stderr); sys.exit(4)"))
    with pytest.raises(CommandFailed, match="ended with code 3"):
        await ran(acting("sys.exit(3)"))


@pytest.mark.posix
async def test_command_stops_at_its_time_limit_or_on_cancel(acting, tmp_path: Path) -> None:
    commands = acting("open('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)")
    with pytest.raises(CommandFailed, match="its time"):
        await ran(commands, limit_s=3.0)
    (tmp_path / "pid").unlink(missing_ok=True)
    task = asyncio.create_task(ran(commands))
    async with asyncio.timeout(30):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        pid = int((tmp_path / "pid").read_text())
        while _alive(pid):  # noqa: ASYNC110 - another process ends
            await asyncio.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def test_a_command_that_babbles_is_stopped(acting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_process, "ANSWER_BYTES_MAX", 100_000)
    with pytest.raises(CommandFailed, match="said more"):
        await ran(acting("while True: print('x' * 1000)"))
    with pytest.raises(CommandFailed, match="code 2"):
        await ran(acting("sys.stderr.write('y' * 1_000_000); sys.exit(2)"))


@pytest.mark.skipif(sys.platform == "win32", reason="priorities are Windows' own there")
@pytest.mark.posix
async def test_it_stands_behind_the_engine_in_the_queue(acting) -> None:
    answer, _ = await ran(acting("time.sleep(0.3); print(json.dumps(dict(nice=os.nice(0))))"))
    assert answer["nice"] >= 10


async def test_reports_are_listed_newest_first_and_invalid_ones_skipped(tmp_path: Path) -> None:
    import msgspec

    for number, content in enumerate((plain_report(), plain_report(-1), {"pairs": 3})):
        folder = tmp_path / "reports" / f"run{number}"
        folder.mkdir(parents=True)
        path = folder / "essentials.json"
        path.write_bytes(msgspec.json.encode(content))
        os.utime(path, (number, number))
    assert [one.name for one in await HomeCommandRunner(tmp_path).reports()] == ["run1", "run0"]
    assert await HomeCommandRunner(None).reports() == ()
