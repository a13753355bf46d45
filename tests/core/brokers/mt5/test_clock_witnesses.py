"""Whether this machine's clock or the server's is wrong: judged over random servers, machines and missing witnesses."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from quarterdeck.core.brokers.mt5.clock_witnesses import (
    BARS,
    NETWORK,
    OPENS,
    STORED,
    Witness,
    ZoneRule,
    close_rules,
    judge,
    of_both,
    on_grid,
    open_rules,
    rules_at,
    seen_by_most,
    shown_offset_s,
    week_edges,
)
from quarterdeck.core.model.units import NS_PER_S

NEW_YORK = ZoneInfo("America/New_York")
ZONES = {"new_york": NEW_YORK, "athens": ZoneInfo("Europe/Athens"), "none": UTC}
CHANGES = ("2024-03-10", "2024-03-31", "2024-10-27", "2024-11-03", "2025-03-09", "2025-03-30", "2025-10-26", "2025-11-02")
HOUR_S, QUARTER_S = 3_600, 900


def zone_offset_s(zone: str, at: datetime) -> int:
    return round(at.astimezone(ZONES[zone]).utcoffset().total_seconds())


class Server:
    """A trade server as the test knows it: a zone's clock and so many seconds."""

    def __init__(self, zone: str, lead_s: int) -> None:
        self.zone, self.lead_s = zone, lead_s

    def offset_s(self, at: datetime) -> int:
        return zone_offset_s(self.zone, at) + self.lead_s

    def epoch_s(self, at: datetime) -> int:
        return round(at.timestamp()) + self.offset_s(at)


def edges_before(now: datetime, weeks: int, weekday: int) -> list[datetime]:
    """The last 17:00s in New York on that weekday, in UTC."""
    local = now.astimezone(NEW_YORK)
    day = local.date() - timedelta(days=(local.weekday() - weekday) % 7)
    found = [datetime(day.year, day.month, day.day, 17, tzinfo=NEW_YORK) - timedelta(weeks=week) for week in range(weeks + 1)]
    return sorted(one.astimezone(UTC) for one in found if one < now)[-weeks:]


def bar_open(epoch_s: int, bar_s: int) -> int:
    return epoch_s // bar_s * bar_s


def epochs(server: Server, seen: list[datetime], bar_s: int, after_s: int) -> list[int]:
    """Those instants as the opens of bars show them, or with `after_s` 1 as the ends of bars do."""
    return [bar_open(server.epoch_s(at) - after_s, bar_s) + after_s * bar_s for at in seen]


def expected_rules(server: Server, seen: list[datetime]) -> dict[str, int]:
    """Zones whose clock was always as far from the server's as at the first week, with that lead."""
    found = {}
    for zone in ZONES:
        leads = {server.offset_s(at) - zone_offset_s(zone, at) for at in seen}
        if len(leads) == 1:
            found[zone] = leads.pop()
    return found


def drawn(seed: int) -> tuple[Server, datetime, float, random.Random]:
    draw = random.Random(seed)
    zone = draw.choice(list(ZONES))
    base = draw.choice([0, 2, 3, -5, 5.5, 9.5, 1, 7, 5.75])
    lead = {"new_york": round((base + 5) * HOUR_S), "athens": round((base - 2) * HOUR_S), "none": round(base * HOUR_S)}[zone]
    if draw.random() < 0.5:
        change = datetime.fromisoformat(draw.choice(CHANGES)).replace(tzinfo=UTC)
        now = change + timedelta(hours=draw.uniform(-240, 240))
    else:
        now = datetime(2024, 4, 1, tzinfo=UTC) + timedelta(hours=draw.uniform(0, 14_000))
    error_s = draw.choice([0.0, 0.0, draw.uniform(-20, 20), 3600.0, -3600.0, draw.uniform(-10_800, 10_800), 420.0, 1800.0])
    return Server(zone, lead), now.replace(microsecond=0), error_s, draw


