"""A bar at a time and whole columns answer alike to the last bit; a bad strategy harms nothing but its own answer."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from quarterdeck.core.data.recorded_prices import load_candles
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.scan.h1_bars import build_h1
from quarterdeck.core.scan.plan import scan_plan_for
from quarterdeck.core.scan.scanner import Scanner
from quarterdeck.core.scan.vectorized_scan import VectorizedScan
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.interface import Columns, Decision
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy
from tests.core.scan.random_walks import instrument, walk

SETTINGS = shipped_settings()
LOADED = load_strategy(SETTINGS)


def scanner(loaded=LOADED, symbol="EURUSD"):
    return Scanner(loaded, [instrument(symbol)], SETTINGS)


def answers(m15, first, symbol="EURUSD", seed_from=0):
    """What the scanner says of rows `first`.. after being seeded with all before."""
    scan = scanner(symbol=symbol)
    scan.seed(symbol, m15[seed_from:first])
    return [scan.on_bar(symbol, m15.bar(row)) for row in range(first, len(m15))]


def whole(m15, symbol="EURUSD"):
    return VectorizedScan(scanner(symbol=symbol).plan(symbol), instrument(symbol), m15)


@pytest.mark.parametrize("seed", range(4))
def test_windows_and_whole_columns_agree_bit_for_bit_on_walks(seed):
    m15 = walk(seed, 3400)
    columns = whole(m15)
    first = 1200 + 37 * seed
    one_by_one = answers(m15, first)
    for offset, answer in enumerate(one_by_one):
        assert answer == columns.answer(first + offset)
        assert isinstance(answer, Signal) == bool(columns.candidate[first + offset])
    assert any(isinstance(answer, Signal) for answer in one_by_one)


@pytest.mark.parametrize("symbol", ["EURUSD", "USDJPY"])
def test_windowed_and_column_scans_agree_on_recorded_data(recorded_data, symbol):
    m15 = load_candles(recorded_data / "m15", symbol).bid[20_000:32_000]
    columns = whole(m15, symbol)
    rows = np.flatnonzero(columns.candidate)
    rows = rows[rows > 6000]
    assert len(rows) > 30
    plan = scanner(symbol=symbol).plan(symbol)
    for row in rows.tolist()[:120] + list(range(9000, 9060)):
        begin = row - plan.history_rows  # what a restarted engine would fetch
        assert answers(m15[: row + 1], row, symbol, max(0, begin)) == [columns.answer(row)]


def test_a_restart_changes_no_answer():
    m15 = walk(11, 9000, holes=False)
    history = scanner().plan("EURUSD").history_rows
    early = answers(m15, history + 10)
    late_first = 8700
    late = answers(m15, late_first, seed_from=late_first - history)
    assert early[-len(late) :] == late


def test_pair_is_scanned_with_its_own_parameters():
    m15, values = walk(2, 3400), {"break_bars": 1, "h1_slope_min_x_atr": 1.0}
    mixed = shipped_settings(("pair.EURUSD.strategy.parameters", values))
    both, bare = load_strategy(mixed), load_strategy(shipped_settings(("strategy.parameters", values)))

    def rows(loaded, symbol):
        return np.flatnonzero(VectorizedScan(scan_plan_for(loaded, mixed, symbol), instrument(symbol), m15).candidate).tolist()

    assert rows(both, "EURUSD") == rows(bare, "EURUSD")
    assert rows(both, "GBPUSD") == rows(LOADED, "GBPUSD") != rows(both, "EURUSD")
    own = Scanner(both, [instrument("EURUSD")], mixed)
    own.seed("EURUSD", m15[:1500])
    found = [own.on_bar("EURUSD", m15.bar(row)) for row in range(1500, 1900)]
    at = [1500 + place for place, one in enumerate(found) if isinstance(one, Signal)]
    assert at == [row for row in rows(bare, "EURUSD") if 1500 <= row < 1900] != []


def test_nothing_is_judged_before_the_window_is_full():
    m15 = walk(3, 1300, holes=False)
    plan = scanner().plan("EURUSD")
    early = answers(m15, 0)
    assert [bool(answer.withheld) for answer in early if isinstance(answer, NoSignal)][: plan.m15_rows - 1] == [True] * (
        plan.m15_rows - 1
    )
    assert early[10].withheld == f"warm-up: 11 of {plan.m15_rows} M15 bars"
    columns = whole(m15)
    assert early == [columns.answer(row) for row in range(len(m15))]
    assert early[plan.m15_rows].withheld == "" if isinstance(early[plan.m15_rows], NoSignal) else True


def test_the_brokers_hours_serve_before_the_first_of_our_own():
    m15 = walk(5, 1500, holes=False)
    strange = Foreign(decide=Decision)
    strange.warmup_h1_bars = 300
    loaded = LoadedStrategy(strategy=strange, name="strange", hash="x", own=True)
    short, fed, whole_past = scanner(loaded), scanner(loaded), scanner(loaded)
    first = len(m15) - 1020
    short.seed("EURUSD", m15[first:-20])
    fed.seed("EURUSD", m15[first:-20], build_h1(m15))
    whole_past.seed("EURUSD", m15[:-20])
    for row in range(len(m15) - 20, len(m15)):
        bar = m15.bar(row)
        withheld, with_the_brokers, with_our_own = (scan.on_bar("EURUSD", bar) for scan in (short, fed, whole_past))
        assert "of 300 H1 bars" in withheld.withheld
        assert with_the_brokers.features.atr_h1_price == with_our_own.features.atr_h1_price > 0.0


def test_bar_not_later_than_last_is_ignored():
    m15 = walk(6, 1400, holes=False)
    scan = scanner()
    scan.seed("EURUSD", m15[:1398])
    first = scan.on_bar("EURUSD", m15.bar(1398))
    for old in (1398, 1200):
        again = scan.on_bar("EURUSD", m15.bar(old))
        assert isinstance(again, NoSignal)
        assert "not after the last" in again.withheld
    assert first == whole(m15).answer(1398)
    assert scan.on_bar("EURUSD", m15.bar(1399)) == whole(m15).answer(1399)


def test_a_pair_without_an_instrument_is_our_own_mistake():
    with pytest.raises(InvariantError):
        scanner().seed("GBPUSD", walk(1, 10))


def test_a_signal_says_what_it_is_worth():
    m15 = walk(0, 3400)
    signals = [answer for answer in answers(m15, 1500) if isinstance(answer, Signal)]
    for signal in signals:
        sign = int(signal.side)
        assert sign * signal.stop_price < sign * signal.entry_price < sign * signal.target_price
        assert 0.4 <= signal.confidence <= 1.0
        assert signal.strategy == "trend"
        assert signal.strategy_hash == LOADED.hash
        assert [vote.name for vote in signal.votes][:4] == ["h1_trend", "m15_pullback", "m15_break", "m15_first"]
        assert all(vote.passed for vote in signal.votes)
        assert signal.features.regime in ("low", "normal", "high")
        assert signal.features.h1_trend == ("up" if signal.side is Side.BUY else "down")
        assert signal.features.atr_m15_price > 0.0
        assert signal.features.atr_h1_price > signal.features.atr_m15_price
        parts = [vote for vote in signal.votes if vote.name.startswith("confidence.")]
        assert signal.confidence == pytest.approx(0.4 + sum(part.value * part.threshold for part in parts))
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(signal), type=Signal) == signal
    assert {signal.side for signal in signals} == {Side.BUY, Side.SELL}


class Foreign:
    """A strategy that does what a test tells it to."""

    name = "foreign"
    timeframes = ("M15",)
    Parameters = msgspec.Struct
    warmup_bars = 10
    warmup_h1_bars = 2

    def __init__(self, decide, found=True, prepare=None):
        self._decide, self._found, self._prepare = decide, found, prepare

    def prepare(self, m15, h1, instrument):
        return self._prepare() if self._prepare else Columns(m15, h1)

    def candidates(self, columns):
        return np.full(len(columns), self._found)

    def decide(self, columns, row, instrument):
        return self._decide()


def asked(**kwargs):
    m15 = walk(2, 1100, holes=False)
    scan = scanner(LoadedStrategy(strategy=Foreign(**kwargs), name="foreign", hash="x", own=True))
    scan.seed("EURUSD", m15[:-1])
    return scan.on_bar("EURUSD", m15.bar(1099))


def fails():
    raise ZeroDivisionError("float division\nby zero")


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({"decide": fails}, "strategy error: ZeroDivisionError: float division by zero"),
        ({"decide": Decision, "prepare": fails}, "strategy error: ZeroDivisionError"),
        ({"decide": lambda: None}, "decide answered NoneType, not a Decision"),
        ({"decide": lambda: Decision(side=Side.BUY), "found": False}, "decides where its candidates() finds nothing"),
        (
            {"decide": lambda: Decision(side=Side.BUY, entry_price=1.1, stop_price=1.2, target_price=1.3)},
            "do not lie in that order",
        ),
        (
            {"decide": lambda: Decision(side=Side.SELL, entry_price=1.1, stop_price=1.2, target_price=float("nan"))},
            "do not lie in that",
        ),
        ({"decide": lambda: Decision(side=Side.SELL, confidence=1.5)}, "confidence of 1.5, outside 0..1"),
    ],
)
def test_failing_or_invalid_strategy_answer_is_withheld_with_reason(kwargs, why):
    answer = asked(**kwargs)
    assert isinstance(answer, NoSignal)
    assert why in answer.withheld


def test_a_strategy_may_only_want_out():
    answer = asked(decide=lambda: Decision(side=Side.SELL, exit_now=True, confidence=0.5))
    assert isinstance(answer, Signal)
    assert answer.exit_now


def test_our_own_broken_promise_is_not_taken_for_the_strategys():
    def broken():
        raise InvariantError("ours")

    with pytest.raises(InvariantError):
        asked(decide=broken)
