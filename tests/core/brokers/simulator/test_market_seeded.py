"""The simulated market: one seed is one market, crosses agree, sessions and news are there, random entries lose their costs only."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.core.brokers.simulator.instruments import instruments
from quarterdeck.core.brokers.simulator.market_crash import CRASH_UTC_NS, crash_market
from quarterdeck.core.brokers.simulator.market_news import week_news, week_of
from quarterdeck.core.brokers.simulator.market_seeded import SeededMarket
from quarterdeck.core.brokers.simulator.market_statistics import correlations, fair_game, figures
from quarterdeck.core.brokers.simulator.simulated_server_time import new_york_week_s
from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS, seeded_terminal
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.market_data import TIMEFRAME_NS
from quarterdeck.core.model.units import DAY_NS, M15_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR
from quarterdeck.core.settings.settings_loader import for_pair, shipped_settings

SETTINGS = shipped_settings()
ALL = ("EURUSD", "GBPUSD", "USDJPY", "EURGBP", "EURJPY", "XAUUSD")


def made(*symbols, seed=7, start=SEEDED_START_UTC_NS, days=10, tick_s=60, **more):
    costs = {symbol: for_pair(SETTINGS, symbol).costs for symbol in symbols}
    return SeededMarket(instruments(symbols), costs, seed=seed, start_utc_ns=start, history_days=days, tick_s=tick_s, **more)


def walked(market, until_ns):
    found = []
    while market.next_ns() < until_ns:
        found.append(market.step())
    return found


def test_one_seed_gives_one_market_regardless_of_other_pairs():
    until = SEEDED_START_UTC_NS + 2 * DAY_NS
    alone = [tick for step in walked(made("EURUSD"), until) for tick in [(step.at_utc_ns, *step.ticks)]]
    asked = made("EURUSD")
    seen = []
    while asked.next_ns() < until:
        step = asked.step()
        asked.forming("EURUSD", "H1", step.at_utc_ns)
        asked.columns("EURUSD", "M15")
        asked.news()
        seen.append((step.at_utc_ns, *step.ticks))
    assert seen == alone
    among = [(step.at_utc_ns, tick) for step in walked(made(*ALL), until) for tick in step.ticks if tick[0] == "EURUSD"]
    assert among == alone
    assert [step.ticks for step in walked(made("EURUSD", seed=8), until)][:5] != [tick[1:] for tick in alone][:5]


def test_crosses_agree_with_their_legs():
    market = made(*ALL)
    quotes = {symbol: (bid, ask) for symbol, bid, ask, _ in market.initial()}
    checked = 0
    for step in walked(market, SEEDED_START_UTC_NS + 6 * DAY_NS):
        quotes.update({symbol: (bid, ask) for symbol, bid, ask in step.ticks})
        (eb, ea), (gb, ga), (jb, ja) = quotes["EURUSD"], quotes["GBPUSD"], quotes["USDJPY"]
        bid, ask = quotes["EURGBP"]
        assert bid <= ea / gb
        assert ask >= eb / ga
        bid, ask = quotes["EURJPY"]
        assert bid <= ea * ja
        assert ask >= eb * jb
        checked += 1
    assert checked > 4_000


def test_sessions_weekends_and_the_pause_of_gold():
    for step in walked(made(*ALL), SEEDED_START_UTC_NS + 8 * DAY_NS):
        second = new_york_week_s(step.at_utc_ns)
        assert 17 * S_PER_HOUR <= second < 5 * S_PER_DAY + 17 * S_PER_HOUR
        if second % S_PER_DAY // S_PER_HOUR == 17:
            assert "XAUUSD" not in [tick[0] for tick in step.ticks]


def test_bars_are_those_of_the_ticks_and_show_no_future():
    market = made("EURUSD")
    seen: dict[int, list[float]] = {}
    for step in walked(market, SEEDED_START_UTC_NS + DAY_NS + DAY_NS // 2):
        now = step.at_utc_ns
        for _, bid, _ in step.ticks:
            seen.setdefault(now // M15_NS * M15_NS, []).append(bid)
        columns = market.columns("EURUSD", "M15")
        row = market.reached("EURUSD", "M15", now) - 1
        forming = market.forming("EURUSD", "M15", now)
        bids = seen[int(columns.open_utc_ns[row])]
        if len(seen) > 1:
            bar = forming or columns.bar(row)
            assert (bar.open, bar.high, bar.low, bar.close) == (bids[0], max(bids), min(bids), bids[-1])
    for timeframe in ("M1", "M5", "M15", "H1"):
        columns = market.columns("EURUSD", timeframe)
        assert (np.diff(columns.open_utc_ns) > 0).all()
        assert not (columns.open_utc_ns % TIMEFRAME_NS[timeframe]).any()


def test_spreads_widen_at_the_rollover_and_around_releases():
    market = made("EURUSD", tick_s=15)
    by_hour: dict[int, list[float]] = {}
    for step in walked(market, SEEDED_START_UTC_NS + 4 * DAY_NS):
        for _, bid, ask in step.ticks:
            by_hour.setdefault(new_york_week_s(step.at_utc_ns) % S_PER_DAY // S_PER_HOUR, []).append(ask - bid)
    assert min(by_hour[17]) >= 0.0008 - 1e-9
    assert np.mean(by_hour[10]) < 0.0001
    assert np.mean(by_hour[12]) > 0.00001


def test_news_are_known_beforehand_and_belong_to_the_seed():
    market = made("EURUSD")
    events = market.news()
    assert events == made("EURUSD", seed=7).news()
    assert events != made("EURUSD", seed=8).news()
    now = market.start_utc_ns
    assert all(now - DAY_NS - M15_NS <= event.at_utc_ns <= now + 7 * DAY_NS + M15_NS for event in events)
    assert {event.impact for event in events} == {"high", "medium"}
    assert all(event.title.startswith("Simulated") for event in events)
    week = week_of(now)
    assert list(week_news(7, week)) == sorted(week_news(7, week), key=lambda event: event.at_utc_ns)


def test_it_resembles_recorded_quarter_hours():
    market = made("EURUSD", "GBPUSD", "USDJPY", days=240)
    columns = {symbol: market.columns(symbol, "M15") for symbol in market.symbols}
    euro = figures(columns["EURUSD"])
    assert 0.0055 < euro.day_range_price_mean < 0.0110
    assert 4e-4 < euro.deviation < 7e-4
    assert 8 < euro.kurtosis < 80
    assert euro.spread_points_by_hour[17] > 20 * euro.spread_points_by_hour[10]
    matrix = correlations(columns)
    assert 0.55 < matrix[0, 1] < 0.9
    assert -0.6 < matrix[0, 2] < -0.2


def test_random_entries_lose_their_costs_and_nothing_else():
    settings = shipped_settings(
        ("desk.pairs", ["EURUSD", "USDJPY", "EURGBP", "AUDUSD", "USDCAD"]),
        ("simulation.balance_money", 1e9),
        ("simulation.leverage", 500),
        ("simulation.history_days", 30),
    )
    game = fair_game(seeded_terminal(settings, seed=3, tick_s=60), settings.desk.pairs, entries=800, seed=2)
    assert game.entries >= 800
    assert game.cost_money_mean > 0.5
    assert abs(game.deviations) < 3.0


def test_market_ends_on_time_and_refuses_unknown_requests():
    market = made("EURUSD", end_utc_ns=SEEDED_START_UTC_NS + 600 * NS_PER_S)
    count = 0
    while market.next_ns() is not None:
        market.step()
        count += 1
    assert count <= 10
    with pytest.raises(DataError, match="SEK"):
        made("USDSEK")
    with pytest.raises(DataError, match="quarter hour"):
        made("EURUSD", tick_s=7)


def test_the_scripted_crash():
    symbols = ("GBPUSD", "EURUSD", "EURGBP")
    costs = {symbol: for_pair(SETTINGS, symbol).costs for symbol in symbols}
    start = CRASH_UTC_NS - 3_600 * NS_PER_S
    market = crash_market(instruments(symbols), costs, seed=7, start_utc_ns=start, history_days=3)
    assert "interpolated" in market.label
    quotes, times = [], []
    for step in walked(market, CRASH_UTC_NS + 3_600 * NS_PER_S):
        for symbol, bid, ask in step.ticks:
            if symbol == "GBPUSD":
                quotes.append((bid, ask))
                times.append(step.at_utc_ns)
    level = quotes[0][0]
    assert 0.92 < min(bid for bid, _ in quotes) / level < 0.955
    assert max(ask - bid for bid, ask in quotes) == pytest.approx(0.0038, abs=1e-4)
    near = np.diff([at for at in times if abs(at - CRASH_UTC_NS) < 400 * NS_PER_S])
    assert near.max() >= 9 * NS_PER_S
    assert 0.975 < quotes[-1][0] / level < 1.0
