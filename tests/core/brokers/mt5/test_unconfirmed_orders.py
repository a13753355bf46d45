"""What became of orders whose answers were lost: never sent twice, never dropped while they may live, never on the other side."""

from __future__ import annotations

import pytest
from msgspec import structs

from quarterdeck.core.brokers.mt5.unconfirmed_orders import ABSENT_AFTER_S, LOOKS_MIN
from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.model.effects import QueryBook, QueryOrder
from quarterdeck.core.model.inputs import Accepted, Filled, NotExecuted, OrderRejected, RequestDone, Unconfirmed
from quarterdeck.core.model.market_data import Side
from tests.core.brokers.mt5.kit import START, Rig, close, modify, submit

LOST_DONE = FaultRates(lost_reply_executed=1.0)
LOST_UNDONE = FaultRates(lost_reply_not_executed=1.0)
CALM = FaultRates()


def ask(client_id="r1-1", **changes):
    base = QueryOrder(client_id=client_id, symbol="EURUSD", side=Side.BUY, lots=0.5, sent_utc_ns=START)
    return structs.replace(base, **changes)


def asked_until_proven(rig, question, pause_s=10.0, limit=20):
    for _ in range(limit):
        fate = rig.fate(question)
        if not isinstance(fate, Unconfirmed | Accepted):
            return fate
        rig.pass_time(pause_s)
    raise AssertionError("never proven")


@pytest.mark.parametrize("hedging", [True, False])
def test_lost_reply_of_executed_entry_is_found_by_comment(hedging):
    rig = Rig(hedging=hedging, faults=LOST_DONE)
    assert isinstance(rig.fate(submit()), Unconfirmed)
    fate = rig.fate(ask())
    assert isinstance(fate, Filled)
    assert (fate.lots, fate.price, fate.position_id) == (0.5, 1.08512, rig.positions[0].position_id)


def test_lost_reply_is_not_executed_only_after_several_clean_reads():
    rig = Rig(faults=LOST_UNDONE)
    rig.fate(submit())
    rig.faults.set(CALM)
    fates = []
    for _ in range(5):
        fates.append(rig.fate(ask()))
        rig.pass_time(10)
    assert [type(fate) for fate in fates] == [Unconfirmed, Unconfirmed, Unconfirmed, NotExecuted, Unconfirmed]


def test_many_looks_at_once_prove_nothing():
    rig = Rig(faults=LOST_UNDONE)
    rig.fate(submit())
    rig.faults.set(CALM)
    assert all(isinstance(rig.fate(ask()), Unconfirmed) for _ in range(10 * LOOKS_MIN))


def test_a_read_that_is_not_known_starts_the_count_anew():
    rig = Rig(faults=LOST_UNDONE)
    rig.fate(submit())
    rig.faults.set(CALM)
    rig.fate(ask())
    rig.pass_time(ABSENT_AFTER_S / 2)
    rig.fate(ask())
    rig.pass_time(ABSENT_AFTER_S / 2)
    rig.faults.set(FaultRates(positions_unknown=1.0))
    assert "could not look" in rig.fate(ask()).why
    rig.faults.set(CALM)
    rig.pass_time(1)
    assert isinstance(rig.fate(ask()), Unconfirmed)
    rig.pass_time(ABSENT_AFTER_S)
    assert isinstance(rig.fate(ask()), Unconfirmed), "three looks are needed as well"
    assert isinstance(rig.fate(ask()), NotExecuted)


def test_without_a_line_to_the_trade_server_nothing_is_absent():
    rig = Rig(faults=LOST_UNDONE)
    rig.fate(submit())
    rig.faults.set(CALM)
    rig.terminal.state.connected = False
    for _ in range(10):
        assert isinstance(rig.fate(ask()), Unconfirmed)
        rig.pass_time(30)


@pytest.mark.parametrize("fault", ["comment_truncated", "comment_replaced"])
def test_rewritten_comment_is_found_by_symbol_side_volume_and_time(fault):
    rig = Rig(faults=structs.replace(LOST_DONE, **{fault: 1.0}))
    long_id = "run12345-6789012"
    rig.fate(submit(long_id))
    fate = rig.fate(ask(long_id))
    assert isinstance(fate, Filled)
    assert rig.positions[0].comment != long_id


def test_deal_of_another_order_is_not_matched():
    rig = Rig(faults=FaultRates(comment_replaced=1.0))
    assert isinstance(rig.fate(submit("r1-1")), Filled)
    rig.faults.set(LOST_UNDONE)
    rig.fate(submit("r1-2"))
    rig.faults.set(CALM)
    assert isinstance(rig.fate(ask("r1-2")), Unconfirmed)


def test_neither_other_ids_nor_other_magics_nor_old_deals_fit():
    rig = Rig()
    rig.fate(submit("r1-1"))
    assert isinstance(rig.fate(ask("r1-11")), Unconfirmed)
    assert isinstance(rig.fate(ask("r1-1", symbol="GBPUSD")), Unconfirmed)
    foreign = {"action": 1, "symbol": "EURUSD", "volume": 0.5, "type": 0, "price": 1.08512, "type_filling": 1, "comment": "r1-7"}
    rig.module.order_send(foreign)
    assert isinstance(rig.fate(ask("r1-7")), Unconfirmed)


