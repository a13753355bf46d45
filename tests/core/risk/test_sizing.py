"""The size of a trade: the worked examples inverted, every floor and refusal, and never more risk than asked."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.risk.sizing import SizingInput, SizingPolicy, SizingResult, VolumeCap, size_position
from tests.core.risk.trade import BOARD, QUOTES, pair, valuer

BUY, SELL = Side.BUY, Side.SELL
POLICY = SizingPolicy(
    risk_fraction=0.01,
    stop_spread_min_x=0.0,
    stop_atr_min_x=0.0,
    round_trip_cost_max_fraction=0.15,
    effective_risk_warn_fraction=0.5,
    tick_value_deviation_max_fraction=0.05,
)
TABLE = [
    ("EURUSD", BUY, 0.50, 1.08515, 1.08215, (150.00, 138.61, 118.11, 22635)),
    ("USDJPY", SELL, 0.30, 150.890, 151.290, (79.32, 73.28, 62.61, 12000)),
    ("USDCHF", BUY, 0.40, 0.88012, 0.87712, (136.81, 125.67, 107.36, 20576)),
    ("EURGBP", SELL, 1.00, 0.85420, 0.85720, (381.00, 349.98, 300.00, 57492)),
    ("GBPJPY", BUY, 0.20, 191.670, 191.070, (79.53, 73.30, 62.80, 12000)),
    ("XAUUSD", SELL, 0.10, 2400.0, 2410.0, (100.00, 92.17, 78.74, 15090)),
]


def candidate(
    name: str, side: Side, entry: float, stop: float, *, spread: float = 0.0, commission: float = 0.0, **more: float
) -> SizingInput:
    bid, ask = (entry - spread, entry) if side is BUY else (entry, entry + spread)
    fields: dict[str, float | None] = {"atr_price": 0.0, "tick_value_money": 1.0, "tick_value_expected_money": 1.0, **more}
    return SizingInput(
        instrument=pair(name),
        side=side,
        bid=bid,
        ask=ask,
        stop_price=stop,
        commission_money_per_lot=commission,
        **fields,  # type: ignore[arg-type]
    )


def sized(
    wanted: SizingInput, money: float, *, policy: SizingPolicy = POLICY, currency: str = "USD", caps: tuple[VolumeCap, ...] = ()
) -> SizingResult:
    """Size on an account whose risk per trade is `money`."""
    account = money / policy.risk_fraction
    spec = valuer(wanted.instrument.symbol, currency)
    return size_position(wanted, policy, spec, BOARD, balance_money=account, equity_money=account, caps=caps)


@pytest.mark.parametrize(("name", "side", "lots", "entry", "stop", "losses"), TABLE, ids=[row[0] for row in TABLE])
def test_sizing_inverts_the_worked_examples(
    name: str, side: Side, lots: float, entry: float, stop: float, losses: tuple[float, ...]
) -> None:
    for currency, loss in zip(("USD", "EUR", "GBP", "JPY"), losses, strict=True):
        unit = 1.0 if currency == "JPY" else 0.01
        found = sized(candidate(name, side, entry, stop), loss, currency=currency)
        assert (found.lots, found.risk_money, found.reason) == (lots, loss, "")
        assert sized(candidate(name, side, entry, stop), loss - unit, currency=currency).lots < lots


def test_worked_examples_size_a_third_and_half_a_lot() -> None:
    assert sized(candidate("EURUSD", BUY, 1.08500, 1.08200), 100.0).lots == 0.33
    assert sized(candidate("EURUSD", BUY, 1.08500, 1.08300), 100.0).lots == 0.50


def test_smaller_of_balance_and_equity_counts() -> None:
    wanted = candidate("EURUSD", BUY, 1.08500, 1.08300)
    for balance, equity in ((10_000.0, 20_000.0), (20_000.0, 10_000.0)):
        assert size_position(wanted, POLICY, valuer("EURUSD"), BOARD, balance_money=balance, equity_money=equity).lots == 0.50
    assert size_position(wanted, POLICY, valuer("EURUSD"), BOARD, balance_money=10_000.0, equity_money=-5.0).reason == "equity"


def test_commission_is_part_of_the_loss() -> None:
    # 20 pips = 200 USD a lot and 7 USD commission: 100 / 207 = 0.483.
    found = sized(candidate("EURUSD", BUY, 1.08500, 1.08300, commission=7.0), 100.0)
    assert found.lots == 0.48
    assert found.risk_money == pytest.approx(0.48 * 207.0)
    assert found.commission_money == pytest.approx(3.36)
    assert found.cost_fraction == pytest.approx(0.035)


def test_size_below_minimum_is_refused_with_the_sufficient_equity() -> None:
    # 0.01 lots lose 2 USD at 20 pips: 1 % of 200 USD.
    found = sized(candidate("EURUSD", BUY, 1.08500, 1.08300), 1.99)
    assert (found.lots, found.reason) == (0.0, "minimum_lots")
    assert found.equity_needed_money == pytest.approx(200.0)
    assert sized(candidate("EURUSD", BUY, 1.08500, 1.08300), 2.0).lots == 0.01


@pytest.mark.parametrize(
    ("seen", "expected", "passes"),
    [(0.0, 1.0, False), (1.04, 1.0, True), (1.06, 1.0, False), (0.94, 1.0, False), (1.0, None, False)],
)
def test_tick_value_must_be_there_and_agree(seen: float, expected: float | None, passes: bool) -> None:
    wanted = candidate("EURUSD", BUY, 1.08500, 1.08300, tick_value_money=seen, tick_value_expected_money=expected)  # type: ignore[arg-type]
    assert (sized(wanted, 100.0).reason == "") is passes
    assert passes or sized(wanted, 100.0).reason == "tick_value"


@pytest.mark.parametrize(
    ("policy", "instrument_points", "stop"),
    [
        (replace(POLICY, stop_spread_min_x=5.0), 0, 1.08425),  # 5 x 1.5 pips
        (replace(POLICY, stop_atr_min_x=0.5), 0, 1.08400),  # 0.5 x 20 pips
        (POLICY, 50, 1.08435),  # 5 pips from the bid, so 6.5 from the ask
    ],
)
def test_a_stop_too_near_is_moved_away_before_sizing(policy: SizingPolicy, instrument_points: int, stop: float) -> None:
    near = candidate("EURUSD", BUY, 1.08500, 1.08480, spread=0.00015, atr_price=0.0020)
    near = replace(near, instrument=replace(near.instrument, stops_level_points=instrument_points))
    found = sized(near, 100.0, policy=replace(policy, round_trip_cost_max_fraction=1.0))
    assert found.stop_price == stop
    assert found.lots == pytest.approx(100.0 / ((1.08500 - stop) * 100_000), abs=0.01)
    far = replace(near, stop_price=1.08200)
    assert sized(far, 100.0, policy=replace(policy, round_trip_cost_max_fraction=1.0)).stop_price == 1.08200


def test_sell_stop_widens_upwards_and_wrong_side_is_refused() -> None:
    near = candidate("EURUSD", SELL, 1.08500, 1.08510, atr_price=0.0020)
    assert sized(near, 100.0, policy=replace(POLICY, stop_atr_min_x=0.5)).stop_price == 1.08600
    assert sized(candidate("EURUSD", SELL, 1.08500, 1.08400), 100.0).reason == "stop"
    assert sized(candidate("EURUSD", BUY, 1.08500, 1.08500), 100.0).reason == "stop"


def test_cost_above_its_share_of_the_stop_refuses() -> None:
    # 10 pips stop; 1 pip spread and 7 USD (0.7 pip) commission are 17 %.
    dear = candidate("EURUSD", BUY, 1.08500, 1.08400, spread=0.0001, commission=7.0)
    found = sized(dear, 100.0)
    assert found.reason == "cost"
    assert found.cost_fraction == pytest.approx(0.17)
    assert sized(replace(dear, stop_price=1.08370), 100.0).reason == ""


def test_broker_and_other_caps_shrink_and_say_so() -> None:
    wanted = candidate("EURUSD", BUY, 1.08500, 1.08300)
    capped = sized(wanted, 100.0, caps=(VolumeCap("leverage_total", 0.317, "20 x equity"),))
    assert capped.lots == 0.31
    assert capped.effective_fraction == pytest.approx(0.62)
    note = {check.name: check for check in capped.checks}["leverage_total"].note
    assert note == "shrunk from 0.5 to 0.31: 20 x equity"
    limited = replace(
        wanted, instrument=replace(wanted.instrument, volume_max_lots=0.40, volume_limit_lots=0.50), direction_lots=0.25
    )
    assert sized(limited, 100.0).lots == 0.25
    assert sized(replace(limited, direction_lots=0.50), 100.0).reason == "limit_lots"
    assert sized(wanted, 100.0, caps=(VolumeCap("leverage_position", -1.0),)).reason == "leverage_position"


def test_low_effective_risk_is_shown_and_not_refused() -> None:
    found = sized(candidate("EURUSD", BUY, 1.08500, 1.08300), 100.0, caps=(VolumeCap("leverage_total", 0.1),))
    shown = found.checks[-1]
    assert (shown.name, shown.passed, shown.note) == ("effective_risk", True, "only 20.00 of 100.00")


def test_unknown_rate_refuses() -> None:
    class Nothing:
        def bid_ask(self, symbol: str) -> None:
            return None

    wanted = candidate("EURGBP", BUY, 0.8542, 0.8512)
    assert size_position(wanted, POLICY, valuer("EURGBP"), Nothing(), balance_money=1e4, equity_money=1e4).reason == "rate"


names = st.sampled_from([*QUOTES, "XAUUSD"])
currencies = st.sampled_from(["USD", "EUR", "GBP", "JPY", "CHF"])


@given(
    names,
    currencies,
    st.sampled_from([BUY, SELL]),
    st.integers(20, 900),
    st.floats(1.0, 5_000.0),
    st.floats(0.0, 10.0),
    st.integers(0, 30),
)
def test_rounded_size_stays_within_risk_and_next_step_exceeds(
    name: str, currency: str, side: Side, stop_points: int, asked: float, commission: float, spread_points: int
) -> None:
    bid = QUOTES.get(name, (2400.0, 2400.3))[0]
    point = pair(name).point
    entry = round(bid, 5)
    wanted = candidate(
        name,
        side,
        entry,
        entry - side * (stop_points + spread_points) * point,
        spread=spread_points * point,
        commission=commission,
    )
    free = replace(POLICY, round_trip_cost_max_fraction=100.0)
    found = sized(wanted, asked, policy=free, currency=currency)
    if found.reason:
        assert found.reason == "minimum_lots"
        assert found.equity_needed_money * POLICY.risk_fraction > asked - 1e-6
        return
    assert found.risk_money <= asked + 1e-9
    assert round(found.lots / 0.01) == pytest.approx(found.lots / 0.01)
    assert 0.01 <= found.lots <= 100.0
    if found.lots < 100.0:
        more = valuer(name, currency).profit_money(side, round(found.lots + 0.01, 2), entry, found.stop_price, BOARD)
        assert more is not None
        assert -more + by_hand(round(found.lots + 0.01, 2), commission, currency) > asked - 1e-9


@given(st.floats(10.0, 5_000.0), st.floats(0.0, 500.0), st.integers(50, 900), st.integers(0, 300))
def test_more_equity_never_reduces_lots_wider_stop_never_increases(asked: float, extra: float, points: int, farther: int) -> None:
    near = candidate("EURUSD", BUY, 1.08500, round(1.08500 - points * 1e-5, 5))
    far = replace(near, stop_price=round(near.stop_price - farther * 1e-5, 5))
    assert sized(near, asked + extra).lots >= sized(near, asked).lots
    assert sized(far, asked).lots <= sized(near, asked).lots


def by_hand(lots: float, per_lot: float, currency: str) -> float:
    """Commission of two deals, each rounded to the account's unit as the trade server does."""
    unit = Decimal(1) if currency == "JPY" else Decimal("0.01")
    one = (Decimal(repr(lots)) * Decimal(repr(per_lot)) / 2).quantize(unit, ROUND_HALF_UP)
    return float(2 * one)


