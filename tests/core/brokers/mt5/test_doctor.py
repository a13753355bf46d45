"""The examination of a healthy, a degraded and a broken way to the broker."""

from __future__ import annotations

import asyncio

import pytest

from quarterdeck.core.brokers.base import CallNotSent, ReplyLost
from quarterdeck.core.brokers.mt5.doctor import DoctorRequirements, examine, verdict_of
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.brokers.simulator.ledger_rows import REASON_CLIENT, LedgerOrder
from tests.core.brokers.mt5.kit import Rig, drive

WANTED = DoctorRequirements(symbols=("EURUSD", "USDJPY"), bars=500, round_trip_ms_max=5000.0)


def examined(rig, wanted=WANTED):
    findings = drive(
        examine(rig.carrier, rig.policy, wanted, rig.clock, sleep=rig._sleep, server_clock=ServerClock("new_york_plus_7"))
    )
    return findings, {finding.name: finding for finding in findings}


def test_healthy_terminal_passes_all_checks_and_sends_no_order():
    rig = Rig(connect=False)
    findings, rows = examined(rig)
    assert verdict_of(findings) == "ok", [row for row in findings if row.verdict != "ok"]
    assert not rig.terminal.ledger.positions
    assert not rig.terminal.ledger.orders
    assert {"terminal", "account", "algo trading", "round trip", "server clock", "book", "deals"} <= set(rows)
    assert {f"{what} EURUSD" for what in ("symbol", "candles", "quote", "order", "tick value")} <= set(rows)
    assert rows["order EURUSD"].number == 0.0
    assert rows["server clock"].number == 3.0
    assert all(not row.remedy for row in findings)


def test_a_degraded_one_names_each_weakness_with_its_remedy():
    rig = Rig(connect=False, specs={"trade_mode": "close_only"})
    rig.terminal.state.algo_allowed = False
    rig.terminal.state.api_disabled = True
    rig.terminal.state.bars_max = 100
    rig.faults.tick_value_factor = 1.5
    rig.clock.wait(120)
    findings, rows = examined(rig, DoctorRequirements(symbols=("EURUSD", "AUDUSD"), bars=500, round_trip_ms_max=5000.0))
    bad = {row.name for row in findings if row.verdict != "ok"}
    expected = {
        "algo trading",
        "python trading",
        "bars in terminal",
        "symbol EURUSD",
        "symbol AUDUSD",
        "tick value EURUSD",
        "quote EURUSD",
        "order EURUSD",
    }
    assert expected <= bad
    assert all(row.remedy for row in findings if row.verdict == "fail")
    assert verdict_of(findings) == "fail"
    assert "Algo Trading" in rows["algo trading"].remedy
    assert rows["tick value EURUSD"].number == pytest.approx(50.0, abs=0.5), "as the broker tells it, not as the start left it"


def test_broker_refusing_stops_at_entry_is_detected():
    rig = Rig(connect=False)
    refuse = rig.module.order_check

    def check(request):
        return refuse(request | {"sl": 2.0}) if request.get("sl") else refuse(request)

    rig.carrier._functions["order_check"] = check
    rows = examined(rig)[1]
    assert rows["order EURUSD"].number == 10016.0
    assert "refuses stops" in rows["order EURUSD"].remedy


def test_a_broken_one_says_so_in_one_row():
    rig = Rig(connect=False)
    rig.terminal.state.running = False
    findings, rows = examined(rig)
    assert verdict_of(findings) == "fail"
    assert rows["terminal"].verdict == "fail"
    assert rows["terminal"].remedy


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        (
            CallNotSent("the gateway is not reached: it refuses the token", what_to_do="copy gateway.token"),
            "copy gateway.token",
        ),
        (ReplyLost("no answer from the module", what_to_do="restart the terminal"), "restart the terminal"),
        (CallNotSent("the pipe is gone"), "check that the terminal runs"),
    ],
)
def test_failure_before_the_terminal_carries_its_own_remedy(trouble, remedy):
    rig = Rig(connect=False)

    async def lost(*_args, **_kwargs):
        raise trouble

    rig.carrier.call = lost
    (row,) = examined(rig)[0]
    assert (row.name, row.verdict) == ("terminal", "fail")
    assert str(trouble) in row.text
    assert row.remedy.startswith(remedy)
    assert "doctor" not in row.remedy, "whoever reads this has asked the doctor"


