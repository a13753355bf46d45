from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from quarterdeck.core.brokers.mt5 import trade_requests
from quarterdeck.core.brokers.mt5.trade_requests import (
    FillingMemory,
    close_requests,
    filling_candidates,
    floor_volume,
    grid_price,
    open_request,
)
from quarterdeck.core.brokers.simulator import argument_parsing
from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.market_data import Quote, Side
from tests.core.brokers.mt5.kit import close, modify, submit

EURUSD = instrument("EURUSD")
QUOTE = Quote(symbol="EURUSD", at_utc_ns=0, bid=1.08500, ask=1.08512)
FLOATS = {"volume", "price", "stoplimit", "sl", "tp"}


def opened(effect=None, spec=EURUSD, filling=1, target=1.09):
    effect = effect or submit()
    return open_request(effect, spec, QUOTE, broker_symbol="EURUSD.a", filling=filling, magic=7, target_price=target)


def closed(effect, spec=EURUSD, open_lots=0.5):
    return close_requests(effect, spec, QUOTE, broker_symbol="EURUSD.a", filling=1, magic=7, open_lots=open_lots)


def test_entry_has_stop_target_and_correct_side_of_price():
    assert opened() == {
        "action": 1,
        "symbol": "EURUSD.a",
        "volume": 0.5,
        "type": 0,
        "price": 1.08512,
        "sl": 1.083,
        "tp": 1.09,
        "deviation": 20,
        "type_filling": 1,
        "type_time": 0,
        "magic": 7,
        "comment": "r1-1",
    }
    sell = opened(submit(side=Side.SELL, stop_price=1.087, target_price=1.08))
    assert (sell["type"], sell["price"]) == (1, 1.085)


def test_a_close_is_the_opposite_order_pinned_to_its_position():
    (request,) = closed(close(4711))
    assert (request["type"], request["price"], request["position"], request["volume"]) == (1, 1.085, 4711, 0.5)
    assert request["type_filling"] == opened()["type_filling"]
    assert "sl" not in request
    (buy_back,) = closed(close(4711, side=Side.SELL))
    assert (buy_back["type"], buy_back["price"]) == (0, 1.08512)


def test_only_what_is_still_open_is_closed():
    assert [item["volume"] for item in closed(close(1, lots=0.5), open_lots=0.2)] == [0.2]
    assert [item["volume"] for item in closed(close(1, lots=0.256), open_lots=0.5)] == [0.25]
    assert closed(close(1, lots=0.004), open_lots=0.5) == ()


def test_remainder_below_minimum_is_closed_with_its_exact_volume():
    coarse = structs.replace(EURUSD, volume_min_lots=0.1, volume_step_lots=0.1)
    assert [item["volume"] for item in closed(close(1, lots=0.03), coarse, open_lots=0.03)] == [0.03]


def test_a_close_above_the_maximum_is_split():
    small = structs.replace(EURUSD, volume_max_lots=2.0)
    pieces = [item["volume"] for item in closed(close(1, lots=5.5), small, open_lots=5.5)]
    assert pieces == [2.0, 2.0, 1.5]
    assert [item["volume"] for item in closed(close(1, lots=4.0), small, open_lots=4.0)] == [2.0, 2.0]


def test_entry_off_step_or_above_maximum_violates_an_invariant():
    for lots in (0.005, 0.123456, 101.0):
        with pytest.raises(InvariantError):
            opened(submit(lots=lots))
    for bad in ("", "x" * 26, "früh-1", "a\nb"):
        with pytest.raises(InvariantError):
            opened(submit(client_id=bad))


@pytest.mark.parametrize(
    ("execution", "mask", "expected"),
    [
        ("instant", 3, (0,)),
        ("request", 2, (0,)),
        ("market", 1, (0,)),
        ("market", 2, (1,)),
        ("market", 3, (1, 0)),
        ("market", 0, (0, 1, 2)),
        ("market", 4, (0, 1, 2)),
        ("exchange", 0, (2,)),
        ("exchange", 3, (2, 1, 0)),
        ("exchange", 4, (2,)),
    ],
)
def test_filling_modes_by_execution_and_mask(execution, mask, expected):
    assert filling_candidates(structs.replace(EURUSD, execution=execution, filling_flags=mask)) == expected


