"""Recorded bars and ticks as a market: spreads, paths, the finest data of each moment, what is seen when."""

from __future__ import annotations

import math

import numpy as np
import pytest
from msgspec import structs

from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.brokers.simulator.market_recorded import RecordedMarket
from quarterdeck.core.brokers.simulator.market_source import TickColumns, aggregate
from quarterdeck.core.brokers.simulator.market_spread import spreads, usual_before
from quarterdeck.core.brokers.simulator.recorded_series import RecordedSeries
from quarterdeck.core.data.series import BarSeries, PairData, TickSeries
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.market_data import TIMEFRAME_NS
from quarterdeck.core.model.units import DAY_NS, M15_NS, NS_PER_MS, NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings

MONDAY = 1_719_792_000 * NS_PER_S
"""2024-07-01 00:00 UTC."""
SPEC = instrument("EURUSD")


def costs(**changes):
    return structs.replace(shipped_settings().costs, spread_floor_pips=0.2, **changes)


def bars(rows, timeframe="M15", start=MONDAY, *, ask=None, spread_known=True, symbol="EURUSD"):
    """Rows of (open, high, low, close, spread points)."""
    opens = start + TIMEFRAME_NS[timeframe] * np.arange(len(rows))
    columns = list(zip(*rows, strict=True))
    bid = Candles(opens, *columns[:4], np.full(len(rows), 10), columns[4])
    shown = None if ask is None else Candles(opens, *zip(*ask, strict=True))
    return BarSeries(symbol=symbol, timeframe=timeframe, bid=bid, ask=shown, spread_known=spread_known)


def market(*series, from_ns=MONDAY, to_ns=MONDAY + 7 * DAY_NS, **changes):
    pair = PairData(symbol="EURUSD", series=tuple(series))
    return RecordedMarket([SPEC], [pair], {"EURUSD": costs(**changes)}, from_utc_ns=from_ns, to_utc_ns=to_ns)


def steps(of):
    found = []
    while of.next_ns() is not None:
        found.append(of.step())
    return found


TWO = [(1.10000, 1.10100, 1.09950, 1.10050, 2), (1.10060, 1.10080, 1.10020, 1.10030, 0)]


def test_a_bar_is_its_open_then_its_range_and_close():
    first, end, second, _ = steps(market(bars(TWO)))
    assert first == (MONDAY, (("EURUSD", 1.10000, 1.10004),), ())
    # inside: twice the spread at the open (2 points and the floor of 2), which is 8 points
    assert end.at_utc_ns == MONDAY + M15_NS - NS_PER_MS
    assert end.ranges == (("EURUSD", 1.09950, 1.10100, 1.09958, 1.10108),)
    assert end.ticks == (("EURUSD", 1.10050, 1.10058),)
    # the greater of the last closed bar's and the new one's
    assert second.ticks == (("EURUSD", 1.10060, 1.10064),)


