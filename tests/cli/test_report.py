"""`quarterdeck report` shows the metrics of a journal, blank where there is too little, and the same as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.inputs import SequencedInput, TimerFired
from tests.core.journal.tapes import MONDAY_NS, Watch, journal_settings, new_run
from tests.core.study.test_summary import trade


def test_the_metrics_of_a_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = JournalWriter(tmp_path / "journal.sqlite", journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(new_run())
    writer.append(SequencedInput(seq=1, at_utc_ns=MONDAY_NS, input=TimerFired()), (trade(confidence=0.83),))
    writer.close()
    assert main(["report", "--home", str(tmp_path), "--json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("trades      1, won 1 (100%)") for line in said)
    assert "ratios      profit factor -, Sharpe -, Sortino - over 0 days (a dash under 20)" in said
    assert ["0.8", "1", "100%", "+0.960", "+96.00"] in [line.split() for line in said]
    told = json.loads(said[-1])
    assert told["performance"]["trades"]["expectancy_r"] == 0.96
    assert told["performance"]["sharpe"] is None
    assert set(told["by_pair"]) == {"EURUSD"}


def test_without_a_journal_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--home", str(tmp_path)]) == 6
    assert capsys.readouterr().err.count("\n") == 1
