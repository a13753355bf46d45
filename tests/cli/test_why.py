"""`quarterdeck why` prints the ledger as a human reads it, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.effects import Verdict
from quarterdeck.core.model.inputs import BarClosed, BarMissing, ConnectionState, Input, SequencedInput, TimerFired
from quarterdeck.core.model.market_data import Bar, Side
from quarterdeck.core.model.signals import Check, NoSignal
from quarterdeck.core.model.units import M15_NS
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


def outage_journal(home: Path) -> None:
    """A run in which one bar was withheld, one came late behind an outage, one was absent; then none lives."""
    withheld = NoSignal(
        symbol="EURUSD", strategy="trend", strategy_hash="", bar_open_utc_ns=MONDAY_NS, withheld="warming up: 300 of 1000 bars"
    )
    bar = Bar(open_utc_ns=MONDAY_NS + M15_NS, open=1.0, high=1.1, low=0.9, close=1.0)
    told: list[tuple[int, Input]] = [
        (MONDAY_NS + M15_NS, withheld),
        (MONDAY_NS + M15_NS + 1, ConnectionState(is_connected=False, why="the gateway does not answer")),
        (MONDAY_NS + 4 * M15_NS, ConnectionState(is_connected=True)),
        (MONDAY_NS + 4 * M15_NS + 1, BarClosed(symbol="EURUSD", timeframe="M15", bar=bar, late=True)),
        (MONDAY_NS + 4 * M15_NS + 2, BarMissing(symbol="EURUSD", timeframe="M15", bar_open_utc_ns=MONDAY_NS + 3 * M15_NS)),
    ]
    writer = JournalWriter(home / "journal.sqlite", journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(new_run())
    for seq, (at, item) in enumerate(told, 1):
        writer.append(SequencedInput(seq=seq, at_utc_ns=at, input=item), ())
    writer.close()


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        ("2024-08-05T00:00", "the strategy trend was not asked: warming up: 300 of 1000 bars"),
        ("2024-08-05T00:15", "it was read late, at 2024-08-05T01:00:00.000Z"),
        ("2024-08-05T00:30", "the connection to the broker was down since 2024-08-05T00:15:00.000Z: the gateway does not answer"),
        ("2024-08-05T00:45", "there was no such bar: no tick in it"),
        ("2024-08-06T00:00", "no engine ran when it closed; the last input before it is of 2024-08-05T01:00:00.000Z"),
        ("2024-08-04T00:00", "no engine ran when it closed; the next run began at 2024-08-05T00:15:00.000Z"),
    ],
)
def test_an_outage_is_told_as_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str], instant: str, said: str) -> None:
    outage_journal(tmp_path)
    assert main(["why", "EURUSD", instant, "--home", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert said in text
    assert "found nothing" not in text
