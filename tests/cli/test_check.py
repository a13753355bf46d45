"""`check` from the command line: honest strategies pass, others fail with the column named and exit code 9."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.main import main
from tests.core.study import peeking

PEEKING = """
import numpy as np
from quarterdeck.core.strategy.trend import TrendStrategy


class Peeking(TrendStrategy):
    name = "peeking"

    def prepare(self, m15, h1, instrument):
        columns = super().prepare(m15, h1, instrument)
        columns["next_close"] = np.append(m15.close[1:], m15.close[-1])
        return columns
"""
FORGETFUL = """
from quarterdeck.core.strategy.indicators import ema
from quarterdeck.core.strategy.trend import TrendStrategy


class Forgetful(TrendStrategy):
    name = "forgetful"

    def prepare(self, m15, h1, instrument):
        columns = super().prepare(m15, h1, instrument)
        columns["slow"] = ema(m15.close, 500)
        return columns
"""
FEW = ["--pairs", "EURUSD", "--rows", "6"]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def checked(*words: str) -> tuple[int, str, str]:
        code = main(["check", *words, "--home", str(tmp_path / "home")])
        said = capsys.readouterr()
        return code, said.out, said.err

    return checked


@pytest.mark.parametrize("check", ["lookahead", "warmup"])
def test_the_shipped_strategy_passes_on_the_simulated_market(check: str, run: Any) -> None:
    code, said, _ = run(check, *FEW, "--json")
    found = json.loads(said.splitlines()[-1])
    assert code == 0
    assert (found["passed"], found["columns"], list(found["pairs"])) == (True, [], ["EURUSD"])


@pytest.mark.parametrize(("check", "source", "column"), [("lookahead", PEEKING, "next_close"), ("warmup", FORGETFUL, "slow")])
def test_the_column_at_fault_is_named(check: str, source: str, column: str, run: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(source)
    code, said, error = run(check, "--strategy", str(file), *FEW, "--json")
    assert code == 9
    assert column in error
    assert "EURUSD: FAILS" in said
    assert json.loads(said.splitlines()[-1])["columns"] == [column]


def test_the_other_check_passes_them(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FORGETFUL)
    assert run("lookahead", "--strategy", str(file), *FEW)[0] == 0
    assert run("warmup", "--strategy", str(file), *FEW, "--tolerance", "0.5")[0] == 0


def test_recorded_prices_of_a_range(run: Any, recorded_data: Path) -> None:
    words = ("--data", str(recorded_data / "m15"), "--from", "2024-07-01", "--to", "2024-08-30", *FEW)
    code, said, _ = run("lookahead", *words)
    assert code == 0
    assert "2024-07-01 to 2024-08-30" in said


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["--strategy", "nowhere.py"], 3, "cannot be read"),
        (["--strategy", "TWO"], 2, "First, Second; choose with --name"),
        (["--strategy", "TWO", "--name", "Third"], 3, "it has First, Second"),
        (["--strategy", "NONE"], 2, "no strategy"),
        (["--strategy", "BROKEN"], 3, "line 1"),
        (["--name", "other"], 3, "no shipped strategy"),
        (["--data", "nowhere"], 4, "no such folder"),
        (["--from", "2024-01-01"], 2, "add --data"),
        (["--rows", "1"], 2, "--rows"),
        (["--pairs", "EURUSD,EURUSD"], 2, "twice"),
        (["--set", "strategy.parameters.nothing=3"], 3, "no such parameter"),
    ],
)
def test_wrong_wishes_are_one_line(words: list[str], code: int, reason: str, run: Any, tmp_path: Path) -> None:
    sources = {
        "TWO": PEEKING.replace("Peeking", "First") + PEEKING.replace("Peeking", "Second"),
        "NONE": "x = 1",
        "BROKEN": "x =",
    }
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    known = {name: str(tmp_path / f"{name}.py") for name in sources}
    found, _, error = run("warmup", *(known.get(word, word) for word in words))
    assert found == code
    assert error.count("\n") == 1
    assert reason in error


def test_memory_of_the_future_is_named_as_memory(tmp_path: Path, run: Any) -> None:
    file = tmp_path / "mine.py"
    file.write_text(peeking.PEEKING["a default argument's memory"])
    code, said, error = run("lookahead", *FEW, "--strategy", str(file))
    assert code == 9
    assert "memory  it answers otherwise about the same bars once it has seen later ones (score" in said
    assert "mine answers from its memory of other calls, which it does not have live, in score (EURUSD)" in error