def test_occasional_stalls_are_a_warning_despite_fast_median():
    rig = Rig(connect=False)
    quick, number = rig.carrier.call, 0

    async def call(name, *args, **kwargs):
        nonlocal number
        number += name == "account_info"
        rig.clock.wait(1.5 if name == "account_info" and number % 7 == 0 else 0.001)
        return await quick(name, *args, **kwargs)

    rig.carrier.call = call
    rows = examined(rig)[1]
    assert rows["round trip"].verdict == "warn"
    assert "calls are delayed" in rows["round trip"].remedy


def in_time(rig, limit_s, on_step=None):
    wait = {"sleep": rig._sleep, "server_clock": ServerClock("new_york_plus_7"), "limit_s": limit_s, "on_step": on_step}
    findings = asyncio.run(examine(rig.carrier, rig.policy, WANTED, rig.clock, **wait))
    return findings, {finding.name: finding for finding in findings}


def slowed(rig, seconds):
    quick, quick_many = rig.carrier.call, rig.carrier.call_many

    async def call(name, *args, **kwargs):
        rig.clock.wait(seconds)
        return await quick(name, *args, **kwargs)

    async def call_many(calls):
        rig.clock.wait(seconds)
        return await quick_many(calls)

    rig.carrier.call, rig.carrier.call_many = call, call_many


def test_slow_connection_ends_in_time_and_unchecked_rows_are_unknown():
    rig = Rig(connect=False)
    slowed(rig, 1.5)
    begun_s, steps = rig.clock.monotonic_s(), []
    findings, rows = in_time(rig, 20.0, steps.append)
    assert rig.clock.monotonic_s() - begun_s < 40.0
    assert steps[0] == "terminal"
    assert "symbol EURUSD" in steps
    assert rows["round trip"].verdict == "warn", "the reason of the slowness is among what was seen"
    unseen = {row.name: row for row in findings if row.verdict == "unknown"}
    assert {"order", "book", "deals"} <= set(unseen)
    assert "EURUSD, USDJPY" in unseen["order"].text
    assert "order EURUSD" not in rows
    assert all("--limit-s" in row.remedy for row in unseen.values())
    assert verdict_of(findings) == "unknown"


def test_one_hanging_call_does_not_exceed_the_time_limit():
    rig = Rig(connect=False)
    quick = rig.carrier.call

    async def call(name, *args, **kwargs):
        if name == "symbol_select":
            await asyncio.Event().wait()
        return await quick(name, *args, **kwargs)

    rig.carrier.call = call
    findings, rows = in_time(rig, 2.0)
    assert rows["round trip"].verdict == "ok"
    assert "EURUSD, USDJPY" in rows["symbol"].text
    assert verdict_of(findings) == "unknown"

    async def silent(*_args, **_kwargs):
        await asyncio.Event().wait()

    rig.carrier.call = silent
    (row,) = in_time(rig, 0.2)[0]
    assert (row.name, row.verdict) == ("terminal", "fail")
    assert row.remedy


def test_what_failed_outweighs_what_was_not_seen():
    rig = Rig(connect=False)
    rig.terminal.state.algo_allowed = False
    slowed(rig, 1.5)
    assert verdict_of(in_time(rig, 10.0)[0]) == "fail"


@pytest.mark.parametrize("rate", ["pipe_broken", "positions_unknown", "slow_call"])
def test_a_bad_hour_never_raises(rate):
    for seed in range(20):
        rig = Rig(connect=False, faults=FaultRates(**{rate: 0.3}), seed=seed)
        findings = examined(rig)[0]
        assert findings
        assert all(row.remedy for row in findings if row.verdict != "ok"), [row for row in findings if row.verdict != "ok"]


def test_unreadable_book_and_position_without_stop_are_reported() -> None:
    rig = Rig()
    rig.terminal.ledger.fill(by_hand(rig), 0.2, 1.08512, "market")
    _, rows = examined(rig)
    assert (rows["book"].verdict, rows["book"].number) == ("warn", 1.0)
    assert "1 positions, 0 of them ours, 1 without a stop" in rows["book"].text
    rig.faults.set(FaultRates(positions_unknown=1.0))
    findings, rows = examined(rig)
    assert rows["book"].verdict == "fail"
    assert rows["book"].remedy
    assert verdict_of(findings) == "fail"


def by_hand(rig):
    return rig.terminal.ledger.new_order(
        LedgerOrder(0, "EURUSD", 0, 0.2, 1.08512, 0.0, 0.0, rig.terminal.now_utc_ns, 0, "", REASON_CLIENT)
    )
