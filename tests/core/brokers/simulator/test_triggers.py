"""What prices do by themselves: stops, targets, gaps, ranges, pending orders, swap, stop-out."""

from __future__ import annotations

import pytest

from tests.core.brokers.simulator.kit import SECOND, Desk

BUY = {"side": "buy", "sl": 1.08300, "tp": 1.08900}
SELL = {"side": "sell", "sl": 1.08700, "tp": 1.08100}

TICKS = [
    # a long leaves at the bid, at or beyond its level
    (BUY, (1.08300, 1.08315), (4, 1.08300, "tick")),
    (BUY, (1.08250, 1.08265), (4, 1.08250, "gap")),
    (BUY, (1.08900, 1.08915), (5, 1.08900, "tick")),
    (BUY, (1.08950, 1.08965), (5, 1.08950, "gap")),
    (BUY, (1.08301, 1.08302), None),
    (BUY, (1.08890, 1.08905), None),
    # a short leaves at the ask: its stop fires without the bid reaching it
    (SELL, (1.08685, 1.08700), (4, 1.08700, "tick")),
    (SELL, (1.08720, 1.08735), (4, 1.08735, "gap")),
    (SELL, (1.08080, 1.08095), (5, 1.08095, "gap")),
    (SELL, (1.08090, 1.08105), None),
]


@pytest.mark.parametrize(("order", "quote", "exit_"), TICKS)
def test_stops_and_targets_at_ticks(order, quote, exit_):
    desk = Desk()
    desk.deal(order["side"], 0.1, sl=order["sl"], tp=order["tp"], comment="mine")
    desk.tick("EURUSD", *quote)
    outs = desk.deals(entry=1)
    if exit_ is None:
        assert not outs
        return
    deal = outs[0]
    assert (deal.reason, deal.price, desk.ledger.deal_rule(deal.ticket)) == exit_
    level = order["sl"] if deal.reason == 4 else order["tp"]
    assert deal.comment == f"[{'sl' if deal.reason == 4 else 'tp'} {level:.5f}]"
    assert desk.mt.positions_get() == ()
    order_row = desk.mt.history_orders_get(ticket=deal.order)[0]
    assert (order_row.reason, order_row.state) == (deal.reason, 4)


RANGES = [
    (BUY, (1.08290, 1.08600), False, (4, 1.08300, "range_stop")),
    (BUY, (1.08400, 1.08920), False, (5, 1.08900, "range_target")),
    (BUY, (1.08290, 1.08920), False, (4, 1.08300, "both_touched_stop_first")),
    (BUY, (1.08290, 1.08920), True, (5, 1.08900, "both_touched_target_first")),
    # the whole range lies beyond the stop: its nearer end is the first price there was
    (BUY, (1.08100, 1.08200), False, (4, 1.08200, "range_stop")),
    (SELL, (1.08400, 1.08690), False, (4, 1.08700, "range_stop")),
    (SELL, (1.08080, 1.08400), False, (5, 1.08100, "range_target")),
    (SELL, (1.08080, 1.08690), False, (4, 1.08700, "both_touched_stop_first")),
    (SELL, (1.08800, 1.08900), False, (4, 1.08810, "range_stop")),
    (BUY, (1.08301, 1.08899), False, None),
]


@pytest.mark.parametrize(("order", "span", "target_first", "exit_"), RANGES)
def test_ranges(order, span, target_first, exit_):
    desk = Desk(target_first=target_first)
    desk.deal(order["side"], 0.1, sl=order["sl"], tp=order["tp"])
    desk.span("EURUSD", *span)
    outs = desk.deals(entry=1)
    assert (outs[0].reason, outs[0].price, desk.ledger.deal_rule(outs[0].ticket)) == exit_ if exit_ else not outs
    assert desk.ledger.quotes["EURUSD"][:2] == (1.085, 1.08515)


