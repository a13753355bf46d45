"""What a market is like, in figures: correlations, daily range, tails and spreads of its bars; and whether it is a fair game.

Why: a simulated market that flatters a strategy is worse than none; these figures are beside those of recorded data.
Does not: print (benchmarks do).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from quarterdeck.core.brokers.simulator.ledger_rows import ENTRY_IN, LedgerDeal
from quarterdeck.core.brokers.simulator.simulated_server_time import NEW_YORK_OFFSETS
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.brokers.simulator.trade_server import DEAL, MqlTradeRequest
from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import M15_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR, Money, UtcNs

_BARS_OF_A_FULL_DAY = 80
_SEVEN_HOURS_S = 7 * S_PER_HOUR


class PairFigures(Struct, frozen=True, kw_only=True):
    """One pair's quarter hours."""

    bars: int
    day_range_price_mean: float
    day_range_price_median: float
    deviation: float
    """Standard deviation of the logarithm's change in a quarter hour."""
    kurtosis: float
    """3 for a normal distribution."""
    spread_points_by_hour: tuple[float, ...]
    """Mean of the bars' smallest spreads by New York hour; NaN where there are no bars."""


class FairGame(Struct, frozen=True, kw_only=True):
    """Random entries, each closed by stop, target or time: what they lost, and what they paid."""

    entries: int
    result_money_mean: Money
    cost_money_mean: Money
    """Half the spread in and out, commission and swap."""
    standard_error_money: Money
    """Of the mean result before costs."""

    @property
    def deviations(self) -> float:
        """How many standard errors the result is from having lost exactly its costs."""
        return (self.result_money_mean + self.cost_money_mean) / self.standard_error_money