@pytest.mark.parametrize("block", range(4))
def test_the_verdict_is_that_of_an_independent_model(block: int) -> None:
    judged = dict.fromkeys(("agrees", "unconfirmed", "contradicted"), 0)
    for seed in range(block * 100, block * 100 + 100):
        server, now, error_s, draw = drawn(seed)
        weeks = draw.choice([3, 10])
        opens, closes = edges_before(now, weeks, 6), edges_before(now, weeks, 4)
        year_of_opens, year_of_closes = edges_before(now, 60, 6), edges_before(now, 60, 4)
        with_year = draw.random() < 0.7
        known: list[tuple[str, tuple[ZoneRule, ...], dict[str, int]]] = []
        for name, rules_of, recent, year, present in (
            (OPENS, open_rules, opens, year_of_opens, draw.random() < 0.7),
            (BARS, close_rules, closes, year_of_closes, draw.random() < 0.7),
        ):
            if not present:
                continue
            after_s = 0 if name == OPENS else 1  # a close is the end of the bar before it
            coarse = rules_of(epochs(server, year, HOUR_S, after_s)) if with_year else ()
            known.append(
                (name, of_both(rules_of(epochs(server, recent, QUARTER_S, after_s)), coarse), expected_rules(server, recent))
            )
            if with_year:
                allowed = expected_rules(server, year)
                known[-1] = (*known[-1][:2], {zone: lead for zone, lead in known[-1][2].items() if zone in allowed})
        if draw.random() < 0.5:
            known.append((STORED, (ZoneRule(server.zone, server.lead_s),), {server.zone: server.lead_s}))
        stamp_s = server.epoch_s(now)
        witnesses = [Witness(name, tuple(rule.offset_s(stamp_s) for rule in rules), rules) for name, rules, _ in known]
        shown_s = server.offset_s(now) - error_s
        claims = [{zone_offset_s(zone, now) + lead for zone, lead in model.items()} for _, _, model in known]
        verdict = judge(shown_s, witnesses)

        assert [set(one.offsets_s) for one in witnesses] == claims, seed
        against = [one for one in claims if all(abs(offset - shown_s) > 60 for offset in one)]
        shared = max((sum(offset in one for one in against) for claim in against for offset in claim), default=0)
        if shared >= 2:
            expected = "contradicted"
            assert any(verdict.pc_error_s == round(offset - shown_s) for claim in against for offset in claim), seed
        else:
            expected = "agrees" if len(against) < len(claims) else "unconfirmed"
        assert verdict.judgement == expected, (seed, verdict)
        if not error_s:
            assert verdict.judgement == ("agrees" if claims else "unconfirmed"), "a right machine is never doubted"
            assert verdict.offset_s == server.offset_s(now)
        judged[verdict.judgement] += 1
    assert all(judged.values()), judged


def sixty_weeks(server: Server, now: datetime) -> tuple[Witness, Witness]:
    stamp_s = server.epoch_s(now)
    opens = open_rules([server.epoch_s(at) for at in edges_before(now, 60, 6)])
    closes = close_rules([server.epoch_s(at) for at in edges_before(now, 60, 4)])
    return (
        Witness(OPENS, tuple(rule.offset_s(stamp_s) for rule in opens), opens),
        Witness(BARS, tuple(rule.offset_s(stamp_s) for rule in closes), closes),
    )


def test_sixty_weeks_are_not_overruled_by_a_wrong_machine() -> None:
    server, now = Server("new_york", 7 * HOUR_S), datetime(2024, 7, 24, 9, tzinfo=UTC)
    for error_s in (3_600, -3_600, 900, 420, 86_400 * 400):
        verdict = judge(server.offset_s(now) - error_s, sixty_weeks(server, now))
        assert (verdict.judgement, verdict.pc_error_s, verdict.offset_s) == ("contradicted", error_s, 10_800)
        assert "UTC+3:00" in verdict.why


