"""Market time of a rehearsal: faster than life, one for all processes, and never going back over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.core.brokers.mt5.account_file import SimulatedAccount
from quarterdeck.core.brokers.mt5.gateway.gateway_state import GatewayState, market_clock, write_state
from quarterdeck.core.clock.market_clock import BrokerMarketClock, MarketClock, RehearsalMachine
from quarterdeck.core.clock.steady import SteadyClock
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.units import DAY_NS, NS_PER_S

NOW_NS, MONDAY_NS = 1_790_000_000 * NS_PER_S, 1_760_947_200 * NS_PER_S


class Machine:
    """A machine whose clocks are moved by hand."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def utc_ns(self) -> int:
        return NOW_NS + int(self.at_s * NS_PER_S)

    def monotonic_s(self) -> float:
        return self.at_s

    elapsed_s = monotonic_s


def test_broker_and_engine_agree_on_market_time():
    machine = Machine()
    market = MarketClock(began_utc_ns=NOW_NS, start_utc_ns=MONDAY_NS, speed=60.0)
    broker = BrokerMarketClock(market, machine)
    machine.at_s = 7.0
    engine = SteadyClock(RehearsalMachine(market, machine))
    for second in (7.0, 8.5, 300.0):
        machine.at_s = second
        assert broker.utc_ns() == engine.utc_ns() == MONDAY_NS + int(second * 60.0) * NS_PER_S
        assert engine.monotonic_s() == second
        assert not [step for step in engine.look(0, 0.0) if step.kind != "slept"]


def test_a_second_of_life_is_no_sleep_of_the_machine():
    machine = Machine()
    market = MarketClock(began_utc_ns=NOW_NS, start_utc_ns=MONDAY_NS, speed=600.0)
    engine = SteadyClock(RehearsalMachine(market, machine))
    machine.at_s = 1.0
    assert engine.look(0, 0.0) == []
    machine.at_s = 20.0
    assert [step.kind for step in engine.look(0, 0.0)] == ["slept"]


def test_a_wrong_pc_clock_leaves_broker_stamps_right():
    machine = Machine()
    market = MarketClock(began_utc_ns=NOW_NS, start_utc_ns=MONDAY_NS, speed=60.0, pc_clock_off_s=3_600.0)
    assert (
        SteadyClock(RehearsalMachine(market, machine)).utc_ns() - BrokerMarketClock(market, machine).utc_ns() == 3_600 * NS_PER_S
    )


def asked(home: Path, now: int, speed: float | None = None, start: int | None = None) -> MarketClock | None:
    return market_clock(home, now, speed=speed, start_utc_ns=start, pc_clock_off_s=0.0)


def lived(home: Path, market: MarketClock, ended: int) -> None:
    (home / SimulatedAccount.FILE).write_bytes(b"")
    write_state(home, GatewayState(market=market, asked_start_utc_ns=MONDAY_NS, ended_utc_ns=ended))


def test_market_time_goes_on_over_a_restart(tmp_path):
    assert asked(tmp_path, NOW_NS) is None
    first = asked(tmp_path, NOW_NS, 60.0, MONDAY_NS)
    assert first is not None
    lived(tmp_path, first, 0)
    later = NOW_NS + 100 * NS_PER_S
    assert asked(tmp_path, later) == first
    assert asked(tmp_path, later, 60.0, MONDAY_NS) == first
    faster = asked(tmp_path, later, 120.0)
    assert faster is not None
    assert faster.at(later) == first.at(later)
    with pytest.raises(UsageError, match="lives at a market time"):
        asked(tmp_path, later, 60.0, MONDAY_NS + DAY_NS)


def test_market_time_waits_where_the_gateway_is_off_for_long(tmp_path):
    first = asked(tmp_path, NOW_NS, 600.0, MONDAY_NS)
    assert first is not None
    ended = NOW_NS + 3_600 * NS_PER_S
    lived(tmp_path, first, ended)
    tomorrow = NOW_NS + DAY_NS
    again = asked(tmp_path, tomorrow)
    assert again is not None
    assert 0 < again.at(tomorrow) - first.at(ended) <= 60 * NS_PER_S
