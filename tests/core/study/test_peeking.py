"""Every way to look ahead that we know is caught, and nothing honest is."""

from __future__ import annotations

import tempfile

import pytest

from quarterdeck.core.engine.strategy_process import StrategyProcess
from quarterdeck.core.scan.plan import scan_plan_for
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy
from quarterdeck.core.study.strategy_checks import CheckedPair, check_lookahead_all, check_warmup
from tests.core.scan.random_walks import instrument, walk
from tests.core.study.peeking import HONEST, PEEKING, THROUGH_FRAMES

pytestmark = pytest.mark.filterwarnings("ignore")  # an operator's pandas may say what it likes


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def pairs(folder, source, bars, symbols):
    (folder / "mine.py").write_text(source)
    settings = shipped_settings(("strategy.file", str(folder / "mine.py")), ("strategy.name", "Mine"))
    loaded = load_strategy(settings)
    return settings, [
        CheckedPair(
            plan=scan_plan_for(loaded, settings, symbol), instrument=instrument(symbol), m15=walk(41 + seed, bars, holes=False)
        )
        for seed, symbol in enumerate(symbols)
    ]


def check(folder, source, bars=1900, symbols=("EURUSD",), **more):
    return check_lookahead_all(pairs(folder, source, bars, symbols)[1], rows=12, **more)


@pytest.mark.parametrize("kind", [kind for kind in PEEKING if kind != "the other pair's memory"])
def test_a_strategy_that_looks_ahead_is_caught(kind, tmp_path):
    (found,) = check(tmp_path, PEEKING[kind])
    assert not found.passed
    assert found.error == ""
    assert bool(found.memory) == kind.endswith("memory")


def test_memory_of_another_pair_is_caught(tmp_path):
    found = check(tmp_path, PEEKING["the other pair's memory"], symbols=("EURUSD", "GBPUSD"))
    assert found[0].passed
    assert found[1].memory
    assert "score" in found[1].columns


def test_a_file_from_an_earlier_run_is_named_as_memory(tmp_path):
    check(tmp_path, PEEKING["a file's memory"])
    (found,) = check(tmp_path, PEEKING["a file's memory"])
    assert any("seen-EURUSD.npy" in sentence for sentence in found.memory)


@pytest.mark.parametrize("kind", HONEST)
def test_an_honest_strategy_passes(kind, tmp_path):
    (found,) = check(tmp_path, HONEST[kind], bars=3300)
    assert (found.faults, found.error, found.memory) == ((), "", ())
    assert found.live_rows > 100


def test_memory_shows_in_the_warm_up_as_well(tmp_path):
    (pair,) = pairs(tmp_path, PEEKING["a default argument's memory"], 1900, ("EURUSD",))[1]
    assert not check_warmup(pair.plan, pair.instrument, pair.m15, rows=12).passed


@pytest.mark.processes
def test_a_strategy_that_searches_our_memory_is_caught_live(tmp_path):
    import asyncio

    settings, checked = pairs(tmp_path, THROUGH_FRAMES, 1900, ("EURUSD",))
    with asyncio.Runner() as runner:
        from quarterdeck.core.clock.wall import WallClock

        process = StrategyProcess(settings, tmp_path, WallClock())
        runner.run(process.start())
        (found,) = check_lookahead_all(checked, rows=12, live=lambda look: runner.run(process.ask(look)))
        runner.run(process.stop())
    assert not found.passed
