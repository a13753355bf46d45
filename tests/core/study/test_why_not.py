"""The "why not?" ledger answers for a pair and a bar, and counts refusals once a bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.effects import Effect, StateChanged, Verdict
from quarterdeck.core.model.errors import StorageError, UsageError
from quarterdeck.core.model.inputs import SequencedInput, TimerFired
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check, NoSignal, Signal
from quarterdeck.core.model.units import M15_NS
from quarterdeck.core.study.queries import last_judged_bars
from quarterdeck.core.study.why_not import bar_open_of, bar_verdicts, parse_bar, refusals_per_reason
from tests.core.journal.tapes import MONDAY_NS, Watch, day, journal_settings, new_run, no_signal, record, signal


def verdict(outcome: str, reason: str, bar_open: int = MONDAY_NS, symbol: str = "EURUSD") -> Verdict:
    check = Check("spread", 3.25, 2.0, passed=False, note="pips")
    facts = {"symbol": symbol, "bar_open_utc_ns": bar_open, "strategy": "trend", "side": Side.BUY, "checks": (check,)}
    return Verdict(outcome=outcome, reason=reason, **facts)  # type: ignore[arg-type]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    writer = JournalWriter(tmp_path / "j", journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(new_run())
    told = [
        (signal("EURUSD", MONDAY_NS), verdict("waiting", "spread")),
        (no_signal("USDJPY", MONDAY_NS), verdict("none", "", symbol="USDJPY")),
        (signal("EURUSD", MONDAY_NS + M15_NS), verdict("refused", "news", MONDAY_NS + M15_NS)),
        (signal("EURUSD", MONDAY_NS + 2 * M15_NS), verdict("refused", "spread", MONDAY_NS + 2 * M15_NS)),
        (signal("EURUSD", MONDAY_NS + 3 * M15_NS), verdict("waiting", "spread", MONDAY_NS + 3 * M15_NS)),
        (signal("EURUSD", MONDAY_NS + 4 * M15_NS), verdict("entered", "", MONDAY_NS + 4 * M15_NS)),
    ]
    for seq, (said, effect) in enumerate(told, 1):
        writer.append(SequencedInput(seq=seq, at_utc_ns=MONDAY_NS + seq * M15_NS, input=said), (effect,))
    writer.append(
        SequencedInput(seq=7, at_utc_ns=MONDAY_NS + 8 * M15_NS, input=no_signal("GBPUSD", 0)), (verdict("refused", "stale"),)
    )
    writer.close()
    return tmp_path / "j"


def test_every_judgement_of_a_bar_is_told_in_order(journal: Path) -> None:
    with TapeReader(journal) as reader:
        (story,) = bar_verdicts(reader, "EURUSD", MONDAY_NS)
    assert isinstance(story.found, Signal)
    assert [judgement.verdict.outcome for judgement in story.judgements] == ["waiting", "refused"]
    assert story.last is not None
    assert story.last.reason == "stale"
    text = "\n".join(story.lines())
    assert "found buy with confidence 0.80" in text
    assert "passed  h1_trend 1 against 0 (up)" in text
    assert "FAILED  spread 3.25 against 2 (pips)" in text
    assert "buy refused: stale" in text


def test_gate_reasons_before_the_scan_appear_for_every_bar(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(new_run())
    told: list[tuple[Any, tuple[Effect, ...]]] = [
        (no_signal("EURUSD", MONDAY_NS), (StateChanged(state="ACTIVE", reasons=()),)),
        (no_signal("EURUSD", MONDAY_NS + M15_NS), ()),
        (TimerFired(), (StateChanged(state="REDUCE_ONLY", reasons=("paused", "drawdown")),)),
        (no_signal("EURUSD", MONDAY_NS + 2 * M15_NS), (StateChanged(state="ACTIVE", reasons=()),)),
        (signal("EURUSD", MONDAY_NS + 3 * M15_NS), (verdict("refused", "news", MONDAY_NS + 3 * M15_NS),)),
    ]
    for seq, (said, effects) in enumerate(told, 1):
        writer.append(SequencedInput(seq=seq, at_utc_ns=MONDAY_NS + seq * M15_NS, input=said), effects)
    writer.close()
    with TapeReader(tmp_path / "j") as reader:
        stories = [bar_verdicts(reader, "EURUSD", MONDAY_NS + bar * M15_NS)[0] for bar in range(4)]
    assert [story.gate for story in stories] == ["", "open", "REDUCE_ONLY (paused, drawdown)", "open"]
    assert "state before this scan: REDUCE_ONLY (paused, drawdown)" in stories[2].lines()


def test_a_bar_without_a_signal_tells_the_votes(journal: Path) -> None:
    with TapeReader(journal) as reader:
        (story,) = bar_verdicts(reader, "USDJPY", MONDAY_NS)
    assert isinstance(story.found, NoSignal)
    assert "found nothing" in "\n".join(story.lines())


def test_a_bar_that_only_the_scanner_saw_has_a_story(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(new_run())
    writer.append(SequencedInput(seq=1, at_utc_ns=MONDAY_NS + M15_NS, input=no_signal("EURUSD", MONDAY_NS)))
    writer.close()
    with TapeReader(tmp_path / "j") as reader:
        (story,) = bar_verdicts(reader, "EURUSD", MONDAY_NS)
        assert story.last is None
        assert isinstance(story.found, NoSignal)
        assert any("h1_trend" in line for line in story.lines())
        assert last_judged_bars(reader, reader.run(), count=5) == ()
        assert last_judged_bars(reader, reader.run(), count=5, candidates_only=False) == (("EURUSD", MONDAY_NS),)


def test_a_bar_counts_once_by_its_last_verdict(journal: Path) -> None:
    with TapeReader(journal) as reader:
        assert refusals_per_reason(reader, reader.run()) == {"spread": 2, "news": 1, "stale": 1}
        assert refusals_per_reason(reader, reader.run(), symbol="USDJPY") == {}


def test_each_run_that_saw_the_bar_answers(tmp_path: Path) -> None:
    for run_id in ("a", "b"):
        record(tmp_path / "j", list(day(5, run_id=run_id)), run=new_run(run_id))
    with TapeReader(tmp_path / "j") as reader:
        stories = bar_verdicts(reader, "EURUSD", MONDAY_NS + 3 * M15_NS)
        assert [story.run_id for story in stories] == ["a", "b"]
        (second,) = bar_verdicts(reader, "EURUSD", MONDAY_NS + 3 * M15_NS, run=2)
        assert second == stories[1]
        with pytest.raises(StorageError, match="no run 3"):
            bar_verdicts(reader, "EURUSD", MONDAY_NS, run=3)


def test_a_bar_that_nobody_judged(journal: Path) -> None:
    with TapeReader(journal) as reader:
        assert bar_verdicts(reader, "EURUSD", MONDAY_NS - M15_NS) == ()
        (story,) = bar_verdicts(reader, "EURUSD", MONDAY_NS - M15_NS, run=1)
    assert story.lines()[-1] == "nothing is recorded about this bar"


@pytest.mark.parametrize(
    "text", ["2024-08-05T00:07", "2024-08-05 00:00", "2024-08-05T02:14:59+02:00", "2024-08-05T00:00Z", "2024-08-05"]
)
def test_an_instant_means_the_bar_that_holds_it(text: str) -> None:
    assert parse_bar(text) == MONDAY_NS == bar_open_of(MONDAY_NS + M15_NS - 1)


@pytest.mark.parametrize("text", ["", "banana", "2024-13-05T00:00", "25:00"])
def test_no_instant_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is not a valid time"):
        parse_bar(text)
