"""Whether each part of the engine did its work recently: data, strategy, desk, broker, journal, calendar, alerts.

Why: "all is well" is worth nothing while it is said over a strategy that fails at each bar, or a loop that nothing reaches.
Promises: each part has an age and a verdict; what has nothing to do (a shut market, a part that is not set) is not wrong; a part
that never did its work is late from the start on. Does not: act, or alert (`core.engine.alarms` does).
Units: seconds of the monotonic clock, so that no jump of the wall clock makes a part late or fresh; bars by market time.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine.lockstep import AsyncBarScanner
from quarterdeck.core.model.inputs import Calendar
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.snapshot import DeskView, PartView
from quarterdeck.core.model.units import NS_PER_S, UtcNs

PARTS = ("data", "strategy", "desk", "broker", "journal", "calendar", "alerts")
QUOTE_LATE_S = 300.0
"""No quote of any pair for so long, in an open market."""
JUDGED_LATE_S = 1_800.0
"""No bar judged for so long, in an open market."""
WAITING_LATE_S = 10.0
"""An input or a journal entry that waits for so long is stuck."""
BROKER_LATE_S = 60.0
ALERTS_LATE_S = 60.0
CALENDAR_LATE_S = 6 * 3_600.0


class Seen(Struct, frozen=True, kw_only=True):
    """What the feed saw: monotonic seconds of the newest quote and the newest answer, and since when an input waits."""

    quote_s: float | None = None
    answer_s: float | None = None
    waiting_since_s: float | None = None


class Facts(Struct, frozen=True, kw_only=True):
    """What the parts are judged by; a feed of None makes its own time and cannot be late."""

    desk: DeskView
    seen: Seen | None
    feed_up: bool = True
    feed_why: str = ""
    journal_writable: bool = True
    journal_lag_s: float = 0.0
    calendar: Calendar
    calendar_why: str = ""
    """Why news rules have no calendar for what lies ahead."""
    news_off: bool = False
    calendar_configured: bool = False
    alerts_active: bool = False
    alerts_failing_s: float = 0.0
    alerts_waiting: int = 0
    alerts_taken_s: float | None = None


class Vitals:
    """Judges the parts from what was noted of them."""

    def __init__(self, clock: Clock, market_ns: Callable[[], UtcNs]) -> None:
        """Everything is fresh at the start. `market_ns` tells market time, by which bars are judged."""
        self._clock = clock
        self._market_ns = market_ns
        self._began_s = clock.monotonic_s()
        self._judged_ns = market_ns()
        self._judged = False
        self._withheld = ""
        self._open_since: tuple[float, UtcNs] | None = (self._began_s, self._judged_ns)
        """When the market opened, or the engine began in an open one: monotonic, and market time."""
        self._decided: tuple[int, float] = (0, self._began_s)

    def judged(self, found: Signal | NoSignal) -> None:
        """The strategy answered for a bar; one that could not be judged is no work done."""
        if isinstance(found, NoSignal) and found.withheld:
            self._withheld = found.withheld
            return
        self._judged_ns, self._judged, self._withheld = self._market_ns(), True, ""

    def look(self, facts: Facts) -> tuple[PartView, ...]:
        """All parts now, in the order of `PARTS`."""
        now_s, now_ns = self._clock.monotonic_s(), self._market_ns()
        if not any(pair.session_open for pair in facts.desk.pairs):
            self._open_since = None
        elif self._open_since is None:
            self._open_since = now_s, now_ns
        if facts.desk.seq != self._decided[0]:
            self._decided = facts.desk.seq, now_s
        return (
            self._data(facts, now_s),
            self._strategy(now_ns),
            self._desk(facts, now_s),
            self._broker(facts, now_s),
            _journal(facts),
            self._calendar(facts),
            _alerts(facts, now_s),
        )

    def _data(self, facts: Facts, now_s: float) -> PartView:
        if facts.seen is None:
            age_s = max(0.0, (facts.desk.at_utc_ns - facts.desk.oldest_quote_utc_ns) / NS_PER_S)
            known = bool(facts.desk.oldest_quote_utc_ns)
            return PartView(name="data", ok=True, age_s=age_s if known else None, text="simulated market")
        age_s = now_s - (self._began_s if facts.seen.quote_s is None else facts.seen.quote_s)
        if not facts.feed_up:
            return PartView(name="data", ok=False, age_s=age_s, text=f"no quotes: {facts.feed_why}")
        if self._open_since is None:
            return PartView(name="data", ok=True, age_s=age_s, text="the market is closed")
        late = min(age_s, now_s - self._open_since[0]) > QUOTE_LATE_S
        return PartView(
            name="data", ok=not late, age_s=age_s, text="no pair has had a quote, and the market is open" if late else ""
        )

    def _strategy(self, now_ns: UtcNs) -> PartView:
        age_s = max(0.0, (now_ns - self._judged_ns) / NS_PER_S)
        shown_s = age_s if self._judged else None
        if self._open_since is None:
            return PartView(name="strategy", ok=True, age_s=shown_s, text="the market is closed")
        late = min(age_s, (now_ns - self._open_since[1]) / NS_PER_S) > JUDGED_LATE_S
        why = f"no bar was scanned: {self._withheld}" if self._withheld else "no bar was scanned"
        return PartView(name="strategy", ok=not late, age_s=shown_s, text=why if late else "")

    def _desk(self, facts: Facts, now_s: float) -> PartView:
        since_s = None if facts.seen is None else facts.seen.waiting_since_s
        stuck = since_s is not None and now_s - since_s > WAITING_LATE_S
        text = f"an input has been waiting for {now_s - (since_s or now_s):.0f} s" if stuck else ""
        return PartView(name="desk", ok=not stuck, age_s=now_s - self._decided[1], text=text)

    def _broker(self, facts: Facts, now_s: float) -> PartView:
        if facts.seen is None:
            return PartView(name="broker", ok=True, text="simulated terminal")
        age_s = now_s - (self._began_s if facts.seen.answer_s is None else facts.seen.answer_s)
        late = age_s > BROKER_LATE_S
        return PartView(name="broker", ok=not late, age_s=age_s, text="the terminal does not answer" if late else "")

    def _calendar(self, facts: Facts) -> PartView:
        told = facts.calendar
        if facts.news_off:
            return PartView(name="calendar", ok=True, text="news rules are off (news.impacts)")
        if facts.calendar_why:
            return PartView(name="calendar", ok=False, text=facts.calendar_why)
        if not facts.calendar_configured:
            return PartView(name="calendar", ok=True, text="" if told.available else f"none: {told.why}")
        age_s = max(0.0, (self._clock.utc_ns() - told.fetched_utc_ns) / NS_PER_S) if told.fetched_utc_ns else None
        stale = bool(told.why) and age_s is not None and age_s > CALENDAR_LATE_S
        ok = told.available and not stale
        return PartView(name="calendar", ok=ok, age_s=age_s, text=told.why if told.why or ok else "it ends in the past")


def _journal(facts: Facts) -> PartView:
    ok = facts.journal_writable and facts.journal_lag_s <= WAITING_LATE_S
    text = "" if ok else "it cannot be written" if not facts.journal_writable else "entries wait for the disk"
    return PartView(name="journal", ok=ok, age_s=facts.journal_lag_s, text=text)


def _alerts(facts: Facts, now_s: float) -> PartView:
    if not facts.alerts_active:
        return PartView(name="alerts", ok=True, text="no alert service is set up")
    ok = facts.alerts_failing_s <= ALERTS_LATE_S
    age_s = None if facts.alerts_taken_s is None else now_s - facts.alerts_taken_s
    text = "" if ok else f"a service has accepted no alert for {facts.alerts_failing_s:.0f} s, {facts.alerts_waiting} waiting"
    return PartView(name="alerts", ok=ok, age_s=age_s, text=text)


class Judged:
    """A scanner, with each answer noted."""

    def __init__(self, scans: AsyncBarScanner, heard: Callable[[Signal | NoSignal], None]) -> None:
        """`heard` is reported each answer."""
        self._scans = scans
        self._heard = heard

    async def scan(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """See `AsyncBarScanner`."""
        found = await self._scans.scan(symbol, bar)
        self._heard(found)
        return found

    def take(self, symbol: str, bar: Bar) -> None:
        """See `AsyncBarScanner`."""
        self._scans.take(symbol, bar)