def figures(candles: Candles) -> PairFigures:
    """Figures of one pair's M15 bars."""
    wall = candles.open_utc_ns // NS_PER_S + NEW_YORK_OFFSETS.column(candles.open_utc_ns)
    moves = _moves(candles)
    ranges = _day_ranges(candles, (wall + _SEVEN_HOURS_S) // S_PER_DAY)
    hours = wall % S_PER_DAY // S_PER_HOUR
    spreads = tuple(
        float(candles.spread_points[hours == hour].mean()) if np.any(hours == hour) else math.nan for hour in range(24)
    )
    centred = moves - moves.mean()
    return PairFigures(
        bars=len(candles),
        day_range_price_mean=float(ranges.mean()),
        day_range_price_median=float(np.median(ranges)),
        deviation=float(moves.std()),
        kurtosis=float((centred**4).mean() / (centred**2).mean() ** 2),
        spread_points_by_hour=spreads,
    )


def correlations(candles: Mapping[str, Candles]) -> FloatArray:
    """Correlations of quarter-hour returns at common bars, in the order of the mapping."""
    common: IntArray | None = None
    for bars in candles.values():
        common = bars.open_utc_ns if common is None else np.intersect1d(common, bars.open_utc_ns)
    if common is None:
        return np.zeros((0, 0))
    rows = []
    for bars in candles.values():
        place = np.searchsorted(bars.open_utc_ns, common)
        rows.append(np.diff(np.log(bars.close[place])))
    adjacent = np.diff(common) == M15_NS
    matrix: FloatArray = np.corrcoef(np.array(rows)[:, adjacent])
    return matrix


def _moves(candles: Candles) -> FloatArray:
    adjacent = np.diff(candles.open_utc_ns) == M15_NS
    moves: FloatArray = np.diff(np.log(candles.close))[adjacent]
    return moves


def _day_ranges(candles: Candles, days: IntArray) -> FloatArray:
    starts = np.flatnonzero(np.concatenate(([True], days[1:] != days[:-1])))
    counts = np.diff(np.concatenate((starts, [len(days)])))
    ranges = np.maximum.reduceat(candles.high, starts) - np.minimum.reduceat(candles.low, starts)
    full: FloatArray = ranges[counts >= _BARS_OF_A_FULL_DAY]
    return full


# ------------------------------------------------------------------------------------------------------- fair game


class _Entry(Struct):
    """A random entry that is open: its middle price at entry, and when it is closed at the latest."""

    symbol: str
    side: Side
    middle: float
    until_utc_ns: UtcNs


def fair_game(terminal: SimulatedTerminal, symbols: Sequence[str], *, entries: int, seed: int, lots: float = 0.1) -> FairGame:
    """Enter at random (one position a symbol), leave by a random stop, target or time; until `entries` are closed.

    The account must be large, hedging, and the market long enough.
    """
    chance = random.Random(seed)
    opened: dict[int, _Entry] = {}
    results: list[Money] = []
    costs: list[Money] = []
    ledger = terminal.ledger
    seen = len(ledger.deals)
    wait = dict.fromkeys(symbols, 0)
    while len(results) < entries:
        invariant(terminal.next_ns() is not None, "the market outlasts the entries", done=len(results))
        terminal.advance()
        now = terminal.now_utc_ns
        for position_id, entry in list(opened.items()):
            if now >= entry.until_utc_ns and position_id in ledger.positions:
                _leave(terminal, position_id, entry.symbol, entry.side, lots)
        for deal in ledger.deals[seen:]:
            if deal.entry != ENTRY_IN and deal.position_id in opened:
                entry = opened.pop(deal.position_id)
                result, cost = _counted(terminal, deal, entry)
                results.append(result)
                costs.append(cost)
                wait[entry.symbol] = now + chance.randrange(60, 1_800) * NS_PER_S
        seen = len(ledger.deals)
        for symbol in symbols:
            if now >= wait[symbol] and not any(entry.symbol == symbol for entry in opened.values()):
                _enter(terminal, symbol, chance, opened, lots)
    before_costs = np.array(results) + np.array(costs)
    return FairGame(
        entries=len(results),
        result_money_mean=float(np.mean(results)),
        cost_money_mean=float(np.mean(costs)),
        standard_error_money=float(before_costs.std(ddof=1) / math.sqrt(len(results))),
    )


def _enter(terminal: SimulatedTerminal, symbol: str, chance: random.Random, opened: dict[int, _Entry], lots: float) -> None:
    spec = terminal.ledger.instruments[symbol]
    bid, ask, _ = terminal.ledger.quotes[symbol]
    side = chance.choice((Side.BUY, Side.SELL))
    exit_now = bid if side is Side.BUY else ask
    away = chance.uniform(8.0, 30.0) * spec.pip + (ask - bid)
    stop = round(exit_now - side * away, spec.digits)
    target = round(exit_now + side * away * chance.uniform(0.5, 2.0), spec.digits)
    outcome = terminal.perform(
        MqlTradeRequest(
            action=DEAL, symbol=symbol, volume=lots, type=0 if side is Side.BUY else 1, price=exit_now, sl=stop, tp=target
        )
    )
    if outcome.deal:
        until = terminal.now_utc_ns + chance.randrange(900, 14_400) * NS_PER_S
        opened[outcome.order] = _Entry(symbol, side, (bid + ask) / 2.0, until)


def _leave(terminal: SimulatedTerminal, position_id: int, symbol: str, side: Side, lots: float) -> None:
    kind = 1 if side is Side.BUY else 0
    terminal.perform(MqlTradeRequest(action=DEAL, symbol=symbol, volume=lots, type=kind, position=position_id))


def _counted(terminal: SimulatedTerminal, deal: LedgerDeal, entry: _Entry) -> tuple[Money, Money]:
    """(net result, costs) of a closed entry: costs are what the same trade at middle prices would not have paid."""
    ledger = terminal.ledger
    first = next(row for row in ledger.deals if row.position_id == deal.position_id and row.entry == ENTRY_IN)
    commission = deal.commission_money + first.commission_money
    bid, ask, _ = ledger.quotes[deal.symbol]
    valuer = ledger.money.valuer(deal.symbol)
    middle = valuer.profit_money(entry.side, deal.lots, entry.middle, (bid + ask) / 2.0, ledger.money) if valuer else 0.0
    net = deal.profit_money + deal.swap_money + commission
    return net, (middle or 0.0) - net
