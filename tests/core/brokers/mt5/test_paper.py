"""Paper on a live feed: real prices, simulated money, and not one order that leaves."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.core.brokers.mt5.account_file import AccountFile, PaperAccount
from quarterdeck.core.brokers.mt5.paper import FEED_CALLS, paper_broker
from quarterdeck.core.brokers.simulator.rate_arrays import TICKS_DTYPE
from quarterdeck.core.model.effects import QueryBook
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.inputs import BrokerBook, Filled, NewDeal, RequestDone
from quarterdeck.core.model.reads import Known, Unknown
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.brokers.mt5.kit import Rig, close, drive, modify, submit

ALLOWED = FEED_CALLS | {"initialize", "terminal_info", "symbol_select", "account_info", "history_deals_get", "order_calc_profit"}
"""The last three only before the paper account exists, to look at the feed itself."""


class Feed:
    """A rig whose carrier fails the test on anything that trades, and which moves while it is waited for."""

    def __init__(self, **rig):
        self.rig = Rig(connect=False, rule="eet", **rig)
        self.calls = []
        self.number = 0
        original = self.rig.carrier.call_now

        def call_now(name, args=(), kwargs=None):
            assert name in ALLOWED, f"{name} reached the feed"
            assert not set(kwargs or {}) & {"login", "password", "server"}
            self.calls.append(name)
            return original(name, args, kwargs)

        self.rig.carrier.call_now = call_now

    async def sleep(self, seconds):
        self.number += 1
        self.rig.tick("EURUSD", 1.085 + self.number * 1e-5, 1.0852 + self.number * 1e-5, after_s=seconds)

    def open(self, *changes, file=None):
        settings = shipped_settings(("desk.pairs", ("EURUSD", "GBPUSD", "USDJPY")), *changes)
        broker = paper_broker(self.rig.carrier, settings, self.rig.clock, sleep=self.sleep, file=file)
        drive(broker.connect())
        self.calls.clear()
        drive(broker.select(("EURUSD", "GBPUSD", "USDJPY")))
        drive(broker.quotes(("EURUSD", "GBPUSD", "USDJPY")))
        return broker


def fate(broker, request):
    return drive(broker.execute_request(request))[0].order_outcome


@pytest.mark.parametrize("suffix", ["", ".a"])
def test_orders_fill_at_the_feeds_prices_and_never_reach_it(suffix):
    feed = Feed(suffix=suffix)
    broker = feed.open()
    found = drive(broker.account()).value
    assert (found.mode, found.balance_money) == ("paper", 10_000.0)
    if not suffix:
        feed.rig.tick("EURUSD", 1.0901, 1.0903)
        filled = fate(broker, submit(lots=0.1, quoted_price=1.0903, stop_price=1.088, target_price=1.095))
        assert (type(filled), filled.price) == (Filled, 1.0903)
        assert isinstance(fate(broker, modify(filled.position_id, stop_price=1.089, target_price=1.095)), RequestDone)
        assert isinstance(fate(broker, close(filled.position_id, lots=0.1)), Filled)
    else:
        assert isinstance(fate(broker, submit(lots=0.1, quoted_price=1.0852, stop_price=1.08, target_price=None)), Filled)
    assert not {"order_send", "order_check", "positions_get", "orders_get"} & set(feed.calls)
    assert feed.rig.terminal.ledger.positions == {}


def test_the_feeds_clock_is_the_ledgers_clock():
    feed = Feed()
    broker = feed.open()
    told = drive(broker.execute_request(submit(lots=0.1, quoted_price=1.0852, stop_price=1.08, target_price=None)))
    (deal,) = [item.deal for item in told if isinstance(item, NewDeal)]
    assert abs(deal.at_utc_ns - feed.rig.terminal.now_utc_ns) < NS_PER_S
    assert drive(broker.server_clock_rule()).offset_s == 10_800


def ticks_of(feed, bids, after_ms):
    """Ticks of EURUSD that the feed tells of, so many milliseconds after now."""
    ticks = np.zeros(len(bids), dtype=TICKS_DTYPE)
    ticks["time_msc"] = feed.rig.terminal.clock.server_ms(feed.rig.terminal.now_utc_ns) + np.array(after_ms)
    ticks["time"] = ticks["time_msc"] // 1000
    ticks["bid"] = bids
    ticks["ask"] = ticks["bid"] + 0.0001
    return ticks


def test_paper_account_survives_restart_and_catches_up(tmp_path):
    file = AccountFile(tmp_path, PaperAccount)
    feed = Feed()
    broker = feed.open(file=file)
    first = fate(broker, submit(lots=0.1, quoted_price=1.0852, stop_price=1.083, target_price=None))
    second = fate(broker, submit("r1-9", symbol="GBPUSD", lots=0.1, quoted_price=1.2702, stop_price=1.26, target_price=None))
    assert isinstance(fate(broker, modify(first.position_id, stop_price=1.084, target_price=None)), RequestDone)
    balance = drive(broker.account()).value.balance_money
    missed = ticks_of(feed, [1.0845, 1.0838, 1.0846], [60_000, 120_000, 180_000])
    feed.rig.tick("EURUSD", 1.0850, 1.0851, after_s=3600.0)
    feed.rig.carrier._functions["copy_ticks_range"] = lambda *_: missed

    again = feed.open(file=file)
    told = drive(again.execute_request(QueryBook(why="test")))
    (book,) = [item for item in told if isinstance(item, BrokerBook)]
    assert [position.position_id for position in book.positions] == [second.position_id]
    (deal,) = [deal for deal in drive(again.deals_of(first.position_id)).value if deal.entry == "out"]
    assert (deal.reason, deal.price) == ("stop", 1.0838)
    assert abs(deal.at_utc_ns - feed.rig.terminal.now_utc_ns + 3480 * NS_PER_S) < 2 * NS_PER_S
    assert drive(again.account()).value.balance_money < balance
    assert fate(again, close(second.position_id, symbol="GBPUSD", lots=0.1)).position_id == second.position_id
    tickets = [deal.deal_ticket for position in (first, second) for deal in drive(again.deals_of(position.position_id)).value]
    assert len(set(tickets)) == len(tickets) == 4


def test_a_kept_account_of_another_kind_is_never_overwritten(tmp_path):
    path = tmp_path / PaperAccount.FILE
    Feed().open(file=AccountFile(path.parent, PaperAccount))
    before = path.read_bytes()
    with pytest.raises(BrokerError, match=r"USD, hedging; settings ask for .* JPY"):
        Feed().open(("simulation.currency", "JPY"), file=AccountFile(path.parent, PaperAccount))
    assert path.read_bytes() == before
    path.write_bytes(before[:100])
    with pytest.raises(BrokerError, match="cannot be read"):
        Feed().open(file=AccountFile(path.parent, PaperAccount))


def test_refused_disk_write_is_retried_at_the_next_change(tmp_path):
    path = tmp_path / "later" / PaperAccount.FILE
    feed = Feed()
    broker = feed.open(file=AccountFile(path.parent, PaperAccount))
    assert isinstance(fate(broker, submit(lots=0.1, quoted_price=1.0852, stop_price=1.08, target_price=None)), Filled)
    assert not path.exists()
    path.parent.mkdir()
    drive(broker.quotes(("EURUSD",)))
    assert path.is_file()
    assert [row.name for row in path.parent.iterdir()] == [PaperAccount.FILE]


def test_a_stop_touched_between_two_reads_fires_at_its_tick():
    feed = Feed()
    broker = feed.open()
    assert isinstance(fate(broker, submit(lots=0.1, quoted_price=1.0852, stop_price=1.083, target_price=None)), Filled)
    server_ms = feed.rig.terminal.clock.server_ms(feed.rig.terminal.now_utc_ns)
    between = np.zeros(3, dtype=TICKS_DTYPE)
    between["time_msc"] = server_ms + np.array([500, 1000, 1500])
    between["time"] = between["time_msc"] // 1000
    between["bid"] = [1.0840, 1.0828, 1.0845]
    between["ask"] = between["bid"] + 0.0001
    feed.rig.carrier._functions["copy_ticks_range"] = lambda *_: between
    feed.rig.tick("EURUSD", 1.0850, 1.0851, after_s=3.0)
    drive(broker.quotes(("EURUSD",)))
    told = drive(broker.execute_request(QueryBook(why="test")))
    (deal,) = [item.deal for item in told if isinstance(item, NewDeal)]
    assert (deal.reason, deal.price, deal.entry) == ("stop", 1.0828, "out")
    assert told[-1].positions == ()


def test_while_the_feed_is_unknown_nothing_is_quoted_or_filled():
    feed = Feed()
    broker = feed.open()
    feed.rig.terminal.state.running = False
    feed.rig.terminal.state.initialised = False
    assert isinstance(drive(broker.quotes(("EURUSD",))), Unknown)
    refused = fate(broker, submit(lots=0.1))
    assert refused.kind == "retry"
    feed.rig.terminal.state.running = True
    feed.rig.clock.wait(300)
    assert isinstance(drive(broker.quotes(("EURUSD",))), Known)
    assert drive(broker.book()).known


def test_pairs_that_convert_the_money_are_watched_as_well():
    feed = Feed()
    broker = feed.open(("simulation.currency", "JPY"))
    drive(broker.select(("EURUSD", "USDJPY")))
    drive(broker.quotes(("EURUSD", "USDJPY")))
    assert isinstance(fate(broker, submit(lots=0.01, quoted_price=1.0852, stop_price=1.08, target_price=None)), Filled)
    assert drive(broker.account()).value.currency == "JPY"
