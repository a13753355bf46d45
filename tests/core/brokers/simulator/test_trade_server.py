"""Trade requests: fills, refusals with their codes, hedging and netting, pending orders, close-by; money by worked examples."""

from __future__ import annotations

import pytest

from tests.core.brokers.simulator.kit import SECOND, SERVER_START_S, USUAL, Desk

WORKED = [
    # account quote: 54360.00 - 54250.00
    ("EURUSD", "USD", "buy", 0.50, (1.08485, 1.08500), (1.08720, 1.08735), 110.00, 542.50, {}),
    # account base: 10500 JPY / 150.900
    ("USDJPY", "USD", "sell", 0.30, (151.250, 151.260), (150.890, 150.900), 69.58, 300.00, {}),
    ("USDCAD", "USD", "sell", 0.20, (1.36000, 1.36005), (1.36495, 1.36500), -73.26, 200.00, {}),
    # neither: -250 GBP at GBPUSD's ask
    ("EURGBP", "USD", "buy", 1.00, (0.85390, 0.85400), (0.85150, 0.85160), -317.54, 1085.15, {}),
    ("EURGBP", "USD", "buy", 1.00, (0.85390, 0.85400), (0.85650, 0.85660), 317.54, 1085.15, {}),
    ("EURGBP", "USD", "buy", 1.00, (0.85390, 0.85400), (0.85650, 0.85660), 317.50, 1085.15, {"conversion_rule": "by_market"}),
    ("EURUSD", "EUR", "buy", 0.10, (1.09990, 1.10000), (1.09500, 1.09510), -45.66, 333.33, {"leverage": 30}),
    ("AUDJPY", "EUR", "buy", 0.40, (97.490, 97.500), (98.100, 98.110), 146.86, None, {}),
]


@pytest.mark.parametrize(("symbol", "currency", "side", "lots", "opened", "closed", "profit", "margin", "terms"), WORKED)
def test_worked_examples(symbol, currency, side, lots, opened, closed, profit, margin, terms):
    quotes = {**USUAL, "AUDUSD": (0.66, 0.66010), symbol: opened}
    names = (symbol, *(name for name in ("GBPUSD", "EURUSD", "EURJPY", "AUDUSD") if name != symbol))
    desk = Desk(*names, quotes=quotes, currency=currency, commission_currency=currency, **terms)
    sent = desk.deal(side, lots, symbol)
    if margin is not None:
        assert desk.mt.account_info().margin == margin
        assert desk.mt.order_calc_margin(0 if side == "buy" else 1, symbol, lots, sent.price) == margin
    desk.tick(symbol, *closed)
    assert desk.mt.positions_get()[0].profit == profit
    price = closed[0] if side == "buy" else closed[1]
    assert desk.mt.order_calc_profit(0 if side == "buy" else 1, symbol, lots, sent.price, price) == profit
    before = desk.balance()
    desk.deal("sell" if side == "buy" else "buy", lots, symbol, position=sent.order)
    assert desk.deals(entry=1)[0].profit == profit
    assert round(desk.balance() - before, 2) == profit


def test_fixed_margin_and_margin_after():
    desk = Desk("EURUSD", specs={"EURUSD": {"margin_initial": 1000.0}}, currency="EUR", commission_currency="EUR")
    assert desk.mt.order_calc_margin(0, "EURUSD", 1.0, 1.085) == 10.0
    plain = Desk("EURUSD")
    check = plain.mt.order_check({"action": 1, "symbol": "EURUSD", "volume": 0.5, "type": 0, "type_filling": 1, "price": 1.08515})
    assert (check.retcode, check.comment, check.margin) == (0, "Done", 542.58)
    assert check.margin_free == round(10_000 - 542.58, 2)
    assert plain.mt.positions_total() == 0


