"""The adapter's comparison of clocks: a wrong machine is corrected for the desk, a doubtful one waits for the operator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.clock_file import NAME, ServerClockFile
from quarterdeck.core.brokers.mt5.doctor import DoctorRequirements, examine
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock as TerminalClock
from quarterdeck.core.brokers.simulator.simulated_server_time import new_york_week_s
from quarterdeck.core.clock.network_time import instant_s
from quarterdeck.core.clock.steady import SteadyClock
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.inputs import EngineFault
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from tests.core.brokers.mt5.kit import START, Rig, drive

HOUR_S = 3_600
_WEEK_BARS = 7 * 96


class Machine:
    """A machine whose clock is `ahead_s` ahead of the market's time."""

    def __init__(self, rig: Rig, ahead_s: float) -> None:
        self.rig, self.ahead_s = rig, ahead_s

    def utc_ns(self) -> int:
        return self.rig.terminal.now_utc_ns + round(self.ahead_s * NS_PER_S)

    def monotonic_s(self) -> float:
        return self.rig.terminal.now_utc_ns / NS_PER_S

    def elapsed_s(self) -> float:
        return self.monotonic_s()


class Desk:
    """A machine, its steady clock and its adapter at a terminal whose weeks open on Sunday 17:00 New York."""

    def __init__(
        self, home: Path, ahead_s: float = 0.0, *, weeks: int = 12, ticks: bool = True, rig: Rig | None = None, rule: str = "eet"
    ) -> None:
        self.rig = rig or Rig(rule=rule, known_clock=False, connect=False)
        if rig is None:
            opens = START - M15_NS * np.arange(weeks * _WEEK_BARS + 1, 0, -1)
            week = np.array([new_york_week_s(int(instant)) for instant in opens])
            opens = opens[(week >= 17 * HOUR_S) & (week < (5 * 24 + 17) * HOUR_S)]
            flat = np.full(len(opens), 1.0)
            bars = Candles(opens, flat, flat, flat, flat, np.full(len(opens), 9), np.full(len(opens), 2))
            self.rig.market._m15 = dict.fromkeys(self.rig.market.symbols, bars)
        self.machine = Machine(self.rig, ahead_s)
        self.clock = SteadyClock(self.machine)
        self.ticks = ticks
        self.number = 0
        self.file = ServerClockFile(home)
        self.broker = Mt5Broker(self.rig.carrier, self.rig.policy, self.clock, sleep=self.pass_time, clock_file=self.file)
        drive(self.broker.connect())
        drive(self.broker.select(("EURUSD", "GBPUSD", "USDJPY")))

    async def pass_time(self, seconds: float) -> None:
        if not self.ticks:
            self.rig.pass_time(seconds)
            return
        self.number += 1
        self.rig.tick("EURUSD", 1.085 + self.number * 1e-5, 1.0852 + self.number * 1e-5, after_s=seconds)

    def look(self):
        return drive(self.broker.server_clock_rule())

    @property
    def late_s(self) -> float:
        """How far the desk's clock is from the market's time."""
        return (self.clock.utc_ns() - self.rig.terminal.now_utc_ns) / NS_PER_S

    def quote_age_s(self) -> float:
        quote = drive(self.broker.quotes(("EURUSD",))).value[0]
        return (self.clock.utc_ns() - quote.at_utc_ns) / NS_PER_S


@pytest.mark.parametrize("ahead_s", [3 * HOUR_S, HOUR_S, 425.0, 95.0, -1_800.0, -HOUR_S, -3 * HOUR_S])
@pytest.mark.parametrize("rule", ["eet", "new_york_plus_7"])
def test_a_wrong_machine_is_corrected_before_the_run(ahead_s: float, rule: str, tmp_path: Path) -> None:
    desk = Desk(tmp_path, ahead_s, rule=rule)
    found = desk.look()
    assert found.judgement == "contradicted"
    assert found.pc_error_s == pytest.approx(ahead_s, abs=2)
    assert f"{abs(ahead_s) / 60:.0f} min" in found.why
    assert found.offset_s == 10_800
    assert abs(desk.late_s) < 2.0, "exits and days follow the broker's clock"
    assert abs(desk.quote_age_s()) < 5.0
    assert desk.clock.look(0, 0.0) == [], "nobody set the machine's clock"
    desk.rig.terminal.ledger.cash(10.0, "later")
    assert len(drive(desk.broker.new_deals()).value) == 1, "no deal is lost over the correction"
    assert not (tmp_path / NAME).exists(), "what a wrong machine shows is not stored"


