"""The checks catch strategies that peek or forget, name the column at fault, and pass the honest ones."""

from __future__ import annotations

from functools import partial

import msgspec
import numpy as np
import pytest

from quarterdeck.core.data.recorded_prices import load_candles
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.scan.plan import scan_plan_for
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.indicators import ema
from quarterdeck.core.strategy.interface import Columns, Decision
from quarterdeck.core.strategy.rolling import onto_m15
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy, template_text
from quarterdeck.core.strategy.trend import TrendParameters, TrendStrategy
from quarterdeck.core.study import strategy_checks
from tests.core.scan.random_walks import instrument, walk

SETTINGS = shipped_settings()
check_lookahead = partial(strategy_checks.check_lookahead, rows=30)
check_warmup = strategy_checks.check_warmup
M15 = walk(31, 2600)


class Peeking(TrendStrategy):
    """The shipped strategy with one column of another making."""

    extra = staticmethod(lambda columns: columns.m15.close)

    def prepare(self, m15, h1, instrument):
        columns = super().prepare(m15, h1, instrument)
        columns["extra"] = self.extra(columns)
        return columns


def next_close(columns: Columns):
    return np.append(columns.m15.close[1:], columns.m15.close[-1])


def hour_in_progress(columns: Columns):
    rows = np.minimum(columns.h1_rows + 1, len(columns.h1) - 1)
    return onto_m15(columns.h1.close, rows)


def scaled_by_all(columns: Columns):
    close = columns.m15.close
    return (close - close.mean()) / close.std()


def centred(columns: Columns):
    return np.convolve(columns.m15.close, np.ones(5) / 5.0, mode="same")


def ranked(columns: Columns):
    return np.argsort(np.argsort(columns.m15.close)) / len(columns)


class InDecide(TrendStrategy):
    """It peeks where no column shows it."""

    def decide(self, columns, row, instrument):
        decision = super().decide(columns, row, instrument)
        if decision.side is None:
            return decision
        return msgspec.structs.replace(decision, confidence=0.9 if columns.m15.close[row + 1] > decision.entry_price else 0.5)


def plan(strategy, name="mine"):
    return scan_plan_for(LoadedStrategy(strategy=strategy, name=name, hash="x", own=True), SETTINGS, "EURUSD")


def peeking(extra):
    kind = type("Peeks", (Peeking,), {"extra": staticmethod(extra)})
    return plan(kind(TrendParameters()))


@pytest.mark.parametrize("extra", [next_close, hour_in_progress, scaled_by_all, centred, ranked])
def test_a_column_that_peeks_is_caught_by_name(extra):
    found = check_lookahead(peeking(extra), instrument(), M15)
    assert not found.passed
    assert found.columns == ("extra",)
    fault = found.faults[0]
    assert fault.was != fault.becomes
    assert fault.bar_open_utc_ns <= fault.seen_to_utc_ns


def test_faulty_column_is_named_before_dependent_ones():
    class Peeks(TrendStrategy):
        def prepare(self, m15, h1, instrument):
            columns = super().prepare(m15, h1, instrument)
            columns["extra"] = next_close(columns)
            return columns

        def candidates(self, columns):
            return super().candidates(columns) & (columns["extra"] > columns.m15.close)

    found = check_lookahead(plan(Peeks(TrendParameters())), instrument(), M15)
    assert found.columns == ("extra", "candidates")
    assert found.causes == ("extra",)


def test_a_decision_that_peeks_is_caught():
    found = check_lookahead(plan(InDecide(TrendParameters())), instrument(), M15)
    assert not found.passed
    assert all(column.startswith("decide: ") for column in found.columns)
    assert "decide: confidence" in found.columns


def test_candidates_that_peek_are_caught():
    class Peeks(TrendStrategy):
        def candidates(self, columns):
            return super().candidates(columns) & (next_close(columns) > columns.m15.close)

    found = check_lookahead(plan(Peeks(TrendParameters())), instrument(), M15)
    assert found.columns == ("candidates",)


