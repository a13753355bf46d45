"""Cent accounts: a result of a dollar is a hundred cents, in every formula, and no quote is needed for that."""

from __future__ import annotations

import pytest
from msgspec import structs

from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.engine.start_sequence import check_conversions
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.money import Valuer
from tests.core.brokers.mt5.test_start import DEMO


class Quotes:
    """Fixed quotes by plain pair."""

    def __init__(self, **quotes: float) -> None:
        self.quotes = quotes

    def bid_ask(self, symbol: str) -> tuple[float, float] | None:
        price = self.quotes.get(symbol)
        return None if price is None else (price, price)


@pytest.mark.parametrize(
    ("symbol", "account", "quotes", "profit"),
    [
        # 10 pips on 0.10 lot of EURUSD are 10.00 USD: MetaTrader 5 manual, profit calculation
        ("EURUSD", "USD", {}, 10.0),
        ("EURUSD", "USC", {}, 1_000.0),
        # the same 10 USD at 1.25 USD for a euro are 8.00 EUR
        ("EURUSD", "EUC", {"EURUSD": 1.251}, 799.36),
        # 10 pips of USDJPY are 1,000 JPY, at 125.1 JPY for a dollar 7.99 USD
        ("USDJPY", "USC", {"USDJPY": 125.1}, 799.36),
        ("GBPUSD", "GBX", {"GBPUSD": 1.251}, 799.36),
    ],
)
def test_a_result_in_cents_is_a_hundred_times_its_unit(symbol, account, quotes, profit):
    spec = instrument(symbol)
    close = 1.251 if spec.digits == 5 else 125.1
    valuer = Valuer.of(spec, account, quotes.__contains__)
    assert valuer.complete
    assert "USDUSC" not in valuer.pairs
    made = valuer.profit_money(Side.BUY, 0.1, close - 10 * spec.pip, close, Quotes(**quotes))
    assert made == pytest.approx(profit, abs=1.0 if account != "USD" else 0.0)


def test_margin_in_cents_is_a_hundred_times_its_unit():
    spec, quotes = instrument("EURUSD"), Quotes(EURUSD=1.25)
    dollars, cents = (Valuer.of(spec, currency, {"EURUSD"}.__contains__) for currency in ("USD", "USC"))
    whole = dollars.margin_money(Side.BUY, 0.1, 1.25, 100, quotes)
    assert whole == 125.0
    assert cents.margin_money(Side.BUY, 0.1, 1.25, 100, quotes) == 12_500.0


def test_a_cent_account_without_valuation_is_refused():
    cents = structs.replace(DEMO, currency="EUC")
    pound = instrument("GBPUSD")
    with pytest.raises(BrokerError, match="GBPUSD"):
        check_conversions(cents, [pound], [pound])
    check_conversions(cents, [pound], [pound, instrument("EURUSD")])
    check_conversions(structs.replace(DEMO, currency="USC"), [pound], [pound])
