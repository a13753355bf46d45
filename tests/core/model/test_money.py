"""Profit, margin, swap and tick value against figures worked out manually from the platform manual's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.money import (
    Valuer,
    conversion_rate,
    currency_digits,
    margin_money,
    profit_money,
    resolve_conversion,
    round_half_away,
    swap_money,
    tick_value_money,
)

QUOTES = {
    "EURUSD": (1.08500, 1.08515),
    "GBPUSD": (1.27000, 1.27015),
    "USDJPY": (150.890, 150.900),
    "USDCHF": (0.88000, 0.88012),
    "EURJPY": (163.720, 163.745),
    "GBPJPY": (191.640, 191.670),
    "EURCHF": (0.95490, 0.95510),
    "GBPCHF": (1.11770, 1.11800),
    "CHFJPY": (171.440, 171.470),
    "EURGBP": (0.85420, 0.85440),
}


class Board:
    """Quotes by plain pair name."""

    def __init__(self, quotes: dict[str, tuple[float, float]]) -> None:
        self.quotes = quotes

    def bid_ask(self, symbol: str) -> tuple[float, float] | None:
        return self.quotes.get(symbol)


def pair(name: str, suffix: str = "") -> Instrument:
    base, profit = name[:3], name[3:]
    gold = base == "XAU"
    digits = 2 if gold else 3 if profit == "JPY" else 5
    return Instrument(
        symbol=name + suffix,
        base_currency=base,
        profit_currency=profit,
        margin_currency=profit if gold else base,
        digits=digits,
        point=10.0**-digits,
        tick_size=10.0**-digits,
        pip=10.0 ** (1 - digits),
        contract_size=100.0 if gold else 100_000.0,
        volume_min_lots=0.01,
        volume_max_lots=100.0,
        volume_step_lots=0.01,
        calc_mode="cfd_leverage" if gold else "forex",
    )


BUY, SELL = Side.BUY, Side.SELL
TABLE = [
    ("EURUSD", BUY, 0.50, 1.08515, 1.08215, (-150.00, -138.61, -118.11, -22635)),
    ("USDJPY", SELL, 0.30, 150.890, 151.290, (-79.32, -73.28, -62.61, -12000)),
    ("USDCHF", BUY, 0.40, 0.88012, 0.87712, (-136.81, -125.67, -107.36, -20576)),
    ("EURGBP", SELL, 1.00, 0.85420, 0.85720, (-381.00, -349.98, -300.00, -57492)),
    ("GBPJPY", BUY, 0.20, 191.670, 191.070, (-79.53, -73.30, -62.80, -12000)),
    ("XAUUSD", SELL, 0.10, 2400.0, 2410.0, (-100.00, -92.17, -78.74, -15090)),
]


@pytest.mark.parametrize(("name", "side", "lots", "opened", "closed", "results"), TABLE, ids=[row[0] for row in TABLE])
@pytest.mark.parametrize("suffix", ["", ".m"])
def test_result_in_four_account_currencies_to_the_smallest_unit(
    name: str, side: Side, lots: float, opened: float, closed: float, results: tuple[float, ...], suffix: str
) -> None:
    board = Board(QUOTES)
    for currency, expected in zip(("USD", "EUR", "GBP", "JPY"), results, strict=True):
        assert profit_money(pair(name, suffix), side, lots, opened, closed, currency, board) == expected, currency


def test_manual_profit_quote_currency_is_the_account() -> None:
    assert profit_money(pair("EURUSD"), BUY, 0.50, 1.08500, 1.08720, "USD", Board({})) == 110.00


def test_profit_in_base_currency_converts_at_its_own_exit_price() -> None:
    board = Board({"USDJPY": (150.890, 150.900), "USDCAD": (1.2, 1.3), "EURUSD": (1.2, 1.3)})
    assert profit_money(pair("USDJPY"), SELL, 0.30, 151.250, 150.900, "USD", board) == 69.58
    assert profit_money(pair("USDCAD"), SELL, 0.20, 1.36000, 1.36500, "USD", board) == -73.26
    assert profit_money(pair("EURUSD"), BUY, 0.10, 1.10000, 1.09500, "EUR", board) == -45.66


def test_manual_profit_cross_by_deal_and_by_market() -> None:
    board = Board({"GBPUSD": (1.27000, 1.27015)})
    eurgbp = pair("EURGBP")
    board.quotes["EURUSD"] = QUOTES["EURUSD"]
    assert profit_money(eurgbp, BUY, 1.0, 0.85400, 0.85150, "USD", board) == -317.54
    assert profit_money(eurgbp, BUY, 1.0, 0.85400, 0.85650, "USD", board) == 317.54
    assert profit_money(eurgbp, BUY, 1.0, 0.85400, 0.85650, "USD", board, rule="by_market") == 317.50


def test_manual_profit_reverse_pair() -> None:
    board = Board({"EURJPY": (163.420, 163.440), "EURAUD": (1.65, 1.66)})
    audjpy = pair("AUDJPY")
    assert profit_money(audjpy, BUY, 0.40, 97.500, 98.100, "EUR", board) == 146.86
    assert profit_money(audjpy, BUY, 0.40, 97.500, 98.100, "EUR", board, rule="by_market") == 146.84


def test_missing_pair_converts_through_dollar_at_worse_rates() -> None:
    # 1000 CHF: USDCHF reversed, then USDJPY. Loss: 1000 / 0.88000 x 150.900; profit: 1000 / 0.88012 x 150.890.
    board = Board({"USDCHF": QUOTES["USDCHF"], "USDJPY": QUOTES["USDJPY"]})
    for side in (BUY, SELL):
        assert conversion_rate("CHF", "JPY", board, side=side, profit_positive=False) == pytest.approx(150.900 / 0.88000)
        assert conversion_rate("CHF", "JPY", board, side=side, profit_positive=True) == pytest.approx(150.890 / 0.88012)


def test_unknown_rate_is_none_never_one_and_never_zero() -> None:
    assert profit_money(pair("EURGBP"), BUY, 1.0, 0.854, 0.855, "USD", Board({})) is None
    assert margin_money(pair("EURGBP"), BUY, 1.0, 0.854, 100, "USD", Board({})) is None
    assert tick_value_money(pair("USDJPY"), "EUR", Board({"USDJPY": (150.0, 150.1)}), result="loss") is None
    assert conversion_rate("NOK", "SEK", Board(QUOTES), side=BUY) is None
    assert not Valuer.of(pair("EURGBP"), "USD", lambda name: False).complete
    valuer = Valuer.of(pair("EURGBP"), "USD", lambda name: name in QUOTES)
    assert valuer.complete
    assert valuer.pairs == ("GBPUSD", "EURUSD")
    assert valuer.profit_money(BUY, 1.0, 0.854, 0.855, Board({})) is None
    assert valuer.profit_money(BUY, 1.0, 0.854, 0.855, Board({"GBPUSD": (0.0, 0.0)})) is None


def test_manual_margins() -> None:
    board = Board(QUOTES)
    assert margin_money(pair("EURUSD"), BUY, 0.50, 1.08500, 100, "USD", board) == 542.50
    assert margin_money(pair("USDJPY"), SELL, 0.30, 151.250, 100, "USD", board) == 300.00
    assert margin_money(pair("USDCAD"), SELL, 0.20, 1.36, 100, "USD", Board({"USDCAD": (1.36, 1.3602)})) == 200.00
    assert margin_money(pair("EURGBP"), BUY, 1.0, 0.85400, 100, "USD", board) == 1085.15
    assert margin_money(pair("EURGBP"), SELL, 1.0, 0.85400, 100, "USD", board) == 1085.00
    assert margin_money(pair("EURUSD"), BUY, 0.10, 1.10000, 30, "EUR", board) == 333.33


def test_gold_margin_uses_price_and_fixed_margin_overrides_size() -> None:
    board = Board(QUOTES)
    assert margin_money(pair("XAUUSD"), BUY, 0.10, 2400.0, 100, "USD", board) == 240.00
    in_ounces = replace(pair("XAUUSD"), margin_currency="XAU")
    assert margin_money(in_ounces, BUY, 0.10, 2400.0, 100, "USD", board) == 240.00
    fixed = replace(pair("USDJPY"), margin_initial=1000.0)
    assert margin_money(fixed, BUY, 1.0, 150.9, 100, "USD", board) == 10.00
    whole = replace(pair("USDJPY"), calc_mode="forex_no_leverage")
    assert margin_money(whole, BUY, 0.01, 150.9, 100, "USD", board) == 1000.00


def test_manual_hedged_margin() -> None:
    valuer = Valuer.of(replace(pair("EURUSD"), margin_hedged=100_000.0), "USD", lambda name: name in QUOTES)
    money = valuer.hedged_margin_money((2.0, 1.11953), (3.0, 1.11943), 500, Board(QUOTES), margin_rates=(2.0, 4.0))
    assert money == pytest.approx(2238.90, abs=1e-9)
    alone = valuer.hedged_margin_money((0.5, 1.08500), (0.0, 0.0), 100, Board(QUOTES))
    assert alone == 542.50


def test_larger_leg_alone_pays_where_the_broker_says_so() -> None:
    """The manual's example with the option set: sells 3 x 100,000 / 500 x 1.11943 x 4 against buys 2 x 200 x 1.11953 x 2."""
    eurusd = replace(pair("EURUSD"), margin_hedged=100_000.0, margin_hedged_use_leg=True)
    valuer = Valuer.of(eurusd, "USD", Board(QUOTES).quotes.__contains__)
    found = valuer.hedged_margin_money((2.0, 1.11953), (3.0, 1.11943), 500, Board(QUOTES), margin_rates=(2.0, 4.0))
    assert found == 2686.63
    assert valuer.hedged_margin_money((2.0, 1.11953), (0.0, 0.0), 500, Board(QUOTES), margin_rates=(2.0, 4.0)) == 895.62