def test_a_market_order_leaves_its_rows():
    desk = Desk("EURUSD", commission_per_lot_money=3.5)
    sent = desk.deal("buy", 0.30, sl=1.083, tp=1.09, comment="r1-1", position=0)
    assert (sent.retcode, sent.volume, sent.price, sent.bid, sent.ask) == (10009, 0.3, 1.08515, 1.085, 1.08515)
    assert sent.request_id == 1
    held = desk.mt.positions_get()[0]
    assert (held.ticket, held.identifier, held.type, held.sl, held.tp) == (sent.order, sent.order, 0, 1.083, 1.09)
    assert (held.magic, held.comment, held.time, held.profit) == (7, "r1-1", SERVER_START_S, -4.5)
    deal = desk.deals()[0]
    assert (deal.ticket, deal.order, deal.position_id, deal.entry, deal.reason) == (sent.deal, sent.order, sent.order, 0, 3)
    assert (deal.commission, desk.ledger.deal_rule(deal.ticket)) == (-1.05, "market")
    assert desk.balance() == 9_998.95
    order = desk.mt.history_orders_get(position=sent.order)[0]
    assert (order.state, order.volume_initial, order.volume_current, order.type) == (4, 0.3, 0.0, 0)
    assert len({sent.order, sent.deal}) == 2
    balance = desk.mt.history_deals_get(1, 2**31 - 1)[0]
    assert (balance.type, balance.profit, balance.symbol) == (2, 10_000.0, "")


def test_partial_close_keeps_the_ticket_and_the_stops():
    desk = Desk()
    sent = desk.deal("buy", 0.3, sl=1.08)
    desk.deal("sell", 0.1, position=sent.order)
    held = desk.mt.positions_get(ticket=sent.order)[0]
    assert (held.volume, held.sl, held.price_open) == (0.2, 1.08, 1.08515)
    assert desk.deal("sell", 0.3, position=sent.order).retcode == 10038
    assert desk.deal("sell", 0.005, position=sent.order).retcode == 10014
    assert desk.deal("sell", 0.2, position=sent.order).retcode == 10009
    assert desk.deal("sell", 0.2, position=sent.order).retcode == 10036
    assert [deal.volume for deal in desk.deals()] == [0.3, 0.1, 0.2]


def test_hedging_opens_the_opposite_without_a_pin():
    desk = Desk()
    desk.deal("buy", 0.2)
    desk.deal("sell", 0.2)
    assert [held.type for held in desk.mt.positions_get()] == [0, 1]
    assert Desk(hedge_prohibited=True).deal("buy", 0.1).retcode == 10009


def test_netting_adds_reduces_and_reverses():
    desk = Desk(hedging=False)
    first = desk.deal("buy", 0.2, sl=1.08, tp=1.10)
    desk.tick("EURUSD", 1.08700, 1.08715)
    desk.deal("buy", 0.2)
    held = desk.mt.positions_get()[0]
    assert (held.volume, round(held.price_open, 6), held.sl, held.tp) == (0.4, 1.08615, 0.0, 0.0)
    desk.deal("sell", 0.1, sl=1.2)
    held = desk.mt.positions_get()[0]
    assert (held.volume, held.sl, held.ticket) == (0.3, 0.0, first.order)
    reverse = desk.deal("sell", 0.5)
    held = desk.mt.positions_get()[0]
    assert (held.type, held.volume, held.price_open, held.ticket, held.identifier) == (1, 0.2, 1.087, reverse.order, first.order)
    last = desk.deals()[-1]
    assert (last.entry, last.volume, last.position_id, last.profit) == (2, 0.5, first.order, 25.5)
    desk.deal("buy", 0.2)
    assert desk.mt.positions_get() == ()
    assert {deal.position_id for deal in desk.deals()} == {first.order}


REFUSED = [
    ({"type": 2}, 10035),
    ({"volume": 0.0}, 10014),
    ({"volume": 0.015}, 10014),
    ({"volume": 100.01}, 10014),
    ({"type_filling": 2}, 10030),
    ({"type_filling": 3}, 10030),
    ({"sl": 1.0851}, 10016),
    ({"tp": 1.0849}, 10016),
    ({"sl": 1.080005}, 10016),
    ({"symbol": "XXXYYY"}, 10013),
    ({"action": 4}, 10013),
    ({"volume": 50.0}, 10019),
    ({"position": 99}, 10036),
]


@pytest.mark.parametrize(("changes", "code"), REFUSED)
def test_refusals_change_nothing(changes, code):
    desk = Desk()
    before = desk.terminal.trades_changed_counter
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "type_filling": 1, "price": 1.08515, **changes}
    assert desk.mt.order_check(request).retcode == code
    sent = desk.mt.order_send(request)
    assert (sent.retcode, sent.deal, sent.order) == (code, 0, 0)
    assert desk.terminal.trades_changed_counter == before


