"""Each fault strikes when switched on, leaves the ledger as it says, and is the same for the same seed."""

from __future__ import annotations

import pytest

from quarterdeck.core.brokers.simulator.faults import FaultRates, Faults
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock
from tests.core.brokers.simulator.kit import SERVER_START_S, Desk


def faulty(**rates):
    desk = Desk(faults=Faults(seed=3))
    desk.terminal.faults.set(FaultRates(**rates))
    return desk


def test_a_lost_reply_may_hide_an_execution_or_not():
    desk = faulty(lost_reply_executed=1.0)
    assert desk.deal("buy", 0.1) is None
    assert desk.mt.last_error() == (-10002, "IPC recv failed")
    assert desk.mt.positions_get() is None
    assert desk.mt.last_error()[0] == -10004
    assert desk.mt.initialize()
    assert len(desk.mt.positions_get()) == 1
    desk = faulty(lost_reply_not_executed=1.0)
    assert desk.deal("buy", 0.1) is None
    assert desk.mt.initialize()
    assert desk.mt.positions_get() == ()


@pytest.mark.parametrize(("name", "positions"), [("ambiguous_code_executed", 1), ("ambiguous_code_not_executed", 0)])
def test_ambiguous_codes(name, positions):
    desk = faulty(**{name: 1.0})
    assert desk.deal("buy", 0.1).retcode in (10011, 10012, 10031)
    assert desk.mt.positions_total() == positions


@pytest.mark.parametrize(("name", "state", "positions"), [("placed_then_filled", 4, 1), ("placed_then_refused", 5, 0)])
def test_accepted_first_and_decided_later(name, state, positions):
    desk = faulty(**{name: 1.0, "delay_s": 5.0})
    sent = desk.deal("buy", 0.1)
    assert (sent.retcode, sent.deal) == (10008, 0)
    assert desk.mt.orders_get(ticket=sent.order)[0].comment == ""
    assert desk.mt.positions_total() == 0
    assert desk.terminal.next_ns() == desk.terminal.now_utc_ns + 5_000_000_000
    desk.terminal.advance()
    assert desk.mt.positions_total() == positions
    assert desk.mt.history_orders_get(ticket=sent.order)[0].state == state
    assert desk.terminal.next_ns() is None


@pytest.mark.parametrize("name", ["placed_then_filled", "placed_then_refused"])
def test_what_the_server_still_thinks_about_waits_for_no_price(name):
    """A tick meanwhile must not fill it as if it were a pending order: a close would open the other side."""
    desk = Desk(faults=Faults())
    sent = desk.deal("buy", 0.1)
    desk.terminal.faults.set(FaultRates(**{name: 1.0, "delay_s": 5.0}))
    assert desk.deal("sell", 0.1, position=sent.order).retcode == 10008
    desk.tick("EURUSD", 1.086, 1.08615, after_s=2)
    assert [held.ticket for held in desk.mt.positions_get()] == [sent.order]
    desk.tick("EURUSD", 1.084, 1.08415, after_s=1)
    assert [held.ticket for held in desk.mt.positions_get()] == [sent.order]


def test_a_late_close_closes():
    desk = Desk(faults=Faults())
    sent = desk.deal("buy", 0.1)
    desk.terminal.faults.set(FaultRates(placed_then_filled=1.0))
    assert desk.deal("sell", 0.1, position=sent.order).retcode == 10008
    desk.terminal.advance()
    assert desk.mt.positions_total() == 0


def test_a_deal_that_shows_late():
    desk = faulty(late_deal=1.0, delay_s=3.0)
    sent = desk.deal("buy", 0.1)
    assert (sent.retcode, sent.deal, sent.price) == (10009, 0, 0.0)
    assert desk.mt.positions_total() == 1
    assert desk.deals() == []
    desk.tick("EURUSD", 1.085, 1.08515, after_s=3)
    assert len(desk.deals()) == 1


def test_a_partial_fill():
    desk = faulty(partial_fill=1.0)
    sent = desk.deal("buy", 0.25)
    assert (sent.retcode, sent.volume) == (10010, 0.12)
    assert desk.mt.positions_get()[0].volume == 0.12


def test_bursts_of_refusals_have_a_length():
    desk = faulty(refusal_burst=1.0, refusal_burst_length=3)
    codes = [desk.deal("buy", 0.1).retcode for _ in range(3)]
    assert len(set(codes)) == 1
    assert codes[0] in (10004, 10020, 10021, 10024, 10029, 10039)
    assert desk.mt.positions_total() == 0


def test_a_broken_pipe_stays_broken_until_initialised():
    desk = faulty(pipe_broken=1.0)
    assert desk.mt.account_info() is None
    assert desk.mt.last_error()[0] == -10002
    assert desk.mt.account_info() is None
    assert desk.mt.last_error()[0] == -10004
    desk.terminal.faults.set(FaultRates())
    assert desk.mt.initialize()
    assert desk.mt.account_info().balance == 10_000.0