@pytest.mark.parametrize("count", [1_500, pytest.param(20_000, marks=pytest.mark.soak)])
def test_random_sizings_never_lose_more_than_asked(count: int) -> None:
    dice = random.Random(20_260)
    free = replace(POLICY, round_trip_cost_max_fraction=100.0)
    traded = 0
    for _ in range(count):
        name, currency, side = dice.choice(list(QUOTES)), dice.choice(["USD", "EUR", "GBP", "JPY"]), dice.choice([BUY, SELL])
        unit = 100.0 if currency == "JPY" else 1.0
        asked, per_lot = round(unit * dice.uniform(1.0, 500.0), 2), round(unit * dice.uniform(0.0, 20.0), 2)
        entry = QUOTES[name][0]
        wanted = candidate(name, side, entry, entry - side * dice.randint(20, 900) * pair(name).point, commission=per_lot)
        found = sized(wanted, asked, policy=free, currency=currency)
        if found.reason:
            continue
        traded += 1
        lost = valuer(name, currency).profit_money(side, found.lots, entry, found.stop_price, BOARD)
        assert lost is not None
        paid = by_hand(found.lots, per_lot, currency)
        assert found.risk_money == pytest.approx(-lost + paid)
        assert -lost + paid <= asked + 1e-6
    assert traded > count // 2
