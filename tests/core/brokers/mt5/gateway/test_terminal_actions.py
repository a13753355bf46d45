"""What an operator does by hand in a hosted simulated terminal shows in the module as MetaTrader shows it, over restarts too."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from quarterdeck.core.brokers.base import TerminalCall
from quarterdeck.core.brokers.mt5.account_file import AccountFile, SimulatedAccount
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import TERMINAL_ACTION
from quarterdeck.core.brokers.mt5.gateway.module_loader import HostedModule
from quarterdeck.core.brokers.mt5.gateway.simulated_module import hosted_at
from quarterdeck.core.brokers.mt5.gateway.terminal_child import _made
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.brokers.simulator.operator_actions import (
    CancelDeal,
    ChangeSpecification,
    CloseByHand,
    FreezeQuotes,
    LoseServer,
    MoveMoney,
    MoveStops,
    OpenByHand,
    RefuseRequests,
    RenameSymbol,
    SetCommission,
    ShowTerminal,
    SpikeQuote,
    TerminalAction,
)
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.brokers.mt5.gateway.test_simulated_module import NO_FAULTS, SHORT, WEDNESDAY_NS, Standing, buying, deals


class Desk:
    """A hosted terminal on a clock moved by hand, which can be left and entered again."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = shipped_settings(*SHORT)
        self.clock, self.folder = Standing(WEDNESDAY_NS), folder
        self.enter()

    def enter(self) -> None:
        """As a new process does."""
        file = AccountFile(self.folder, SimulatedAccount)
        self.host: HostedModule = hosted_at(self.settings, self.clock, NO_FAULTS, file, tick_s=60)
        self.module = self.host.module
        self.host.before_call()
        assert self.module.initialize()
        self.module.symbol_select("EURUSD", True)

    def act(self, action: TerminalAction) -> str:
        assert self.host.act is not None
        said = self.host.act(msgspec.json.encode(action).decode())
        self.host.after_call()
        return said

    def later(self, seconds: float) -> None:
        self.clock.at += int(seconds * NS_PER_S)
        self.host.before_call()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("deal_type", "money", "balance", "credit"),
    [
        (2, 2_500.0, 2_500.0, 0.0),
        (2, -700.0, -700.0, 0.0),
        (3, 500.0, 0.0, 500.0),
        (20, -50.0, 0.0, -50.0),
        (7, -60.0, -60.0, 0.0),
    ],
)
def test_money_by_hand_is_a_deal_of_its_type(desk, deal_type, money, balance, credit):
    before = desk.module.account_info()
    desk.act(MoveMoney(deal_type=deal_type, amount_money=money, comment="by hand"))
    after, deal = desk.module.account_info(), deals(desk.host)[-1]
    assert (deal.type, deal.profit, deal.comment, deal.symbol, deal.position_id) == (deal_type, money, "by hand", "", 0)
    assert after.balance - before.balance == pytest.approx(balance)
    assert after.credit - before.credit == pytest.approx(credit)
    assert after.equity - before.equity == pytest.approx(money)


def test_position_by_hand_has_no_magic_and_client_reason(desk):
    desk.act(OpenByHand(symbol="EURUSD", side="sell", lots=0.2))
    (held,) = desk.module.positions_get()
    assert (held.magic, held.reason, held.type, held.volume, held.sl) == (0, desk.module.POSITION_REASON_CLIENT, 1, 0.2, 0.0)
    stop = round(held.price_open + 0.01, 5)
    desk.act(MoveStops(ticket=held.ticket, stop_price=stop))
    assert desk.module.positions_get()[0].sl == stop
    desk.act(MoveStops(ticket=held.ticket, stop_price=0.0))
    assert desk.module.positions_get()[0].sl == 0.0
    desk.act(CloseByHand(ticket=held.ticket, lots=0.05))
    assert desk.module.positions_get()[0].volume == 0.15
    desk.act(CloseByHand(ticket=held.ticket))
    assert desk.module.positions_get() == ()
    closing = deals(desk.host)[-1]
    assert (closing.magic, closing.reason, closing.entry, closing.position_id) == (0, 0, 1, held.identifier)


