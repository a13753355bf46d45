"""Each part of "all is well" broken in turn: how soon it is said, and that nothing is said of what has nothing to do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from quarterdeck.core.engine.vitals import BROKER_LATE_S, JUDGED_LATE_S, PARTS, QUOTE_LATE_S, Facts, Seen, Vitals
from quarterdeck.core.model.inputs import Calendar
from quarterdeck.core.model.signals import NoSignal
from quarterdeck.core.model.snapshot import PairView
from quarterdeck.core.model.units import NS_PER_S
from tests.cli.fake_engine import snapshot

MONDAY_S = 1_722_816_000
STEP_S = 5.0


class Time:
    """A clock that is turned manually; the wall clock may jump away from the monotonic one."""

    def __init__(self) -> None:
        self.s = 0.0
        self.jump_s = 0.0

    def monotonic_s(self) -> float:
        return self.s

    def utc_ns(self) -> int:
        return round((MONDAY_S + self.s + self.jump_s) * NS_PER_S)


class Run:
    """An engine whose parts all work, unless one is named."""

    def __init__(self, *, open_market: bool = True, **wrong: Any) -> None:
        self.time = Time()
        self.vitals = Vitals(self.time, self.time.utc_ns)
        self.open_market = open_market
        self.wrong = wrong
        self.seq = 0
        self.judges = "strategy" not in wrong

    def step(self) -> dict[str, bool]:
        self.time.s += STEP_S
        self.seq += 1
        now = self.time.s
        pair = PairView(symbol="EURUSD", digits=5, pip=0.0001, session_open=self.open_market)
        seen = Seen(
            quote_s=0.0 if "data" in self.wrong else now,
            answer_s=0.0 if "broker" in self.wrong else now,
            waiting_since_s=0.0 if "desk" in self.wrong else None,
        )
        if self.judges and now % 900 < STEP_S:
            self.vitals.judged(no_signal())
        facts: dict[str, Any] = {
            "desk": msgspec.structs.replace(snapshot().desk, seq=self.seq, pairs=(pair,)),
            "seen": seen,
            "journal_lag_s": now if "journal" in self.wrong else 0.0,
            "calendar": Calendar(available="calendar" not in self.wrong, why="", fetched_utc_ns=self.time.utc_ns()),
            "calendar_configured": True,
            "alerts_active": True,
            "alerts_failing_s": now if "alerts" in self.wrong else 0.0,
        }
        return {part.name: part.ok for part in self.vitals.look(Facts(**facts))}

    def said_after_s(self, part: str, limit_s: float = 7_200.0) -> float | None:
        while self.time.s < limit_s:
            parts = self.step()
            assert all(ok for name, ok in parts.items() if name != part), parts
            if not parts[part]:
                return self.time.s
        return None


def no_signal(withheld: str = "") -> NoSignal:
    return NoSignal(symbol="EURUSD", strategy="trend", strategy_hash="", bar_open_utc_ns=0, withheld=withheld)


@pytest.mark.parametrize(
    ("part", "within_s"),
    [
        ("data", QUOTE_LATE_S + STEP_S),
        ("strategy", JUDGED_LATE_S + STEP_S),
        ("desk", 10.0 + STEP_S),
        ("broker", BROKER_LATE_S + STEP_S),
        ("journal", 10.0 + STEP_S),
        ("calendar", STEP_S),
        ("alerts", 60.0 + STEP_S),
    ],
)
def test_a_part_that_stops_working_is_said_in_time(part: str, within_s: float) -> None:
    after_s = Run(**{part: True}).said_after_s(part)
    assert after_s is not None
    assert after_s <= within_s


@pytest.mark.parametrize(
    ("facts", "ok"),
    [
        ({"calendar": Calendar(available=False)}, False),
        ({"calendar_why": "it ends at noon", "calendar": Calendar(available=True)}, False),
        ({"news_off": True}, True),
    ],
)
def test_the_calendar_is_wrong_where_news_rules_lack_it(facts: dict[str, Any], ok: bool) -> None:
    run = Run(calendar=True)
    look = msgspec.structs.replace(last_facts(run), **{"calendar_configured": True, **facts})
    (part,) = (part for part in run.vitals.look(look) if part.name == "calendar")
    assert part.ok is ok


def test_a_desk_whose_parts_work_is_well_for_hours() -> None:
    assert Run().said_after_s("data") is None


@pytest.mark.parametrize("part", ["data", "strategy"])
def test_a_shut_market_asks_nothing_of_data_and_strategy(part: str) -> None:
    assert Run(open_market=False, **{part: True}).said_after_s(part) is None


def test_a_market_that_opens_gives_the_strategy_its_time() -> None:
    run = Run(open_market=False, strategy=True)
    assert run.said_after_s("strategy", 5_000.0) is None
    run.open_market = True
    opened_s = run.time.s
    said_s = run.said_after_s("strategy", 20_000.0)
    assert said_s is not None
    assert JUDGED_LATE_S <= said_s - opened_s <= JUDGED_LATE_S + 2 * STEP_S


def test_a_strategy_that_fails_at_each_bar_does_no_work() -> None:
    run = Run(strategy=True)
    while run.time.s < JUDGED_LATE_S + 60.0:
        parts = run.step()
        run.vitals.judged(no_signal("strategy error: ZeroDivisionError"))
    assert not parts["strategy"]
    (text,) = (part.text for part in run.vitals.look(last_facts(run)) if part.name == "strategy")
    assert text == "no bar was scanned: strategy error: ZeroDivisionError"


def last_facts(run: Run) -> Facts:
    pair = PairView(symbol="EURUSD", digits=5, pip=0.0001)
    return Facts(desk=msgspec.structs.replace(snapshot().desk, pairs=(pair,)), seen=Seen(), calendar=Calendar(available=True))


def test_a_wall_clock_jump_makes_no_feed_late() -> None:
    run = Run()
    for jump_s in (0.0, 3_900.0, -7_200.0):
        run.time.jump_s = jump_s
        parts = run.step()
        assert all(parts[name] for name in PARTS if name != "strategy"), parts
