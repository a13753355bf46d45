"""The adapter over the simulated terminal: orders, reads, and what an ordinary bad hour does to them."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed
from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.engine.recovery import KNOWN_DEALS_NS
from quarterdeck.core.model.effects import Cancel, QueryBook
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.inputs import (
    Accepted,
    AccountRead,
    BrokerBook,
    ConnectionState,
    EngineFault,
    ExecutionReport,
    Filled,
    NewDeal,
    OrderRejected,
    RequestDone,
    Unconfirmed,
)
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.reads import Known, Unknown
from quarterdeck.core.model.units import DAY_NS, H1_NS, M15_NS, NS_PER_S, S_PER_HOUR
from tests.core.brokers.mt5.kit import START, Rig, close, drive, modify, submit


def test_entry_fills_with_stop_and_reports_events_in_order():
    rig = Rig()
    told = rig.perform(submit())
    assert [type(item) for item in told] == [ExecutionReport, NewDeal, AccountRead, BrokerBook]
    fate, deal, book = told[0].order_outcome, told[1].deal, told[3]
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
    assert (again.kind, "no longer" in again.reason) == ("not_found", True)


def test_close_above_maximum_volume_is_split_and_reported_as_one():
    rig = Rig(specs={"volume_max_lots": 1.0}, hedging=False)
    ticket = rig.fate(submit(lots=1.0)).position_id
    rig.fate(submit("r1-9", lots=1.0, adds_to_position_id=ticket))
    fill = rig.fate(close(ticket, lots=2.0))
    assert (fill.lots, fill.price) == (2.0, 1.085)
    assert not rig.positions
    assert [deal.volume for deal in rig.module.history_deals_get(position=ticket)] == [1.0, 1.0, 1.0, 1.0]


def test_netting_never_mixes_external_volume_or_reverses_a_position():
    rig = Rig(hedging=False)
    rig.fate(submit())
    against = rig.fate(submit("r1-2", side=Side.SELL, quoted_price=1.085, stop_price=1.087, target_price=1.08))
    assert (against.kind, "other way" in against.reason) == ("refused", True)
    rig.module.order_send({"action": 1, "symbol": "GBPUSD", "volume": 0.1, "type": 0, "price": 1.27015, "type_filling": 1})
    mixed = rig.fate(submit("r1-3", symbol="GBPUSD", quoted_price=1.27015, stop_price=1.268, target_price=1.28))
    assert (mixed.kind, "external" in mixed.reason) == ("refused", True)
    assert len(rig.positions) == 2


def test_netting_add_sends_the_whole_stop_and_keeps_the_target():
    rig = Rig(hedging=False)
    first = rig.fate(submit()).position_id
    added = rig.fate(submit("r1-2", lots=0.2, stop_price=1.084, target_price=None, adds_to_position_id=first))
    assert added.position_id == first
    (held,) = rig.positions
    assert (held.lots, held.stop_price, held.target_price) == (0.7, 1.084, 1.09)
    rig.fate(close(first, client_id="r1-3", lots=0.3))
    assert (rig.positions[0].lots, rig.positions[0].stop_price) == (0.4, 1.084)


def test_modify_sends_both_levels_and_skips_unchanged_ones():
    rig = Rig()
    ticket = rig.fate(submit()).position_id
    assert rig.fate(modify(ticket)) == RequestDone()
    assert (rig.positions[0].stop_price, rig.positions[0].target_price) == (1.084, 1.09)
    before = rig.terminal.trades_changed_counter
    assert rig.fate(modify(ticket)).note == "it is so already"
    assert rig.terminal.trades_changed_counter == before
    assert rig.fate(modify(ticket, stop_price=1.2)).kind == "refused"
    rig.fate(modify(ticket, target_price=None))
    assert rig.positions[0].target_price == 0.0
    assert rig.fate(modify(99)).kind == "not_found"


def test_pending_order_is_removed_and_then_reported_not_found():
    rig = Rig()
    sent = rig.module.order_send(
        {"action": 5, "symbol": "EURUSD", "volume": 0.1, "type": 2, "price": 1.08, "type_filling": 2, "magic": 771001}
    )
    book = drive(rig.broker.book())
    assert [(order.kind, order.side, order.price) for order in book.orders] == [("limit", Side.BUY, 1.08)]
    cancel = Cancel(client_id="r1-8", order_ticket=sent.order, symbol="EURUSD")
    assert rig.fate(cancel) == RequestDone()
    assert rig.fate(cancel).kind == "not_found"


@pytest.mark.parametrize("hedging", [True, False])
def test_filling_mode_is_detected_once_for_open_and_close(hedging):
    rig = Rig(hedging=hedging, specs={"filling_flags": 1})
    rig.broker._session.instruments["EURUSD"] = structs.replace(rig.instruments[0], filling_flags=2)
    ticket = rig.fate(submit())
    assert isinstance(ticket, OrderRejected), "a mask that names one wrong mode leaves nothing to try"
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


def test_requote_is_retried_within_the_deviation():
    rig = Rig()
    sent = spy(rig)
    answering(rig, "order_send", 10004, 10020)
    assert isinstance(rig.fate(submit()), Filled)
    assert [name for name, _ in sent].count("order_send") == 3
    answering(rig, "order_send", 10004, 10004, 10004, 10004)
    assert rig.fate(submit("r1-2")).kind == "retry", "bounded"


def test_requote_beyond_deviation_goes_to_desk_unless_close_is_urgent():
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
    assert isinstance(rig.fate(submit()), Unconfirmed)
    assert [name for name, _ in sent].count("order_send") == 1


@pytest.mark.parametrize("code", [-2, -8, -10004])
def test_what_was_surely_not_sent_is_a_refusal(code):
    rig = Rig()
    answering(rig, "order_send", code)
    assert isinstance(rig.fate(submit()), OrderRejected)


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


def test_late_deal_keeps_the_order_accepted_until_it_arrives():
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
    assert isinstance(rig.fate(modify(fate.position_id)), RequestDone)
    assert isinstance(rig.fate(close(fate.position_id, client_id="r1-4")), Filled)
    assert not rig.positions


def test_deals_are_reported_once_without_the_initial_balance():
    rig = Rig()
    assert drive(rig.broker.new_deals()).value == ()
    rig.terminal.ledger.cash(250.0, "Deposit")
    (deposit,) = drive(rig.broker.new_deals()).value
    assert (deposit.balance_money, deposit.symbol, deposit.profit_money) == (250.0, "", 0.0)
    assert drive(rig.broker.new_deals()).value == ()


def test_restart_reports_missed_deals_not_yet_in_the_journal():
    rig = Rig()
    told = rig.perform(submit())
    known = [40_000_001, *(item.deal.deal_ticket for item in told if isinstance(item, NewDeal))]
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


@pytest.mark.parametrize("rule", ["new_york_plus_7", "eet"])
def test_no_deal_of_the_journal_is_older_than_its_tickets(rule):
    rig = Rig()
    rig.broker.session.server = ServerClock(rule)
    first = START // DAY_NS * DAY_NS
    for day in range(400):
        until = first + day * DAY_NS + H1_NS // 2
        rig.broker.resume_deals(until, [1], 0, {1: 0.0})
        oldest_s = rig.broker._deals._floor_s
        assert rig.broker.session.server.utc_ns(oldest_s) > until - KNOWN_DEALS_NS


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
    told = rig.perform(QueryBook(why="test"))
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
    states = [item for item in rig.broker.take_events() if isinstance(item, ConnectionState)]
    assert [state.is_connected for state in states] == [False, True]
    assert rig.broker.take_events() == ()


def test_a_symbol_list_from_a_fresh_child_restores_the_connection():
    rig = Rig()
    rig.module.shutdown()
    assert drive(rig.carrier.call("symbols_get")).error_code == -5
    records = drive(rig.broker.session.read("symbols_get"))
    assert [record["name"] for record in records][:1] == ["EURUSD"]


def test_an_old_terminal_stops_the_start():
    rig = Rig(connect=False)
    rig.module.initialize = lambda **_: rig.module.symbols_total() is not None
    with pytest.raises(BrokerError, match="do not fit"):
        drive(rig.broker.connect())


def test_lost_terminal_reads_unknown_and_retries_back_off():
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


def test_changed_account_stops_everything_until_it_returns():
    rig = Rig()
    rig.fate(submit())
    terms = rig.terminal.ledger.terms
    rig.terminal.ledger.terms = structs.replace(terms, login=9999, trade_mode="real")
    assert not drive(rig.broker.book()).known
    (trouble,) = rig.broker.take_events()
    assert isinstance(trouble, EngineFault)
    assert (trouble.kind, trouble.active) == ("account_changed", True)
    assert "9999" in trouble.why
    assert isinstance(drive(rig.broker.account()), Unknown)
    assert isinstance(drive(rig.broker.new_deals()), Unknown)
    assert rig.fate(submit("r1-2")).kind == "operator"
    assert rig.fate(close(rig.positions[0].ticket)).kind == "operator"
    rig.terminal.ledger.terms = terms
    assert drive(rig.broker.book()).known
    (back,) = rig.broker.take_events()
    assert not back.active


def test_quotes_are_utc_and_symbols_without_quotes_are_omitted():
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


def test_forming_bar_is_excluded_until_it_closes():
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


def test_slow_answer_does_not_close_a_forming_bar():
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
    drive(rig.broker.server_clock_rule())
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
