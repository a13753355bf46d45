"""The adapter over the simulated terminal: orders, reads, and what an ordinary bad hour does to them."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from quarterdeck.core.brokers.mt5.session import ReadFailed
from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.model.effects import AskBook, Cancel
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.inputs import (
    Accepted,
    AccountRead,
    Book,
    Changed,
    DealSeen,
    EngineTrouble,
    FeedState,
    Filled,
    Refused,
    Report,
    UnknownFate,
)
from quarterdeck.core.model.market import Side
from quarterdeck.core.model.reads import Known, Unknown
from quarterdeck.core.model.units import M15_NS, NS_PER_S, S_PER_HOUR
from tests.core.brokers.mt5.kit import START, Rig, close, drive, modify, submit


def test_an_entry_is_filled_with_its_stop_and_everything_about_it_is_told_in_order():
    rig = Rig()
    told = rig.perform(submit())
    assert [type(item) for item in told] == [Report, DealSeen, AccountRead, Book]
    fate, deal, book = told[0].fate, told[1].deal, told[3]
    assert isinstance(fate, Filled)
    assert (fate.lots, fate.price, fate.bid, fate.ask) == (0.5, 1.08512, 1.085, 1.08512)
    assert (deal.entry, deal.comment, deal.magic, deal.commission_money) == ("in", "r1-1", 771001, -1.75)
    assert deal.deal_ticket == fate.deal_ticket
    assert deal.at_utc_ns == START
    (position,) = book.positions
    assert position.position_id == fate.position_id == deal.position_id
    assert (position.stop_price, position.target_price, position.opened_utc_ns) == (1.083, 1.09, START)


def test_the_time_of_a_fill_is_told_by_stage():
    rig = Rig()
    original = rig.carrier.call
    takes = {"symbol_info_tick": 0.01, "order_check": 0.02, "order_send": 0.3}

    async def call(name, *args, **kwargs):
        rig.clock.wait(takes.get(name, 0.0))
        return await original(name, *args, **kwargs)

    rig.carrier.call = call
    fate = rig.fate(submit())
    assert [round(value, 3) for value in (fate.check_ms, fate.send_ms, fate.latency_ms)] == [20.0, 300.0, 330.0]


def test_a_position_is_closed_in_parts_and_then_wholly():
    rig = Rig()
    ticket = rig.fate(submit()).position_id
    part = rig.fate(close(ticket, lots=0.2))
    assert (part.lots, part.position_id) == (0.2, ticket)
    rest = rig.fate(close(ticket, client_id="r1-4", lots=9.0))
    assert rest.lots == 0.3
    assert not rig.positions
    again = rig.fate(close(ticket, client_id="r1-5"))
    assert (again.kind, "no longer" in again.reason) == ("gone", True)


def test_a_close_above_the_maximum_volume_goes_in_pieces_and_is_one_fill():
    rig = Rig(specs={"volume_max_lots": 1.0}, hedging=False)
    ticket = rig.fate(submit(lots=1.0)).position_id
    rig.fate(submit("r1-9", lots=1.0, adds_to_position_id=ticket))
    fill = rig.fate(close(ticket, lots=2.0))
    assert (fill.lots, fill.price) == (2.0, 1.085)
    assert not rig.positions
    assert [deal.volume for deal in rig.module.history_deals_get(position=ticket)] == [1.0, 1.0, 1.0, 1.0]


def test_netting_never_mixes_with_foreign_volume_nor_turns_a_position_round():
    rig = Rig(hedging=False)
    rig.fate(submit())
    against = rig.fate(submit("r1-2", side=Side.SELL, quoted_price=1.085, stop_price=1.087, target_price=1.08))
    assert (against.kind, "other way" in against.reason) == ("refused", True)
    rig.module.order_send({"action": 1, "symbol": "GBPUSD", "volume": 0.1, "type": 0, "price": 1.27015, "type_filling": 1})
    mixed = rig.fate(submit("r1-3", symbol="GBPUSD", quoted_price=1.27015, stop_price=1.268, target_price=1.28))
    assert (mixed.kind, "foreign" in mixed.reason) == ("refused", True)
    assert len(rig.positions) == 2


def test_a_netting_add_carries_the_whole_positions_stop_and_keeps_its_target():
    rig = Rig(hedging=False)
    first = rig.fate(submit()).position_id
    added = rig.fate(submit("r1-2", lots=0.2, stop_price=1.084, target_price=None, adds_to_position_id=first))
    assert added.position_id == first
    (held,) = rig.positions
    assert (held.lots, held.stop_price, held.target_price) == (0.7, 1.084, 1.09)
    rig.fate(close(first, client_id="r1-3", lots=0.3))
    assert (rig.positions[0].lots, rig.positions[0].stop_price) == (0.4, 1.084)


def test_stop_and_target_are_set_whole_and_what_stands_is_left():
    rig = Rig()
    ticket = rig.fate(submit()).position_id
    assert rig.fate(modify(ticket)) == Changed()
    assert (rig.positions[0].stop_price, rig.positions[0].target_price) == (1.084, 1.09)
    before = rig.terminal.trades_changed_counter
    assert rig.fate(modify(ticket)).note == "stands so already"
    assert rig.terminal.trades_changed_counter == before
    assert rig.fate(modify(ticket, stop_price=1.2)).kind == "refused"
    rig.fate(modify(ticket, target_price=None))
    assert rig.positions[0].target_price == 0.0
    assert rig.fate(modify(99)).kind == "gone"


def test_a_pending_order_is_removed_and_a_removed_one_is_gone():
    rig = Rig()
    sent = rig.module.order_send(
        {"action": 5, "symbol": "EURUSD", "volume": 0.1, "type": 2, "price": 1.08, "type_filling": 2, "magic": 771001}
    )
    book = drive(rig.broker.book())
    assert [(order.kind, order.side, order.price) for order in book.orders] == [("limit", Side.BUY, 1.08)]
    cancel = Cancel(client_id="r1-8", order_ticket=sent.order, symbol="EURUSD")
    assert rig.fate(cancel) == Changed()
    assert rig.fate(cancel).kind == "gone"


@pytest.mark.parametrize("hedging", [True, False])
def test_filling_mode_is_found_once_and_used_for_open_and_close(hedging):
    rig = Rig(hedging=hedging, specs={"filling_flags": 1})
    rig.broker._session.instruments["EURUSD"] = structs.replace(rig.instruments[0], filling_flags=2)
    ticket = rig.fate(submit())
    assert isinstance(ticket, Refused), "a mask that names one wrong mode leaves nothing to try"
    rig.broker._session.instruments["EURUSD"] = structs.replace(rig.instruments[0], filling_flags=3)
    rig = Rig(hedging=hedging, specs={"filling_flags": 1})
    rig.broker._session.instruments["EURUSD"] = structs.replace(rig.instruments[0], filling_flags=3)
    sent = spy(rig)
    fate = rig.fate(submit())
    assert isinstance(fate, Filled)
    assert isinstance(rig.fate(close(fate.position_id)), Filled)
    assert [(name, request["type_filling"]) for name, request in sent if name == "order_send"] == [
        ("order_send", 0),
        ("order_send", 0),
    ]


def spy(rig):
    """Every order_check and order_send from here on."""
    sent = []
    original = rig.carrier.call

    async def call(name, *args, **kwargs):
        if name.startswith("order_") and args:
            sent.append((name, args[0]))
        return await original(name, *args, **kwargs)

    rig.carrier.call = call
    return sent


def answering(rig, name, *replies):
    """The next answers of one function, as (retcode) results or None with a code."""
    queue = list(replies)
    original = getattr(rig.module, name)
    said = []
    rig.carrier._last_error = lambda: said.pop() if said else rig.module.last_error()

    def answer(request):
        if not queue:
            return original(request)
        code = queue.pop(0)
        if code < 0:
            said.append((code, "said so"))
            return None
        said.append((1, "Success"))
        return rig.module.OrderSendResult((code, 0, 0, 0.0, 0.0, 1.0, 1.1, "said so", 1, 0, None))

    rig.carrier._functions[name] = answer
    return queue


def test_a_requote_is_tried_again_at_a_fresh_price_while_that_is_within_the_deviation():
    rig = Rig()
    sent = spy(rig)
    answering(rig, "order_send", 10004, 10020)
    assert isinstance(rig.fate(submit()), Filled)
    assert [name for name, _ in sent].count("order_send") == 3
    answering(rig, "order_send", 10004, 10004, 10004, 10004)
    assert rig.fate(submit("r1-2")).kind == "retry", "bounded"


def test_a_requote_beyond_the_deviation_is_left_to_the_desk_and_an_urgent_close_goes_on():
    rig = Rig()
    answering(rig, "order_send", 10004)
    rig.tick("EURUSD", 1.0860, 1.0861)
    refused = rig.fate(submit(deviation_points=5))
    assert (refused.kind, refused.code) == ("retry", 10004)
    ticket = rig.fate(submit("r1-2", quoted_price=1.0861)).position_id
    rig.tick("EURUSD", 1.0840, 1.0841)
    answering(rig, "order_send", 10020)
    assert isinstance(rig.fate(close(ticket, client_id="r1-3", urgent=True, deviation_points=1, quoted_price=1.0860)), Filled)


@pytest.mark.parametrize("code", [10011, 10012, 10031, -1, -10000, -10001, -10002, -10005, 0])
def test_an_ambiguous_answer_is_never_sent_again(code):
    rig = Rig()
    sent = spy(rig)
    answering(rig, "order_send", code)
    assert isinstance(rig.fate(submit()), UnknownFate)
    assert [name for name, _ in sent].count("order_send") == 1


@pytest.mark.parametrize("code", [-2, -8, -10004])
def test_what_was_surely_not_sent_is_a_refusal(code):
    rig = Rig()
    answering(rig, "order_send", code)
    assert isinstance(rig.fate(submit()), Refused)


def test_a_refused_check_sends_nothing():
    rig = Rig()
    sent = spy(rig)
    fate = rig.fate(submit(lots=100.0))
    assert (fate.kind, fate.code) == ("no_money", 10019)
    assert [name for name, _ in sent] == ["order_check"]


def test_switches_of_the_terminal_are_the_operators_to_set():
    rig = Rig()
    rig.terminal.state.algo_allowed = False
    fate = rig.fate(submit())
    assert (fate.kind, "Algo Trading" in fate.reason) == ("operator", True)
    rig.terminal.state.algo_allowed, rig.terminal.state.api_disabled = True, True
    fate = rig.fate(submit())
    assert fate.kind == "operator"


def test_a_closed_market_says_when_to_come_back():
    rig = Rig()
    rig.pass_time(5 * 86_400)
    fate = rig.fate(submit())
    assert fate.kind in ("market_closed", "retry")


def test_accepted_without_a_deal_is_neither_success_nor_failure():
    rig = Rig(faults=FaultRates(placed_then_filled=1.0))
    fate = rig.fate(submit())
    assert isinstance(fate, Accepted)
    rig.pass_time(5)
    deals = drive(rig.broker.new_deals()).value
    assert [(deal.order_ticket, deal.comment) for deal in deals] == [(fate.order_ticket, "r1-1")]


def test_a_deal_that_comes_late_leaves_the_order_accepted_until_it_is_there():
    rig = Rig(faults=FaultRates(late_deal=1.0))
    fate = rig.fate(submit())
    assert isinstance(fate, Accepted)
    rig.pass_time(5)
    assert [deal.order_ticket for deal in drive(rig.broker.new_deals()).value] == [fate.order_ticket]


def test_a_partial_fill_tells_how_much():
    rig = Rig(faults=FaultRates(partial_fill=1.0))
    fate = rig.fate(submit())
    assert (type(fate), fate.lots) == (Filled, 0.25)
    assert not drive(rig.broker.book()).orders


def test_a_changed_ticket_is_found_by_the_lasting_id():
    rig = Rig(faults=FaultRates(ticket_changed=1.0))
    fate = rig.fate(submit())
    (position,) = rig.positions
    assert position.ticket != fate.position_id
    assert isinstance(rig.fate(modify(fate.position_id)), Changed)
    assert isinstance(rig.fate(close(fate.position_id, client_id="r1-4")), Filled)
    assert not rig.positions


def test_deals_are_handed_out_once_and_the_first_balance_is_no_news():
    rig = Rig()
    assert drive(rig.broker.new_deals()).value == ()
    rig.terminal.ledger.cash(250.0, "Deposit")
    (deposit,) = drive(rig.broker.new_deals()).value
    assert (deposit.balance_money, deposit.symbol, deposit.profit_money) == (250.0, "", 0.0)
    assert drive(rig.broker.new_deals()).value == ()


def test_deals_made_while_nobody_looked_are_handed_out_after_a_restart_without_those_the_journal_holds():
    rig = Rig()
    told = rig.perform(submit())
    known = [40_000_001, *(item.deal.deal_ticket for item in told if isinstance(item, DealSeen))]
    rig.tick("EURUSD", 1.0820, 1.0821, after_s=7200)
    assert not rig.positions
    again = Rig(connect=False)
    again.broker._session.terminal = rig.carrier
    again.broker.resume_deals(START, known)
    drive(again.broker.connect())
    again.clock = rig.clock
    again.broker._session.clock = rig.clock
    (deal,) = drive(again.broker.new_deals()).value
    assert (deal.entry, deal.reason, deal.at_utc_ns) == ("out", "stop", START + 7200 * NS_PER_S)
    assert deal.profit_money < 0.0


def test_deals_of_one_position():
    rig = Rig()
    ticket = rig.fate(submit()).position_id
    rig.fate(close(ticket))
    deals = drive(rig.broker.deals_of(ticket)).value
    assert [deal.entry for deal in deals] == ["in", "out"]
    assert drive(rig.broker.deals_of(1)).value == ()


def test_none_from_positions_is_unknown_never_flat():
    rig = Rig()
    rig.fate(submit())
    rig.faults.set(FaultRates(positions_unknown=1.0))
    book = drive(rig.broker.book())
    assert not book.known
    assert "positions_get" in book.why
    told = rig.perform(AskBook(why="test"))
    assert not told[-1].known
    assert not any(isinstance(item, AccountRead) for item in told)
    rig.faults.set(FaultRates())
    assert len(drive(rig.broker.book()).positions) == 1


def test_a_close_does_not_wait_for_a_read_that_fails():
    rig = Rig()
    ticket = rig.fate(submit()).position_id
    rig.faults.set(FaultRates(positions_unknown=1.0))
    assert isinstance(rig.fate(close(ticket)), Filled)


def test_a_broken_pipe_is_healed_by_the_next_read():
    rig = Rig()
    rig.terminal.state.initialised = False
    assert isinstance(drive(rig.broker.quotes(("EURUSD",))), Known)
    states = [item for item in rig.broker.noticed() if isinstance(item, FeedState)]
    assert [state.up for state in states] == [False, True]
    assert rig.broker.noticed() == ()


def test_a_terminal_that_is_gone_is_unknown_and_is_tried_with_growing_pauses():
    rig = Rig()
    rig.terminal.state.running = False
    rig.terminal.state.initialised = False
    since = rig.clock.utc_ns()
    first = drive(rig.broker.account())
    assert isinstance(first, Unknown)
    tries = counted(rig, "initialize")
    for _ in range(100):
        rig.clock.wait(0.1)
        answer = drive(rig.broker.account())
        assert isinstance(answer, Unknown)
        assert answer.since_utc_ns == since
    assert 2 <= len(tries) <= 6
    rig.terminal.state.running = True
    rig.clock.wait(rig.policy.retry_max_s)
    assert isinstance(drive(rig.broker.account()), Known)


def counted(rig, name):
    calls = []
    original = getattr(rig.module, name)

    def counting(*args, **kwargs):
        calls.append(kwargs)
        return original(*args, **kwargs)

    rig.carrier._functions[name] = counting
    return calls


def test_another_account_under_our_feet_stops_everything_until_it_is_back():
    rig = Rig()
    rig.fate(submit())
    terms = rig.terminal.ledger.terms
    rig.terminal.ledger.terms = structs.replace(terms, login=9999, trade_mode="real")
    assert not drive(rig.broker.book()).known
    (trouble,) = rig.broker.noticed()
    assert isinstance(trouble, EngineTrouble)
    assert (trouble.kind, trouble.active) == ("account_changed", True)
    assert "9999" in trouble.why
    assert isinstance(drive(rig.broker.account()), Unknown)
    assert isinstance(drive(rig.broker.new_deals()), Unknown)
    assert rig.fate(submit("r1-2")).kind == "operator"
    assert rig.fate(close(rig.positions[0].ticket)).kind == "operator"
    rig.terminal.ledger.terms = terms
    assert drive(rig.broker.book()).known
    (back,) = rig.broker.noticed()
    assert not back.active


def test_quotes_are_utc_and_a_symbol_without_one_is_left_out():
    rig = Rig(rule="eet")
    rig.tick("EURUSD", 1.086, 1.0861)
    quotes = drive(rig.broker.quotes(("EURUSD", "GBPUSD"))).value
    assert [(quote.symbol, quote.bid, quote.at_utc_ns) for quote in quotes] == [
        ("EURUSD", 1.086, START + NS_PER_S),
        ("GBPUSD", 1.27, START),
    ]
    del rig.terminal.ledger.quotes["GBPUSD"]
    assert [quote.symbol for quote in drive(rig.broker.quotes(("EURUSD", "GBPUSD"))).value] == ["EURUSD"]
    assert isinstance(drive(rig.broker.quotes(("AUDUSD",))), Unknown)


def test_other_groups_of_pairs_each_time_leave_nothing_behind():
    """Law 12: which pairs are asked for together changes for ever; what is kept is bounded by the pairs."""
    rig = Rig()
    for group in (("EURUSD",), ("GBPUSD",), ("EURUSD", "GBPUSD"), ("GBPUSD", "EURUSD")):
        found = drive(rig.broker.quotes(group)).value
        assert [quote.symbol for quote in found] == list(group)
    assert len(rig.broker._tick_calls) == 2


def test_only_closed_bars_in_utc_are_handed_out():
    rig = Rig()
    drive(rig.broker.quotes(("EURUSD",)))
    candles = drive(rig.broker.bars("EURUSD", "M15", 3)).value
    assert candles.open_utc_ns.tolist() == [START - 3 * M15_NS, START - 2 * M15_NS, START - M15_NS]
    hours = drive(rig.broker.bars("EURUSD", "H1", 2)).value
    assert hours.open_utc_ns.tolist() == [START - 2 * S_PER_HOUR * NS_PER_S, START - S_PER_HOUR * NS_PER_S]
    assert isinstance(drive(rig.broker.bars("EURUSD", "W1", 3)), Unknown)


def test_the_forming_bar_is_cut_off_until_its_time_is_over():
    rig = Rig()
    drive(rig.broker.quotes(("EURUSD",)))
    rates = rig.module.copy_rates_from_pos("EURUSD", 15, 0, 3)
    grown = np.concatenate([rates, rates[-1:]])
    grown["time"][-1] += 900
    rig.carrier._functions["copy_rates_from_pos"] = lambda *_: grown.copy()
    last = lambda: drive(rig.broker.bars("EURUSD", "M15", 2)).value.open_utc_ns[-1]  # noqa: E731
    assert last() == START - M15_NS
    rig.clock.wait(900)
    assert last() == START - M15_NS, "over by the clock alone, five seconds must pass"
    rig.clock.wait(5)
    assert last() == START
    rig.clock.ahead_ns = 0
    rig.tick("GBPUSD", 1.27, 1.2701, after_s=900)
    assert last() == START - M15_NS
    drive(rig.broker.quotes(("GBPUSD",)))
    assert last() == START, "a later tick of any pair closes it"


def test_a_bar_that_was_forming_when_it_was_asked_for_is_not_closed_by_a_slow_answer():
    rig = Rig()
    drive(rig.broker.quotes(("EURUSD",)))
    rates = rig.module.copy_rates_from_pos("EURUSD", 15, 0, 3)
    grown = np.concatenate([rates, rates[-1:]])
    grown["time"][-1] += 900

    def slow(*_):
        rig.clock.wait(10.0)
        return grown.copy()

    rig.carrier._functions["copy_rates_from_pos"] = slow
    rig.clock.wait(899)
    last = lambda: drive(rig.broker.bars("EURUSD", "M15", 2)).value.open_utc_ns[-1]  # noqa: E731
    assert last() == START - M15_NS, "the answer shows it one second before its end"
    assert last() == START

    def overtaken(*_):
        rig.tick("GBPUSD", 1.27, 1.2701, after_s=1800)
        drive(rig.broker.quotes(("GBPUSD",)))
        return newer.copy()

    newer = np.concatenate([grown, grown[-1:]])
    newer["time"][-1] += 900
    rig.carrier._functions["copy_rates_from_pos"] = overtaken
    assert last() == START, "nor by a tick that was seen while the answer was on its way"


def test_bars_that_cannot_be_are_refused():
    rig = Rig()
    good = rig.module.copy_rates_from_pos("EURUSD", 15, 0, 5)
    for spoil in (
        lambda rates: rates.__setitem__("high", 0.5),
        lambda rates: rates["close"].__setitem__(2, np.nan),
        lambda rates: rates["time"].__setitem__(3, rates["time"][1]),
        lambda rates: rates["low"].__setitem__(0, -1.0),
    ):
        bad = good.copy()
        spoil(bad)
        rig.carrier._functions["copy_rates_from_pos"] = lambda *_, bad=bad: bad
        assert isinstance(drive(rig.broker.bars("EURUSD", "M15", 4)), Unknown)


def test_a_first_read_waits_for_the_terminals_download():
    rig = Rig()
    rig.terminal.state.sync.none_calls, rig.terminal.state.sync.short_calls = 2, 1
    rig.terminal.state.asked.clear()
    candles = drive(rig.broker.bars("EURUSD", "M15", 50)).value
    assert len(candles) == 50
    assert rig.slept
    rig.slept.clear()
    drive(rig.broker.bars("EURUSD", "M15", 50))
    assert not rig.slept


def test_no_read_after_an_orderly_start_suspends_or_sleeps():
    rig = Rig()
    drive(rig.broker.bars("EURUSD", "M15", 10))
    rig.slept.clear()
    rig.fate(submit())
    drive(rig.broker.bars("EURUSD", "M15", 10))
    drive(rig.broker.book())
    drive(rig.broker.account())
    drive(rig.broker.new_deals())
    drive(rig.broker.clock())
    assert not rig.slept


def test_read_failures_stay_inside():
    rig = Rig()
    rig.carrier._functions["account_info"] = lambda: rig.module.AccountInfo(
        (1, 0, 1, 1, 0, True, True, 2, 2, False, *([float("nan")] * 14), "n", "s", "USD", "c")
    )
    assert isinstance(drive(rig.broker.account()), Unknown)
    with pytest.raises(ReadFailed):
        drive(rig.broker._session.read_account())


def test_close_lets_go():
    rig = Rig()
    drive(rig.broker.close())
    assert not rig.terminal.state.initialised
    rig.terminal.state.running = False
    with pytest.raises(BrokerError):
        drive(rig.broker.connect())