SPECIFIED = [
    ({"trade_mode": "disabled"}, "buy", 10017),
    ({"trade_mode": "long_only"}, "sell", 10042),
    ({"trade_mode": "short_only"}, "buy", 10043),
    ({"trade_mode": "close_only"}, "buy", 10044),
    ({"filling_flags": 1}, "buy", 10030),
    ({"execution": "instant", "filling_flags": 3}, "buy", 10030),
    ({"volume_limit_lots": 0.05}, "buy", 10034),
    ({"sessions": ((0, 3_600),)}, "buy", 10018),
]


@pytest.mark.parametrize(("spec", "side", "code"), SPECIFIED)
def test_what_the_symbol_forbids(spec, side, code):
    assert Desk(specs={"EURUSD": spec}).deal(side, 0.1).retcode == code


def test_account_limits_and_fifo():
    desk = Desk(positions_max=1)
    desk.deal("buy", 0.1)
    assert desk.deal("buy", 0.1).retcode == 10040
    fifo = Desk(fifo_close=True)
    first, second = fifo.deal("buy", 0.1), fifo.deal("buy", 0.1)
    assert fifo.deal("sell", 0.1, position=second.order).retcode == 10045
    assert fifo.deal("sell", 0.1, position=first.order).retcode == 10009
    barred = Desk(hedge_prohibited=True)
    barred.deal("buy", 0.1)
    assert barred.deal("sell", 0.1).retcode == 10046
    holiday = Desk(holidays=((0, 2**62),))
    assert holiday.deal("buy", 0.1).retcode == 10018


def test_instant_execution_asks_for_a_price():
    desk = Desk(specs={"EURUSD": {"execution": "instant"}})
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "deviation": 3}
    assert desk.mt.order_send({**request, "price": 0.0}).retcode == 10015
    requote = desk.mt.order_send({**request, "price": 1.08505})
    assert (requote.retcode, requote.bid, requote.ask) == (10004, 1.085, 1.08515)
    assert desk.mt.order_send({**request, "price": 1.08513}).retcode == 10009


def test_without_quotes_there_are_no_prices():
    desk = Desk("EURUSD", "USDJPY")
    del desk.ledger.quotes["USDJPY"]
    assert desk.send(action=1, symbol="USDJPY", volume=0.1, type=0, price=150.0).retcode == 10021


def test_stops_are_replaced_whole():
    desk = Desk(specs={"EURUSD": {"stops_level_points": 20, "freeze_level_points": 10}})
    sent = desk.deal("buy", 0.1, sl=1.08, tp=1.10)
    assert desk.send(action=6, symbol="EURUSD", position=sent.order, sl=1.08, tp=1.10).retcode == 10025
    assert desk.send(action=6, symbol="EURUSD", position=sent.order, sl=1.0849, tp=1.1).retcode == 10016
    assert desk.send(action=6, symbol="EURUSD", position=sent.order, sl=1.0848).retcode == 10009
    held = desk.mt.positions_get()[0]
    assert (held.sl, held.tp) == (1.0848, 0.0)
    desk.tick("EURUSD", 1.08488, 1.08503)
    assert desk.send(action=6, symbol="EURUSD", position=sent.order, sl=1.08, tp=0.0).retcode == 10029
    assert desk.deal("sell", 0.1, position=sent.order).retcode == 10029
    assert desk.send(action=6, symbol="EURUSD", position=99, sl=1.08).retcode == 10036


def test_pending_orders_are_placed_changed_and_removed():
    desk = Desk()
    placed = desk.send(action=5, symbol="EURUSD", volume=0.2, type=2, price=1.08, sl=1.07, tp=1.09, comment="p")
    assert (placed.retcode, placed.deal) == (10009, 0)
    order = desk.mt.orders_get()[0]
    assert (order.ticket, order.type, order.state, order.price_open, order.volume_current) == (placed.order, 2, 1, 1.08, 0.2)
    same = {"action": 7, "order": placed.order, "price": 1.08, "sl": 1.07, "tp": 1.09}
    assert desk.send(**same).retcode == 10025
    assert desk.send(**{**same, "price": 1.081}).retcode == 10009
    assert desk.mt.orders_get()[0].price_open == 1.081
    assert desk.send(action=7, order=99, price=1.0).retcode == 10035
    assert desk.send(action=8, order=placed.order).retcode == 10009
    assert desk.mt.orders_get() == ()
    assert desk.mt.history_orders_get(ticket=placed.order)[0].state == 2


