"""What `--json` prints has the keys that the docs list: programs of other people read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.json_keys import JSON_KEYS
from quarterdeck.cli.main import SUBCOMMANDS, main
from quarterdeck.core.model.snapshot import FlattenView
from tests.cli.fake_engine import ScriptedEngine, running, snapshot

pytestmark = pytest.mark.slow
SILENT = {"bot", "monitor", "scan"}
"""Commands without `--json`."""
DAYS = ["--pairs", "EURUSD", "--from", "2024-07-01", "--to", "2024-07-03"]
LONGER = ["--pairs", "EURUSD", "--from", "2024-06-03", "--to", "2024-07-03"]


def printed(capsys: pytest.CaptureFixture[str], *words: str | Path, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    said = capsys.readouterr()
    assert code in codes, said.err
    found: dict[str, Any] = json.loads(said.out.splitlines()[-1])
    return found


def agrees(command: str, found: dict[str, Any], *absent: str) -> None:
    assert set(found) == set(JSON_KEYS[command]) - set(absent), command


def test_every_command_that_prints_json_is_listed() -> None:
    names = {f"{name} {part}" for name, entry in SUBCOMMANDS.items() for part in entry.parts}
    names |= {name for name, entry in SUBCOMMANDS.items() if not entry.parts}
    assert set(JSON_KEYS) == names - SILENT


def test_commands_on_a_home_print_the_listed_keys(
    tmp_path: Path, recorded_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, data = ["--home", tmp_path / "home"], ["--data", recorded_data / "m15"]
    sample = recorded_data / "raw_samples" / "histdata" / "DAT_MT_GBPUSD_M1_20260102.csv"
    agrees("init", printed(capsys, "init", *home), "strategy")
    agrees("init", printed(capsys, "init", "--strategy", "mine.py", *home), "settings")
    agrees("run", printed(capsys, "run", "--no-ui", "--replay", recorded_data / "m15", *DAYS, *home))
    agrees("status", printed(capsys, "status", *home, codes=(8,)), *set(JSON_KEYS["status"]) - {"running", "last"})
    for words in (["audit"], ["report"], ["why", "EURUSD"], ["whatif", "--set", "strategy.confidence_min=0.7"]):
        agrees(words[0], printed(capsys, *words, *home))
    agrees("set", printed(capsys, "set", "risk.risk_per_trade_pct=0.5", *home))
    first = printed(capsys, "backtest", *data, *DAYS, *home)
    agrees("backtest", first, "same_trades")
    agrees("backtest", printed(capsys, "backtest", *data, *DAYS, *home, "--compare", first["report"]))
    search = ["--over", "strategy.confidence_min=0.5..0.8", "--trials", "2", "--min-trades", "1", "--workers", "1"]
    agrees("optimize", printed(capsys, "optimize", *data, *DAYS, *search, *home))
    for part in ("lookahead", "warmup"):
        agrees(f"check {part}", printed(capsys, "check", part, *data, *LONGER, *home))
    agrees("data import", printed(capsys, "data", "import", sample, *home))
    for part in ("list", "verify"):
        agrees(f"data {part}", printed(capsys, "data", part, *home, codes=(0, 9)))
    agrees("doctor", printed(capsys, "doctor", *home, codes=(0, 9)))
    agrees("selftest", printed(capsys, "selftest"))
    agrees("service", printed(capsys, "service", "show", *home))


ORDERS = {
    "pause": [],
    "resume": [],
    "close": ["55"],
    "move-stop": ["55", "1.0850"],
    "reset-drawdown": [],
    "acknowledge": ["foreign_no_stop"],
    "stop": ["--keep"],
    "resolve": ["r1-7", "--not-executed"],
    "flatten": ["--yes"],
}


@pytest.mark.parametrize("command", ORDERS)
def test_commands_to_an_engine_print_the_listed_keys(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = ScriptedEngine(lambda _: (True, "done"))
    engine.after_command = [
        snapshot(flatten=FlattenView(scope="ours", since_utc_ns=2, done=True, text="flat, verified", left_open=()))
    ]
    with running(tmp_path, engine, snapshot()):
        agrees(command, printed(capsys, command, *ORDERS[command], "--home", tmp_path))


def test_the_status_of_an_engine_prints_the_listed_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path, ScriptedEngine(lambda _: (True, "done")), snapshot()):
        agrees("status", printed(capsys, "status", "--home", tmp_path, codes=(0, 9)), "last")
