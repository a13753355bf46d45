"""Days and their bases: what a desk missed is lived through before anything is judged, and a late deal belongs to its own day."""

from __future__ import annotations

import random

import msgspec
import pytest
from msgspec.structs import replace

from quarterdeck.core.clock.time_zones import NEW_YORK, next_local_time
from quarterdeck.core.model.broker_account import BrokerPosition, Deal
from quarterdeck.core.model.effects import Alert, Close, LogEvent, MoneyMoved
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarClosed,
    History,
    Instruments,
    NewDeal,
    Restored,
    ServerClockRule,
    Started,
)
from quarterdeck.core.model.market_data import Bar, Side
from quarterdeck.core.model.units import H1_NS, M15_NS, NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import BID, Play, account, spec
from tests.core.desk.test_balance_changes import CALM, LATEST, deal, limits, read, reasons

HOUR_S = 3600
STAYS = (
    *CALM,
    ("breakers.day_loss_max_pct", 5.0),
    ("position.weekend_close_from", "Sat 00:00"),
    ("breakers.trip_action", "flatten"),
)
DAY_START = 17 * HOUR_S


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(value if isinstance(value, bytes) else msgspec.msgpack.encode(value))


def bar(symbol: str, opened: int, low: float, high: float, close: float, *, late: bool = True) -> BarClosed:
    return BarClosed(
        symbol=symbol, timeframe="M15", bar=Bar(open_utc_ns=opened, open=close, high=high, low=low, close=close), late=late
    )


def asleep(play: Play, hours: float, missed: list[NewDeal | BarClosed], **prices: float) -> Play:
    """The desk goes off and comes back `hours` later, reported in order of time what it missed."""
    again = Play(play.settings, run_id="r2", at=play.at + round(hours * HOUR_S) * NS_PER_S)
    again.balance, again.held = play.balance, dict(play.held)
    symbols = play.settings.desk.pairs
    started = Started(run_id="r2", code_version="t", settings=raw(play.settings), strategy_hash="h", seed=1, mode="simulated")
    again.give(started)
    again.give(Restored(state=raw(play.desk.checkpoint())))
    again.give(ServerClockRule(rule="new_york_plus_7", offset_s=10_800))
    again.give(Instruments(instruments=tuple(spec(symbol) for symbol in symbols)))
    for symbol in symbols:
        again.give(History(symbol=symbol, usual_spread_price=(0.00010 if "JPY" not in symbol else 0.010,) * 672))
    for told in sorted(missed, key=lambda one: one.deal.at_utc_ns if isinstance(one, NewDeal) else one.bar.open_utc_ns + M15_NS):
        again.give(told)
    again.give(AccountRead(account=account(balance_money=again.balance)))
    again.book()
    for symbol in symbols:
        again.quote(symbol, prices.get(symbol))
    return again


def closing(play: Play, position: int, at_utc_ns: int, profit: float) -> NewDeal:
    """The broker closes a position while nobody looks."""
    held = play.held.pop(position)
    commission = -round(3.5 * held.lots, 2)
    play.balance = round(play.balance + profit + commission, 2)
    return NewDeal(
        deal=Deal(
            deal_ticket=position + 200_000, order_ticket=position + 1, position_id=position, symbol=held.symbol, side=held.side.opposite,
            entry="out", reason="stop", lots=held.lots, price=1.08, at_utc_ns=at_utc_ns, profit_money=profit,
            commission_money=commission, magic=held.magic,
        )
    )  # fmt: skip


def flat_bars(symbol: str, from_utc_ns: int, to_utc_ns: int, price: float) -> list[NewDeal | BarClosed]:
    first = from_utc_ns - from_utc_ns % M15_NS
    return [bar(symbol, at, price, price, price) for at in range(first, to_utc_ns - M15_NS + 1, M15_NS)]


