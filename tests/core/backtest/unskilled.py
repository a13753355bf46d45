"""Seeded markets with entries that know nothing, one by one or in clusters: what must not be called skill."""

from __future__ import annotations

import msgspec
import numpy as np

from quarterdeck.core.backtest.result import BacktestResult, EntryRecord
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Side
from tests.core.backtest import sample_runs

PAIRS = ("EURUSD", "GBPUSD", "AUDUSD")


def markets(seed: int, bars: int) -> dict[str, Candles]:
    """Pairs whose bars move together."""
    lead = sample_runs.candles("EURUSD", 10_000 + seed, bars, holes=False)
    found = {"EURUSD": lead}
    for place, symbol in enumerate(PAIRS[1:]):
        own = sample_runs.candles(symbol, 20_000 + 7 * seed + place, bars, holes=False)
        share = sample_runs.PRICES[symbol] / sample_runs.PRICES["EURUSD"]
        prices = (
            sample_runs.PRICES[symbol]
            + 0.3 * (getattr(own, name) - sample_runs.PRICES[symbol])
            + share * (getattr(lead, name) - 1.09)
            for name in ("open", "high", "low", "close")
        )
        found[symbol] = Candles(own.open_utc_ns, *prices, own.tick_volume, own.spread_points)
    return found


def entries(seed: int, candles: dict[str, Candles], *, clustered: bool) -> tuple[EntryRecord, ...]:
    """Sixty entries: each for itself, or in clusters of three pairs at two near bars, all to one side."""
    rng = np.random.default_rng(seed)
    bars = len(candles["EURUSD"])
    found = []
    for _ in range(10 if clustered else 60):
        row, side = int(rng.integers(100, bars - 120)), Side.BUY if rng.random() < 0.5 else Side.SELL
        members = [(symbol, row + 2 * late) for symbol in PAIRS for late in range(2)]
        for symbol, at in members if clustered else [members[int(rng.integers(0, len(members)))]]:
            price = candles[symbol].open.item(at)
            stop, target = price - side * 0.002, price + side * 0.003
            found.append(
                EntryRecord(len(found), symbol, side, candles[symbol].open_utc_ns.item(at), price, stop, target, 0.00002)
            )
    return tuple(sorted(found, key=lambda one: one.opened_utc_ns))


def result(base: BacktestResult, entered: tuple[EntryRecord, ...], candles: dict[str, Candles]) -> BacktestResult:
    """A run that entered so."""
    times = candles["EURUSD"].open_utc_ns
    span = {"from_utc_ns": times.item(0), "to_utc_ns": times.item(-1)}
    return msgspec.structs.replace(base, entered=entered, pairs=PAIRS, **span)
