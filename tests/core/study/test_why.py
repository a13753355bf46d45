"""The ledger answers "why not?" from the journal alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.journal.tape import TapeReader
from core.journal.writer import JournalWriter
from core.model.effects import Verdict
from core.model.inputs import Stamped, TimerFired
from core.model.market import Side
from core.model.signals import Check
from core.study.why import Wanted, counts, rulings
from tests.core.journal.tapes import MONDAY_NS, Watch, journal_settings, new_run

SPREAD = Check("spread", 2.1, 1.0, False, "10 % of the stop")


def verdict(symbol: str, outcome: str, reason: str = "", *, bar: int = 0) -> Verdict:
    side = None if outcome == "none" else Side.BUY
    checks = (SPREAD,) if reason == "spread" else ()
    return Verdict(symbol=symbol, bar_open_utc_ns=bar, strategy="trend", outcome=outcome, reason=reason, side=side, checks=checks)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    told = [
        (verdict("EURUSD", "refused", "spread"),),
        (verdict("EURUSD", "none", "trend"), verdict("USDJPY", "entered")),
        (verdict("USDJPY", "refused", "spread"), verdict("EURUSD", "refused", "budget")),
    ]
    writer = JournalWriter(path, journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(new_run())
    for seq, effects in enumerate(told, 1):
        writer.append(Stamped(seq=seq, at_utc_ns=MONDAY_NS + seq, input=TimerFired()), effects)
    writer.end_run("done")
    writer.close()
    return path


def seen(path: Path, wanted: Wanted, count: int = 100) -> list[tuple[str, str, str]]:
    with TapeReader(path) as reader:
        return [(it.verdict.symbol, it.verdict.outcome, it.verdict.reason) for it in rulings(reader, reader.run(), wanted, count)]


def test_the_newest_come_first_and_no_more_than_asked(journal: Path) -> None:
    assert seen(journal, Wanted(), 2) == [("EURUSD", "refused", "budget"), ("USDJPY", "refused", "spread")]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(symbol="USDJPY"), 2),
        (Wanted(reason="spread"), 2),
        (Wanted(outcome="entered"), 1),
        (Wanted(), 4),
        (Wanted(candidates_only=False), 5),
        (Wanted(until_utc_ns=MONDAY_NS + 1), 1),
        (Wanted(symbol="GBPUSD"), 0),
    ],
)
def test_only_what_is_wanted(journal: Path, wanted: Wanted, found: int) -> None:
    assert len(seen(journal, wanted)) == found


def test_each_check_keeps_its_number_and_threshold(journal: Path) -> None:
    with TapeReader(journal) as reader:
        (first, *_) = rulings(reader, reader.run(), Wanted(reason="spread"), 1)
    assert first.verdict.checks == (SPREAD,)
    assert first.at_utc_ns == MONDAY_NS + 3


def test_counts_by_reason(journal: Path) -> None:
    with TapeReader(journal) as reader:
        run = reader.run()
        assert counts(reader, run, Wanted()) == {"refused: spread": 2, "entered": 1, "refused: budget": 1}
