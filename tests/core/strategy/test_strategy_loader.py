"""A strategy of the operator's own is taken in by name, checked, and refused in words he can act on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.scan.scanner import Scanner
from quarterdeck.core.scan.vectorized_scan import VectorizedScan
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy, strategy_parameters, template_text, trial_candles
from tests.core.scan.random_walks import instrument, walk

SHIPPED = shipped_settings().strategy

FRAMES = """
import msgspec
import pandas_ta_classic as ta
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.strategy.interface import Decision

class P(msgspec.Struct, frozen=True):
    length: int = 20

class Frames:
    name = "frames"
    Parameters = P
    warmup_bars = 400
    warmup_h1_bars = 60

    def __init__(self, parameters):
        self.p = parameters

    def on_frames(self, m15, h1, instrument):
        assert len(m15) == 400 and len(h1) == 60 and str(m15.index.tz) == "UTC"
        average = ta.ema(m15["close"], self.p.length, talib=True)
        above = m15["close"] > average
        if not (above.iloc[-1] and not above.iloc[-2]):
            return None
        close = float(m15["close"].iloc[-1])
        return Decision(side=Side.BUY, entry_price=close, stop_price=close - 0.001, target_price=close + 0.002, confidence=0.8)
"""


def section(**changes):
    return shipped_settings(*((f"strategy.{name}", value) for name, value in changes.items()))


def own(tmp_path, text, name):
    (tmp_path / "mine.py").write_text(text)
    return load_strategy(section(file="mine.py", name=name), tmp_path)


def scans(loaded, bars=2200, last=150):
    """Answers of a scanner and of whole columns over the last bars of a walk."""
    m15 = walk(21, bars)
    scanner = Scanner(loaded, [instrument()], shipped_settings())
    scanner.seed("EURUSD", m15[:-last])
    whole = VectorizedScan(scanner.plan("EURUSD"), instrument(), m15)
    rows = range(len(m15) - last, len(m15))
    return [scanner.on_bar("EURUSD", m15.bar(row)) for row in rows], [whole.answer(row) for row in rows]


def test_shipped_strategy_hash_covers_code_and_parameters():
    plain = load_strategy(section())
    assert (plain.name, plain.own, len(plain.hash)) == ("trend", False, 16)
    assert load_strategy(section()).hash == plain.hash
    changed = load_strategy(section(parameters={"pullback_rsi": 40}))
    assert changed.hash != plain.hash
    assert plain.parameters == strategy_parameters(section().strategy)


def test_pair_parameters_share_the_strategy_name_and_hash():
    plain = load_strategy(section())
    both = load_strategy(
        shipped_settings(
            ("strategy.parameters", {"pullback_rsi": 40}),
            ("pair.EURUSD.strategy.parameters", {"break_bars": 5, "regime_days": 20}),
        )
    )
    bare = load_strategy(section(parameters={"pullback_rsi": 40, "break_bars": 5, "regime_days": 20}))
    mine, other = both.of("EURUSD"), both.of("GBPUSD")
    assert mine.strategy.warmup_bars == bare.strategy.warmup_bars > other.strategy.warmup_bars == plain.strategy.warmup_bars
    assert mine.hash == other.hash == both.hash
    assert len({plain.hash, both.hash, bare.hash, load_strategy(section(parameters={"pullback_rsi": 40})).hash}) == 4
    with pytest.raises(SettingsError, match="pullback_rsi = 99"):
        load_strategy(shipped_settings(("pair.EURUSD.strategy.parameters", {"pullback_rsi": 99})))
    with pytest.raises(SettingsError, match=r"pair.EURUSD.strategy.file: cannot be set for one pair"):
        shipped_settings(("pair.EURUSD.strategy.file", "mine.py"))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"pulback_rsi": 40}, "no such parameter; did you mean pullback_rsi?"),
        ({"pullback_rsi": 99}, "strategy.parameters.pullback_rsi = 99"),
        ({"pullback_rsi": float("nan")}, "strategy.parameters.pullback_rsi = nan"),
        ({"break_bars": 2.5}, "strategy.parameters.break_bars = 2.5"),
        ({"break_bars": "two", "h1_path_bars": 0}, "h1_path_bars = 0"),
    ],
)
def test_parameters_outside_their_ranges_are_refused_by_name(parameters, words):
    with pytest.raises(SettingsError) as refusal:
        load_strategy(section(parameters=parameters))
    assert words in str(refusal.value)
    assert all(key in str(refusal.value) for key in parameters)


def test_an_unknown_shipped_name_is_refused():
    with pytest.raises(SettingsError, match="there is trend"):
        load_strategy(section(name="trent"))


def test_the_template_loads_and_its_windows_agree_with_its_columns(tmp_path):
    loaded = own(tmp_path, template_text(), "Crossing")
    assert (loaded.name, loaded.own) == ("crossing", True)
    one_by_one, whole = scans(loaded, bars=6000, last=900)
    assert one_by_one == whole
    assert any(isinstance(answer, Signal) for answer in whole)
    assert loaded.hash != own(tmp_path, template_text() + "\n# changed\n", "crossing").hash
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
    assert str(tmp_path) not in sys.path


@pytest.mark.filterwarnings("ignore")  # pandas-ta-classic and the newest pandas do not get on without words
def test_a_strategy_on_frames_is_judged_on_its_own_windows(tmp_path):
    loaded = own(tmp_path, FRAMES, "Frames")
    one_by_one, whole = scans(loaded)
    assert one_by_one == whole
    found = [answer for answer in whole if isinstance(answer, Signal)]
    assert 1 <= len(found) < 40
    assert not any(answer.withheld for answer in whole if isinstance(answer, NoSignal))


@pytest.mark.processes
def test_talib_takes_frames_although_it_was_imported_without_them(tmp_path):
    (tmp_path / "mine.py").write_text(FRAMES)
    program = (
        "import sys; from quarterdeck.core.settings.settings_loader import shipped_settings;"
        "from quarterdeck.core.strategy.strategy_loader import load_strategy;"
        "assert 'pandas' not in sys.modules;"
        f"s = shipped_settings(('strategy.file', {str(tmp_path / 'mine.py')!r}), ('strategy.name', 'frames'));"
        "load_strategy(s); assert 'pandas' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, env={**os.environ})
    assert (done.returncode, done.stderr) == (0, "")


BODY = template_text()


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (None, "Crossing", "cannot be read"),
        ("def broken(:\n", "Crossing", "line 1: "),
        ("x = 1\n\ny = x / 0\n", "Crossing", "line 3: ZeroDivisionError"),
        (BODY, "Crosing", "has no such class; it has Crossing"),
        (BODY.replace("def candidates", "def kandidates"), "Crossing", "Crossing lacks candidates"),
        (BODY.replace("Parameters = CrossingParameters", "Parameters = dict"), "Crossing", "Parameters as a msgspec.Struct"),
        (BODY.replace("] = 20", "] = 1000"), "Crossing", "fast_bars"),
        (BODY.replace("self.p = parameters", "self.p = parameters.nothing"), "Crossing", "AttributeError"),
        (BODY.replace("+ 1\n", "/ 2\n"), "Crossing", "warmup_bars and warmup_h1_bars are (500.0, 240.0)"),
        (
            BODY.replace("return up | down", "return columns['apaart'] > 0"),
            "Crossing",
            "fails on a trial window: KeyError: 'apaart'",
        ),
        (BODY.replace("return up | down", "return (up | down)[5:]"), "Crossing", "truth values for 1,"),
        (
            BODY.replace("import numpy as np", "import random\nimport numpy as np").replace("0.6 +", "random.random() / 3 +"),
            "Crossing",
            "answers differently when asked the same twice",
        ),
        (
            BODY.replace("crossed = (", "self.n = getattr(self, 'n', 0) + 1\n        crossed = self.n % 7 > 2 and (").replace(
                '"crossing", apart', '"crossing", float(self.n)'
            ),
            "Crossing",
            "answers differently when asked the same twice",
        ),
    ],
    ids=[
        "missing",
        "syntax",
        "at import",
        "class",
        "method",
        "parameters",
        "default",
        "init",
        "warm-up",
        "column",
        "length",
        "chance",
        "memory",
    ],
)
def test_strategy_file_error_names_its_location(tmp_path, text, name, words):
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    with pytest.raises(SettingsError) as refusal:
        load_strategy(section(file=str(tmp_path / "mine.py"), name=name))
    assert words in str(refusal.value)
    assert "mine.py" in str(refusal.value) or "strategy" in str(refusal.value)
    assert refusal.value.what_to_do


def test_the_trial_window_is_the_same_every_time_and_valid():
    m15, h1 = trial_candles(1040, 50)
    again, _ = trial_candles(1040, 50)
    assert m15.close.tolist() == again.close.tolist()
    assert len(h1) == 261
    assert (m15.high >= m15.close).all()
    assert (m15.low <= m15.open).all()


def test_bars_that_nobody_brings_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="wants bars of M5; there are M15 and H1"):
        own(tmp_path, template_text().replace('timeframes = ("M15", "H1")', 'timeframes = ("M5", "H1")'), "Crossing")