def test_what_a_strategy_remembers_of_the_future_is_caught():
    class Remembers(TrendStrategy):
        """It hands out what it found when it saw everything."""

        def prepare(self, m15, h1, instrument):
            columns = super().prepare(m15, h1, instrument)
            seen = getattr(self, "seen", next_close(columns))
            self.seen = seen
            columns["extra"] = seen[: len(m15)]
            return columns

    found = check_lookahead(plan(Remembers(TrendParameters())), instrument(), M15)
    assert found.columns == ("extra",)


def test_a_cut_that_a_strategy_cannot_take_is_said():
    class Rigid(TrendStrategy):
        def prepare(self, m15, h1, instrument):
            if len(m15) != len(M15):
                raise ValueError("wrong length")
            return super().prepare(m15, h1, instrument)

    found = check_lookahead(plan(Rigid(TrendParameters())), instrument(), M15)
    assert not found.passed
    assert found.error == "ValueError: wrong length"


@pytest.mark.parametrize("check", [check_lookahead, check_warmup])
def test_candidates_of_another_length_are_an_error_and_no_crash(check):
    class Short(TrendStrategy):
        def candidates(self, columns):
            return super().candidates(columns)[3:]

    found = check(plan(Short(TrendParameters())), instrument(), M15)
    assert not found.passed
    assert "truth values for" in found.error


@pytest.mark.parametrize("check", [check_lookahead, check_warmup])
def test_the_shipped_strategy_and_the_template_are_honest(check, tmp_path):
    (tmp_path / "mine.py").write_text(template_text())
    mine = shipped_settings(("strategy.file", str(tmp_path / "mine.py")), ("strategy.name", "Crossing"))
    for loaded in (load_strategy(SETTINGS), load_strategy(mine)):
        found = check(scan_plan_for(loaded, SETTINGS, "EURUSD"), instrument(), walk(32, 5200))
        assert (found.faults, found.error) == ((), "")
        assert found.passed
        assert found.rows_tried >= 15
    assert check_warmup(plan(TrendStrategy(TrendParameters())), instrument(), M15).worst_drift == 0.0


def test_the_shipped_strategy_is_honest_on_recorded_data(recorded_data):
    m15 = load_candles(recorded_data / "m15", "USDJPY").bid[20_000:28_000]
    honest = scan_plan_for(load_strategy(SETTINGS), SETTINGS, "USDJPY")
    assert check_lookahead(honest, instrument("USDJPY"), m15).passed
    assert check_warmup(honest, instrument("USDJPY"), m15).worst_drift == 0.0


def test_too_short_warmup_is_detected_by_name():
    class Short(Peeking):
        warmup_bars = 1000
        extra = staticmethod(lambda columns: ema(columns.m15.close, 400))

    found = check_warmup(plan(Short(TrendParameters())), instrument(), M15)
    assert not found.passed
    assert found.columns == ("extra",)
    assert found.worst_drift > found.tolerance
    generous = check_warmup(plan(Short(TrendParameters())), instrument(), M15, tolerance=0.5)
    assert generous.passed
    assert check_lookahead(plan(Short(TrendParameters())), instrument(), M15).passed


def test_a_running_sum_is_caught():
    class Running(Peeking):
        extra = staticmethod(lambda columns: np.cumsum(columns.m15.close - columns.m15.open))

    assert check_warmup(plan(Running(TrendParameters())), instrument(), M15).columns == ("extra",)


def test_a_decision_that_hangs_on_the_windows_length_is_caught():
    class Counts(TrendStrategy):
        def decide(self, columns, row, instrument):
            decision = super().decide(columns, row, instrument)
            return decision if row % 7 else Decision(votes=decision.votes)

    found = check_warmup(plan(Counts(TrendParameters())), instrument(), M15)
    assert any(column.startswith("decide: ") for column in found.columns)


def test_too_few_bars_are_refused_with_the_number_needed():
    for check in (check_lookahead, check_warmup):
        with pytest.raises(DataError, match="are needed for this check, there are 500"):
            check(plan(TrendStrategy(TrendParameters())), instrument(), walk(1, 500, holes=False))
