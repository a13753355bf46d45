"""Each indicator admitted gives the same last bit from its window as from a long past; its import brings no tables along."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from quarterdeck.core.strategy.indicators import atr, ema, highest, lowest, recursive_bars, rsi
from tests.core.scan.random_walks import walk


@pytest.mark.parametrize("seed", range(3))
def test_indicators_forget_their_seed_to_the_last_bit(seed):
    m15 = walk(seed, 9000, holes=False)
    figures = {
        "ema 13": (recursive_bars(ema=13), lambda c: ema(c.close, 13)),
        "ema 34": (recursive_bars(wilder=14), lambda c: ema(c.close, 34)),
        "ema 200": (recursive_bars(ema=200), lambda c: ema(c.close, 200)),
        "atr 14": (recursive_bars(wilder=14), lambda c: atr(c.high, c.low, c.close, 14)),
        "rsi 14": (recursive_bars(wilder=14), lambda c: rsi(c.close, 14)),
        "highest": (9, lambda c: highest(c.high, 8)),
        "lowest": (9, lambda c: lowest(c.low, 8)),
    }
    for name, (bars, figure) in figures.items():
        whole = figure(m15)
        for end in range(5000, 9000, 61):
            assert figure(m15[end - bars : end])[-1] == whole[end - 1], name


def test_read_only_columns_are_taken():
    assert not walk(1, 50, holes=False).close.flags.writeable
    assert np.isfinite(ema(walk(1, 50, holes=False).close, 5)[-1])


@pytest.mark.processes
@pytest.mark.parametrize(
    "program",
    [
        "import quarterdeck.core.strategy.indicators, sys; assert not {'pandas', 'polars'} & set(sys.modules)",
        "import pandas, quarterdeck.core.strategy.indicators, sys; assert sys.modules['pandas'] is pandas",
        "import quarterdeck.core.strategy.strategy_loader, quarterdeck.core.scan.scanner, quarterdeck.core.data.recorded_prices, sys; assert 'pandas' not in sys.modules",
        "import quarterdeck.core.strategy.indicators, pandas; pandas.DataFrame({'a': [1]})",
    ],
)
def test_the_import_brings_no_tables_and_spoils_none(program):
    subprocess.run([sys.executable, "-c", program], check=True, cwd=".")