PENDING = [
    (2, 1.08400, 0.0, (1.08380, 1.08395), (0, 1.08395)),
    (3, 1.08700, 0.0, (1.08710, 1.08725), (1, 1.08710)),
    (4, 1.08700, 0.0, (1.08690, 1.08705), (0, 1.08705)),
    (5, 1.08300, 0.0, (1.08300, 1.08315), (1, 1.08300)),
    (4, 1.08700, 0.0, (1.08680, 1.08695), None),
]


@pytest.mark.parametrize(("kind", "price", "limit", "quote", "filled"), PENDING)
def test_pending_orders_fill(kind, price, limit, quote, filled):
    desk = Desk()
    placed = desk.send(action=5, symbol="EURUSD", volume=0.1, type=kind, price=price, stoplimit=limit, comment="p")
    desk.tick("EURUSD", *quote)
    held = desk.mt.positions_get()
    if filled is None:
        assert held == ()
        return
    assert (held[0].type, held[0].price_open, held[0].ticket, held[0].comment) == (*filled, placed.order, "p")
    assert desk.mt.history_orders_get(ticket=placed.order)[0].state == 4


def test_a_stop_limit_becomes_a_limit():
    desk = Desk()
    desk.send(action=5, symbol="EURUSD", volume=0.1, type=6, price=1.087, stoplimit=1.086)
    desk.tick("EURUSD", 1.08690, 1.08705)
    order = desk.mt.orders_get()[0]
    assert (order.type, order.price_open, order.price_stoplimit) == (2, 1.086, 0.0)
    desk.tick("EURUSD", 1.08580, 1.08595)
    assert desk.mt.positions_get()[0].price_open == 1.08595


def test_a_pending_order_and_its_stop_in_one_range():
    desk = Desk()
    desk.send(action=5, symbol="EURUSD", volume=0.1, type=2, price=1.084, sl=1.083, tp=1.0845)
    desk.span("EURUSD", 1.0835, 1.0850)
    assert desk.mt.positions_get()[0].price_open == 1.084
    desk = Desk()
    desk.send(action=5, symbol="EURUSD", volume=0.1, type=2, price=1.084, sl=1.083, tp=1.0845)
    desk.span("EURUSD", 1.0825, 1.0850)
    assert [deal.price for deal in desk.deals()] == [1.084, 1.083]


def test_a_pending_order_without_margin_is_rejected():
    desk = Desk(balance_money=500.0)
    placed = desk.send(action=5, symbol="EURUSD", volume=1.0, type=2, price=1.084)
    assert placed.retcode == 10009
    desk.tick("EURUSD", 1.08380, 1.08395)
    assert desk.mt.history_orders_get(ticket=placed.order)[0].state == 5
    assert desk.mt.positions_get() == ()


def test_positions_come_before_orders_and_older_before_newer():
    desk = Desk()
    first = desk.deal("buy", 0.1, sl=1.083)
    second = desk.deal("buy", 0.1, sl=1.0835)
    desk.send(action=5, symbol="EURUSD", volume=0.1, type=5, price=1.083)
    desk.tick("EURUSD", 1.082, 1.0822)
    assert [deal.position_id for deal in desk.deals()[2:4]] == [first.order, second.order]
    assert desk.deals()[4].entry == 0


