"""Terminals from settings: recorded days, the seeded market, conversion pairs, instruments, the driver's view."""

from __future__ import annotations

from datetime import date

import pytest

from quarterdeck.core.brokers.simulator.instruments import description, instrument, instruments, plain_pair, without_swap
from quarterdeck.core.brokers.simulator.terminal_builder import account_terms, crash_terminal, recorded_terminal, seeded_terminal
from quarterdeck.core.data.recorded_prices import load_recording
from quarterdeck.core.engine.simulated_venues import simulated_venue
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings


def test_instruments():
    assert instrument("USDJPY").digits == 3
    assert instrument("EURUSD.a").base_currency == "EUR"
    assert plain_pair(instrument("EURUSD.a")) == "EURUSD"
    gold = instrument("XAUUSD")
    assert (gold.contract_size, gold.point, gold.pip, gold.calc_mode) == (100.0, 0.01, 0.1, "cfd_leverage")
    assert instrument("EURCAD").swap_mode == 0
    assert description(instrument("EURUSD")) == "Euro vs US Dollar"
    for wrong in ("EUR", "eurusd", "12USDX"):
        with pytest.raises(DataError):
            instrument(wrong)


def test_symbols_without_a_recorded_swap_rate_are_named():
    symbols = ("EURUSD", "EURJPY", "XAUUSD")
    assert without_swap(symbols) == ("EURJPY", "XAUUSD")
    assert [(spec.swap_long, spec.swap_short) for spec in instruments(symbols)] == [(-7.85, 3.8), (0.0, 0.0), (0.0, 0.0)]
    notes = simulated_venue(shipped_settings(("desk.pairs", list(symbols))), run_id="r", speed=None).notes
    assert notes == ("No swap rate is recorded for EURJPY, XAUUSD: no swap is charged there",)


def test_a_seeded_terminal_brings_its_conversion_pairs():
    settings = shipped_settings(
        ("desk.pairs", ["EURGBP", "USDJPY"]), ("simulation.currency", "CHF"), ("simulation.history_days", 30)
    )
    terminal = seeded_terminal(settings)
    assert terminal.market.symbols[:2] == ("EURGBP", "USDJPY")
    assert {"USDCHF", "GBPUSD"} <= set(terminal.market.symbols)
    mt = terminal.module
    mt.initialize()
    mt.symbol_select("EURGBP")
    tick = mt.symbol_info_tick("EURGBP")
    request = {"action": 1, "symbol": "EURGBP", "volume": 0.1, "type": 0, "type_filling": 1, "price": tick.ask}
    assert mt.order_send(request).retcode == 10009
    assert mt.account_info().currency == "CHF"
    assert terminal.label == "simulated market, seed 7"
    assert terminal.news()
    before = terminal.trades_changed_counter
    assert terminal.advance_to(terminal.now_utc_ns + 60 * NS_PER_S)
    assert terminal.trades_changed_counter == before


def test_swap_can_be_left_out():
    settings = shipped_settings(("costs.swap", False), ("simulation.history_days", 30))
    assert seeded_terminal(settings).ledger.instruments["EURUSD"].swap_mode == 0
    terms = account_terms(shipped_settings(("costs.commission_usd_per_lot_side", 2.5)))
    assert (terms.commission_per_lot_money, terms.currency, terms.trade_mode) == (2.5, "USD", "demo")


def test_the_crash_opens_hours_before():
    terminal = crash_terminal(shipped_settings(("simulation.history_days", 30)))
    assert "sterling crash of 2016-10-06" in terminal.label


def test_recorded_days(recorded_data):
    pairs = ("EURUSD", "USDCHF")
    recording = load_recording(
        (recorded_data / "m15",), pairs, from_day=date(2024, 7, 1), to_day=date(2024, 7, 3), warmup_bars=500
    )
    terminal = recorded_terminal(shipped_settings(), recording)
    mt = terminal.module
    mt.initialize()
    mt.symbol_select("EURUSD")
    assert len(mt.copy_rates_from_pos("EURUSD", 15, 0, 10_000)) == 500
    steps = 0
    while terminal.next_ns() is not None:
        moved = terminal.advance()
        assert set(moved.symbols) <= set(pairs)
        steps += 1
    assert steps == 2 * 96 * 3
    assert len(mt.copy_rates_from_pos("EURUSD", 15, 0, 10_000)) == 500 + 96 * 3
    last = recording.pairs[0].series[0].bid.bar(-1)
    newest = mt.copy_rates_from_pos("EURUSD", 15, 0, 1)[0].tolist()
    assert newest[1:5] == (last.open, last.high, last.low, last.close)


def test_a_missing_conversion_is_an_error_that_names_it(recorded_data):
    recording = load_recording((recorded_data / "m15",), ("EURUSD",), from_day=date(2024, 7, 1), to_day=date(2024, 7, 1))
    settings = shipped_settings(("simulation.currency", "JPY"))
    with pytest.raises(DataError, match="USD to JPY"):
        recorded_terminal(settings, recording)
    terminal = recorded_terminal(settings, recording, fixed_rates={"USDJPY": 150.0})
    assert terminal.module.initialize()
    assert terminal.ledger.money.commission_money(1.0) == -525.0
