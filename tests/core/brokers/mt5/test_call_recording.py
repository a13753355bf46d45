"""What `doctor --record` writes tells the same findings when it is replayed, and does not tell whose account it was."""

from __future__ import annotations

import io
import json

import pytest
from msgspec import structs

from quarterdeck.core.brokers.mt5.call_recording import RecordingTerminal, ReplayedModule, read_recording
from quarterdeck.core.brokers.mt5.doctor import DoctorRequirements, examine
from quarterdeck.core.brokers.mt5.gateway import replayed
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.model.errors import DataError
from tests.core.brokers.mt5.kit import Rig, drive

WANTED = DoctorRequirements(symbols=("EURUSD", "USDJPY"), bars=500, round_trip_ms_max=5000.0)
SERVER = ServerClock("new_york_plus_7")


class ReplayClock:
    """The instants of the recording, so that ages are what they were."""

    def __init__(self, module):
        self._module = module

    def utc_ns(self):
        return self._module.at_utc_ns

    def monotonic_s(self):
        return 0.0


def healthy():
    return Rig(connect=False)


def degraded():
    rig = Rig(connect=False, specs={"trade_mode": "close_only"})
    rig.terminal.state.algo_allowed = False
    rig.terminal.state.bars_max = 100
    rig.faults.tick_value_factor = 1.5
    rig.clock.wait(120)
    return rig


def recorded(rig, path):
    """The findings of an examination that was recorded into a file."""
    file = io.StringIO()
    line = RecordingTerminal(rig.carrier, file, rig.clock, "0.1.0")
    found = drive(examine(line, rig.policy, WANTED, rig.clock, sleep=rig._sleep, server_clock=SERVER))
    path.write_text(file.getvalue(), encoding="utf-8")
    return found


def told(findings, login):
    return [
        structs.replace(row, text=row.text.replace(f"login {login} ", "login 1 ")) for row in findings if row.name != "round trip"
    ]


@pytest.mark.parametrize("made", [healthy, degraded])
def test_a_replayed_examination_finds_the_same(made, tmp_path):
    rig = made()
    found = recorded(rig, tmp_path / "recording")
    module = ReplayedModule(read_recording(tmp_path / "recording"))
    again = drive(
        examine(InProcessTerminal(module), rig.policy, WANTED, ReplayClock(module), sleep=rig._sleep, server_clock=SERVER)
    )
    login = rig.module.account_info().login
    assert len(found) > 10
    assert told(again, 1) == told(found, login)


def test_a_recording_does_not_tell_whose_account_it_was(tmp_path):
    rig = Rig(
        connect=False,
        terms={"login": 87_654_321, "name": "Jane Trader"},
        policy={"terminal_path": "C:/Users/jane/terminal64.exe"},
    )
    rig.terminal.state.path = "C:/Users/jane/MT5"
    recorded(rig, tmp_path / "recording")
    text = (tmp_path / "recording").read_text(encoding="utf-8")
    assert not [word for word in ("87654321", "Jane", "jane") if word in text]
    assert {json.loads(line)["name"] for line in text.splitlines()[1:]} >= {"account_info", "symbol_info", "copy_rates_from_pos"}


def test_a_replay_refuses_orders_and_names_unrecorded_calls(tmp_path):
    recorded(healthy(), tmp_path / "recording")
    terminal = InProcessTerminal(replayed.make([str(tmp_path / "recording")]).module)
    assert terminal.call_now("order_send", ({"action": 1},)).error_code == -8
    assert "not recorded" in terminal.call_now("symbol_info", ("XAUUSD",)).error_text


def test_replayed_ticks_are_as_old_as_they_were(tmp_path):
    rig = healthy()
    recorded(rig, tmp_path / "recording")
    calls = read_recording(tmp_path / "recording")
    later_ns = calls[-1].at_utc_ns + 86_400 * 10**9
    module = ReplayedModule(calls, lambda: later_ns)
    first = next(call for call in calls if call.name == "symbol_info_tick")
    tick = module.symbol_info_tick(*first.args)
    assert later_ns // 10**6 - tick["time_msc"] == first.at_utc_ns // 10**6 - first.value["time_msc"]


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, "no json\n", '{"recording":99,"quarterdeck":"9"}\n', '{"recording":1,"quarterdeck":"0.1"}\n{}\n']
)
def test_what_is_no_recording_is_refused(text, tmp_path):
    path = tmp_path / "recording"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="recording"):
        read_recording(path)
