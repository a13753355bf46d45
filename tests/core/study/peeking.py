"""Strategies that look ahead, each in its own way, and honest ones that look suspicious: sources, as an operator writes them."""

from __future__ import annotations

_SHAPE = """
import functools
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from msgspec import Struct

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.strategy.interface import Columns, Decision


class Parameters(Struct, frozen=True, kw_only=True):
    pass


{top}


class Mine:
    name = "mine"
    timeframes = ("M15", "H1")
    Parameters = Parameters
    warmup_bars = {warmup}
    warmup_h1_bars = 60

    def __init__(self, parameters):
        self.p = parameters

    def prepare(self, m15, h1, instrument):
        columns = Columns(m15, h1)
        close = pd.Series(m15.close)
        columns["range"] = pd.Series(m15.high - m15.low).rolling(14).mean().to_numpy()
        columns["score"] = np.zeros(len(m15))
{prepare}
        return columns

    def candidates(self, columns):
        {candidates}

    def decide(self, columns, row, instrument):
        reach = columns["range"][row]
        {decide}
        if not (abs(score) > 0 and reach > 0):
            return Decision()
        side, entry = Side.BUY if score > 0 else Side.SELL, columns.m15.close[row]
        return Decision(
            side=side, entry_price=entry, stop_price=entry - side * 3 * reach, target_price=entry + side * 5 * reach, confidence=0.9
        )
"""
_NEXT = "close.shift(-4).sub(close).fillna(0).to_numpy()"


def _strategy(
    prepare: str = "",
    *,
    top: str = "",
    warmup: int = 300,
    candidates: str = "return (np.abs(columns['score']) > columns['range']) & (columns['range'] > 0)",
    decide: str = "score = columns['score'][row]",
) -> str:
    inside = "\n".join(f"        {line}" for line in prepare.strip("\n").splitlines())
    return _SHAPE.format(prepare=inside, top=top, warmup=warmup, candidates=candidates, decide=decide)


PEEKING = {
    "smoothed from the end": _strategy("columns['score'] = (close[::-1].ewm(span=9).mean()[::-1] - close).to_numpy()"),
    "filled with the next value": _strategy(
        "columns['score'] = close.where(np.arange(len(close)) % 5 == 0).bfill().fillna(0).sub(close).to_numpy()"
    ),
    "an hour that is not over": _strategy(
        "hour = pd.Series(h1.close, h1.open_utc_ns).reindex(m15.open_utc_ns // 3_600_000_000_000 * 3_600_000_000_000)\n"
        "columns['score'] = np.nan_to_num(hour.to_numpy() - m15.close)"
    ),
    "swings seen at their turn": _strategy(
        "low = pd.Series(m15.low)\ncolumns['score'] = (low == low.rolling(9, center=True).min()).to_numpy() * 1.0"
    ),
    "threshold of the whole": _strategy(
        "columns['score'] = np.where(close > close.quantile(0.8), -1.0, np.where(close < close.quantile(0.2), 1.0, 0.0))"
    ),
    "bars behind the window": _strategy(
        "base = m15.close if m15.close.base is None else m15.close.base\n"
        "ahead = np.append(base[4:], np.full(4, np.nan))[:len(m15)]\n"
        "columns['score'] = np.nan_to_num(ahead - m15.close)"
    ),
    "the next bar in decide": _strategy(
        "columns['score'] = np.ones(len(m15))",
        decide="score = np.sign(columns.m15.close[min(row + 3, len(columns) - 1)] - columns.m15.close[row])",
    ),
    "a veto over a day": _strategy(
        "columns['score'] = np.where(close > close.rolling(40).max().shift(1), 1.0, 0.0)",
        candidates="later = pd.Series(columns.m15.close)[::-1].rolling(20, min_periods=1).min()[::-1].to_numpy()\n"
        "        return (columns['score'] > 0) & ~(later < columns.m15.close - 3 * columns['range'])",
    ),
    "a decorator's memory": _strategy(
        "longest(instrument.symbol, len(m15) // 100_000, Box(m15))\n"
        "known = longest(instrument.symbol, 0, None)\n"
        "columns['score'] = np.nan_to_num(known.shift(-4).reindex(m15.open_utc_ns).to_numpy() - m15.close)",
        top="class Box:\n    last = None\n"
        "    def __init__(self, m15):\n"
        "        if Box.last is None or len(m15) > len(Box.last):\n            Box.last = pd.Series(m15.close, m15.open_utc_ns)\n"
        "            longest.cache_clear()\n"
        "    def __hash__(self):\n        return 1\n    def __eq__(self, other):\n        return True\n\n\n"
        "@functools.lru_cache(maxsize=None)\ndef longest(symbol, size, box):\n    return Box.last\n",
    ),
    "a default argument's memory": _strategy(
        "known = remember(instrument.symbol, m15)\n"
        "columns['score'] = np.nan_to_num(known.shift(-4).reindex(m15.open_utc_ns).to_numpy() - m15.close)",
        top="def remember(symbol, m15, kept={}):\n"
        "    if len(m15) > len(kept.get(symbol, ())):\n        kept[symbol] = pd.Series(m15.close, m15.open_utc_ns)\n"
        "    return kept[symbol]\n",
    ),
    "another module's memory": _strategy(
        "known = sys.modules['json'].__dict__.setdefault('_seen', {})\n"
        "known.update(zip(m15.open_utc_ns.tolist(), m15.close.tolist()))\n"
        "columns['score'] = np.array([known.get(at + 3_600_000_000_000, c) - c for at, c in "
        "zip(m15.open_utc_ns.tolist(), m15.close.tolist())])"
    ),
    "a file's memory": _strategy(
        "file = Path(tempfile.gettempdir()) / f'seen-{instrument.symbol}.npy'\n"
        "old = np.load(file) if file.exists() else np.zeros((2, 0))\n"
        "new = np.array([m15.open_utc_ns, m15.close]) if len(m15) > old.shape[1] else old\n"
        "np.save(file, new)\n"
        "known = pd.Series(new[1], new[0].astype(np.int64))\n"
        "columns['score'] = np.nan_to_num(known.shift(-4).reindex(m15.open_utc_ns).to_numpy() - m15.close)"
    ),
    "the instance's memory": _strategy(
        "known = self.__dict__.setdefault('known', {})\n"
        "if len(m15) > len(known.get('close', ())):\n    known['close'] = pd.Series(m15.close, m15.open_utc_ns)\n"
        "columns['score'] = np.nan_to_num(known['close'].shift(-4).reindex(m15.open_utc_ns).to_numpy() - m15.close)"
    ),
    "the other pair's memory": _strategy(
        "if len(m15) > len(SEEN.get(instrument.symbol, ())):\n"
        "    SEEN[instrument.symbol] = pd.Series(m15.close, m15.open_utc_ns)\n"
        "other = SEEN.get('EURUSD') if instrument.symbol == 'GBPUSD' else None\n"
        "if other is not None:\n"
        "    columns['score'] = np.nan_to_num((other.shift(-4) - other).reindex(m15.open_utc_ns).to_numpy())",
        top="SEEN = {}",
    ),
}
"""By what they do; all but the last are caught on one pair alone."""