def test_a_hand_closes_our_position(desk):
    sent = desk.module.order_send(buying(desk.module, stop=0.05))
    desk.act(CloseByHand(ticket=sent.order))
    assert (deals(desk.host)[-1].magic, deals(desk.host)[-1].position_id) == (0, sent.order)


def test_cancelled_deal_changes_type_and_returns_its_money(desk):
    desk.act(OpenByHand(symbol="EURUSD", side="buy", lots=1.0))
    before = desk.module.account_info().balance
    deal = deals(desk.host)[-1]
    assert deal.commission < 0.0
    desk.act(CancelDeal(ticket=deal.ticket))
    again = deals(desk.host)[-1]
    assert (again.ticket, again.type, again.commission) == (deal.ticket, desk.module.DEAL_TYPE_BUY_CANCELED, 0.0)
    assert desk.module.account_info().balance == pytest.approx(before - deal.commission)


def test_renamed_symbol_takes_its_positions_along_over_a_restart(desk):
    sent = desk.module.order_send(buying(desk.module, stop=0.05))
    desk.act(RenameSymbol(symbol="EURUSD", name="EURUSD.pro"))
    desk.later(120)
    desk.enter()
    desk.later(120)
    assert desk.module.symbol_info("EURUSD") is None
    assert [(held.ticket, held.symbol) for held in desk.module.positions_get()] == [(sent.order, "EURUSD.pro")]
    before = desk.module.symbol_info_tick("EURUSD.pro")
    desk.later(120)
    assert desk.module.symbol_info_tick("EURUSD.pro").time > before.time
    assert len(desk.module.copy_rates_from_pos("EURUSD.pro", desk.module.TIMEFRAME_M15, 0, 50)) == 50
    desk.act(CloseByHand(ticket=sent.order))
    assert [deal.symbol for deal in deals(desk.host)] == ["", "EURUSD", "EURUSD.pro"]


@pytest.mark.parametrize(("old", "mode"), [("disabled", 0), ("close_only", 3), ("beside", 4)])
def test_second_name_leaves_positions_under_the_old_one(desk, old, mode):
    sent = desk.module.order_send(buying(desk.module, stop=0.05))
    desk.act(RenameSymbol(symbol="EURUSD", name="EURUSD.pro", old=old))
    desk.enter()
    assert desk.module.positions_get()[0].symbol == "EURUSD"
    assert desk.module.positions_get()[0].ticket == sent.order
    assert desk.module.symbol_info("EURUSD").trade_mode == mode
    assert desk.module.symbol_info("EURUSD.pro").trade_mode == 4


def test_frozen_symbol_keeps_its_quote_until_thawed(desk):
    desk.act(FreezeQuotes(symbol="EURUSD"))
    frozen = desk.module.symbol_info_tick("EURUSD")
    desk.later(600)
    desk.enter()
    desk.later(600)
    assert desk.module.symbol_info_tick("EURUSD").time_msc == frozen.time_msc
    desk.act(FreezeQuotes(symbol="EURUSD", minutes=0.0))
    desk.later(600)
    assert desk.module.symbol_info_tick("EURUSD").time_msc > frozen.time_msc


@pytest.mark.parametrize("pips", [300.0, -300.0])
def test_a_spike_is_one_quote_that_touches_no_stop(desk, pips):
    before = desk.module.symbol_info_tick("EURUSD")
    desk.act(OpenByHand(symbol="EURUSD", side="buy", lots=0.1, stop_price=before.bid - 0.02, target_price=before.bid + 0.02))
    desk.act(SpikeQuote(symbol="EURUSD", pips=pips, seconds=60.0))
    assert desk.module.symbol_info_tick("EURUSD").bid == pytest.approx(before.bid + pips * 1e-4)
    assert desk.module.account_info().profit == pytest.approx(pips, abs=5.0), "the broker's equity stands on it"
    desk.later(180)
    assert abs(desk.module.symbol_info_tick("EURUSD").bid - before.bid) < 0.01
    assert len(desk.module.positions_get()) == 1


