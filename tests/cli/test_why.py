"""`quarterdeck why` prints the ledger as a human reads it, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.effects import Verdict
from quarterdeck.core.model.inputs import SequencedInput, TimerFired
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
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
    writer.append(SequencedInput(seq=1, at_utc_ns=MONDAY_NS, input=TimerFired()), (verdict,))
    writer.close()
    for words in (["why"], ["why", "eurusd"], ["why", "EURUSD", "2024-08-05T00:07"], ["why", "--reason", "spread"]):
        assert main([*words, "--home", str(tmp_path), "--json"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert "2024-08-05T00:00:00.000Z sell refused: spread" in said
        assert "  passed  confidence 0.81 against 0.78" in said
        assert "  FAILED  spread 2.1 against 1 (10 % of the stop)" in said
        told = json.loads(said[-1])
        assert told["refusals"] == {"spread": 1}
        assert told["bars"][0]["reason"] == "spread"
    assert main(["why", "USDJPY", "--home", str(tmp_path)]) == 0
    assert "no bar of run 1 (r1) fits" in capsys.readouterr().out


def test_without_a_journal_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "--home", str(tmp_path)]) == 6
    assert capsys.readouterr().err.count("\n") == 1
