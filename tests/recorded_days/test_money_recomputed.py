"""The money of recorded trades, recomputed from the recorded candles, the lots and the contract, with decimals and none of our formulas.

What is taken from the run: which way, how many lots, when, and where its stop stood. What is computed here: the price of each fill,
the result, the commission, the swap, and the balance that they leave, each to the cent.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.recorded_days.conftest import Replay, Replayed, candles

CONTRACT = Decimal(100_000)
CENT = Decimal("0.01")
FLOOR_PIPS = {"EURUSD": Decimal("0.2"), "USDJPY": Decimal("0.2")}
QUARTER_S = 900


def cents(amount: Decimal) -> Decimal:
    """Rounded to the cent, halves away from zero."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def decimal(number: float) -> Decimal:
    """The decimal that a price or a volume was written as."""
    return Decimal(repr(round(number, 8)))


def stamp(utc_ns: int) -> str:
    """The opening time of the bar that holds an instant, as the files write it."""
    second = utc_ns // 1_000_000_000 // QUARTER_S * QUARTER_S
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def before(bars: dict[str, dict[str, str]], opened: str) -> dict[str, str]:
    """The bar before."""
    times = list(bars)
    return bars[times[times.index(opened) - 1]]


class Market:
    """Bid and ask at the open of a recorded bar: the file's bid, and the greater of two recorded spreads plus the floor."""

    def __init__(self, folder: Path, spread_pips: str = "0") -> None:
        self.folder = folder
        self.spread_pips = Decimal(spread_pips)
        self.known: dict[str, dict[str, dict[str, str]]] = {}

    def bars(self, symbol: str) -> dict[str, dict[str, str]]:
        if symbol not in self.known:
            self.known[symbol] = candles(self.folder, symbol)
        return self.known[symbol]

    def at_open(self, symbol: str, utc_ns: int) -> tuple[Decimal, Decimal]:
        point = Decimal("0.001") if symbol.endswith("JPY") else Decimal("0.00001")
        opened = stamp(utc_ns)
        bar = self.bars(symbol)[opened]
        if "spread_points" in bar:
            older = before(self.bars(symbol), opened)
            spread = max(Decimal(bar["spread_points"]), Decimal(older["spread_points"])) * point
        else:
            spread = self.spread_pips * 10 * point
        bid = Decimal(bar["open"])
        return bid, bid + spread + FLOOR_PIPS.get(symbol, Decimal("0.4")) * 10 * point

    def reached(self, symbol: str, utc_ns: int) -> tuple[Decimal, Decimal]:
        """Lowest and highest bid of the bar."""
        bar = self.bars(symbol)[stamp(utc_ns)]
        return Decimal(bar["low"]), Decimal(bar["high"])


def deals_of(run: Replayed, position_id: int) -> list[dict[str, Any]]:
    return run.rows("SELECT * FROM deals WHERE position_id = ? ORDER BY deal_ticket", position_id)


def usd(market: Market, symbol: str, amount: Decimal, own_price: Decimal, side: int, utc_ns: int) -> Decimal:
    """An amount of the pair's second currency in dollars: by deal, at the ask when a buy is closed, at the bid when a sell is."""
    quote = symbol[3:]
    if quote == "USD":
        return amount
    if symbol.startswith("USD"):
        return amount / own_price
    bid, ask = market.at_open(f"{quote}USD", utc_ns)
    return amount * (ask if side > 0 else bid)