def test_refused_requests_are_counted_and_may_be_taken_back(desk):
    desk.act(RefuseRequests(code=10016, times=2))
    assert [desk.module.order_send(buying(desk.module, stop=0.01)).retcode for _ in range(3)] == [10016, 10016, 10009]
    desk.act(RefuseRequests(code=10004, times=5))
    desk.act(RefuseRequests(code=10004, times=0))
    assert desk.module.order_send(buying(desk.module, stop=0.01)).retcode == 10009
    for code in (10009, 7):
        with pytest.raises(UsageError):
            desk.act(RefuseRequests(code=code))
    with pytest.raises(UsageError):
        desk.act(SpikeQuote(symbol="EURUSD", pips=-20_000.0))


@pytest.mark.parametrize(("on", "charged"), [("both", [-2.0, -2.0]), ("open", [-2.0, 0.0]), ("close", [0.0, -2.0])])
def test_commission_model_charges_its_deals_with_a_minimum(desk, on, charged):
    desk.act(SetCommission(per_lot_money=3.5, on=on, minimum_money=2.0))
    desk.enter()
    desk.act(OpenByHand(symbol="EURUSD", side="buy", lots=0.1))
    desk.act(CloseByHand(ticket=desk.module.positions_get()[0].ticket))
    assert [deal.commission for deal in deals(desk.host)[1:]] == charged


def test_changed_specification_holds_for_the_next_order(desk):
    desk.act(ChangeSpecification(symbol="EURUSD", fields={"volume_max_lots": "0.3", "stops_level_points": "40"}))
    desk.enter()
    assert (desk.module.symbol_info("EURUSD").volume_max, desk.module.symbol_info("EURUSD").trade_stops_level) == (0.3, 40)
    assert desk.module.order_send(buying(desk.module, stop=0.05, lots=0.5)).retcode == 10014


def test_lost_server_comes_back_by_market_time(desk):
    desk.act(LoseServer(minutes=10))
    assert not desk.module.terminal_info().connected
    desk.later(601)
    assert desk.module.terminal_info().connected


@pytest.mark.parametrize(
    "action",
    [
        MoveMoney(deal_type=2, amount_money=-1e9),
        MoveMoney(deal_type=13, amount_money=1.0),
        OpenByHand(symbol="EURUSD", side="buy", lots=0.001),
        OpenByHand(symbol="GBPUSD", side="buy", lots=0.1),
        CloseByHand(ticket=1),
        MoveStops(ticket=1, stop_price=1.0),
        CancelDeal(ticket=1),
        RenameSymbol(symbol="EURUSD", name="EURUSD"),
        ChangeSpecification(symbol="EURUSD", fields={"colour": "red"}),
        ChangeSpecification(symbol="EURUSD", fields={"volume_max_lots": "many"}),
        SetCommission(per_lot_money=1.0, currency="SEK"),
    ],
    ids=lambda action: type(action).__name__,
)
def test_what_a_broker_refuses_changes_nothing(desk, action):
    before = desk.act(ShowTerminal())
    with pytest.raises(UsageError):
        desk.act(action)
    assert desk.act(ShowTerminal()) == before


def test_a_terminal_that_is_not_simulated_refuses_every_action(desk):
    real = HostedModule(module=desk.module, name="MetaTrader5", version="5.0")
    text = msgspec.json.encode(MoveMoney(deal_type=2, amount_money=1.0)).decode()
    call = TerminalCall(TERMINAL_ACTION, (text,))
    before = deals(desk.host)
    reply = _made(InProcessTerminal(desk.module), real, call.name, call.args, call.kwargs)
    assert reply.value is None
    assert "MetaTrader5" in reply.error_text
    assert deals(desk.host) == before
