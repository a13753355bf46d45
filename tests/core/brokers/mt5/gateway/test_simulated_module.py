"""The account of a hosted simulated terminal outlives its process, as a broker's does."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from quarterdeck.core.brokers.base import TerminalCall
from quarterdeck.core.brokers.mt5.account_file import AccountFile, SimulatedAccount
from quarterdeck.core.brokers.mt5.gateway import gateway_protocol
from quarterdeck.core.brokers.mt5.gateway.simulated_module import hosted_at
from quarterdeck.core.brokers.mt5.gateway.worker_supervisor import WorkerSupervisor
from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.model.errors import BrokerError, StorageError
from quarterdeck.core.model.units import DAY_NS, H1_NS, NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.brokers.mt5.gateway.later_child import HOST

WEDNESDAY_NS = 1_736_942_400 * NS_PER_S
"""2025-01-15 12:00 UTC."""
NO_FAULTS = FaultRates()
SHORT = (("simulation.history_days", 30), ("desk.pairs", ["EURUSD"]))


class Standing:
    """A clock that is moved manually."""

    def __init__(self, utc_ns: int) -> None:
        self.at = utc_ns

    def utc_ns(self) -> int:
        return self.at

    def monotonic_s(self) -> float:
        return self.at / NS_PER_S


def buying(module, *, stop, lots=0.5):
    tick = module.symbol_info_tick("EURUSD")
    return {
        "action": module.TRADE_ACTION_DEAL,
        "symbol": "EURUSD",
        "volume": lots,
        "type": module.ORDER_TYPE_BUY,
        "price": tick.ask,
        "sl": round(tick.bid - stop, 5),
        "deviation": 50,
        "type_filling": module.ORDER_FILLING_FOK,
        "magic": 7,
        "comment": "q1",
    }


def opened(settings, clock, folder, rates=NO_FAULTS):
    host = hosted_at(settings, clock, rates, AccountFile(folder, SimulatedAccount), tick_s=60)
    host.before_call()
    assert host.module.initialize()
    assert host.module.symbol_select("EURUSD", True)
    return host


def test_new_process_restores_position_stop_deals_and_price(tmp_path):
    settings, clock = shipped_settings(*SHORT), Standing(WEDNESDAY_NS)
    first = opened(settings, clock, tmp_path)
    sent = first.module.order_send(buying(first.module, stop=0.05))
    assert sent.retcode == 10009
    first.after_call()
    clock.at += H1_NS
    second = opened(settings, clock, tmp_path)
    first.before_call()
    for question in ("positions_get", "account_info", "orders_get"):
        assert getattr(second.module, question)() == getattr(first.module, question)()
    assert deals(second) == deals(first)
    assert [deal.order for deal in deals(second)] == [0, sent.order]
    assert second.module.positions_get()[0].ticket == sent.order
    assert second.module.symbol_info_tick("EURUSD")[:3] == first.module.symbol_info_tick("EURUSD")[:3]


def test_stop_passed_while_down_fills_at_its_price(tmp_path):
    settings, clock = shipped_settings(*SHORT), Standing(WEDNESDAY_NS)
    lived, gone = (opened(settings, clock, tmp_path / name) for name in made(tmp_path, "lived", "gone"))
    for host in (lived, gone):
        assert host.module.order_send(buying(host.module, stop=0.0008)).retcode == 10009
        host.after_call()
    for _ in range(48):
        clock.at += H1_NS
        lived.before_call()
    back = opened(settings, clock, tmp_path / "gone")
    assert not lived.module.positions_get()
    assert deals(back) == deals(lived)
    assert deals(back)[-1].reason == 4


def test_long_absence_is_partly_replayed_then_meets_the_first_price(tmp_path):
    settings, clock = shipped_settings(*SHORT), Standing(WEDNESDAY_NS)
    host = opened(settings, clock, tmp_path)
    host.module.order_send(buying(host.module, stop=0.0008))
    host.after_call()
    clock.at += 40 * DAY_NS
    back = opened(settings, clock, tmp_path)
    assert not back.module.positions_get()
    opening, closing = deals(back)[1:]
    assert closing.time - opening.time >= 29 * 86_400
    assert closing.swap < 0.0


@pytest.mark.parametrize(("change", "words"), [(("simulation.seed", 8), "seed 7"), (("simulation.currency", "JPY"), "USD")])
def test_other_market_or_account_is_refused_and_file_unchanged(tmp_path, change, words):
    clock = Standing(WEDNESDAY_NS)
    opened(shipped_settings(*SHORT), clock, tmp_path)
    before = (tmp_path / SimulatedAccount.FILE).read_bytes()
    with pytest.raises(BrokerError, match=words):
        opened(shipped_settings(*SHORT, change), clock, tmp_path)
    assert (tmp_path / SimulatedAccount.FILE).read_bytes() == before


def test_delayed_order_completes_in_the_next_process(tmp_path):
    settings, clock = shipped_settings(*SHORT), Standing(WEDNESDAY_NS)
    first = opened(settings, clock, tmp_path, FaultRates(placed_then_filled=1.0, delay_s=60.0))
    assert first.module.order_send(buying(first.module, stop=0.05)).retcode == 10008
    first.after_call()
    second = opened(settings, clock, tmp_path)
    assert len(second.module.orders_get()) == 1
    clock.at += 120 * NS_PER_S
    second.before_call()
    assert not second.module.orders_get()
    assert len(second.module.positions_get()) == 1


def test_what_was_in_market_watch_is_there_after_a_process(tmp_path):
    settings, clock = shipped_settings(*SHORT), Standing(WEDNESDAY_NS)
    opened(settings, clock, tmp_path).after_call()
    second = hosted_at(settings, clock, FaultRates(), AccountFile(tmp_path, SimulatedAccount), tick_s=60)
    second.module.initialize()
    assert second.module.symbol_info_tick("EURUSD") is not None


def test_thawed_process_cannot_undo_its_successors_trades(tmp_path):
    settings, clock = shipped_settings(*SHORT), Standing(WEDNESDAY_NS)
    frozen, successor = opened(settings, clock, tmp_path), opened(settings, clock, tmp_path)
    assert successor.module.order_send(buying(successor.module, stop=0.05)).retcode == 10009
    successor.after_call()
    assert frozen.module.order_send(buying(frozen.module, stop=0.05)).retcode == 10009
    with pytest.raises(StorageError, match="another process writes there"):
        frozen.after_call()
    assert deals(opened(settings, clock, tmp_path)) == deals(successor)


def test_what_cannot_be_written_down_is_not_answered(tmp_path):
    (folder,) = made(tmp_path, "home")
    host = opened(shipped_settings(*SHORT), Standing(WEDNESDAY_NS), tmp_path / folder)
    host.module.order_send(buying(host.module, stop=0.05))
    (tmp_path / folder / SimulatedAccount.FILE).unlink()
    (tmp_path / folder).rmdir()
    with pytest.raises(StorageError, match="cannot be written"):
        host.after_call()


def test_open_position_in_a_removed_pair_stops_the_start(tmp_path):
    clock = Standing(WEDNESDAY_NS)
    host = opened(shipped_settings(*SHORT), clock, tmp_path)
    host.module.order_send(buying(host.module, stop=0.05))
    host.after_call()
    with pytest.raises(BrokerError, match="holds EURUSD"):
        opened(shipped_settings(SHORT[0], ("desk.pairs", ["GBPUSD"])), clock, tmp_path)


def test_each_process_draws_faults_of_its_own(tmp_path):
    settings, clock = shipped_settings(*SHORT), Standing(WEDNESDAY_NS)
    sequences = []
    for _ in range(2):
        host = opened(settings, clock, tmp_path, FaultRates(positions_unknown=0.5))
        sequences.append([host.module.positions_get() is None for _ in range(40)])
    assert sequences[0] != sequences[1]


def deals(host):
    """All of the account, its opening deposit first."""
    return host.module.history_deals_get(1_600_000_000, 2_000_000_000)


def made(folder, *names):
    for name in names:
        (folder / name).mkdir()
    return names


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot kill by signal; its keeper ends a child the same way")
async def test_killed_child_is_replaced_with_the_account_intact(tmp_path):
    (tmp_path / "settings.toml").write_text("[simulation]\nhistory_days = 30\n[desk]\npairs = ['EURUSD']\n")
    by_s = (WEDNESDAY_NS - WallClock().utc_ns()) // NS_PER_S
    keeper = WorkerSupervisor((HOST, str(tmp_path), str(by_s)), WallClock())
    await keeper.start()
    try:
        assert (await asked(keeper, "initialize")).value is True
        await asked(keeper, "symbol_select", "EURUSD", True)
        tick = (await asked(keeper, "symbol_info_tick", "EURUSD")).value
        request = {"action": 1, "symbol": "EURUSD", "volume": 0.5, "type": 0, "price": tick["ask"], "sl": tick["bid"] - 0.05}
        request |= {"deviation": 50, "type_filling": 0, "magic": 7, "comment": "q1"}
        request["sl"] = round(request["sl"], 5)
        sent = (await asked(keeper, "order_send", request)).value
        assert sent["retcode"] == 10009
        os.kill(keeper.pid, signal.SIGKILL)
        assert await asked(keeper, "positions_get") is None
        assert (await asked(keeper, "initialize")).value is True
        (position,) = (await asked(keeper, "positions_get")).value
        assert (position["ticket"], position["sl"], position["volume"]) == (sent["order"], request["sl"], 0.5)
        assert keeper.replaced == 1
    finally:
        await keeper.stop()


async def asked(keeper, name, *args):
    """One call's reply; None where it was lost with its process."""
    ask = gateway_protocol.CallBatch(1, (TerminalCall(name, args, {}),), 30.0)
    answer = await keeper.put(ask, 0).answer
    return gateway_protocol.decode_replies(answer.replies)[0] if answer.status == "ok" else None