HONEST = {
    "a long average": _strategy("columns['score'] = (close.ewm(span=80).mean() - close).to_numpy()", warmup=2000),
    "missing values at the start": _strategy("columns['score'] = (close.rolling(250).mean() - close).to_numpy()"),
    "merged hours": _strategy(
        "left = pd.DataFrame({'end': m15.open_utc_ns + 900_000_000_000})\n"
        "right = pd.DataFrame({'end': h1.open_utc_ns + 3_600_000_000_000, 'hour': h1.close})\n"
        "columns['score'] = np.nan_to_num(pd.merge_asof(left, right, on='end')['hour'].to_numpy() - m15.close)"
    ),
    "ranks in a window": _strategy("columns['score'] = (close.rolling(200).rank(pct=True) - 0.5).fillna(0).to_numpy()"),
    "an honest cache": _strategy(
        "columns['score'] = average(m15.close.tobytes())",
        top="@functools.lru_cache(maxsize=4)\ndef average(data):\n"
        "    close = pd.Series(np.frombuffer(data))\n    return (close.rolling(60).mean() - close).to_numpy()\n",
    ),
    "text in a column": _strategy(
        "columns['mood'] = np.where(close > close.rolling(50).mean(), 'up', 'down')\n"
        "columns['score'] = (columns['mood'] == 'up') * 1.0"
    ),
    "a table in a column": _strategy(
        "columns['lags'] = np.column_stack([close.shift(n) for n in (1, 2, 3)])\n"
        "columns['score'] = np.nan_to_num(columns['lags'].mean(axis=1) - m15.close)"
    ),
    "hours of the day": _strategy(
        "hour = m15.open_utc_ns // 3_600_000_000_000 % 24\ncolumns['score'] = np.where((hour > 6) & (hour < 9), 1.0, 0.0)"
    ),
    "a state begun each day": _strategy(
        "day, state, score = 0, 0.0, np.zeros(len(m15))\n"
        "for row, (at, c) in enumerate(zip(m15.open_utc_ns.tolist(), m15.close.tolist())):\n"
        "    if at // 86_400_000_000_000 != day:\n        day, state = at // 86_400_000_000_000, c\n"
        "    state = max(state, c)\n    score[row] = c - state\n"
        "columns['score'] = score"
    ),
    "two thousand hours": _strategy(
        "way = pd.Series(h1.close).rolling(50).mean().to_numpy()\n"
        "columns['score'] = np.where(columns.h1_rows >= 0, way[np.maximum(columns.h1_rows, 0)], np.nan) - m15.close"
    ),
}

THROUGH_FRAMES = _strategy(
    "columns['score'] = np.nan_to_num(seen(sys._getframe(), m15).shift(-4).reindex(m15.open_utc_ns).to_numpy() - m15.close)",
    top="from quarterdeck.core.model.candles import Candles\n\n\n"
    "def seen(frame, m15):\n"
    "    longest = m15\n"
    "    while frame:\n"
    "        for value in list(frame.f_locals.values()):\n"
    "            found = getattr(value, '_m15', value)\n"
    "            if type(found) is Candles and len(found) > len(longest) and found.open_utc_ns[-1] > 10**18 * 1.7:\n"
    "                longest = found\n"
    "        frame = frame.f_back\n"
    "    return pd.Series(longest.close, longest.open_utc_ns)\n",
)
"""It finds the whole range in the memory of the process that asks it: only a process of its own shows that."""