def test_an_account_without_leverage_pays_the_whole_worth() -> None:
    assert margin_money(pair("EURUSD"), BUY, 1.0, 1.085, 0, "USD", Board(QUOTES)) == 108_500.0


def test_manual_tick_values() -> None:
    board = Board({"USDJPY": (150.890, 150.900)})
    profit, loss = (tick_value_money(pair("USDJPY"), "USD", board, result=kind) for kind in ("profit", "loss"))
    assert profit is not None
    assert loss is not None
    assert round(profit, 5) == 0.66269
    assert round(loss, 5) == 0.66273
    assert tick_value_money(pair("EURUSD"), "USD", board, result="loss") == pytest.approx(1.0)
    assert tick_value_money(replace(pair("EURUSD"), tick_size=0.0), "USD", board, result="loss") == pytest.approx(1.0)


def test_swap_by_points_converts_like_profit() -> None:
    # 0.5 lots x 100000 x 0.00001 x -7.85 = -3.925 USD a night; -11.775 for the triple, halves away from zero.
    board = Board(QUOTES)
    eurusd = replace(pair("EURUSD"), swap_long=-7.85, swap_short=3.8)
    assert swap_money(eurusd, BUY, 0.5, 1, 1.085, "USD", board) == -3.93
    assert swap_money(eurusd, BUY, 0.5, 3, 1.085, "USD", board) == -11.78
    assert swap_money(eurusd, SELL, 0.5, 1, 1.085, "USD", board) == 1.90
    # USDJPY: 100000 x 0.001 x 9.17 = 917 JPY / 150.9 = 6.08 USD.
    usdjpy = replace(pair("USDJPY"), swap_long=9.17, swap_short=-18.95)
    assert swap_money(usdjpy, BUY, 1.0, 1, 150.9, "USD", board) == 6.08
    assert swap_money(replace(eurusd, swap_mode=0), BUY, 1.0, 1, 1.085, "USD", board) == 0.0
    assert swap_money(replace(eurusd, swap_mode=4), BUY, 2.0, 1, 1.085, "JPY", board) == -16
    assert swap_money(replace(eurusd, swap_mode=2), BUY, 1.0, 1, 1.085, "USD", board) == -8.52
    assert swap_money(replace(eurusd, swap_mode=6, swap_long=-3.6), BUY, 1.0, 1, 1.085, "USD", board) == -10.85