def test_a_restart_next_day_uses_the_new_base() -> None:
    play = Play(shipped_settings(*STAYS)).start()
    lost = play.enter("EURUSD")
    held = play.enter("GBPUSD", stop_pips=60.0, target_pips=180.0)
    missed: list[NewDeal | BarClosed] = [closing(play, lost, play.at + 5 * H1_NS, -450.0)]
    missed += flat_bars("GBPUSD", play.at, play.at + 12 * H1_NS, BID["GBPUSD"] - 0.0010)
    again = asleep(play, 12.0, missed, GBPUSD=BID["GBPUSD"] - 0.0018)
    assert not again.all(Close)
    assert not [one for one in again.all(Alert) if one.kind == "breaker"]
    state = again.desk._ctx.state
    assert state.breakers.day_balance_money == pytest.approx(again.balance)
    floating = -0.0010 * again.held[held].lots * 100_000.0
    assert state.breakers.day_equity_money == pytest.approx(again.balance + floating, abs=2.0)
    assert reasons(again) == []


def test_a_close_at_day_start_belongs_to_the_new_day() -> None:
    play = Play(shipped_settings(*STAYS, ("breakers.consecutive_losses_max", 1))).start()
    position = play.enter()
    play.at = next_local_time(play.at, NEW_YORK, DAY_START)
    play.out(position, 1.08, -90.0)
    view = play.desk.view()
    assert view.trades_today == 1
    assert view.day_result_money == pytest.approx(-90.0, abs=5.0)
    assert reasons(play) == ["losses_in_row"]


def test_a_late_deal_belongs_to_its_own_day() -> None:
    play = Play(shipped_settings(*STAYS, ("breakers.consecutive_losses_max", 1))).start()
    position = play.enter()
    closed_at = play.at + 60 * NS_PER_S
    play.wait(9.5 * HOUR_S)
    play.give(closing(play, position, closed_at, -400.0))
    read(play, play.balance)
    play.book()
    day = play.desk._ctx.state.breakers
    assert day.day_balance_money == pytest.approx(play.balance)
    assert day.day_base_money == pytest.approx(play.balance)
    assert play.desk.view().day_result_money == pytest.approx(0.0, abs=1e-6)
    assert reasons(play) == [], "it is no loss of today, nor of today's run of losses"


def test_a_peak_over_a_downtime_comes_from_the_bars() -> None:
    play = Play(shipped_settings(*STAYS)).start()
    position = play.enter()
    top = BID["EURUSD"] + 0.0080
    opened = play.at - play.at % M15_NS + M15_NS
    missed: list[NewDeal | BarClosed] = [bar("EURUSD", opened, BID["EURUSD"], top, BID["EURUSD"] + 0.001)]
    again = asleep(play, 2.0, missed, EURUSD=BID["EURUSD"])
    held = again.held[position]
    best = again.balance + (top - held.open_price) * held.lots * 100_000.0
    assert again.desk._ctx.state.breakers.peak_money == pytest.approx(best, abs=0.01)


def test_without_a_bar_the_stricter_base_holds() -> None:
    play = Play(shipped_settings(*STAYS)).start()
    play.enter()
    play.quote("EURUSD", BID["EURUSD"] + 0.0025)
    worth = play.desk.view().equity_money
    again = asleep(play, 12.0, [], EURUSD=BID["EURUSD"] + 0.0010)
    day = again.desk._ctx.state.breakers
    assert day.day_base_money == pytest.approx(worth)
    assert day.day_error_money == pytest.approx(worth - again.balance)
    assert [one.kind for one in again.all(LogEvent)] == ["day_reconstructed"]


def test_days_that_begin_late_are_begun_before_equity_is_judged() -> None:
    play = Play(shipped_settings(*STAYS)).start()
    play.enter()
    play.give(NewDeal(deal=deal(play, -480.0, deal_type=4)))
    read(play, play.balance - 480.0)
    play.at += 10 * H1_NS  # a suspended machine: no timer fired
    play.quote("EURUSD", BID["EURUSD"] - 0.0010)
    assert reasons(play) == []