def test_accepted_order_later_becomes_filled_or_not_executed():
    for fault, expected in (("placed_then_filled", Filled), ("placed_then_refused", NotExecuted)):
        rig = Rig(faults=FaultRates(**{fault: 1.0}))
        rig.fate(submit())
        assert isinstance(rig.fate(ask()), Accepted)
        rig.pass_time(5)
        assert isinstance(rig.fate(ask()), expected)


@pytest.mark.parametrize("hedging", [True, False])
def test_a_lost_close(hedging):
    rig = Rig(hedging=hedging)
    ticket = rig.fate(submit()).position_id
    rig.faults.set(LOST_UNDONE)
    assert isinstance(rig.fate(close(ticket)), Unconfirmed)
    question = ask("r1-2", position_id=ticket)
    rig.faults.set(CALM)
    assert isinstance(asked_until_proven(rig, question), NotExecuted)
    rig.faults.set(LOST_DONE)
    assert isinstance(rig.fate(close(ticket, client_id="r1-3")), Unconfirmed)
    rig.faults.set(CALM)
    fate = rig.fate(ask("r1-3", position_id=ticket))
    assert (type(fate), fate.lots) == (Filled, 0.5)


def test_a_close_that_a_stop_overtook_is_absent_at_once():
    rig = Rig()
    ticket = rig.fate(submit()).position_id
    rig.faults.set(LOST_UNDONE)
    rig.fate(close(ticket))
    rig.faults.set(CALM)
    rig.tick("EURUSD", 1.082, 1.0821)
    fate = rig.fate(ask("r1-2", position_id=ticket))
    assert (type(fate), "stop" in fate.why) == (NotExecuted, True)


def test_lost_stop_change_is_resolved_by_reading_the_position():
    rig = Rig()
    ticket = rig.fate(submit()).position_id
    rig.faults.set(LOST_DONE)
    assert isinstance(rig.fate(modify(ticket)), Unconfirmed)
    rig.faults.set(CALM)
    told = rig.perform(ask("r1-3", position_id=ticket, lots=0.0))
    assert isinstance(told[0].order_outcome, RequestDone)
    assert told[-1].positions[0].stop_price == 1.084


BAD = FaultRates(
    lost_reply_executed=0.15,
    lost_reply_not_executed=0.15,
    ambiguous_code_executed=0.1,
    ambiguous_code_not_executed=0.1,
    placed_then_filled=0.1,
    placed_then_refused=0.05,
    late_deal=0.1,
    partial_fill=0.1,
    refusal_burst=0.1,
    pipe_broken=0.02,
    positions_unknown=0.1,
    comment_truncated=0.05,
    comment_replaced=0.1,
    ticket_changed=0.1,
)


def flattened(rig, ticket):
    """Close one position as the desk would: query what is unknown, read again, close what is left."""
    number = 100
    for _ in range(400):
        rig.pass_time(7)
        book = rig.perform(QueryBook(why="flatten"))[-1]
        if not book.known:
            continue
        held = next((position for position in book.positions if position.position_id == ticket), None)
        if held is None:
            return
        number += 1
        effect = close(held.ticket, client_id=f"r1-{number}", position_id=ticket, lots=held.lots)
        sent = rig.terminal.now_utc_ns
        fate = rig.fate(effect)
        while isinstance(fate, Unconfirmed | Accepted):
            rig.pass_time(11)
            fate = rig.fate(ask(f"r1-{number}", position_id=ticket, lots=held.lots, sent_utc_ns=sent))
        assert isinstance(fate, Filled | OrderRejected | NotExecuted)
    raise AssertionError("never flat")


@pytest.mark.parametrize("hedging", [True, False])
def test_flattening_through_lost_replies_never_ends_on_the_other_side(hedging):
    for seed in range(60):
        rig = Rig(hedging=hedging, seed=seed)
        ticket = rig.fate(submit()).position_id
        rig.faults.set(BAD)
        flattened(rig, ticket)
        rig.faults.set(CALM)
        rig.pass_time(30)
        deals = [deal for deal in rig.terminal.ledger.deals if deal.symbol]
        volume = sum(deal.lots * (1 if deal.kind == 0 else -1) for deal in deals)
        assert not rig.positions, f"seed {seed}"
        assert abs(volume) < 1e-9, f"seed {seed}"
        assert not rig.terminal.ledger.orders


@pytest.mark.soak
@pytest.mark.parametrize("hedging", [True, False])
def test_flattening_a_thousand_seeds(hedging):
    for seed in range(1_000, 2_000):
        rig = Rig(hedging=hedging, seed=seed)
        ticket = rig.fate(submit()).position_id
        rig.faults.set(BAD)
        flattened(rig, ticket)
        rig.faults.set(CALM)
        rig.pass_time(30)
        assert not rig.positions, f"seed {seed}"


def test_entries_through_lost_replies_are_neither_doubled_nor_forgotten():
    for seed in range(60):
        rig = Rig(seed=seed, faults=BAD)
        believed = 0.0
        for number in range(1, 6):
            rig.pass_time(5)
            client_id = f"r1-{number}"
            sent = rig.terminal.now_utc_ns
            fate = rig.fate(submit(client_id))
            while isinstance(fate, Unconfirmed | Accepted):
                rig.pass_time(11)
                fate = rig.fate(ask(client_id, sent_utc_ns=sent))
            believed += fate.lots if isinstance(fate, Filled) else 0.0
        held = sum(position.lots for position in rig.positions)
        assert held == pytest.approx(believed), f"seed {seed}"