def test_swap_each_night_and_three_on_wednesday():
    # Wednesday 2024-07-03 10:00 UTC; New York's 17:00 is 21:00 UTC
    desk = Desk(specs={"EURUSD": {"swap_long": -7.85, "swap_short": 3.8}})
    sent = desk.deal("buy", 1.0)
    desk.tick("EURUSD", 1.085, 1.08515, after_s=10 * 3_600)
    assert desk.mt.positions_get()[0].swap == 0.0
    desk.tick("EURUSD", 1.085, 1.08515, after_s=3_600)
    assert desk.mt.positions_get()[0].swap == -23.55
    desk.tick("EURUSD", 1.085, 1.08515, after_s=24 * 3_600)
    assert desk.mt.positions_get()[0].swap == -31.40
    # Friday's night counts once, Saturday and Sunday not at all
    desk.tick("EURUSD", 1.085, 1.08515, after_s=24 * 3_600)
    assert desk.mt.positions_get()[0].swap == -39.25
    desk.tick("EURUSD", 1.085, 1.08515, after_s=(2 * 24 + 11) * 3_600)
    assert desk.mt.positions_get()[0].swap == -39.25
    assert desk.mt.account_info().equity == 10_000 - 15 - 39.25
    desk.deal("sell", 0.25, position=sent.order)
    assert desk.deals(entry=1)[0].swap == -9.81
    desk.deal("sell", 0.75, position=sent.order)
    assert sum(deal.swap for deal in desk.deals()) == pytest.approx(-39.25)


@pytest.mark.parametrize(("mode", "charged"), [(0, 0.0), (1, -3.0), (4, -3.0), (5, -9.04), (6, -9.04)])
def test_swap_modes(mode, charged):
    desk = Desk(specs={"EURUSD": {"swap_mode": mode, "swap_long": -1.0, "swap_triple_weekday": 3}})
    desk.deal("buy", 1.0)
    desk.terminal.advance_to(desk.terminal.now_utc_ns + 12 * 3_600 * SECOND)
    assert desk.mt.positions_get()[0].swap == charged


def test_a_stop_out_closes_the_worst_first():
    desk = Desk(balance_money=1_500.0, leverage=100)
    small = desk.deal("buy", 0.3)
    large = desk.deal("buy", 1.0)
    desk.tick("EURUSD", 1.08100, 1.08115)
    assert desk.mt.positions_total() == 2
    info = desk.mt.account_info()
    assert info.margin_so_so < info.margin_level <= info.margin_so_call
    desk.tick("EURUSD", 1.07840, 1.07855)
    out = desk.deals(entry=1)
    assert [deal.position_id for deal in out] == [large.order]
    assert (out[0].reason, out[0].price) == (6, 1.0784)
    assert out[0].comment.startswith("[so 4")
    assert desk.mt.positions_get()[0].ticket == small.order


@pytest.mark.parametrize("stop", [0.0, 1.0])
def test_a_stop_that_is_too_far_spares_no_stop_out(stop):
    desk = Desk(balance_money=1_500.0, leverage=100)
    desk.deal("buy", 1.0, sl=stop)
    desk.tick("EURUSD", 1.07540, 1.07555)
    assert desk.deals(entry=1)[0].reason == 6


def test_an_order_filled_beyond_its_stop_can_be_stopped_out():
    desk = Desk(balance_money=600.0, leverage=500)
    desk.send(action=5, symbol="EURUSD", volume=1.0, type=2, price=1.083, sl=1.0829)
    desk.tick("EURUSD", 1.0760, 1.0810)
    out = desk.deals(entry=1)
    assert [(deal.reason, deal.price) for deal in out] == [(6, 1.076)]


def test_a_range_can_stop_out():
    desk = Desk(balance_money=1_500.0)
    desk.deal("buy", 1.0)
    desk.span("EURUSD", 1.0740, 1.0860)
    assert desk.ledger.deal_rule(desk.deals(entry=1)[0].ticket) == "range_stop_out"


def test_the_servers_own_closes_respect_the_largest_volume():
    desk = Desk(specs={"EURUSD": {"volume_max_lots": 1.0}}, leverage=500, hedging=False)
    for _ in range(3):
        desk.deal("buy", 0.7)
    desk.send(action=6, symbol="EURUSD", sl=1.08)
    desk.tick("EURUSD", 1.0799, 1.08005)
    assert [deal.volume for deal in desk.deals(entry=1)] == [1.0, 1.0, 0.1]
    assert desk.mt.positions_get() == ()