@pytest.mark.parametrize(("fixed_s", "ahead_s"), [(19_800, 0.0), (19_800, 1_800.0), (-12_600, -HOUR_S)])
def test_servers_at_half_hours_are_judged_to_the_quarter_hour(fixed_s: int, ahead_s: float, tmp_path: Path) -> None:
    desk = Desk(tmp_path, ahead_s, rig=None, rule="eet")
    desk.rig.terminal.set_clock(TerminalClock("fixed", fixed_s))
    found = desk.look()
    assert (found.judgement, found.offset_s) == ("contradicted" if ahead_s else "agrees", fixed_s)


def test_an_ordinary_first_start_asks_nothing_and_stores_the_offset(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert (desk.look().judgement, desk.look().confirmed) == ("agrees", True)
    again = Desk(tmp_path, rig=desk.rig)
    assert "the stored offset" in again.look().why


def test_stored_offset_and_bars_outweigh_a_machine_without_three_pairs(tmp_path: Path) -> None:
    assert Desk(tmp_path).look().judgement == "agrees"
    later = Desk(tmp_path, HOUR_S)
    del later.broker.session.broker_names["GBPUSD"], later.broker.session.broker_names["USDJPY"]
    later.broker._opening._offered = later.broker._opening._offered[:1]
    found = later.look()
    assert found.judgement == "contradicted"
    assert "the weekly opens" not in found.why


def test_without_witness_a_start_waits_for_the_operator_for_good(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2 * HOUR_S, weeks=0)
    assert desk.look().judgement == "unconfirmed"
    assert desk.look().judgement == "unconfirmed", "a second look proves nothing more"
    assert abs(desk.quote_age_s()) < 5.0, "quotes are fresh on the clock there is"
    desk.broker.trust_machine_clock()
    assert desk.look().judgement == "agrees"
    assert Desk(tmp_path, 2 * HOUR_S, rig=desk.rig).look().judgement == "agrees", "the decision outlives a restart"
    assert Desk(tmp_path, 1 * HOUR_S, rig=desk.rig).look().judgement == "unconfirmed", "it holds for that clock alone"


def test_few_ticks_of_several_looks_count_together(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    usual = desk.pass_time

    async def one_tick_a_look(seconds: float) -> None:
        desk.ticks = desk.rig.terminal.now_utc_ns - began_ns > 5.0 * NS_PER_S
        await usual(seconds)

    desk.broker._session.sleep = one_tick_a_look
    found = []
    for _ in range(3):
        began_ns = desk.rig.terminal.now_utc_ns
        found.append(desk.look().confirmed)
    assert (found[0], found[-1]) == (False, True)


def test_a_closed_market_is_unconfirmed_until_ticks_come(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ticks=False)
    found = desk.look()
    assert (found.judgement, found.confirmed, found.offset_s) == ("unconfirmed", False, 10_800)
    desk.ticks = True
    assert desk.look().judgement == "agrees"
    weekend = Desk(tmp_path, rig=desk.rig, ticks=False).look()
    assert (weekend.judgement, weekend.confirmed) == ("agrees", False), "a server that was confirmed is not asked about again"


@pytest.mark.parametrize(("ahead_s", "judgement"), [(0.0, "agrees"), (-HOUR_S, "contradicted")])
def test_a_decision_before_any_tick_does_not_outweigh_two_witnesses(ahead_s: float, judgement: str, tmp_path: Path) -> None:
    desk = Desk(tmp_path, ahead_s, ticks=False)
    assert desk.look().judgement == "unconfirmed"
    desk.broker.trust_machine_clock()
    assert desk.look().judgement == "agrees"
    desk.ticks = True
    assert desk.look().judgement == judgement
    desk.broker.trust_machine_clock()
    assert desk.look().judgement == "agrees", "now both figures were known"


@pytest.mark.parametrize("ahead_s", [HOUR_S, -HOUR_S])
def test_a_wrong_clock_found_during_a_run_never_goes_back(ahead_s: float, tmp_path: Path) -> None:
    desk = Desk(tmp_path, ahead_s, ticks=False)
    desk.look()
    desk.ticks = True
    before_ns = desk.clock.utc_ns()
    found = desk.look()
    assert found.judgement == "contradicted"
    assert desk.clock.utc_ns() >= before_ns
    assert abs(desk.quote_age_s()) < 5.0, "exits by price see fresh quotes either way"
    faults = [item for item in desk.broker.take_events() if isinstance(item, EngineFault)]
    assert [("restart" in one.why, one.active) for one in faults] == ([(True, True)] if ahead_s > 0 else [])


def test_a_pc_clock_changed_during_a_run_moves_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.look()
    desk.machine.ahead_s = -HOUR_S
    assert desk.look().judgement == "contradicted"
    assert abs(desk.late_s) < 2.0
    desk.machine.ahead_s = 0.0
    assert desk.look().judgement == "agrees"
    assert desk.broker.take_events() == ()


def test_a_server_clock_moved_during_a_run_waits(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.look()
    desk.rig.terminal.set_clock(TerminalClock("fixed", 10_800 + HOUR_S))
    desk.broker._clock._history_read_s = desk.broker.session.clock.monotonic_s()  # the terminal shows old bars shifted too
    found = desk.look()
    assert (found.judgement, found.offset_s, found.pc_error_s) == ("contradicted", 14_400, 0)
    assert "has moved" in found.why
    assert abs(desk.late_s) < 2.0
    assert abs(desk.quote_age_s()) < 5.0
    (fault,) = desk.broker.take_events()
    assert (fault.kind, fault.active) == ("clock", True)
    desk.broker.trust_machine_clock()
    assert (desk.look().judgement, desk.look().offset_s) == ("agrees", 14_400)


@pytest.mark.parametrize(("ahead_s", "verdict"), [(0.0, "ok"), (HOUR_S, "fail"), (-425.0, "fail")])
def test_doctor_says_both_figures_and_fails(ahead_s: float, verdict: str, tmp_path: Path) -> None:
    desk = Desk(tmp_path, ahead_s)
    wanted = DoctorRequirements(symbols=("EURUSD", "GBPUSD", "USDJPY"), bars=100, round_trip_ms_max=1e6)
    found = drive(examine(desk.rig.carrier, desk.rig.policy, wanted, desk.machine, sleep=desk.pass_time, clock_file=desk.file))
    (row,) = [one for one in found if one.name == "server clock"]
    assert row.verdict == verdict
    assert "UTC+3:00" in row.text
    assert ("UTC+2:00" in row.text) == (ahead_s == HOUR_S)
    assert bool(row.remedy) == (verdict == "fail")


def test_a_damaged_clock_file_is_no_witness(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\x00nonsense")
    assert Desk(tmp_path).look().judgement == "agrees"
    assert Desk(tmp_path / "gone").look().judgement == "agrees"


def test_network_time_is_read_across_its_era() -> None:
    def reply(seconds: int, head: bytes = b"\x24\x02") -> bytes:
        return head + bytes(38) + seconds.to_bytes(4, "big") + (1 << 31).to_bytes(4, "big")

    now_s = 1_761_123_600.0
    assert instant_s(reply(int(now_s) + 2_208_988_800), now_s) == now_s + 0.5
    assert instant_s(reply(100), 2_085_978_496.0 + 100) == pytest.approx(2_085_978_596.5), "after February 2036"
    for wrong in (b"", reply(0), reply(5, b"\x23\x02"), reply(5, b"\x24\x00"), reply(5, b"\xe4\x02"), reply(5)[:47]):
        assert instant_s(wrong, now_s) is None