WRONG_SIDE = [
    (2, 1.086, 0.0),
    (3, 1.084, 0.0),
    (4, 1.084, 0.0),
    (5, 1.086, 0.0),
    (6, 1.09, 1.095),
    (7, 1.08, 1.07),
    (2, 0.0, 0.0),
]


@pytest.mark.parametrize(("kind", "price", "limit"), WRONG_SIDE)
def test_pending_prices_on_the_wrong_side(kind, price, limit):
    assert Desk().send(action=5, symbol="EURUSD", volume=0.1, type=kind, price=price, stoplimit=limit).retcode == 10015


def test_pending_orders_have_limits_and_expiry():
    desk = Desk(orders_max=1)
    pending = {"action": 5, "symbol": "EURUSD", "volume": 0.1, "type": 2, "price": 1.08, "type_filling": 2}
    assert desk.send(**{**pending, "type_time": 2, "expiration": SERVER_START_S - 1}).retcode == 10022
    assert desk.send(**{**pending, "type_time": 9}).retcode == 10022
    sent = desk.send(**{**pending, "type_time": 2, "expiration": SERVER_START_S + 60})
    assert desk.send(**pending).retcode == 10033
    assert desk.mt.orders_get()[0].time_expiration == SERVER_START_S + 60
    desk.tick("EURUSD", 1.085, 1.08515, after_s=59)
    assert desk.mt.orders_total() == 1
    desk.tick("EURUSD", 1.085, 1.08515, after_s=2)
    assert desk.mt.history_orders_get(ticket=sent.order)[0].state == 6
    day = desk.send(**{**pending, "type_time": 1})
    # the server's midnight is eleven hours away
    desk.terminal.advance_to(desk.terminal.now_utc_ns + 11 * 3_600 * SECOND)
    assert desk.mt.history_orders_get(ticket=day.order)[0].state == 6


def test_close_by():
    desk = Desk(commission_per_lot_money=3.5)
    long = desk.deal("buy", 0.3)
    desk.tick("EURUSD", 1.08700, 1.08715)
    short = desk.deal("sell", 0.2)
    before = desk.balance()
    sent = desk.send(action=10, position=long.order, position_by=short.order)
    assert sent.retcode == 10009
    held = desk.mt.positions_get()
    assert [(row.ticket, row.volume) for row in held] == [(long.order, 0.1)]
    outs = desk.deals(entry=3)
    assert [(deal.type, deal.volume, deal.profit) for deal in outs] == [(1, 0.2, 37.0), (0, 0.2, 0.0)]
    assert round(desk.balance() - before, 2) == 37.0
    assert desk.mt.history_orders_get(ticket=sent.order)[0].type == 8
    assert desk.send(action=10, position=long.order, position_by=short.order).retcode == 10036
    assert Desk(hedging=False).send(action=10, position=1, position_by=2).retcode == 10035


def test_hedged_margin_and_money_check():
    desk = Desk(specs={"EURUSD": {"margin_hedged": 0.0}}, leverage=500)
    desk.deal("buy", 1.0)
    alone = desk.mt.account_info().margin
    desk.deal("sell", 1.0)
    assert (alone, desk.mt.account_info().margin) == (217.03, 0.0)
    assert desk.mt.account_info().margin_level == 0.0


def test_slippage_is_against_us():
    desk = Desk(slippage_pips=0.5)
    sent = desk.deal("buy", 0.1)
    assert sent.price == 1.0852
    assert desk.deal("sell", 0.1, position=sent.order).price == 1.08495


def test_end_of_a_replay_closes_everything():
    desk = Desk()
    desk.deal("buy", 0.1)
    desk.send(action=5, symbol="EURUSD", volume=0.1, type=2, price=1.08)
    desk.terminal.close_everything()
    assert (desk.mt.positions_total(), desk.mt.orders_total()) == (0, 0)
    assert desk.ledger.deal_rule(desk.deals()[-1].ticket) == "end"