@pytest.mark.parametrize("seed", range(12))
def test_sleeping_and_running_desks_agree_on_the_days_base(seed: int) -> None:
    """Balance to the cent from the deals, equity within the error reported, both reckoned here apart from the product."""
    draw = random.Random(seed)
    rules = (
        ("prop_firm.enabled", True),
        ("prop_firm.day_zone", "Europe/Prague"),
        ("prop_firm.day_start", "00:00"),
        ("prop_firm.day_base", "balance"),
    )
    limits_off = (
        ("breakers.day_loss_max_pct", 90.0),
        ("breakers.drawdown_max_pct", 90.0),
        ("prop_firm.day_loss_pct", 90.0),
        ("prop_firm.overall_loss_pct", 95.0),
    )
    desks = [
        Play(
            shipped_settings(
                *CALM, *rules, *limits_off, ("breakers.trip_action", "stop"), ("position.weekend_close_from", "Sat 00:00")
            )
        ).start()
        for _ in range(2)
    ]
    running, sleeping = desks
    position, _ = (play.enter("EURUSD", stop_pips=300.0, target_pips=900.0) for play in desks)
    held, begin = running.held[position], running.at
    price, events = BID["EURUSD"], []
    balance, closes = running.balance, {}
    for number in range(draw.randrange(60, 200)):
        opened = begin - begin % M15_NS + number * M15_NS
        before, price = price, round(price + draw.uniform(-0.0006, 0.0006), 5)
        high, low = max(before, price) + draw.uniform(0, 0.0003), min(before, price) - draw.uniform(0, 0.0003)
        closes[opened + M15_NS] = price
        events.append(bar("EURUSD", opened, round(low, 5), round(high, 5), price))
        if draw.random() < 0.1:
            at = opened + draw.randrange(1, M15_NS)
            money = round(draw.uniform(-120.0, 120.0), 2)
            one = deal(running, money, deal_type=draw.choice((2, 2, 7, 4)), ticket=LATEST + number)
            events.append(NewDeal(deal=replace(one, at_utc_ns=at)))
    end = max(closes)
    events.sort(key=lambda one: one.deal.at_utc_ns if isinstance(one, NewDeal) else one.bar.open_utc_ns + M15_NS)
    for told in events:
        at = told.deal.at_utc_ns if isinstance(told, NewDeal) else told.bar.open_utc_ns + M15_NS
        if at <= running.at:
            continue
        running.wait((at - running.at) / NS_PER_S)
        if isinstance(told, NewDeal):
            running.give(told)
            running.balance = round(running.balance + told.deal.balance_money, 2)
            read(running, running.balance)
        else:
            running.quote("EURUSD", told.bar.close)
            running.give(replace(told, late=False))
    sleeping.balance = running.balance
    again = asleep(sleeping, (end - begin) / NS_PER_S / HOUR_S, [one for one in events if not isinstance(one, NewDeal) or one.deal.at_utc_ns > begin], EURUSD=price)  # fmt: skip
    one, other = running.desk._ctx.state, again.desk._ctx.state
    started = one.breakers.day_started_utc_ns
    moved = [told.deal for told in events if isinstance(told, NewDeal) and told.deal.at_utc_ns > begin]
    expected = round(balance + sum(one.balance_money for one in moved if one.at_utc_ns < started), 2)
    assert other.breakers.day_started_utc_ns == started
    if started > begin:
        assert one.breakers.day_balance_money == pytest.approx(expected, abs=1e-6)
        assert other.breakers.day_balance_money == pytest.approx(expected, abs=1e-6)
        last = closes[max(at for at in closes if at <= started)]
        worth = expected + (last - held.open_price) * held.lots * 100_000.0
        assert other.breakers.day_equity_money == pytest.approx(worth, abs=1e-6)
        assert abs(one.breakers.day_equity_money - worth) <= other.breakers.day_error_money + 1e-6
    assert other.prop_firm.day_base_money == pytest.approx(one.prop_firm.day_base_money, abs=1e-6)
    assert other.balance_money == pytest.approx(one.balance_money, abs=1e-6)
    assert limits(again)[2] == pytest.approx(limits(running)[2], abs=1e-6)
    assert other.breakers.peak_money >= one.breakers.peak_money - 1e-6
    assert reasons(again) == reasons(running)


