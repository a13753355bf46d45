"""Notional limits and the figure of all stops hit with a gap, with the drill of five positions against the dollar."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.risk.exposure import ExposurePolicy, all_stops_check, exposure, exposure_caps, exposure_checks, notional
from quarterdeck.core.risk.open_risk import RiskPosition, gap_loss_money
from tests.core.risk.trade import BOARD, pair, valuer

POLICY = ExposurePolicy(position_max_x_equity=7.0, currency_max_x_equity=10.0, total_max_x_equity=20.0)
BUY, SELL = Side.BUY, Side.SELL


def held(name: str, side: Side, lots: float, price: float):
    found = notional(valuer(name), side, lots, price, BOARD)
    assert found is not None
    return found


def test_book_adds_net_per_currency_and_gross_in_total() -> None:
    book = exposure([held("EURUSD", BUY, 0.5, 1.08500), held("USDJPY", SELL, 0.3, 150.9), held("EURGBP", SELL, 0.1, 0.8542)])
    assert book.total_money == pytest.approx(54_250 + 30_000 + 10_849.6213)
    assert book.net("EUR") == pytest.approx(54_250 - 10_849.6213)
    assert book.net("USD") == pytest.approx(-54_250 - 30_000)
    assert book.net("JPY") == pytest.approx(30_000)
    assert book.net("CHF") == 0.0
    checks = {check.name: check for check in exposure_checks(book, equity_money=8_000.0, policy=POLICY)}
    assert checks["leverage_USD"].value == pytest.approx(-10.53125)
    assert not checks["leverage_USD"].passed
    assert checks["leverage_total"].passed


def test_the_tightest_room_caps_the_lots() -> None:
    book = exposure([held("EURUSD", BUY, 0.8, 1.08500)])  # USD -86,800, EUR +86,800
    caps = {
        cap.name: cap.lots
        for cap in exposure_caps(
            book, pair("GBPUSD"), BUY, notional_money_per_lot=127_000.0, equity_money=10_000.0, policy=POLICY
        )
    }
    assert caps["leverage_position"] == pytest.approx(70_000 / 127_000)
    assert caps["leverage_GBP"] == pytest.approx(100_000 / 127_000)
    assert caps["leverage_USD"] == pytest.approx(13_200 / 127_000), "the dollar is nearly used up"
    assert caps["leverage_total"] == pytest.approx(113_200 / 127_000)
    back = {
        cap.name: cap.lots
        for cap in exposure_caps(
            book, pair("GBPUSD"), SELL, notional_money_per_lot=127_000.0, equity_money=10_000.0, policy=POLICY
        )
    }
    assert back["leverage_USD"] == pytest.approx(186_800 / 127_000), "what reduces a leg has the more room"
    over = exposure_caps(book, pair("GBPUSD"), BUY, notional_money_per_lot=127_000.0, equity_money=1_000.0, policy=POLICY)
    assert [cap.lots for cap in over if cap.name == "leverage_USD"] == [0.0]


def test_gap_risk_refuses_over_limit_and_on_unknown_figures() -> None:
    assert all_stops_check([400.0, 300.0], 300.0, equity_money=10_000.0, max_fraction=0.1, gap_fraction=0.005).passed
    assert not all_stops_check([400.0, 300.0], 300.01, equity_money=10_000.0, max_fraction=0.1, gap_fraction=0.005).passed
    assert not all_stops_check([400.0, None], 1.0, equity_money=10_000.0, max_fraction=0.1, gap_fraction=0.005).passed


def test_five_dollar_positions_gapping_one_percent_stay_within_shown_loss() -> None:
    # Long EURUSD, GBPUSD, EURUSD; short USDJPY, USDCHF; stops 30 pips away, all quotes jump 1 % for the dollar at once.
    book = [
        ("EURUSD", BUY, 0.30, 1.08500),
        ("GBPUSD", BUY, 0.25, 1.27000),
        ("EURUSD", BUY, 0.10, 1.08500),
        ("USDJPY", SELL, 0.30, 150.900),
        ("USDCHF", SELL, 0.40, 0.88012),
    ]
    shown, lost = 0.0, 0.0
    for name, side, lots, price in book:
        stop = price - side * 30 * pair(name).pip
        figure = gap_loss_money(
            RiskPosition(
                valuer=valuer(name),
                side=side,
                lots=lots,
                open_price=price,
                stop_price=stop,
                now_price=price,
                stop_distance=abs(price - stop),
            ),
            BOARD,
            gap_fraction=0.01,
        )
        gapped = valuer(name).profit_money(side, lots, price, price * (1 - side * 0.01), BOARD)
        assert figure is not None
        assert gapped is not None
        shown, lost = shown + figure, lost - gapped
    assert lost <= shown
