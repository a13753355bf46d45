"""A funded account on the desk: payouts and the operator's word, the firm's own day, requests, and first-in-first-out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quarterdeck.core.model.broker_account import BrokerPosition
from quarterdeck.core.model.commands import Resolve
from quarterdeck.core.model.effects import Alert, Close, CommandDone, MoneyMoved, Submit, Verdict
from quarterdeck.core.model.inputs import AccountRead, NewDeal
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.risk import prop_firm
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import BID, Play, account, only
from tests.core.desk.test_balance_changes import CALM, LATEST, deal, read, reasons
from tests.core.desk.test_days import asleep

FUNDED = (
    *CALM,
    ("prop_firm.enabled", True),
    ("prop_firm.starting_balance_money", 10_000.0),
    ("prop_firm.reduce_only_buffer_pct", 10.0),
    ("breakers.drawdown_max_pct", 90.0),
    ("breakers.day_loss_max_pct", 90.0),
)


def funded(*rules: tuple[str, object], balance: float = 10_000.0, **more: object) -> Play:
    play = Play(shipped_settings(*FUNDED, *rules))
    play.balance = balance
    return play.start(**more)


def floors(play: Play) -> tuple[float, float]:
    ctx = play.desk._ctx
    day, overall = prop_firm.limits(ctx.state.prop_firm, ctx.account_policy.prop_firm, equity_money=0.0)
    return day.floor_money, overall.floor_money


def pay(play: Play, money: float, comment: str = "", ticket: int = LATEST, *, account_first: bool = False) -> list[object]:
    """Money comes or goes; the account is read after its deal, or before."""
    play.balance = round(play.balance + money, 2)
    told: list[object] = []
    if account_first:
        told += read(play, play.balance, equity_money=play.balance)
    told += play.give(NewDeal(deal=deal(play, money, comment=comment, ticket=ticket)))
    return told + read(play, play.balance, equity_money=play.balance)


@pytest.mark.parametrize("base", ["static", "trailing_balance", "trailing_equity", "trailing_day_end_equity"])
@pytest.mark.parametrize("account_first", [False, True])
def test_a_payout_lowers_no_floor_and_stops_nothing(base: str, account_first: bool) -> None:
    play = funded(("prop_firm.overall_base", base), balance=10_900.0)
    before = floors(play)[1]
    told = pay(play, -600.0, "Profit split 80%", account_first=account_first)
    for _ in range(3):
        play.wait(5.0)
        play.book()
    assert floors(play)[1] == before
    assert reasons(play) == []
    assert only(told, MoneyMoved).kind == "transfer"
    assert any(isinstance(one, Alert) and "the prop firm's loss limits stay" in one.text for one in told)


@pytest.mark.parametrize(("word", "floor"), [("payout", 10_000.0), ("transfer", 8_550.0)])
def test_an_unknown_withdrawal_waits_for_the_operators_word(word: str, floor: float) -> None:
    play = funded(("prop_firm.floor_after_payout", "start"), balance=11_000.0)
    told = pay(play, -500.0, "wire 77")
    assert floors(play)[1] == 9_000.0, "no floor falls, and none rises, before it is known"
    assert reasons(play) == ["payout_unclear"]
    assert any(isinstance(one, Alert) and f"resolve {LATEST} --payout" in one.text for one in told)
    again = Play(play.settings, run_id="r2", at=play.at)
    again.balance = play.balance
    again.start(restored=play.desk.checkpoint())
    assert reasons(again) == ["payout_unclear"]
    done = only(again.command(Resolve(client_id=str(LATEST), outcome=word)), CommandDone)  # type: ignore[arg-type]
    assert (done.ok, reasons(again), floors(again)[1]) == (True, [], floor)
    assert not only(again.command(Resolve(client_id=str(LATEST), outcome="payout")), CommandDone).ok, "once"


def test_missing_funded_money_can_be_called_a_payout() -> None:
    play = funded(balance=10_900.0)
    play.balance -= 300.0
    read(play, play.balance, equity_money=play.balance)
    assert only(play.command(Resolve(client_id="money", outcome="payout")), CommandDone).ok
    assert floors(play)[1] == 9_000.0
    play.give(NewDeal(deal=deal(play, -300.0)))
    read(play, play.balance, equity_money=play.balance)
    assert (floors(play)[1], reasons(play)) == (9_000.0, [])


def test_a_deposit_raises_every_floor_by_its_amount() -> None:
    play = funded(balance=10_900.0)
    day, overall = floors(play)
    pay(play, 5_000.0)
    assert floors(play) == pytest.approx((day + 4_750.0, overall + 4_500.0))
    assert reasons(play) == []


def test_a_peak_between_two_deals_of_a_downtime_counts() -> None:
    play = funded(("prop_firm.overall_base", "trailing_equity"))
    times = ((60.0, 100.0, 12), (120.0, -150.0, 4))
    missed = [NewDeal(deal=deal(play, money, deal_type=kind, ticket=LATEST + kind, at_s=at_s)) for at_s, money, kind in times]
    play.balance -= 50.0
    again = asleep(play, 1.0, missed)
    assert floors(again)[1] == pytest.approx(9_100.0)


def test_the_first_days_base_is_the_starting_balance() -> None:
    assert floors(funded(("prop_firm.day_base", "balance"), balance=9_900.0))[0] == 9_500.0


@pytest.mark.parametrize(
    ("first", "utc"),
    [
        (datetime(2024, 3, 13, 12, tzinfo=UTC), ["2024-03-13 23:00", "2024-03-14 23:00"]),  # New York has changed, Prague has not
        (datetime(2024, 3, 30, 12, tzinfo=UTC), ["2024-03-30 23:00", "2024-03-31 22:00"]),
        (datetime(2024, 10, 26, 12, tzinfo=UTC), ["2024-10-26 22:00", "2024-10-27 23:00"]),
        (datetime(2024, 10, 30, 12, tzinfo=UTC), ["2024-10-30 23:00", "2024-10-31 23:00"]),  # Prague has changed, New York not
    ],
)
def test_the_day_rolls_at_the_firms_hour_in_its_zone(first: datetime, utc: list[str]) -> None:
    rules = (("prop_firm.day_zone", "Europe/Prague"), ("prop_firm.day_start", "00:00"))
    play = Play(shipped_settings(*FUNDED, *rules), at=round(first.timestamp()) * NS_PER_S).start()
    seen: list[str] = []
    end = play.at + 40 * 3600 * NS_PER_S
    while (wake := play.desk.wake_at()) is not None and wake <= end:
        play.at = max(wake, play.at)
        before = play.desk._ctx.state.prop_firm.day_started_utc_ns
        play.timer()
        started = play.desk._ctx.state.prop_firm.day_started_utc_ns
        if started != before:
            assert started == play.at
            seen.append(datetime.fromtimestamp(started / NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M"))
    assert seen == utc


def test_the_firms_request_count_stops_entries_and_no_close() -> None:
    play = funded(
        ("prop_firm.requests_per_day_max", 5),
        ("prop_firm.day_zone", "Europe/Prague"),
        ("prop_firm.day_start", "00:00"),
    )
    position = play.enter("EURUSD")
    play.desk._ctx.state.prop_firm_requests_today = 4
    play.next_bar()
    play.round(play.signal("GBPUSD"))
    (verdict,) = [one for one in play.all(Verdict) if one.symbol == "GBPUSD"]
    assert (verdict.outcome, verdict.reason) == ("refused", "funded_requests")
    assert any(one.name == "funded_requests" and one.tripped for one in play.desk.view().risk.limits)
    effects = read(play, play.balance, equity_money=9_000.0)
    assert only(effects, Close).position_id == position
    play.wait(11 * 3600)
    assert play.desk._ctx.state.prop_firm_requests_today < 4, "a new day of the firm counts anew"


@pytest.mark.parametrize(("fifo", "entered"), [(True, False), (False, True)])
@pytest.mark.parametrize("whose", ["ours", "others"])
def test_first_in_first_out_takes_one_position_a_symbol(whose: str, fifo: bool, entered: bool) -> None:
    rules = (("breakers.positions_per_pair_max", 5), *CALM)
    play = Play(shipped_settings(*rules)).start(fifo_close=fifo)
    if whose == "ours":
        play.enter("EURUSD")
    else:
        play.held[77] = BrokerPosition(
            ticket=77, position_id=77, symbol="EURUSD", side=Side.SELL, lots=0.1, open_price=BID["EURUSD"],
            stop_price=BID["EURUSD"] + 0.01, target_price=None, opened_utc_ns=play.at - NS_PER_S, magic=0,
        )  # fmt: skip
        play.book()
    play.next_bar()
    play.give(AccountRead(account=account(balance_money=play.balance, fifo_close=fifo)))
    before = len(play.all(Submit))
    play.round(play.signal("EURUSD", stop_pips=25.0), play.signal("GBPUSD"))
    sent = [one.symbol for one in play.all(Submit)[before:]]
    assert ("EURUSD" in sent) == entered
    assert "GBPUSD" in sent
    if not entered:
        assert [one.reason for one in play.all(Verdict) if one.symbol == "EURUSD"][-1] == "fifo_close"