def test_downtime_credit_belongs_to_its_deals_date() -> None:
    play = Play(shipped_settings(*STAYS)).start()
    gift = replace(deal(play, 2_000.0, deal_type=3), at_utc_ns=play.at + H1_NS)
    again = asleep(play, 12.0, [NewDeal(deal=gift)])
    read(again, again.balance, credit_money=2_000.0)
    day = again.desk._ctx.state.breakers
    assert day.day_equity_money == pytest.approx(12_000.0), "the day began with it"
    assert limits(again) == pytest.approx((12_000.0, 12_000.0, 12_000.0))
    assert again.desk.view().day_result_money == pytest.approx(0.0)
    assert reasons(again) == []


@pytest.mark.parametrize("first", ["account", "deal"])
def test_credit_is_booked_once_whichever_comes_first(first: str) -> None:
    play = Play(shipped_settings()).start()
    gift = NewDeal(deal=deal(play, 2_000.0, deal_type=3))
    if first == "deal":
        play.give(gift)
    read(play, play.balance, credit_money=2_000.0)
    play.give(gift)
    read(play, play.balance, credit_money=2_000.0)
    assert limits(play) == pytest.approx((12_000.0, 12_000.0, 12_000.0))
    assert len(play.all(MoneyMoved)) == 1


def test_downtime_income_counts_beside_open_positions() -> None:
    play = Play(shipped_settings(*STAYS)).start()
    play.enter("EURUSD")
    missed: list[NewDeal | BarClosed] = [*flat_bars("EURUSD", play.at, play.at + 2 * H1_NS, BID["EURUSD"])]
    for number, money in enumerate((900.0, -700.0)):
        one = deal(play, money, deal_type=12, ticket=LATEST + number)
        missed.append(NewDeal(deal=replace(one, at_utc_ns=play.at + (40 + 5 * number) * 60 * NS_PER_S)))
    before = play.desk.view().equity_money
    play.balance += 200.0
    again = asleep(play, 2.0, missed, EURUSD=BID["EURUSD"])
    assert again.desk._ctx.state.breakers.peak_money == pytest.approx(before + 900.0, abs=0.01)


def test_an_external_downtime_position_counts_at_day_start() -> None:
    play = Play(shipped_settings(*STAYS)).start()
    opened = Deal(
        deal_ticket=LATEST, order_ticket=1, position_id=77_000, symbol="EURUSD", side=Side.BUY, entry="in", reason="client", lots=1.0,
        price=BID["EURUSD"], at_utc_ns=play.at + H1_NS, magic=0,
    )  # fmt: skip
    play.held[77_000] = BrokerPosition(
        ticket=77_000, position_id=77_000, symbol="EURUSD", side=Side.BUY, lots=1.0, open_price=BID["EURUSD"], stop_price=1.0,
        target_price=0.0, opened_utc_ns=opened.at_utc_ns, magic=0,
    )  # fmt: skip
    down = BID["EURUSD"] - 0.0030
    again = asleep(play, 12.0, [NewDeal(deal=opened), *flat_bars("EURUSD", play.at, play.at + 12 * H1_NS, down)], EURUSD=down)
    day = again.desk._ctx.state.breakers
    assert (day.day_balance_money, day.day_equity_money) == pytest.approx((10_000.0, 9_700.0))
    assert again.desk.view().day_result_money == pytest.approx(0.0)
    assert sum(1 for one in again.all(Alert) if one.ticket == 77_000) == 1
