"""Whatever a strategy answers is the same signal, or the same named error, live, in a replay, in a backtest and in a check."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.engine import strategy_messages as wire
from quarterdeck.core.engine.strategy_process import StrategyProcess
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check, NoSignal, Signal
from quarterdeck.core.scan.plan import STRATEGY_ERROR
from quarterdeck.core.scan.scan_request import answer_request, decode_request, encode_request
from quarterdeck.core.scan.scanner import Scanner
from quarterdeck.core.scan.vectorized_scan import VectorizedScan
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.answers import bars_of, candidates_of, decision_of
from quarterdeck.core.strategy.guarded_call import CallFailure, WrongAnswer, call_guarded
from quarterdeck.core.strategy.interface import Decision
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy
from quarterdeck.core.study.strategy_checks import check_lookahead
from tests.core.scan.random_walks import instrument, walk
from tests.core.strategy import arbitrary

pytestmark = pytest.mark.filterwarnings("ignore")  # numpy and pandas talk about such values

STRATEGY = """
import numpy as np
from msgspec import Struct
from quarterdeck.core.strategy.interface import Columns, Decision
from tests.core.strategy import arbitrary


class Parameters(Struct, frozen=True, kw_only=True):
    number: int = 0


class Mine:
    name = "mine"
    timeframes = ("M15", "H1")
    Parameters = Parameters
    warmup_bars = np.int64(60)
    warmup_h1_bars = np.uint8(10)

    def __init__(self, parameters):
        self.p = parameters

    def prepare(self, m15, h1, instrument):
        return Columns(m15, h1)

    def candidates(self, columns):
        return np.ones(len(columns), np.bool_) if self.p.number == 0 else arbitrary.candidates(self.p.number, len(columns))

    def decide(self, columns, row, instrument):
        close = columns.m15.close.item(row)
        if instrument.symbol == "EURUSD" or self.p.number:
            return arbitrary.answer(self.p.number, close) if self.p.number and ALWAYS else Decision()
        return arbitrary.answer(int(columns.m15.open_utc_ns[row] // 900_000_000_000), close)
"""
CANDLES = walk(7, 1500, holes=False)
FEW = 300


def settings_of(folder, number=0, always=False):
    (folder / "mine.py").write_text(f"ALWAYS = {always}\n{STRATEGY}")
    parameters = {"number": number}
    return shipped_settings(
        ("strategy.file", str(folder / "mine.py")), ("strategy.name", "Mine"), ("strategy.parameters", parameters)
    )


def loaded_or_refused(settings):
    try:
        return load_strategy(settings), ""
    except SettingsError as error:
        return None, str(error)


def told(found):
    """An answer as bytes: what is not a number is itself."""
    return msgspec.msgpack.encode(found)


def one_by_one(loaded, settings, rows):
    scanner = Scanner(loaded, [instrument("GBPUSD")], settings)
    scanner.seed("GBPUSD", CANDLES[: rows[0]])
    looks = []
    for row in rows:
        look = scanner.scan_request("GBPUSD", CANDLES.bar(row))
        looks.append(decode_request(encode_request(look)))  # the bars are views that the next bar changes
    return looks, VectorizedScan(scanner.plan("GBPUSD"), instrument("GBPUSD"), CANDLES)


async def asked_live(settings, folder, looks):
    process = StrategyProcess(settings, folder, WallClock())
    await process.start()
    answers = [await process.ask(look) for look in looks]
    await process.stop()
    return answers, process.replaced


def differing(folder, rows):
    settings = settings_of(folder)
    loaded = load_strategy(settings)
    looks, whole = one_by_one(loaded, settings, rows)
    live, lost = asyncio.run(asked_live(settings, folder, looks))
    replayed = [answer_request(loaded, look) for look in looks]
    back = [whole.answer(row) for row in rows]
    assert lost == 0
    for found in live:
        assert isinstance(found, Signal) or not found.withheld or found.withheld.startswith(STRATEGY_ERROR)
    kinds = [sum(isinstance(found, Signal) for found in live), sum(bool(getattr(found, "withheld", "")) for found in live)]
    same = [told(a) == told(b) == told(c) for a, b, c in zip(live, replayed, back, strict=True)]
    return same.count(False), kinds


@pytest.mark.processes
def test_arbitrary_decisions_are_the_same_on_every_way(tmp_path):
    wrong, (signals, errors) = differing(tmp_path, range(1200, 1200 + FEW))
    assert wrong == 0
    assert signals > FEW // 5
    assert errors > FEW // 5


@pytest.mark.soak
def test_five_thousand_arbitrary_decisions_are_the_same_on_every_way(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.core.strategy.test_answers.CANDLES", walk(7, 6300, holes=False))
    assert differing(tmp_path, range(1200, 6200))[0] == 0


@pytest.mark.parametrize("number", range(1, 90))
def test_arbitrary_candidates_are_the_same_on_every_way(number, tmp_path):
    settings = settings_of(tmp_path, number)
    loaded, refusal = loaded_or_refused(settings)
    if loaded is None:
        assert "fails on a trial window: " in refusal
        return
    looks, whole = one_by_one(loaded, settings, [1400])
    replayed = answer_request(loaded, looks[0])
    live = wire.decode_from_child(wire.encode(wire.StrategyAnswer(number=1, found=replayed))).found
    assert told(live) == told(replayed) == told(whole.answer(1400))


def test_a_check_names_the_error_of_any_answer(tmp_path):
    settings = settings_of(tmp_path)
    loaded = load_strategy(settings)
    plan = Scanner(loaded, [instrument("GBPUSD")], settings).plan("GBPUSD")
    found = check_lookahead(plan, instrument("GBPUSD"), CANDLES, rows=20)
    assert found.faults == ()
    assert found.error.startswith(STRATEGY_ERROR)


def test_any_answer_at_the_start_loads_or_is_refused(tmp_path):
    settings_of(tmp_path, always=True)
    for number in range(1, 120):
        loaded, refusal = loaded_or_refused(settings_of(tmp_path, number, always=True))
        assert loaded or "fails on a trial window: " in refusal


def test_numbers_of_any_kind_become_floats():
    for number in (np.float64(1.25), np.float32(1.25), np.array(1.25), Decimal("1.25"), np.longdouble(1.25)):
        found = decision_of(Decision(side=Side.BUY, entry_price=number, votes=(Check("a", number, number, np.bool_(True)),)))
        assert [type(value) for value in (found.entry_price, found.votes[0].value, found.votes[0].passed)] == [float, float, bool]
        assert found.entry_price == 1.25
    assert bars_of(np.int64(5), 6) == (5, 6)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"side": "buy"}, "decide answered dict, not a Decision"),
        (Decision(side=-1), "side is -1, not a Side"),
        (Decision(confidence=None), "confidence is None, not a number"),
        (Decision(confidence=True), "confidence is True, not a number"),
        (Decision(stop_price="1.1"), "stop_price is '1.1', not a number"),
        (Decision(entry_price=10**400), "not a number of a usable size"),
        (Decision(exit_now=1), "exit_now is 1, not true or false"),
        (Decision(regime="wild"), "regime is 'wild'; it can be low, normal, high, unknown"),
        (Decision(votes=("trend",)), "a vote is 'trend', not a Check"),
        (Decision(votes=(Check("a", 1.0, None, 1),)), "a vote's verdict is 1, not true or false"),
    ],
)
def test_a_wrong_part_of_a_decision_is_named(answer, words):
    assert words in call_guarded("", decision_of, answer).error


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (np.where([True] * 5, 1.0, np.nan), "candidates() gives float64 values, true or false is needed for each bar"),
        (np.ones(5, int), "candidates() gives int64 values"),
        ([True, None, True, True, True], "candidates() gives object values"),
        (np.ma.array([True] * 5, mask=[True] * 5), "masked values"),
        ([True] * 4, "candidates() gives 4 truth values for 5 M15 bars"),
        (None, "no column of truth values"),
    ],
)
def test_candidates_that_are_no_truth_values_are_refused(answer, words):
    with pytest.raises(WrongAnswer, match=re.escape(words)):
        candidates_of(answer, CANDLES[:5])


def test_a_strategy_cannot_change_the_bars_it_is_given():
    class Overwrites(arbitrary.Hidden):
        warmup_bars, warmup_h1_bars = 60, 10

        def prepare(self, m15, h1, instrument):
            from quarterdeck.core.strategy.interface import Columns

            columns = Columns(m15, h1)
            m15.open_utc_ns, m15.close = m15.open_utc_ns[1:], m15.close * 2.0
            return columns

        def candidates(self, columns):
            return np.ones(len(CANDLES), np.bool_)

    loaded = LoadedStrategy(strategy=Overwrites(), name="x", hash="x", own=True)
    scanner = Scanner(loaded, [instrument()], shipped_settings())
    scanner.seed("EURUSD", CANDLES[:-1])
    found = scanner.on_bar("EURUSD", CANDLES.bar(len(CANDLES) - 1))
    assert isinstance(found, NoSignal)
    assert found.withheld == "strategy error: prepare() answered Columns of other M15 bars than it was given"


def test_errors_of_any_kind_become_a_text():
    for error in arbitrary.ERRORS:

        def fails(error=error):
            raise error

        failed = call_guarded("", fails)
        assert isinstance(failed, CallFailure)
        assert failed.error.encode("utf-8")


def test_a_module_beside_the_file_is_named_in_the_refusal(tmp_path):
    settings_of(tmp_path)
    (tmp_path / "helpers.py").write_text("x = 1\n")
    (tmp_path / "mine.py").write_text("import helpers\n")
    with pytest.raises(SettingsError) as refused:
        load_strategy(shipped_settings(("strategy.file", str(tmp_path / "mine.py")), ("strategy.name", "Mine")))
    assert "No module named 'helpers'" in str(refused.value)
    assert "helpers.py lies beside it, but a strategy is one file" in refused.value.what_to_do


def test_a_relative_import_is_refused_by_name(tmp_path):
    settings_of(tmp_path)
    (tmp_path / "mine.py").write_text("from .helpers import x\n")
    with pytest.raises(SettingsError, match="attempted relative import") as refused:
        load_strategy(shipped_settings(("strategy.file", str(tmp_path / "mine.py")), ("strategy.name", "Mine")))
    assert "a strategy is one file" in refused.value.what_to_do
