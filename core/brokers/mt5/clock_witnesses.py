"""What proves the trade server's offset from UTC, and whether this machine's clock agrees with it.

Why: ticks compare the server with this machine and cannot tell which of the two is wrong. The market can: it opens on Sunday and
closes on Friday at 17:00 in New York, and the bars show when that was on the server's clock.
Guarantees: pure functions of what was read. A witness that fits several zone rules speaks for all of them, so a step of an hour
near a clock change is explained by a zone rule before this machine is doubted. Two witnesses that agree outweigh this machine;
one alone decides nothing.
Does not: read a clock, a file or a terminal (`clock_check` does).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import numpy as np
from msgspec import Struct

from quarterdeck.core.brokers.mt5.server_time import (
    ATHENS,
    OFFSET_MAX_S,
    OFFSET_MIN_S,
    OFFSET_NOISE_S,
    OFFSET_STEP_S,
    ServerClock,
)
from quarterdeck.core.clock.time_zones import NEW_YORK, local_s, transitions, utc_of_local
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, UtcNs

Zone = Literal["new_york", "athens", "none"]
Judgement = Literal["agrees", "unconfirmed", "contradicted"]

STORED, OPENS, BARS, NETWORK = "the stored offset", "the weekly opens", "the bars' own times", "network time"
PAIRS_MIN = 3
"""So many pairs must show the same weekly opens."""
_ZONES: Final[dict[Zone, str]] = {"new_york": NEW_YORK, "athens": ATHENS, "none": ""}
_WEEKS_MIN = 2
_FIT_MIN = 0.8
_WEEK_S = 7 * S_PER_DAY
_OPEN_S, _CLOSE_S = 17 * S_PER_HOUR, 5 * S_PER_DAY + 17 * S_PER_HOUR
"""Of the week from Sunday 00:00, New York."""
_THURSDAY_S = 4 * S_PER_DAY
"""1970-01-01 was a Thursday."""
_NEW_YORK_LEAD_S = 7 * S_PER_HOUR


class ZoneRule(Struct, frozen=True):
    """A server whose clock is `lead_s` ahead of a zone's wall clock; ahead of UTC for the zone `none`."""

    zone: Zone
    lead_s: int

    def offset_s(self, server_s: int) -> int:
        """Server minus UTC when the server shows `server_s`."""
        if self.zone == "none":
            return self.lead_s
        return server_s - utc_of_local(server_s - self.lead_s, _ZONES[self.zone]) // NS_PER_S

    def offset_at(self, utc_ns: UtcNs) -> int:
        """Server minus UTC at an instant."""
        return self.lead_s + _zone_offset_s(self.zone, utc_ns // NS_PER_S)

    def clock(self, offset_s: int) -> ServerClock:
        """The clock of the adapter: the rule where it has a name, else its offset now."""
        if self.zone == "new_york" and self.lead_s == _NEW_YORK_LEAD_S:
            return ServerClock("new_york_plus_7")
        if self.zone == "athens" and not self.lead_s:
            return ServerClock("eet")
        return ServerClock("fixed", offset_s)


class Witness(Struct, frozen=True):
    """Someone who knows the server's offset: by the zone rules that fit, or by one figure."""

    name: str
    offsets_s: tuple[int, ...]
    """What it may be now, best first."""
    rules: tuple[ZoneRule, ...] = ()


class ClockVerdict(Struct, frozen=True):
    """What became of the comparison."""

    judgement: Judgement
    offset_s: int | None
    """The server's offset to use; None if it is unknown."""
    pc_error_s: int
    """How far this machine's clock is ahead of UTC by the witnesses; 0 where it is not contradicted."""
    why: str


def week_edges(server_s: IntArray, bar_s: int) -> tuple[IntArray, IntArray]:
    """Server epochs at which weeks open and at which they close, of the sorted opens of bars that last `bar_s`."""
    if len(server_s) < 2:
        return server_s[:0], server_s[:0]
    pauses = np.flatnonzero(np.diff(server_s) > S_PER_DAY)
    return server_s[pauses + 1], server_s[pauses] + bar_s


def seen_by_most(series: Sequence[Iterable[int]]) -> list[int]:
    """What more than half of the series contain, in order."""
    counts = Counter(item for one in series for item in set(one))
    return sorted(item for item, count in counts.items() if 2 * count > len(series))


def open_rules(opens_s: Sequence[int]) -> tuple[ZoneRule, ...]:
    """The zone rules that put these server epochs at Sunday 17:00 New York; several while the weeks do not tell them apart."""
    return _rules(opens_s, _OPEN_S)


def close_rules(closes_s: Sequence[int]) -> tuple[ZoneRule, ...]:
    """As `open_rules`, of Friday 17:00 New York."""
    return _rules(closes_s, _CLOSE_S)


def of_both(fine: tuple[ZoneRule, ...], coarse: tuple[ZoneRule, ...]) -> tuple[ZoneRule, ...]:
    """Leads from a few weeks of quarter hours, and of their zones those that a year of hours leaves."""
    zones = {rule.zone for rule in coarse}
    return tuple(rule for rule in fine if rule.zone in zones) or fine


def rules_at(offset_s: int, utc_ns: UtcNs) -> tuple[ZoneRule, ...]:
    """All zone rules with that offset at an instant."""
    return tuple(ZoneRule(zone, offset_s - _zone_offset_s(zone, utc_ns // NS_PER_S)) for zone in _ZONES)


def on_grid(shown_s: float, noise_s: float = OFFSET_NOISE_S) -> int | None:
    """The quarter hour that an offset is meant to be; None where it is none, or no server's."""
    rounded = round(shown_s / OFFSET_STEP_S) * OFFSET_STEP_S
    return rounded if OFFSET_MIN_S <= rounded <= OFFSET_MAX_S and abs(shown_s - rounded) <= noise_s else None


def shown_offset_s(deltas_s: Sequence[float], least: int, noise_s: float = OFFSET_NOISE_S) -> float | None:
    """Server minus this machine by ticks that changed while we looked; None where they are too few or do not agree.

    A tick is seen after it was made: the largest difference is the nearest to the truth.
    """
    if len(deltas_s) < least or max(deltas_s) - min(deltas_s) > noise_s:
        return None
    return max(deltas_s)


def judge(shown_s: float | None, witnesses: Sequence[Witness], noise_s: float = OFFSET_NOISE_S) -> ClockVerdict:
    """Compare the offset by this machine's clock with what the witnesses say."""
    if shown_s is None:
        return _without_ticks([one for one in witnesses if one.offsets_s])

    def fits(one: Witness) -> int | None:
        return next((offset for offset in one.offsets_s if abs(offset - shown_s) <= noise_s), None)

    shown = f"the server is at {utc_words(shown_s)} by this machine's clock"
    for_it = [one for one in witnesses if fits(one) is not None]
    against = [one for one in witnesses if one.offsets_s and fits(one) is None]
    believed, agreeing = _common(against, noise_s)
    if len(agreeing) >= 2:
        error_s = round(believed - shown_s)
        names = _joined([one.name for one in agreeing])
        why = f"{shown} and at {utc_words(believed)} by {names}: this machine is {_away(error_s)}"
        return ClockVerdict("contradicted", believed, error_s, why)
    if for_it:
        figures = [offset for one in for_it if one.name != NETWORK and (offset := fits(one)) is not None]
        offset = figures[0] if figures else on_grid(shown_s, noise_s)
        doubt = f"; {_claims(against)}" if against else ""
        return ClockVerdict("agrees", offset, 0, f"{shown}, as by {_joined([one.name for one in for_it])}{doubt}")
    other = _claims(against) or "nothing else shows its offset"
    return ClockVerdict("unconfirmed", on_grid(shown_s, noise_s), 0, f"{shown}; {other}")


def _without_ticks(witnesses: Sequence[Witness]) -> ClockVerdict:
    """A server that was confirmed before is not in question in a closed market, as long as its bars do not speak against it."""
    claims = _claims(witnesses)
    why = "no tick changed while this machine's clock was compared" + (f"; {claims}" if claims else "")
    stored = [one for one in witnesses if one.name == STORED]
    if not stored:
        return ClockVerdict("unconfirmed", witnesses[0].offsets_s[0] if witnesses else None, 0, why)
    shared = [offset for offset in stored[0].offsets_s if all(offset in one.offsets_s for one in witnesses)]
    return ClockVerdict("agrees" if shared else "unconfirmed", (shared or stored[0].offsets_s)[0], 0, why)


def common_rules(witnesses: Sequence[Witness], offset_s: int) -> tuple[ZoneRule, ...]:
    """Rules that give that offset now and that every witness for it knows; all of them where they have none in common."""
    known = [
        [rule for rule, offset in zip(one.rules, one.offsets_s, strict=True) if offset == offset_s]
        for one in witnesses
        if one.rules
    ]
    known = [rules for rules in known if rules]
    if not known:
        return ()
    shared = tuple(rule for rule in known[0] if all(rule in rules for rules in known))
    return shared or tuple(dict.fromkeys(rule for rules in known for rule in rules))


def utc_words(offset_s: float) -> str:
    """An offset as people write it, to the minute."""
    minutes = round(offset_s / S_PER_MINUTE)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}:{rest:02d}"


def _away(error_s: float) -> str:
    return f"{abs(error_s) / S_PER_MINUTE:.0f} min {'ahead' if error_s > 0 else 'behind'}"


def _claims(witnesses: Sequence[Witness]) -> str:
    parts = [
        f"{one.name} say{'' if one.name in (OPENS, BARS) else 's'} {' or '.join(dict.fromkeys(map(utc_words, one.offsets_s)))}"
        for one in witnesses
        if one.offsets_s
    ]
    return ", ".join(parts)


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _common(witnesses: Sequence[Witness], noise_s: float) -> tuple[int, list[Witness]]:
    """The offset that most of them share, and who shares it."""
    best: tuple[int, list[Witness]] = (0, [])
    for offset in (offset for one in witnesses for offset in one.offsets_s):
        sharing = [one for one in witnesses if any(abs(other - offset) <= noise_s for other in one.offsets_s)]
        if len(sharing) > len(best[1]):
            best = offset, sharing
    return best


def _rules(edges_s: Sequence[int], second_of_week: int) -> tuple[ZoneRule, ...]:
    observed = [found for edge in edges_s if (found := _observed(edge, second_of_week)) is not None]
    if len(observed) < _WEEKS_MIN:
        return ()
    fits: list[tuple[int, ZoneRule]] = []
    for zone in _ZONES:
        leads = Counter(offset - _zone_offset_s(zone, utc_s) for utc_s, offset in observed)
        lead, count = leads.most_common(1)[0]
        fits.append((count, ZoneRule(zone, lead)))
    best = max(count for count, _ in fits)
    return tuple(rule for count, rule in fits if count == best) if best >= _FIT_MIN * len(observed) else ()


def _observed(edge_s: int, second_of_week: int) -> tuple[int, int] | None:
    """The instant of that edge of the week in UTC seconds, and the server's offset then; None for one on another day."""
    wall = local_s(edge_s * NS_PER_S, NEW_YORK)  # of a server at UTC; the true one is less than a day away
    week = (wall + _THURSDAY_S - second_of_week + _WEEK_S // 2) // _WEEK_S
    utc_s = utc_of_local(week * _WEEK_S - _THURSDAY_S + second_of_week, NEW_YORK) // NS_PER_S
    offset = edge_s - utc_s
    return (utc_s, offset) if OFFSET_MIN_S <= offset <= OFFSET_MAX_S else None


def _zone_offset_s(zone: Zone, utc_s: int) -> int:
    if zone == "none":
        return 0
    starts, offsets = transitions(_ZONES[zone])
    return offsets[bisect_right(starts, utc_s) - 1]
