"""Records of the module as values: numbers of Python, instants of UTC, and nothing that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal, plain
from quarterdeck.core.brokers.mt5.parsing import InvalidRecord, account_of, candles_of, deal_of, instrument_of, quote_of
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.simulator.ledger_rows import DEAL_CREDIT
from quarterdeck.core.brokers.simulator.rate_arrays import RATES_DTYPE
from quarterdeck.core.model.units import NS_PER_S
from tests.core.brokers.mt5.kit import Rig, drive
from tests.core.brokers.simulator.kit import bare_module

UTC = ServerClock("fixed", 0)


def record(rig, name, *args):
    return drive(rig.carrier.call(name, *args)).value


def test_results_leave_the_module_as_plain_data():
    rig = Rig()
    info = record(rig, "symbol_info", "EURUSD")
    assert type(info) is dict
    assert len(info) == 96
    result = record(
        rig, "order_send", {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "price": 1.08512, "type_filling": 1}
    )
    assert type(result["request"]) is dict
    assert [type(item) for item in record(rig, "positions_get")] == [dict]
    assert plain(np.float32(1.5)) == 1.5
    assert type(plain(np.int64(3))) is int
    assert type(plain((np.int32(1), np.float64(2.0)))[0]) is int


def test_exception_inside_the_module_is_a_failed_call():
    class Broken:
        def last_error(self):
            return (1, "Success")

        def copy_rates_from_pos(self, *_):
            raise SystemError("returned a result with an exception set")

    reply = drive(InProcessTerminal(Broken()).call("copy_rates_from_pos", "EURUSD", "H1", 0, 1))
    assert (reply.value, reply.error_code) == (None, -2)


@pytest.mark.parametrize("folder", ["Müller", "Jörg ñ", "Łódź"])
def test_an_error_text_in_the_code_page_is_told(folder):
    path = f"C:\\Users\\{folder}\\terminal64.exe"
    carrier = InProcessTerminal(bare_module())
    reply = carrier.call_now("initialize", (), {"path": path})
    assert (reply.value, reply.error_code) == (False, -10003)
    assert reply.error_text.startswith("IPC initialize failed, Process create failed 'C:\\Users\\")
    assert carrier.call_now("version").error_code == -10004


def test_a_cfd_keeps_its_own_size_and_mode():
    rig = Rig()
    raw = record(rig, "symbol_info", "EURUSD") | {
        "trade_calc_mode": 2,
        "trade_contract_size": 10.0,
        "point": 0.1,
        "digits": 1,
        "trade_tick_size": 0.5,
        "currency_base": "USD",
    }
    found = instrument_of(raw, "US500", {"US500": 1.0})
    assert (found.calc_mode, found.contract_size, found.tick_size, found.pip) == ("cfd", 10.0, 0.5, 1.0)
    assert instrument_of(raw | {"trade_tick_size": 0.0}, "US500", {}).tick_size == 0.1
    for bad in ({"point": 0.0}, {"trade_contract_size": 0.0}, {"volume_step": 0.0}):
        with pytest.raises(InvalidRecord):
            instrument_of(raw | bad, "US500", {})


def test_quotes_that_cannot_be():
    base = {"bid": 1.1, "ask": 1.2, "time_msc": 1_700_000_000_123}
    assert quote_of(base, "X", 5, UTC).at_utc_ns == 1_700_000_000_123_000_000
    assert quote_of(base | {"bid": 0.0}, "X", 5, UTC) is None
    assert quote_of(base | {"ask": 1.05}, "X", 5, UTC) is None, "crossed for a moment"
    for bad in (float("nan"), float("inf"), -1.0):
        with pytest.raises(InvalidRecord):
            quote_of(base | {"ask": bad}, "X", 5, UTC)


def test_unsigned_columns_become_signed():
    rates = np.zeros(2, dtype=RATES_DTYPE)
    rates["time"] = [1_700_000_000, 1_700_000_900]
    for name in ("open", "high", "low", "close"):
        rates[name] = 1.1
    rates["tick_volume"] = [5, 3]
    candles = candles_of(rates, "X", UTC)
    assert int(candles.tick_volume[1] - candles.tick_volume[0]) == -2
    assert not candles.close.flags.writeable


def test_what_is_no_trade_is_balance():
    rig = Rig()
    rig.terminal.ledger.cash(-300.0, "Withdrawal")
    rig.terminal.ledger.cash(50.0, "Bonus", kind=DEAL_CREDIT)
    first, second, third = record(rig, "history_deals_get", 1, 2_145_916_800)
    deals = [deal_of(item, "", UTC) for item in (first, second, third)]
    assert [deal.balance_money for deal in deals] == [100_000.0, -300.0, 0.0], "credit leaves the balance"
    assert [(deal.deal_type, deal.credit_money) for deal in deals] == [(2, 0.0), (2, 0.0), (3, 50.0)]
    assert all(deal.profit_money == 0.0 and deal.symbol == "" for deal in deals)


def test_external_id_is_empty_and_the_rule_comes_beside_it():
    rig = Rig()
    raw = record(rig, "history_deals_get", 1, 2_145_916_800)[0]
    assert raw["external_id"] == ""
    assert deal_of(raw, "", UTC).rule == ""
    assert deal_of(raw, "", UTC, rule="gap").rule == "gap"


def test_money_that_cannot_be_is_refused():
    rig = Rig()
    raw = record(rig, "account_info")
    assert account_of(raw, None).mode == "demo"
    assert account_of(raw | {"trade_mode": 2}, None).mode == "real"
    assert account_of(raw | {"margin_so_mode": 1}, None).stop_out_level_pct == 0.0
    with pytest.raises(InvalidRecord):
        account_of(raw | {"balance": float("nan")}, None)


@given(rows=st.integers(0, 50), seed=st.integers(0, 1000))
def test_columns_equal_rows(rows, seed):
    draw = np.random.default_rng(seed)
    rates = np.zeros(rows, dtype=RATES_DTYPE)
    rates["time"] = 1_700_000_100 + 900 * np.arange(rows)
    prices = np.sort(draw.uniform(1.0, 2.0, (rows, 4)), axis=1)
    rates["low"], rates["open"], rates["close"], rates["high"] = prices.T if rows else np.zeros((4, 0))
    clock = ServerClock("eet")
    candles = candles_of(rates, "X", clock)
    for row in range(rows):
        bar = candles.bar(row)
        assert bar.open_utc_ns == clock.utc_ns(int(rates["time"][row]))
        assert bar.high == float(rates["high"][row])
        assert bar.open_utc_ns % NS_PER_S == 0
