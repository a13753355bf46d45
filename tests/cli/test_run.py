"""`quarterdeck run`: recorded days from the command line, and every wrong wish answered on one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quarterdeck.cli.main import main

WORDS = ["--pairs", "EURUSD,USDCHF", "--from", "2024-07-01", "--to", "2024-07-03", "--speed", "max"]


@pytest.fixture
def replay(recorded_data: Path) -> list[str]:
    return ["run", "--no-ui", "--replay", str(recorded_data / "m15"), *WORDS]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--speed", "banana"], 2, "--speed 'banana' is not a speed"),
        (["--from", "2024-07-01"], 2, "belong to a replay"),
        (["--in-process"], 2, "--no-ui has no screen"),
        (["--pairs", ","], 2, "names no pair"),
        (["--set", "risk.risk_per_trade=1"], 3, "risk.risk_per_trade_pct"),
        (["--replay", "nowhere", "--from", "2024-07-03", "--to", "2024-07-01"], 2, "lies before"),
        (["--replay", "nowhere"], 4, "nowhere"),
    ],
)
def test_a_wrong_wish_is_one_line(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--no-ui", *words, "--home", str(tmp_path / "home")]) == code
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[-1]
    assert lines[-1].startswith("quarterdeck: ")


def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path, replay: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main([*replay, "--home", str(tmp_path / "file" / "home")]) == 6
    assert "cannot be written" in capsys.readouterr().err.splitlines()[-1]


def test_five_mistakes_of_a_file_are_told_together(tmp_path: Path, replay: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        "[risk]",
        "risk_per_trade_pct = 50.0",
        "open_risk = 1",
        "[breakers]",
        "positions_max = -1",
        "[news]",
        "nothing = 1",
        "[frobs]",
    ]
    (tmp_path / "settings.toml").write_text("\n".join(lines))
    assert main([*replay, "--home", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert "5 invalid settings:" in said
    for key in ("risk.risk_per_trade_pct = 50.0", "risk.open_risk", "breakers.positions_max = -1", "news.nothing", "frobs"):
        assert sum(key in line for line in said.splitlines()) == 1


def test_a_screen_needs_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "--home", str(tmp_path)]) == 2
    assert "needs a terminal" in capsys.readouterr().err


@pytest.mark.slow
def test_a_replay_ends_with_its_summary_and_an_audit_agrees(
    tmp_path: Path, replay: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    replay.remove("--no-ui")  # no terminal here: it continues without a screen and says so
    assert main([*replay, "--home", str(tmp_path), "--json"]) == 0
    heard = capsys.readouterr()
    assert "no terminal here: continuing without a screen" in heard.err
    told = json.loads(heard.out.splitlines()[-1])
    assert {"digest", "trades", "signals", "refusals", "result_money"} <= set(told)
    assert told["signals"] == told["entered"] + told["waiting"] + sum(told["refusals"].values())
    assert f"digest    {told['digest']}" in heard.out.splitlines()

    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path / "moved away"))
    assert main(["audit", "--home", str(tmp_path), "--json"]) == 0
    audit = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert audit["decisions"] == audit["agree"] > 0

    assert main(["audit", "--home", str(tmp_path), "--set", "strategy.confidence_min=0.0", "--json"]) == 9
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["first_difference"]["kind"] == "decision"


@pytest.mark.slow
@pytest.mark.processes
def test_another_process_folder_and_hash_seed_give_the_same_digest(tmp_path: Path, replay: list[str]) -> None:
    digests = []
    for seed in ("1", "77"):
        folder = tmp_path / f"elsewhere {seed}"
        folder.mkdir()
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-m", "quarterdeck.cli.main", *replay, "--home", str(folder / "home"), "--json"]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        digests.append(json.loads(done.stdout.splitlines()[-1])["digest"])
    assert digests[0] == digests[1]
