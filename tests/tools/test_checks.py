"""A check that fails makes the whole fail, shows what it said, and stops no other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools import checks

GOOD = [sys.executable, "-c", "print('fine')"]
BAD = [sys.executable, "-c", "print('line 3: wrong'); raise SystemExit(1)"]


def test_each_check_runs_and_only_failures_speak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = checks.run_static({"bad": BAD, "good": GOOD, "gone": ["no-such-program"]}, tmp_path)
    checks.report(outcomes)
    said = capsys.readouterr().out
    assert [(outcome.name, bool(outcome.code)) for outcome in outcomes] == [("bad", True), ("good", False), ("gone", True)]
    assert "line 3: wrong" in said
    assert "fine" not in said
    assert "no-such-program" in said


@pytest.mark.parametrize(("static", "tests", "code"), [(GOOD, GOOD, 0), (BAD, GOOD, 1), (GOOD, BAD, 1)])
def test_the_whole_passes_only_if_all_pass(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    static: list[str],
    tests: list[str],
    code: int,
) -> None:
    monkeypatch.setattr(checks, "static_checks", lambda _python: {"lint": static})
    monkeypatch.setattr(checks, "pytest_command", lambda _python, _extra: tests)
    assert checks.run_all(tmp_path) == code
    assert capsys.readouterr().out.rstrip().splitlines()[-1] in {"fine", "line 3: wrong"}