def test_each_swap_mode_counts_in_its_own_currency() -> None:
    """By hand: 100,000 x 0.00001 x -7.85 dollars; -7.85 of the currency named, at the closing side of a buy."""
    board = Board(QUOTES)
    eurusd = replace(pair("EURUSD"), swap_long=-7.85)
    expected = {0: 0.0, 1: -7.85, 2: -8.52, 3: -8.92, 4: -7.85, 7: -7.85, 8: -7.85, 9: -7.85}
    margin_in_francs = replace(eurusd, margin_currency="CHF")
    for mode, money in expected.items():
        assert swap_money(replace(margin_in_francs, swap_mode=mode), BUY, 1.0, 1, 1.085, "USD", board) == money, mode
    assert swap_money(replace(eurusd, swap_mode=5, swap_long=-3.6), BUY, 1.0, 1, 1.085, "USD", board) == -10.85
    assert swap_money(replace(eurusd, swap_mode=42), BUY, 1.0, 1, 1.085, "USD", board) is None


def test_notional_counts_the_base_currency_whole() -> None:
    board = Board(QUOTES)
    for name, lots, price, expected in [
        ("EURUSD", 0.5, 1.085, 54_250.0),
        ("USDJPY", 0.3, 151.0, 30_000.0),
        ("EURGBP", 1.0, 0.8542, 108_496.213),
    ]:
        valuer = Valuer.of(pair(name), "USD", lambda known: known in QUOTES)
        assert valuer.notional_money(lots, price, board) == pytest.approx(expected)


