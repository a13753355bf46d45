"""The command line of backtests: parity by digest, a report that opens again, comparisons, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main

DAYS = ("--from", "2024-03-04", "--to", "2024-03-06", "--pairs", "EURUSD")


def last_json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return found


def test_a_backtest_leaves_a_report_that_opens_again(
    tmp_path: Path, recorded_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, home = str(recorded_data / "m15"), str(tmp_path)
    busy = ("--set", "strategy.confidence_min=0.4", "--set", "filters.entry_hours=[]")
    assert main(["backtest", "--data", data, *DAYS, *busy, "--home", home, "--json"]) == 0
    first = last_json(capsys)
    assert first["complete"] is True
    assert first["trades"]
    folder = str(first["report"])
    assert (Path(folder) / "report.html").is_file()
    assert main(["backtest", "--open", folder, "--home", home, "--json"]) == 0
    assert last_json(capsys)["digest"] == first["digest"]
    again = [
        "backtest",
        "--data",
        data,
        *DAYS,
        *busy,
        "--every-bar",
        "--no-report",
        "--compare",
        folder,
        "--home",
        home,
        "--json",
    ]
    assert main(again) == 0
    second = last_json(capsys)
    assert second["same_trades"] is True
    assert second["bars_fed"] == second["bars"] == first["bars"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["backtest"], "--data"),
        (["backtest", "--data", ".", "--path", "lucky"], "lucky"),
        (["backtest", "--open", "nowhere"], "nowhere"),
        (["whatif", "--set", "care.age_max_hours=1", "--from", "2024-01-01"], "--data"),
        (["optimize", "--data", ".", "--over", "care.age", "--goal", "expectancy"], "care.age"),
        (["optimize", "--data", ".", "--over", "care.age_max_hours", "--goal", "gold"], "gold"),
        (["optimize", "--data", ".", "--over", "care.age_max_hours", "--walk-forward", "9"], "--walk-forward"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main([*arguments, "--home", str(tmp_path)]) not in (0, 1)
    said = capsys.readouterr().err.strip()
    assert words in said
    assert "\n" not in said
