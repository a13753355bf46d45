"""Constants, records, arrays and argument texts of the module's face (S1 to S8 of the reference)."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from quarterdeck.core.brokers.simulator import mt5_records
from quarterdeck.core.brokers.simulator.module_constants import CONSTANTS
from quarterdeck.core.brokers.simulator.mt5_api import FUNCTIONS
from quarterdeck.core.brokers.simulator.rate_arrays import RATES_DTYPE, TICKS_DTYPE
from tests.core.brokers.simulator.kit import SERVER_START_S, Desk

FIELD_COUNTS = {
    "AccountInfo": 28,
    "TerminalInfo": 22,
    "Tick": 8,
    "TradePosition": 19,
    "TradeOrder": 24,
    "TradeDeal": 18,
    "TradeRequest": 17,
    "OrderSendResult": 11,
    "OrderCheckResult": 9,
    "BookInfo": 4,
    "SymbolInfo": 96,
}


def good(**changes):
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "type_filling": 1, "price": 1.08515}
    return {**request, **changes}


@pytest.fixture
def desk():
    return Desk("EURUSD")


def test_constants_of_the_traps(desk):
    mt = desk.mt
    assert (mt.TRADE_ACTION_DEAL, mt.TRADE_ACTION_SLTP, mt.TRADE_ACTION_CLOSE_BY) == (1, 6, 10)
    assert (mt.ORDER_TYPE_BUY_LIMIT, mt.ORDER_TYPE_SELL_STOP_LIMIT, mt.ORDER_FILLING_BOC) == (2, 7, 3)
    assert (mt.TIMEFRAME_H1, mt.TIMEFRAME_D1, mt.TIMEFRAME_W1, mt.TIMEFRAME_MN1) == (16385, 16408, 32769, 49153)
    assert (mt.TRADE_RETCODE_DONE, mt.TRADE_RETCODE_POSITION_CLOSED, mt.TRADE_RETCODE_FIFO_CLOSE) == (10009, 10036, 10045)
    assert (mt.RES_E_INTERNAL_FAIL, mt.RES_E_INTERNAL_FAIL_CONNECT, mt.RES_E_INTERNAL_FAIL_TIMEOUT) == (-10000, -10004, -10005)
    assert (mt.DEAL_TAX, mt.DEAL_REASON_SPLIT, mt.BOOK_TYPE_BUY_MARKET) == (17, 9, 4)
    assert len(CONSTANTS) == 223


@pytest.mark.parametrize("name", ["SYMBOL_FILLING_FOK", "TRADE_RETCODE_HEDGE_PROHIBITED", "order_close", "ORDER_MODE_MARKET"])
def test_what_the_module_lacks_is_missing_here_too(desk, name):
    with pytest.raises(AttributeError):
        getattr(desk.mt, name)


def test_every_record_has_its_fields_in_order(desk):
    assert {name: kind.n_fields for name, kind in mt5_records.TYPES.items()} == FIELD_COUNTS
    tick = desk.mt.symbol_info_tick("EURUSD")
    assert tuple(tick._asdict()) == ("time", "bid", "ask", "last", "volume", "time_msc", "flags", "volume_real")
    assert tick[1] == tick.bid == 1.085
    assert desk.mt.symbol_info("EURUSD").name == desk.mt.symbol_info("EURUSD")[93] == "EURUSD"


@pytest.mark.parametrize(
    ("function", "layout"), [("account_info", mt5_records.ACCOUNT_INFO), ("terminal_info", mt5_records.TERMINAL_INFO)]
)
def test_field_types_of_account_and_terminal(desk, function, layout):
    record = getattr(desk.mt, function)()
    for value, kind in zip(record, mt5_records.types_of(layout), strict=True):
        assert type(value) is kind or (kind is float and isinstance(value, float))


def test_field_types_of_symbol_position_order_and_deal(desk):
    desk.deal("buy", 0.1)
    desk.send(action=5, symbol="EURUSD", volume=0.1, type=2, price=1.08)
    rows = [
        (desk.mt.symbol_info("EURUSD"), mt5_records.SYMBOL_INFO),
        (desk.mt.positions_get()[0], mt5_records.TRADE_POSITION),
        (desk.mt.orders_get()[0], mt5_records.TRADE_ORDER),
        (desk.mt.history_orders_get(1, 2**31 - 1)[0], mt5_records.TRADE_ORDER),
        (desk.mt.history_deals_get(1, 2**31 - 1)[-1], mt5_records.TRADE_DEAL),
        (desk.mt.symbol_info_tick("EURUSD"), mt5_records.TICK),
    ]
    for record, layout in rows:
        wrong = {
            name: value
            for (name, value), kind in zip(record._asdict().items(), mt5_records.types_of(layout), strict=True)
            if type(value) is not kind
        }
        assert not wrong, (type(record).__name__, wrong)


def test_records_are_read_only_tuples_that_cannot_be_pickled(desk):
    info = desk.mt.account_info()
    assert isinstance(info, tuple)
    with pytest.raises(AttributeError):
        info.balance = 1.0
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(info)
    assert copy.deepcopy(info) == info
    assert not hasattr(info, "_fields")
    assert not hasattr(info, "_replace")
    with pytest.raises(TypeError, match="8-sequence"):
        mt5_records.Tick((1, 2))
    result = desk.mt.order_send(good())
    assert isinstance(result._asdict()["request"], mt5_records.TradeRequest)


def test_arrays_are_packed_to_sixty_bytes(desk):
    assert RATES_DTYPE.itemsize == TICKS_DTYPE.itemsize == 60
    rates = desk.mt.copy_rates_from_pos("EURUSD", 15, 0, 5)
    assert rates.dtype == RATES_DTYPE
    assert len(rates) == 5
    assert rates["time"][-1] == SERVER_START_S - 900
    assert len(desk.mt.copy_rates_range("EURUSD", 15, 1, 2)) == 0
    assert desk.mt.last_error() == (1, "Success")
    assert desk.mt.copy_ticks_range("EURUSD", 1, 2**31 - 1, -1)["flags"].tolist() == [6, 0]


POSITIONAL = [
    "symbol_info",
    "symbol_info_tick",
    "symbol_select",
    "copy_rates_from_pos",
    "order_calc_profit",
    "history_deals_total",
]


@pytest.mark.parametrize("name", POSITIONAL)
def test_positional_only_functions_reject_keywords(desk, name):
    with pytest.raises(TypeError):
        getattr(desk.mt, name)(symbol="EURUSD")


def test_functions_held_by_a_class_get_no_instance(desk):
    held = {name: getattr(desk.mt, name) for name in FUNCTIONS if name not in ("Buy", "Sell", "Close")}
    program = type("Program", (), held)()
    assert program.account_info() == desk.mt.account_info()
    assert program.symbol_info_tick("EURUSD") == desk.mt.symbol_info_tick("EURUSD")
    assert program.positions_get() == ()


def test_unknown_keywords_are_ignored(desk):
    desk.deal("buy", 0.1)
    assert len(desk.mt.positions_get(magic=12345)) == 1
    assert desk.mt.initialize(allow_trade=True) is True


ORDER_OF_TEXTS = [
    ({"action": "1"}, "action"),
    ({"magic": 1.0}, "magic"),
    ({"symbol": 5}, "symbol"),
    ({"volume": 1}, "volume"),
    ({"volume": Decimal("0.1")}, "volume"),
    ({"price": None}, "price"),
    ({"sl": np.float32(1.0)}, "sl"),
    ({"tp": 1}, "tp"),
    ({"deviation": np.int64(3)}, "deviation"),
    ({"type": 0.0}, "type"),
    ({"expiration": datetime(2024, 1, 1, tzinfo=UTC)}, "expiration"),
    ({"comment": "x" * 30}, "comment"),
    ({"comment": None, "sl": 1}, "sl"),
    ({"position": "1"}, "position"),
]


@pytest.mark.parametrize(("changes", "key"), ORDER_OF_TEXTS)
def test_request_fields_are_typed_strictly(desk, changes, key):
    for call in (desk.mt.order_send, desk.mt.order_check):
        assert call(good(**changes)) is None
        assert desk.mt.last_error() == (-2, f'Invalid "{key}" argument')


def test_requests_that_pass(desk):
    assert desk.mt.order_send(good(volume=np.float64(0.1), comment="x" * 29)).retcode == 10009
    assert desk.mt.order_send(**good()).retcode == 10009
    assert desk.mt.order_send(good(coment="typo", type=True, volume=0.1, price=1.08)).retcode == 10009
    assert desk.mt.order_send([1]) is None
    assert desk.mt.last_error() == (-2, "Invalid arguments")
    assert desk.mt.order_send(good(), comment="x") is None
    assert desk.mt.last_error() == (-2, "Unnamed arguments not allowed")
    assert desk.mt.order_send({}).retcode == 10013


def test_system_errors(desk):
    for call in (
        lambda: desk.mt.copy_rates_from_pos("EURUSD", "H1", 0, 1),
        lambda: desk.mt.copy_rates_from("EURUSD", 15, 1, 1.5),
        lambda: desk.mt.order_calc_profit(0, "EURUSD", "1", 1.0, 1.0),
        lambda: desk.mt.order_send(good(magic=-1)),
        lambda: desk.mt.positions_get(ticket=-1),
        lambda: desk.mt.initialize(login=-1),
    ):
        with pytest.raises(SystemError, match="returned a result with an exception set"):
            call()


def test_wrong_numbers_and_kinds_of_arguments(desk):
    mt = desk.mt
    assert mt.copy_rates_from_pos("EURUSD", 15, 0) is None
    assert mt.last_error() == (-2, "Invalid arguments")
    assert mt.symbol_info(5) is None
    assert mt.last_error()[0] == -2
    assert mt.symbols_get(group=5) is False
    assert mt.symbol_select("EURUSD", True, 1) is False
    assert mt.positions_get("EURUSD") is None
    assert mt.last_error() == (-2, "Unnamed arguments not allowed")
    assert mt.history_deals_get() is None
    assert mt.history_deals_get(1) is None
    assert mt.history_deals_get(date_from=1, date_to=2) is None
    assert mt.copy_rates_from("EURUSD", 15, 0, 1) is None
    with pytest.raises(SystemError):
        mt.copy_rates_from("EURUSD", 15, 1_720_000_800_000, 1)
    assert mt.copy_rates_from("EURUSD", 15, np.datetime64("2024-07-03"), 1) is None
    assert mt.last_error()[0] == -2
    assert mt.positions_get(ticket="1") is None
    assert mt.last_error() == (-2, 'Invalid "ticket" argument')


def test_unknown_tickets_and_symbols(desk):
    mt = desk.mt
    for found in (
        mt.positions_get(ticket=9),
        mt.orders_get(ticket=9),
        mt.history_deals_get(ticket=9),
        mt.history_orders_get(ticket=9),
    ):
        assert found == ()
        assert mt.last_error() == (1, "Success")
    assert mt.symbol_info("NOPE") is None
    assert mt.last_error() == (-4, "Terminal: Not found")
    assert mt.symbol_select("NOPE") is False


def test_ticket_wins_over_symbol_and_group(desk):
    first = desk.deal("buy", 0.1)
    assert len(desk.mt.positions_get(ticket=first.order, symbol="GBPUSD", group="X*")) == 1
    assert desk.mt.positions_get(symbol="GBPUSD", group="*") == ()
    assert len(desk.mt.positions_get(group="*,!GBP*")) == 1
    assert desk.mt.positions_get(group="!GBP*") == ()
    assert desk.mt.positions_get(group="eur*") == ()
    assert len(desk.mt.positions_get(group="*, !EUR")) == 1


ARGUMENTS = {
    **dict.fromkeys(("symbol_info", "symbol_info_tick", "symbol_select"), ("EURUSD",)),
    **dict.fromkeys(("market_book_add", "market_book_release", "market_book_get"), ("EURUSD",)),
    **dict.fromkeys(("order_send", "order_check"), (good(),)),
    **dict.fromkeys(("copy_rates_from", "copy_rates_from_pos", "copy_rates_range", "copy_ticks_from"), ("EURUSD", 15, 1, 1)),
    **dict.fromkeys(("copy_ticks_range",), ("EURUSD", 1, 1, 1)),
    **dict.fromkeys(("history_orders_total", "history_deals_total", "history_orders_get", "history_deals_get"), (1, 2)),
    "order_calc_margin": (0, "EURUSD", 0.1, 1.0),
    "order_calc_profit": (0, "EURUSD", 0.1, 1.0, 1.0),
}


def test_before_initialize_and_after_shutdown_nothing_answers(desk):
    mt = desk.mt
    assert mt.shutdown() is True
    refusals = {"symbol_select": False, "version": (0, 0, ""), "market_book_add": False, "market_book_release": False}
    pairs = {"symbols_get": -5, "symbols_total": -5, "market_book_add": 1, "market_book_release": 1}
    for name in FUNCTIONS:
        if name not in ("initialize", "login", "shutdown", "last_error", "Buy", "Sell", "Close"):
            assert getattr(mt, name)(*ARGUMENTS.get(name, ())) == refusals.get(name), name
            assert mt.last_error()[0] == pairs.get(name, -10004), name
    assert mt.login(1) is False
    assert mt.last_error()[0] == -10004


def test_each_call_resets_last_error(desk):
    mt = desk.mt
    mt.symbol_info("NOPE")
    assert mt.last_error()[0] == mt.last_error()[0] == -4
    mt.version()
    assert mt.last_error() == (1, "Success")
