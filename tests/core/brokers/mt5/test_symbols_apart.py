"""Symbols of one pair under several names: kept apart, closed by their own, and followed when the broker renames one."""

from __future__ import annotations

import pytest
from msgspec import structs

from quarterdeck.core.brokers.mt5.symbol_names import resolve
from quarterdeck.core.brokers.simulator.ledger_changes import list_symbol
from quarterdeck.core.brokers.simulator.operator_actions import CloseByHand, OpenByHand, OperatorActions, RenameSymbol
from quarterdeck.core.model.inputs import ConnectionState, Filled, RequestDone
from tests.core.brokers.mt5.kit import Rig, close, drive, modify, submit


def record(name, mode=4):
    return {"name": name, "trade_mode": mode, "custom": False, "currency_base": "EUR", "currency_profit": "USD"}


@pytest.mark.parametrize(
    ("offered", "suffix", "chosen"),
    [
        ([record("EURUSD"), record("EURUSD.pro")], "", "EURUSD"),
        ([record("EURUSD", 0), record("EURUSD.pro")], "", "EURUSD.pro"),
        ([record("EURUSD", 3), record("EURUSD.pro")], "", "EURUSD.pro"),
        ([record("EURUSD", 3), record("EURUSD.pro", 0)], "", "EURUSD"),
        ([record("EURUSD", 0), record("EURUSD.pro", 3)], "", "EURUSD"),
        ([record("EURUSD"), record("EURUSD.pro")], ".pro", "EURUSD.pro"),
        ([record("EURUSD", 0), record("EURUSD.long"), record("EURUSDm")], "", "EURUSDm"),
    ],
)
def test_a_name_in_which_nothing_opens_yields(offered, suffix, chosen):
    assert resolve("EURUSD", offered, suffix).broker == chosen


class Twin(Rig):
    """A rig whose broker offers EURUSD.pro as well, with a smaller contract."""

    def __init__(self, old: str, **options):
        super().__init__(connect=False, **options)
        self.actions = OperatorActions(self.terminal)
        self.actions.carry_out(RenameSymbol(symbol="EURUSD", name="EURUSD.pro", old=old))
        self.connect()

    def connect(self) -> None:
        drive(self.broker.connect())
        self.instruments = drive(self.broker.select(("EURUSD", "GBPUSD", "USDJPY")))

    def symbols(self) -> dict[str, float]:
        return {held.symbol: held.lots for held in drive(self.broker.book()).positions}


def test_a_disabled_exact_name_is_left_for_the_open_one():
    rig = Twin("disabled")
    fate = rig.fate(submit())
    assert isinstance(fate, Filled)
    assert [held.symbol for held in rig.positions] == ["EURUSD.pro"]
    assert rig.symbols() == {"EURUSD": 0.5}
    assert any("EURUSD.pro is traded instead" in text for text in rig.broker.symbol_warnings)


def test_positions_of_two_names_are_never_taken_for_one():
    rig = Twin("close_only", hedging=True)
    rig.actions.carry_out(OpenByHand(symbol="EURUSD.pro", side="buy", lots=0.3))
    rig.terminal.ledger.positions[next(iter(rig.terminal.ledger.positions))].symbol = "EURUSD"
    assert rig.symbols() == {"broker:EURUSD": 0.3}
    assert isinstance(rig.fate(submit()), Filled)
    assert rig.symbols() == {"broker:EURUSD": 0.3, "EURUSD": 0.5}


def test_a_position_is_managed_by_its_own_symbol():
    rig = Rig()
    opened = rig.fate(submit())
    assert isinstance(opened, Filled)
    ticket = rig.positions[0].ticket
    actions = OperatorActions(rig.terminal)
    actions.carry_out(RenameSymbol(symbol="EURUSD", name="EURUSD.pro", old="close_only"))
    spec = rig.terminal.ledger.instruments["EURUSD"]
    list_symbol(rig.terminal.ledger, structs.replace(spec, volume_max_lots=0.2))
    again = Twin.__new__(Twin)
    again.__dict__.update(rig.__dict__)
    again.broker.session.broker_names.clear()
    again.broker.session.plain_names.clear()
    again.broker._opening._offered = ()
    again.connect()
    assert again.symbols() == {"broker:EURUSD": 0.5}
    assert isinstance(again.fate(modify(ticket, stop_price=1.0825)), RequestDone)
    assert rig.positions[0].stop_price == 1.0825
    for symbol in ("broker:EURUSD", "EURUSD"):
        fate = again.fate(close(ticket, f"r1-{symbol[:3]}", symbol=symbol, lots=0.25))
        assert isinstance(fate, Filled), fate
    assert rig.positions == []
    assert {deal.symbol for deal in rig.terminal.ledger.deals if deal.symbol} == {"EURUSD"}
    assert max(deal.lots for deal in rig.terminal.ledger.deals if deal.entry == 1) <= 0.2


def test_a_renamed_symbol_goes_on_under_its_new_name():
    rig = Rig()
    assert isinstance(rig.fate(submit()), Filled)
    actions = OperatorActions(rig.terminal)
    actions.carry_out(RenameSymbol(symbol="EURUSD", name="EURUSD.pro"))
    drive(rig.broker.quotes(("EURUSD", "GBPUSD")))
    told = [item.why for item in rig.broker.take_events() if isinstance(item, ConnectionState)]
    assert any("renamed EURUSD to EURUSD.pro" in why for why in told)
    quotes = drive(rig.broker.quotes(("EURUSD", "GBPUSD"))).value
    assert [quote.symbol for quote in quotes] == ["EURUSD", "GBPUSD"]
    (held,) = drive(rig.broker.book()).positions
    assert held.symbol == "EURUSD"
    assert isinstance(rig.fate(close(held.ticket)), Filled)
    assert rig.positions == []


def test_a_renamed_position_can_be_closed_at_once():
    rig = Rig()
    assert isinstance(rig.fate(submit()), Filled)
    OperatorActions(rig.terminal).carry_out(RenameSymbol(symbol="EURUSD", name="EURUSD.pro"))
    assert isinstance(rig.fate(close(rig.positions[0].ticket)), Filled)
    assert rig.positions == []


def test_a_hand_in_another_name_never_counts_as_ours():
    rig = Twin("beside")
    rig.actions.carry_out(OpenByHand(symbol="EURUSD.pro", side="sell", lots=0.3))
    assert rig.symbols() == {"EURUSD.pro": 0.3}
    rig.actions.carry_out(CloseByHand(ticket=rig.positions[0].ticket))
    assert rig.symbols() == {}