def test_each_leg_is_rounded_before_the_difference() -> None:
    # USDJPY 0.01 lots: 150.8945 x 1000 = 150894.5 -> 150895 and 150.8944 -> 150894; the plain difference rounds to nothing.
    assert profit_money(pair("USDJPY"), BUY, 0.01, 150.8944, 150.8945, "JPY", Board({})) == 1.0
    cfd = replace(pair("USDJPY"), calc_mode="cfd")
    assert profit_money(cfd, BUY, 0.01, 150.8944, 150.8945, "JPY", Board({})) == 0.0


@pytest.mark.parametrize(
    ("x", "digits", "expected"),
    [
        (0.285, 2, 0.29),
        (-0.285, 2, -0.29),
        (2.675, 2, 2.68),
        (2.674999, 2, 2.67),
        (-0.5, 0, -1.0),
        (0.4999, 0, 0.0),
        (1e9 + 0.005, 2, 1e9 + 0.01),
    ],
)
def test_halves_go_away_from_zero_whatever_the_binary_noise(x: float, digits: int, expected: float) -> None:
    assert round_half_away(x, digits) == expected


@given(st.integers(-(10**11), 10**11), st.integers(0, 3))
def test_rounding_is_odd_and_keeps_what_is_on_the_grid(units: int, digits: int) -> None:
    value = units / 10**digits
    assert round_half_away(value, digits) == pytest.approx(value, abs=1e-9)
    assert round_half_away(-value, digits) == -round_half_away(value, digits)


@given(
    st.sampled_from(sorted(QUOTES)),
    st.sampled_from(["USD", "EUR", "GBP", "JPY", "CHF"]),
    st.integers(1, 500),
    st.integers(-500, 500),
)
def test_a_loss_is_never_understated_by_the_other_rule(name: str, currency: str, steps: int, move_points: int) -> None:
    instrument, board = pair(name), Board(QUOTES)
    bid, ask = QUOTES[name]
    closed = round(bid + move_points * instrument.point, instrument.digits)
    money = profit_money(instrument, BUY, steps * 0.01, ask, closed, currency, board)
    assert money is not None
    assert (money > 0) <= (closed > ask)
    assert (money < 0) <= (closed < ask)


def test_paths_and_digits() -> None:
    direct = resolve_conversion("EUR", "USD", lambda name: name == "EURUSD")
    assert direct is not None
    assert direct.legs == (("EURUSD", False),)
    assert resolve_conversion("USD", "XXX", lambda name: False) is None
    same = resolve_conversion("EUR", "EUR", lambda name: False)
    assert same is not None
    assert same.rate(Board({}), ask=True) == 1.0
    assert [currency_digits(ccy) for ccy in ("USD", "JPY", "KWD", "BTC")] == [2, 0, 3, 8]