def test_the_neutral_path_goes_to_the_nearer_extreme_first():
    path = steps(market(bars(TWO), intrabar_order="neutral"))[:4]
    assert [step.ticks[0][1] for step in path] == [1.10000, 1.09950, 1.10100, 1.10050]
    assert [step.ranges[0][1:3] for step in path[1:]] == [(1.0995, 1.1), (1.0995, 1.101), (1.1005, 1.101)]
    assert [step.at_utc_ns - MONDAY for step in path] == [0, M15_NS // 3, 2 * M15_NS // 3, M15_NS - NS_PER_MS]
    tie = steps(market(bars([(1.1, 1.101, 1.099, 1.1, 0)]), intrabar_order="neutral"))
    assert tie[1].ticks[0][1] == 1.099
    high = steps(market(bars([(1.1, 1.1005, 1.099, 1.1, 0)]), intrabar_order="neutral"))
    assert high[1].ticks[0][1] == 1.1005


@pytest.mark.parametrize("size", [1.0, 150.0, 40_000.0])
def test_prices_are_those_that_rounding_to_the_symbols_digits_gives(size):
    wild = (size * (1.0 + np.random.default_rng(7).random((400, 4)))).tolist()
    made = market(bars([(row[0], max(row), min(row), row[3], 3) for row in wild]))
    found = steps(made)
    assert [step.ticks[0][1] for step in found] == [float(np.round(price, 5)) for row in wild for price in (row[0], row[3])]
    ranges = [step.ranges[0][1:3] for step in found if step.ranges]
    assert ranges == [(float(np.round(min(row), 5)), float(np.round(max(row), 5))) for row in wild]
    assert made.quotes_column("EURUSD").bid.tolist() == [step.ticks[0][1] for step in found]
    what = made.happenings("EURUSD")
    told = [what.event(row) for row in range(len(what))]
    assert [(what.at(row), *what.quote(row)) for row in range(800)] == [(step.at_utc_ns, *step.ticks[0][1:]) for step in found]
    assert [event[:2] for event in told] == [step.ticks[0][1:] for step in found]
    assert [event[2:4] for event in told[1::2]] == ranges
    assert all(math.isnan(price) for event in told[::2] for price in event[2:])


def test_steps_made_alone_are_those_of_a_block():
    series = [bars([(*row[:4], 2) for row in TWO * 40], symbol=symbol) for symbol in ("EURUSD", "GBPUSD")]
    late = structs.replace(series[1], bid=series[1].bid[3:])
    pairs = [PairData(symbol=one.symbol, series=(one,)) for one in (series[0], late)]
    specs = [SPEC, instrument("GBPUSD")]
    prices = {spec.symbol: costs() for spec in specs}
    blocks, alone = (RecordedMarket(specs, pairs, prices, from_utc_ns=MONDAY, to_utc_ns=MONDAY + DAY_NS) for _ in range(2))
    alone.skip_to(0)
    found = steps(alone)
    assert found == steps(blocks)
    assert [len(step.ticks) for step in found] == [1] * 6 + [2] * 154
    later = RecordedMarket(specs, pairs, prices, from_utc_ns=MONDAY, to_utc_ns=MONDAY + DAY_NS)
    assert later.skip_to(9) == {name: (bid, ask, found[8].at_utc_ns) for name, bid, ask in found[8].ticks}
    assert steps(later) == found[9:]


def test_who_decides_a_range_with_both_levels():
    assert market(bars(TWO)).target_first == frozenset()
    assert market(bars(TWO), intrabar_order="optimistic").target_first == {"EURUSD"}


def test_the_rollover_hour_is_wide():
    # 21:00 UTC is 17:00 in New York
    late = steps(market(bars(TWO, start=MONDAY + 21 * 3_600 * NS_PER_S)))
    assert late[0].ticks == (("EURUSD", 1.1, 1.1008),)
    assert late[1].ranges[0][3] == round(1.0995 + 0.0008, 5)


def test_typical_hourly_spread_is_learned_from_earlier_bars_only():
    rng = np.random.default_rng(5)
    values, slots = rng.integers(0, 50, 2_000) / 1e5, rng.integers(0, 5, 2_000)
    usual = usual_before(values, slots, 95.0)
    for row in range(0, 2_000, 37):
        past = np.sort(values[:row][slots[:row] == slots[row]])
        expected = past[max(0, int(np.ceil(0.95 * len(past))) - 1)] if len(past) else 0.0
        assert usual[row] == expected
    changed = values.copy()
    changed[1_500:] = 9.0
    assert (usual_before(changed, slots, 95.0)[:1_501] == usual[:1_501]).all()


def test_inside_a_bar_the_ask_is_never_under_the_usual():
    week = 7 * 96
    points = np.zeros(3 * week, dtype=np.int64)
    slot = 10 * 4
    points[[slot, slot + week]] = 30
    opens = MONDAY + M15_NS * np.arange(3 * week)
    made = spreads(opens, points, SPEC, costs())
    assert made.at_open[slot + 2 * week] == 0.00002
    assert made.inside[slot + 2 * week] == 0.00032
    assert made.inside[slot + 2 * week - 8] == 0.00004


def test_own_ask_prices_are_used_and_never_under_the_bid():
    ask = [(1.10020, 1.10120, 1.09960, 1.10040)]
    first, end = steps(market(bars(TWO[:1], ask=ask)))
    assert first.ticks == (("EURUSD", 1.10000, 1.10020),)
    assert end.ranges == (("EURUSD", 1.09950, 1.10100, 1.09960, 1.10120),)
    assert end.ticks == (("EURUSD", 1.10050, 1.10050),)


def test_data_without_a_spread_are_refused_unless_one_is_given():
    with pytest.raises(DataError, match="nothing about the spread"):
        market(bars(TWO, spread_known=False))
    given = steps(market(bars(TWO, spread_known=False), default_spread_pips=1.0))
    assert given[0].ticks == (("EURUSD", 1.1, 1.10012),)


def test_bars_report_given_spread_or_bid_ask_difference():
    given = market(bars(TWO, spread_known=False), default_spread_pips=1.0)
    assert given.columns("EURUSD", "M15").spread_points.tolist() == [10, 10]
    ask = [(1.10020, 1.10120, 1.09970, 1.10065), (1.10090, 1.10110, 1.10050, 1.10050)]
    own = market(bars(TWO, spread_known=False, ask=ask))
    assert own.columns("EURUSD", "M15").spread_points.tolist() == [15, 20]


def test_the_finest_data_of_each_moment_win():
    quarter = bars([(1.1, 1.101, 1.099, 1.1, 1)] * 8)
    minute_rows = [(1.2 + 0.0001 * k, 1.2005 + 0.0001 * k, 1.1995, 1.2001, 3) for k in range(30)]
    minutes = bars(minute_rows, "M1", start=MONDAY + 2 * M15_NS)
    mixed = market(quarter, minutes)
    columns = mixed.columns("EURUSD", "M15")
    assert columns.open_utc_ns.tolist() == (MONDAY + M15_NS * np.arange(8)).tolist()
    assert columns.open.tolist() == pytest.approx([1.1, 1.1, 1.2, 1.2015, 1.1, 1.1, 1.1, 1.1])
    assert columns.spread_points.tolist() == [1, 1, 3, 3, 1, 1, 1, 1]
    assert len(mixed.columns("EURUSD", "M1")) == 30
    # two steps a bar, six quarter hours and thirty minutes
    assert len(steps(mixed)) == 2 * 36
    hours = mixed.columns("EURUSD", "H1")
    assert hours.high.tolist() == pytest.approx([1.2034, 1.101])


def test_a_stretch_begins_and_ends_on_the_quarter():
    minutes = bars([(1.2, 1.2, 1.2, 1.2, 0)] * 30, "M1", start=MONDAY + 5 * 60 * NS_PER_S)
    made = RecordedSeries(SPEC, PairData(symbol="EURUSD", series=(bars([(1.1, 1.1, 1.1, 1.1, 0)] * 4), minutes)), costs())
    assert made.candles("M15").open.tolist() == [1.1, 1.2, 1.1, 1.1]
    assert len(made.candles("M1")) == 15


def test_ticks_are_steps_of_their_own():
    at = MONDAY + np.array([0, 0, 250, 61_000]) * NS_PER_MS
    ticks = TickSeries(
        symbol="EURUSD", at_utc_ns=at, bid=np.array([1.1, 1.1001, 1.1002, 1.1]), ask=np.array([1.1, 1.1002, 1.1, 1.1])
    )
    played = market(ticks)
    found = steps(played)
    assert [step.at_utc_ns - MONDAY for step in found] == [0, 1, 250 * NS_PER_MS, 61_000 * NS_PER_MS]
    assert found[2].ticks == (("EURUSD", 1.1002, 1.1002),)
    assert played.columns("EURUSD", "M1").close.tolist() == [1.1002, 1.1]
    assert played.ticks("EURUSD", MONDAY, MONDAY + DAY_NS, MONDAY + NS_PER_S).bid.tolist() == [1.1, 1.1001, 1.1002]


def test_nothing_is_seen_before_its_time():
    rows = [(*(round(price + k / 1e4, 5) for price in (1.1, 1.1010, 1.0990, 1.1005)), 1) for k in range(12)]
    for path in ("pessimistic", "neutral", "optimistic"):
        played = market(bars(rows), intrabar_order=path)
        whole = played.columns("EURUSD", "M15")
        seen = {}
        while played.next_ns() is not None:
            now, ticks, _ = played.step()
            seen.setdefault(now // M15_NS * M15_NS, []).extend(ticks)
            row = played.reached("EURUSD", "M15", now) - 1
            open_ns = int(whole.open_utc_ns[row])
            assert open_ns <= now < open_ns + M15_NS
            forming = played.forming("EURUSD", "M15", now)
            if now == open_ns + M15_NS - NS_PER_MS:
                assert forming is None
            else:
                assert forming.open_utc_ns == open_ns
                shown = [tick[1] for tick in seen[open_ns]]
                assert forming[1:5] == (shown[0], max(shown), min(shown), shown[-1])
                if now == open_ns:
                    assert forming[1:5] == (whole.open[row],) * 4
            hour = played.forming("EURUSD", "H1", now)
            if hour is not None:
                first = row - row % 4
                assert hour.open == whole.open[first]
                assert hour.high <= whole.high[first : row + 1].max() + 1e-12


def test_the_warm_up_is_history_and_gives_the_first_quotes():
    played = market(bars(TWO * 4), from_ns=MONDAY + 4 * M15_NS)
    assert played.start_utc_ns == MONDAY + 4 * M15_NS - NS_PER_MS
    assert played.initial() == (("EURUSD", 1.1003, 1.10038, MONDAY + 4 * M15_NS - NS_PER_MS),)
    assert played.reached("EURUSD", "M15", played.start_utc_ns) == 4
    assert played.next_ns() == MONDAY + 4 * M15_NS
    assert played.steps_total == 8


def test_symbols_of_one_instant_come_together_and_in_order():
    dollar = instrument("USDJPY")
    pairs = [
        PairData(symbol="EURUSD", series=(bars(TWO),)),
        PairData(symbol="USDJPY", series=(bars([(160.0, 160.1, 159.9, 160.0, 1)] * 2, symbol="USDJPY"),)),
    ]
    made = RecordedMarket(
        [SPEC, dollar],
        pairs,
        {"EURUSD": costs(), "USDJPY": costs()},
        from_utc_ns=MONDAY,
        to_utc_ns=MONDAY + DAY_NS,
    )
    found = steps(made)
    assert [[tick[0] for tick in step.ticks] for step in found] == [["EURUSD", "USDJPY"]] * 4


def test_bars_are_put_together_as_the_broker_would():
    made = aggregate(bars(TWO * 2).bid, "H1")
    assert made.bar(0).high == 1.101
    assert (made.bar(0).close, made.bar(0).tick_volume, made.bar(0).spread_points) == (1.1003, 40, 0)
    assert isinstance(TickColumns(*[np.zeros(1)] * 3), tuple)


def test_no_data_is_an_error_with_the_pairs_name():
    with pytest.raises(DataError, match="EURUSD"):
        market()
