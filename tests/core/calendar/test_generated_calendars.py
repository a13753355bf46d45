"""Whatever calendar the world hands us: the same releases, or a refusal with the question that decides."""

from __future__ import annotations

from collections import Counter

import pytest

from quarterdeck.core.calendar.calendar_file import parse_calendar
from quarterdeck.core.model.errors import DataError
from tests.core.calendar.foreign_calendars import draw_calendar

READ_SHARE_LEAST = 0.98


def outcome(seed: int) -> tuple[str, str]:
    """`read`, `asked`, `refused` or `WRONG`, and what was said."""
    foreign = draw_calendar(seed)
    try:
        events = parse_calendar(foreign.data, foreign.name)
    except DataError as error:
        said = error.one_line()
        if not foreign.asks:
            return "refused", f"{said} {foreign.drawn}"
        return ("asked" if any(word in said for word in foreign.asks) else "WRONG"), f"{said} {foreign.drawn}"
    found = {(event.at_utc_ns, event.currency, event.impact, event.title) for event in events}
    if foreign.asks:
        return "WRONG", f"read although it should ask for {foreign.asks} {foreign.drawn}"
    return ("read", "") if found == foreign.events else ("WRONG", f"other events {foreign.drawn}")


def check(seeds: range) -> None:
    counts: Counter[str] = Counter()
    for seed in seeds:
        how, said = outcome(seed)
        counts[how] += 1
        if how in ("WRONG", "refused"):
            print(how, said)
    print(dict(counts))
    assert not counts["WRONG"]
    assert counts["read"] >= READ_SHARE_LEAST * (counts["read"] + counts["refused"])
    assert counts["asked"] > 0


def test_any_calendar_is_read_right_or_refused_with_its_question():
    check(range(150))


@pytest.mark.soak
def test_two_thousand_calendars_are_read_right_or_refused():
    check(range(2_000))