def test_positions_that_are_not_known():
    desk = faulty(positions_unknown=1.0)
    desk.deal("buy", 0.1)
    assert desk.mt.positions_get() is None
    assert desk.mt.last_error()[0] == -1
    assert desk.mt.positions_total() == 1


def test_comments_and_tickets_change():
    desk = faulty(comment_truncated=1.0)
    desk.deal("buy", 0.1, comment="0123456789abcdef")
    assert desk.mt.positions_get()[0].comment == "0123456789ab"
    desk = faulty(comment_replaced=1.0)
    desk.deal("buy", 0.1, comment="mine")
    assert desk.mt.positions_get()[0].comment == "server"
    desk = faulty(ticket_changed=1.0)
    sent = desk.deal("buy", 0.1)
    held = desk.mt.positions_get()[0]
    assert held.identifier == sent.order != held.ticket
    assert desk.mt.history_deals_get(position=held.identifier)


def test_a_trade_server_that_is_lost_comes_back():
    desk = faulty(server_lost=1.0, server_lost_s=20.0)
    assert not desk.mt.terminal_info().connected
    desk.terminal.faults.set(FaultRates(slow_call=1e-9))
    assert desk.deal("buy", 0.1).retcode == 10031
    assert not desk.mt.positions_get()
    desk.tick("EURUSD", 1.0850, 1.08515, after_s=21)
    assert desk.mt.terminal_info().connected
    assert desk.deal("buy", 0.1).retcode == 10009


def test_a_gap_in_the_quotes_passes_over_a_stop():
    desk = Desk()
    desk.deal("buy", 0.1, sl=1.08300)
    before = desk.mt.symbol_info_tick("EURUSD").bid
    desk.terminal.faults.set(FaultRates(quote_gap=1.0, quote_gap_s=60.0))
    desk.tick("EURUSD", 1.08290, 1.08305)
    assert desk.mt.positions_get()
    assert desk.mt.symbol_info_tick("EURUSD").bid == before, "nothing is quoted"
    desk.tick("GBPUSD", 1.27100, 1.27115)
    desk.terminal.faults.set(FaultRates(quote_gap=1e-9))
    desk.tick("EURUSD", 1.08280, 1.08295)
    assert desk.mt.positions_get(), "not before its time"
    desk.tick("EURUSD", 1.08100, 1.08115, after_s=60)
    (deal,) = desk.deals(entry=1)
    assert (deal.price, desk.ledger.deal_rule(deal.ticket)) == (1.08100, "gap")


def test_figures_of_nonsense():
    desk = faulty(tick_value_factor=10.0, tick_size_zero=True, hidden_stops_level_points=50)
    info = desk.mt.symbol_info("EURUSD")
    assert (round(info.trade_tick_value, 6), info.trade_tick_size, info.trade_stops_level) == (10.0, 0.0, 0)
    assert desk.deal("buy", 0.1, sl=1.0848).retcode == 10016
    assert desk.deal("buy", 0.1, sl=1.08).retcode == 10009


def test_slow_calls_are_virtual_time():
    desk = faulty(slow_call=1.0, slow_call_s=2.0)
    desk.mt.account_info()
    desk.mt.positions_get()
    assert desk.terminal.faults.take_delay_s() == 4.0
    assert desk.terminal.faults.take_delay_s() == 0.0


def test_duplicate_ticks_and_a_clock_that_jumps():
    desk = faulty(duplicate_ticks=1.0)
    ticks = desk.mt.copy_ticks_range("EURUSD", 1, 2**31 - 1, -1)
    assert ticks["time_msc"][-1] == ticks["time_msc"][-2]
    assert desk.mt.symbol_info_tick("EURUSD").time == SERVER_START_S
    desk.terminal.set_clock(SimulatedServerClock("new_york_plus_7", jump_s=3_600))
    assert desk.mt.symbol_info_tick("EURUSD").time == SERVER_START_S + 3_600
    assert desk.mt.copy_rates_from_pos("EURUSD", 15, 0, 1)["time"][0] == SERVER_START_S + 3_600 - 900


def test_one_seed_is_one_bad_day():
    def day(seed):
        desk = Desk(faults=Faults(FaultRates(lost_reply_executed=0.2, refusal_burst=0.2, partial_fill=0.3), seed=seed))
        found = []
        for _ in range(40):
            desk.mt.initialize()
            sent = desk.deal("buy", 0.1)
            found.append(None if sent is None else (sent.retcode, sent.volume))
        return found, dict(desk.terminal.faults.drawn)

    assert day(1) == day(1)
    assert day(1) != day(2)
    assert sum(day(1)[1].values()) > 5


def test_without_rates_nothing_is_drawn():
    desk = Desk()
    state = desk.terminal.faults._random.getstate()
    desk.deal("buy", 0.1)
    desk.mt.positions_get()
    assert desk.terminal.faults._random.getstate() == state