def check_trade(market: Market, run: Replayed, trade: dict[str, Any]) -> Decimal:
    """Every figure of one trade; returns what it did to the balance."""
    symbol, side, total = trade["symbol"], trade["side"], Decimal(0)
    deals = deals_of(run, trade["position_id"])
    opening = deals[0]
    lots = decimal(opening["lots"])
    bid, ask = market.at_open(symbol, opening["at_utc_ns"])
    entry = ask if side > 0 else bid
    assert decimal(opening["price"]) == entry, "a long enters at the ask, a short at the bid"
    left, gross, commission = lots, Decimal(0), cents(-lots * Decimal("3.5"))
    assert decimal(opening["commission_money"]) == commission
    for deal in deals[1:]:
        part, price = decimal(deal["lots"]), decimal(deal["price"])
        assert deal["side"] == -side
        if deal["rule"] == "market" and deal["at_utc_ns"] % (QUARTER_S * 1_000_000_000) == 0:
            bid, ask = market.at_open(symbol, deal["at_utc_ns"])
            assert price == (bid if side > 0 else ask), "a long leaves at the bid, a short at the ask"
        elif deal["rule"] == "market":
            close = Decimal(market.bars(symbol)[stamp(deal["at_utc_ns"])]["close"])
            assert price == close if side > 0 else price > close, "care that looks at a bar's end trades at its close"
        elif side > 0:
            low, high = market.reached(symbol, deal["at_utc_ns"])
            assert low <= price <= high, "the level was reached by the bid"
        won = cents(usd(market, symbol, (price - entry) * side * part * CONTRACT, price, side, deal["at_utc_ns"]))
        assert decimal(deal["profit_money"]) == won
        paid = cents(-part * Decimal("3.5"))
        assert decimal(deal["commission_money"]) == paid
        left, gross, commission = left - part, gross + won, commission + paid
    assert left == 0
    assert (decimal(trade["gross_money"]), decimal(trade["commission_money"])) == (gross, commission)
    total = gross + commission + decimal(trade["swap_money"])
    assert decimal(trade["net_money"]) == total
    return total


@pytest.fixture(scope="module")
def july(replayed: Replay) -> Replayed:
    return replayed("m15", "2024-07-15", "2024-07-16")


@pytest.mark.slow
def test_every_trade_and_the_balance_match_to_the_cent(july: Replayed, recorded_data: Path) -> None:
    market = Market(recorded_data / "m15")
    trades = july.rows("SELECT * FROM trades")
    kinds = {("USD" if trade["symbol"].startswith("USD") else "quote", trade["side"]) for trade in trades}
    assert {("USD", -1), ("quote", 1)} <= kinds, "one pair with the dollar first and one with it second"
    assert any(len(deals_of(july, trade["position_id"])) > 2 for trade in trades), "one was closed in parts"
    result = sum((check_trade(market, july, trade) for trade in trades), Decimal(0))
    assert decimal(july.summary["result_money"]) == result
    last = july.rows("SELECT balance_money FROM equity ORDER BY seq DESC LIMIT 1")[0]
    assert decimal(last["balance_money"]) == Decimal(10_000) + result


@pytest.mark.slow
def test_a_night_costs_the_recorded_swap(july: Replayed, recorded_data: Path) -> None:
    said = json.loads(
        (recorded_data / "raw_samples/broker/vantage_demo_symbol_specs_2025-11-10.json").read_text(encoding="utf-8")
    )
    points = {name: {1: row["swap_long"], -1: row["swap_short"]} for name, row in said["symbols"].items()}
    held = [trade for trade in july.rows("SELECT * FROM trades") if _nights(trade)]
    assert held, "a position stood over 17:00 New York"
    for trade in july.rows("SELECT * FROM trades"):
        rate = Decimal(str(points[trade["symbol"]][trade["side"]])) * _nights(trade)
        assert trade["symbol"].endswith("USD") or not rate, "in dollars at once; the others would need the price of that minute"
        assert decimal(trade["swap_money"]) == cents(rate * Decimal("0.00001") * CONTRACT * decimal(trade["lots"]))


def _nights(trade: dict[str, Any]) -> int:
    """17:00 New York is 21:00 UTC in July; neither day here is the triple one."""
    return sum(
        trade["opened_utc_ns"] < night * 1_000_000_000 < trade["closed_utc_ns"] for night in (1_721_077_200, 1_721_163_600)
    )


@pytest.mark.slow
def test_cross_profit_converts_through_its_conversion_pair(replayed: Replay, recorded_data: Path) -> None:
    run = replayed(
        "m15_dukascopy", "2025-05-23", "2025-05-23", "--set", "costs.default_spread_pips=0.2", "--set", "strategy.confidence_min=0.7",
        pairs="EURGBP,GBPJPY",
    )  # fmt: skip
    market = Market(recorded_data / "m15_dukascopy", "0.2")
    aged = [trade for trade in run.rows("SELECT * FROM trades WHERE symbol = 'EURGBP'") if trade["reason"] == "age"]
    assert aged, "one that closed at the open of a bar, where the rate is the recorded one"
    for trade in aged:
        check_trade(market, run, trade)