@pytest.mark.parametrize(("zone", "lead_s"), [("new_york", 7 * HOUR_S), ("athens", 0), ("none", 7_200), ("athens", -7_200)])
@pytest.mark.parametrize("change", CHANGES)
def test_an_hours_step_at_a_clock_change_is_the_zones(zone: str, lead_s: int, change: str) -> None:
    """Ten winter or summer weeks do not tell the zones apart; whichever rule the server follows, its step is explained."""
    server = Server(zone, lead_s)
    before = datetime.fromisoformat(change).replace(tzinfo=UTC) - timedelta(days=30)
    opens = open_rules([server.epoch_s(at) for at in edges_before(before, 4, 6)])
    closes = close_rules([server.epoch_s(at) for at in edges_before(before, 4, 4)])
    for days in (1, 40):
        now = before + timedelta(days=30 + days, hours=12)
        stamp_s = server.epoch_s(now)
        witnesses = [
            Witness(name, tuple(rule.offset_s(stamp_s) for rule in rules), rules)
            for name, rules in ((OPENS, opens), (BARS, closes))
        ]
        assert judge(server.offset_s(now), witnesses).judgement == "agrees"
        assert judge(server.offset_s(now) - 2 * HOUR_S, witnesses).judgement == "contradicted"


def test_one_witness_alone_neither_doubts_nor_confirms_against_another() -> None:
    right, wrong = Witness(STORED, (7_200,)), Witness(OPENS, (3_600,))
    assert judge(7_200.0, [wrong]).judgement == "unconfirmed"
    assert judge(7_200.0, [right, wrong]).judgement == "agrees"
    assert judge(7_200.0, [wrong, Witness(BARS, (10_800,))]).judgement == "unconfirmed", "they do not agree with each other"
    assert judge(7_200.0, [wrong, Witness(NETWORK, (3_610,))]).judgement == "contradicted"
    assert judge(7_205.0, [Witness(NETWORK, (7_200,))]).judgement == "agrees"
    assert judge(None, [right, Witness(OPENS, (10_800, 7_200))]).judgement == "agrees"
    assert judge(None, [right, wrong]).judgement == "unconfirmed", "the bars speak against what is stored"
    assert judge(None, [Witness(OPENS, (7_200,))]).judgement == "unconfirmed", "a first start in a closed market"


def test_holidays_and_a_pair_with_holes_change_no_rule() -> None:
    server, now = Server("new_york", 7 * HOUR_S), datetime(2024, 7, 24, 9, tzinfo=UTC)
    weeks = [server.epoch_s(at) for at in edges_before(now, 60, 6)]
    late = [*weeks]
    late[20] += 3 * HOUR_S
    late[40] += HOUR_S
    assert open_rules(late) == (ZoneRule("new_york", 7 * HOUR_S),)
    assert seen_by_most([weeks, late, weeks[10:]]) == weeks
    assert open_rules([week + HOUR_S * (row % 3) for row, week in enumerate(weeks)]) == (), "no rule where weeks disagree"
    assert open_rules(weeks[:1]) == ()


def test_week_edges_are_the_bars_around_a_pause() -> None:
    hours = np.arange(0, 120, dtype=np.int64) * HOUR_S
    bars = np.concatenate([hours, hours + 7 * 86_400])
    opens, closes = week_edges(bars, HOUR_S)
    assert (opens.tolist(), closes.tolist()) == ([7 * 86_400], [5 * 86_400])
    assert [edge.tolist() for edge in week_edges(bars[:1], HOUR_S)] == [[], []]


def test_offset_needs_three_ticks_that_agree() -> None:
    assert shown_offset_s([10_799.2, 10_800.0, 10_799.9], 3) == 10_800.0
    assert shown_offset_s([10_800.0, 10_800.0], 3) is None
    assert shown_offset_s([10_800.0, 10_800.0, 7_200.0], 3) is None
    assert (on_grid(10_850.0), on_grid(10_500.0), on_grid(20_700.0), on_grid(-190_000.0)) == (10_800, None, 20_700, None)


def test_rules_of_an_offset_hold_at_that_instant() -> None:
    now = datetime(2025, 3, 20, 12, tzinfo=UTC)
    for offset in (-18_000, 0, 7_200, 19_800):
        at_ns = round(now.timestamp()) * NS_PER_S
        assert {rule.offset_at(at_ns) for rule in rules_at(offset, at_ns)} == {offset}