def test_the_mask_is_never_copied_into_the_mode():
    for mask in range(8):
        assert 3 not in filling_candidates(structs.replace(EURUSD, filling_flags=mask))


def test_refused_filling_mode_is_remembered_and_accepted_one_tried_first():
    memory = FillingMemory()
    assert memory.modes(EURUSD) == (1, 0)
    memory.refused("EURUSD", 1)
    assert memory.modes(EURUSD) == (0,)
    memory.took("EURUSD", 0)
    memory.refused("EURUSD", 0)
    assert memory.modes(EURUSD) == (1, 0), "when all were refused the whole list is tried again"


@given(
    lots=st.floats(0.01, 100.0),
    stop=st.floats(0.5, 2.0),
    deviation=st.integers(0, 500),
    step=st.sampled_from([0.01, 0.1, 1.0, 0.05]),
    digits=st.sampled_from([2, 3, 5]),
)
def test_every_request_passes_the_modules_strict_types(lots, stop, deviation, step, digits):
    point = round(10.0**-digits, digits)
    spec = structs.replace(EURUSD, volume_step_lots=step, volume_min_lots=step, digits=digits, point=point, tick_size=point)
    lots = floor_volume(spec, lots)
    if not lots:
        return
    effect = submit(lots=lots, stop_price=stop, deviation_points=deviation)
    made = [
        opened(effect, spec, target=None),
        *closed(close(9, lots=lots), spec, open_lots=lots),
        trade_requests.modify_request(modify(9, stop_price=stop, target_price=None), spec, broker_symbol="EURUSD", magic=7),
    ]
    for request in made:
        argument_parsing.trade_request((request,), {})
        for key, value in request.items():
            assert value is not None
            assert type(value) is (float if key in FLOATS else str if key in ("symbol", "comment") else int)
        assert request.get("sl", 0.0) == round(request.get("sl", 0.0), digits)


@given(lots=st.floats(0.0, 50.0), step=st.sampled_from([0.01, 0.02, 0.1, 1.0]), least=st.sampled_from([0.01, 0.1, 1.0]))
def test_volume_goes_down_to_the_grid_and_never_up(lots, step, least):
    spec = structs.replace(EURUSD, volume_step_lots=step, volume_min_lots=least)
    floored = floor_volume(spec, lots)
    assert floored <= lots + 1e-6
    assert floored == 0.0 or floored >= least
    assert lots < least - 1e-6 or lots - floored < step + 1e-6
    steps = (floored - least) / step
    assert floored == 0.0 or abs(steps - round(steps)) < 1e-6


def test_grid_of_a_quarter_tick():
    gold = structs.replace(EURUSD, tick_size=0.25, digits=2, point=0.01)
    assert grid_price(gold, 1999.9) == 2000.0
    assert grid_price(gold, 2000.13) == 2000.25
    assert grid_price(structs.replace(gold, tick_size=0.0), 2000.127) == 2000.13
    assert grid_price(gold, None) == 0.0


def test_stops_are_judged_against_the_side_that_closes():
    near = structs.replace(EURUSD, stops_level_points=20)
    assert not trade_requests.stops_problem(near, Side.BUY, QUOTE, 1.0848, 1.0852)
    assert "stop" in trade_requests.stops_problem(near, Side.BUY, QUOTE, 1.08481, None)
    assert "target" in trade_requests.stops_problem(near, Side.BUY, QUOTE, 1.083, 1.08519)
    assert not trade_requests.stops_problem(near, Side.SELL, QUOTE, 1.08532, 1.08492)
    assert "stop" in trade_requests.stops_problem(near, Side.SELL, QUOTE, 1.08531, None)
    assert "stop" in trade_requests.stops_problem(EURUSD, Side.BUY, QUOTE, 1.086, None)
    assert not trade_requests.stops_problem(structs.replace(near, execution="exchange"), Side.BUY, QUOTE, 1.0849, None)
