"""The command line of backtests: parity by digest, a report that opens again, comparisons, and mistakes in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from tests.conftest import CHECKOUT

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
    assert main(["backtest", "--show", folder, "--home", home, "--json"]) == 0
    opened = last_json(capsys)
    assert opened["digest"] == first["digest"]
    assert opened["findings"] == first["findings"] != []
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
        (["backtest", "--data", ".", "--intrabar", "lucky"], "lucky"),
        (["backtest", "--show", "nowhere"], "nowhere"),
        (["backtest", "--show", "nowhere", "--data", "."], "nothing is run"),
        (["backtest", "--data", "nowhere", "--compare", "no_report"], "no_report"),
        (["backtest", "--data", "nowhere", "--report", __file__], "test_backtest.py"),
        (["optimize", "--data", "nowhere", "--over", "position.time_exit_hours"], "nowhere"),
        (["whatif", "--set", "position.time_exit_hours=1"], "journal"),
        (["whatif", "--set", "position.time_exit_hours=1", "--from", "2024-01-01"], "--data"),
        (["whatif", "--set", "position.time_exit_hours=1", "--data", ".", "--from", "2024-01-01", "--days", "3"], "--days"),
        (["optimize", "--data", ".", "--over", "care.age", "--goal", "expectancy"], "care.age"),
        (["optimize", "--data", ".", "--over", "position.time_exit_hours", "--goal", "gold"], "gold"),
        (["optimize", "--data", ".", "--over", "position.time_exit_hours", "--walk-forward", "9"], "--walk-forward"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main([*arguments, "--home", str(tmp_path)]) not in (0, 1)
    said = capsys.readouterr().err.strip()
    assert words in said
    assert "\n" not in said


def test_report_opens_in_browser_or_its_path_is_printed(
    tmp_path: Path, recorded_data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "report"
    assert main(["backtest", "--data", str(recorded_data / "m15"), *DAYS, "--report", str(report), "--home", str(tmp_path)]) == 0
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(shown.append(address)))
    capsys.readouterr()
    assert main(["backtest", "--show", str(report / "report.html"), "--browser", "--home", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert shown == [(report / "report.html").as_uri()]
    assert "there is no browser here" in told.err
    assert f"report    {report / 'report.html'}" in told.out


def test_whatif_on_prices_uses_the_last_days_and_starts_flat(
    tmp_path: Path, recorded_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["whatif", "--set", "position.time_exit_hours=8", "--data", str(recorded_data / "m15"), "--pairs", "EURUSD"]
    assert main([*words, "--to", "2024-08-30", "--days", "4", "--home", str(tmp_path), "--json"]) == 0
    told = capsys.readouterr().out
    assert "2024-08-27 00:00 to 2024-08-31 00:00 UTC" in told
    assert "begins    flat, with 10,000.00 USD" in told
    assert main([*words, "--home", str(tmp_path)]) == 0
    assert " to 2025-11-01 00:00 UTC" in capsys.readouterr().out


def test_a_backtest_alone_uses_the_example_until_prices_are_imported(
    tmp_path: Path, recorded_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["backtest", "--no-stress", "--no-report", "--home", str(tmp_path), "--pairs", "EURUSD"]
    days = ["--from", "2024-11-04", "--to", "2024-11-08"]
    assert main([*words, *days, "--json"]) == 0
    told = capsys.readouterr().out
    assert "SIMULATED history" in told
    assert json.loads(told.splitlines()[-1])["label"] == "built-in example (simulated prices)"
    made = (tmp_path / "example-prices" / "EURUSD_M15.npz").read_bytes()
    assert main([*words, *days]) == 0
    assert (tmp_path / "example-prices" / "EURUSD_M15.npz").read_bytes() == made, "made once"
    file = next((recorded_data / "m15").glob("EURUSD_M15*"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / file.name).write_bytes(file.read_bytes())
    capsys.readouterr()
    assert main([*words, *DAYS[:4]]) == 0
    assert f"imported ones in {tmp_path / 'data'}" in capsys.readouterr().out


def test_report_may_replace_the_compared_one_but_not_settings(
    tmp_path: Path, recorded_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["backtest", "--data", str(recorded_data / "m15"), *DAYS, "--no-stress", "--home", str(tmp_path), "--report"]
    folder = tmp_path / "report"
    busy = ("--set", "strategy.confidence_min=0.4", "--set", "filters.entry_hours=[]")
    assert main([*words, str(folder), *busy]) == 0
    capsys.readouterr()
    assert main([*words, str(folder), "--compare", str(folder)]) == 0
    assert "strategy.confidence_min: 0.4 -> " in capsys.readouterr().out
    assert main(["init", "--home", str(tmp_path)]) == 0
    mine = (tmp_path / "settings.toml").read_bytes()
    assert main([*words, str(tmp_path)]) == 6
    assert "would lose it; name another folder with --report" in capsys.readouterr().err
    assert (tmp_path / "settings.toml").read_bytes() == mine


def test_what_if_a_value_that_holds_is_told_at_once(
    tmp_path: Path, recorded_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["whatif", "--data", str(recorded_data / "m15"), "--pairs", "EURUSD", "--home", str(tmp_path)]
    assert main([*words, "--set", "position.time_exit_hours=4.0", "--set", "risk.risk_per_trade_pct=1"]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert (
        "position.time_exit_hours is 4.0 already, risk.risk_per_trade_pct is 1.0 already: both runs would be the same" in told.err
    )


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="a console of its own would be needed to press Ctrl-C in")
def test_ctrl_c_to_all_processes_ends_search_in_one_line(tmp_path: Path, recorded_data: Path) -> None:
    study = tmp_path / "study.jsonl"
    words = ["optimize", "--data", str(recorded_data / "m15"), "--from", "2024-01-01", "--to", "2024-12-31", "--pairs", "EURUSD"]
    words += [
        "--over",
        "position.time_exit_hours=1..8",
        "--trials",
        "400",
        "--workers",
        "2",
        "--study",
        str(study),
        "--home",
        str(tmp_path),
    ]
    running = subprocess.Popen(
        [sys.executable, "-m", "quarterdeck.cli.main", *words],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a group of its own: the signal reaches the search and its workers, and nobody else
    )
    assert running.stdout is not None
    first = running.stdout.readline()
    assert "of 400 trials" in first, first
    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "stopped manually" in said
    assert "Traceback" not in said
    assert study.read_text(encoding="utf-8").count("\n") % 8 == 1, "the head, and whole batches"


def test_unwritable_report_does_not_lose_the_result(
    tmp_path: Path, recorded_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reports").write_text("a file where a folder should be", encoding="utf-8")
    words = ["backtest", "--data", str(recorded_data / "m15"), *DAYS, "--no-stress", "--home", str(tmp_path), "--json"]
    assert main(words) == 6
    told = capsys.readouterr()
    assert "the report cannot be written" in told.err
    assert json.loads(told.out.strip().splitlines()[-1])["report"] is None
    assert "digest    " in told.out
