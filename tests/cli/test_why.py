"""`quarterdeck why` prints the ledger as a human reads it, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from core.journal.writer import JournalWriter
from core.model.effects import Verdict
from core.model.inputs import Stamped, TimerFired
from core.model.market import Side
from core.model.signals import Check
from tests.core.journal.tapes import MONDAY_NS, Watch, journal_settings, new_run


def test_a_refusal_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = (Check("confidence", 0.81, 0.78, True), Check("spread", 2.1, 1.0, False, "10 % of the stop"))
    verdict = Verdict(
        symbol="EURUSD",
        bar_open_utc_ns=MONDAY_NS,
        strategy="trend",
        outcome="refused",
        reason="spread",
        side=Side.SELL,
        checks=checks,
    )
    writer = JournalWriter(tmp_path / "journal.sqlite", journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(new_run())
    writer.append(Stamped(seq=1, at_utc_ns=MONDAY_NS, input=TimerFired()), (verdict,))
    writer.close()
    assert main(["why", "eurusd", "--home", str(tmp_path), "--json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "2024-08-05T00:00 EURUSD sell refused: spread (bar 2024-08-05T00:00)" in said
    assert "  ok  confidence 0.81 against 0.78" in said
    assert "  NO  spread 2.1 against 1  10 % of the stop" in said
    assert json.loads(said[-1])["counts"] == {"refused: spread": 1}


def test_without_a_journal_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "--home", str(tmp_path)]) == 6
    assert capsys.readouterr().err.count("\n") == 1
