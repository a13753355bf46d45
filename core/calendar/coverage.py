"""How far a calendar reaches, and whether it covers the open market of the next day.

Why: an entry that no release closes is safe only where the releases are known. Promises: a calendar covers six hours after its
last release, and one that ends on a Friday the rest of that week. Does not: know of releases missing between two others.
"""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.core.clock.time_zones import NEW_YORK, next_local_time, week_second
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR, UtcNs
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import for_pair

COVERED_AHEAD_NS = DAY_NS
"""The open market of so long a time ahead should be covered."""
_QUIET_NS = 6 * S_PER_HOUR * NS_PER_S
"""The last release of a calendar is followed by hours for which nothing is announced."""
_DAY_ENDS_S = 17 * S_PER_HOUR
_WEEK_OPENS_S = _DAY_ENDS_S
_FRIDAY_S = 5 * S_PER_DAY
_WEEK_CLOSES_S = 5 * S_PER_DAY + _DAY_ENDS_S
_BEFORE_NS, _AFTER_NS = 7 * DAY_NS, 3 * DAY_NS
"""A calendar without a release in so long a stretch around an instant is one of other days."""


def news_rules_on(settings: Settings) -> bool:
    """Whether a release can close entries in any pair that is traded."""
    return any(for_pair(settings, symbol).news.impacts for symbol in settings.desk.pairs)


def covered_until(events: Sequence[NewsEvent]) -> UtcNs:
    """The instant until which the releases are known; 0 without any."""
    last = max((event.at_utc_ns for event in events), default=0)
    if not last:
        return 0
    until = last + _QUIET_NS
    if week_second(last, NEW_YORK) < _FRIDAY_S:
        return until
    while not _week_open(opens := next_local_time(last, NEW_YORK, _DAY_ENDS_S)):
        last = opens
    return max(until, opens)


def gap_ahead(events: Sequence[NewsEvent], at_utc_ns: UtcNs) -> str:
    """What part of the next day's open market is not covered, in words; empty where all of it is."""
    ends = _open_until(at_utc_ns)
    if ends is None:
        return ""
    until = covered_until(events)
    if until < ends:
        return f"it ends at {iso(until)}" if until > at_utc_ns else "it ends before now"
    if not any(-_BEFORE_NS <= event.at_utc_ns - at_utc_ns <= _AFTER_NS for event in events):
        return f"it knows no release between {iso(at_utc_ns - _BEFORE_NS)} and {iso(at_utc_ns + _AFTER_NS)}"
    return ""


def _open_until(at_utc_ns: UtcNs) -> UtcNs | None:
    """The last instant of open market within the next day; None where the market stays shut."""
    end = at_utc_ns + COVERED_AHEAD_NS
    if _week_open(end):
        return end
    return next_local_time(at_utc_ns, NEW_YORK, _DAY_ENDS_S) if _week_open(at_utc_ns) else None


def _week_open(at_utc_ns: UtcNs) -> bool:
    """Whether the currency market is in its week, Sunday 17:00 to Friday 17:00 New York."""
    return _WEEK_OPENS_S <= week_second(at_utc_ns, NEW_YORK) < _WEEK_CLOSES_S
