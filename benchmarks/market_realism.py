"""How real the simulated market is: its figures beside those of recorded quarter hours, and whether it is a fair game.

Run: `python benchmarks/market_realism.py [folder of m15] [entries]`; without a folder, the recorded data's own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.brokers.simulator.market_spread import spreads
from quarterdeck.core.brokers.simulator.market_statistics import FairGame, PairFigures, correlations, fair_game, figures
from quarterdeck.core.brokers.simulator.terminal_builder import account_terms, seeded_terminal
from quarterdeck.core.data.recorded_prices import load_candles
from quarterdeck.core.data.series import BarSeries
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.units import DAY_NS, NS_PER_S
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import for_pair, shipped_settings

PAIRS = ("EURUSD", "GBPUSD", "USDJPY", "USDCHF", "AUDUSD", "NZDUSD", "USDCAD", "XAUUSD")
CROSSES = ("EURGBP", "EURJPY", "GBPJPY")
COMMON_FROM_NS = 1_719_187_200 * NS_PER_S  # 2024-06-24
COMMON_TO_NS = 1_750_204_800 * NS_PER_S  # 2025-06-18
HOURS = (3, 9, 12, 16, 17, 18, 21)


def recorded(folder: Path) -> dict[str, Candles]:
    found = {}
    for pair in PAIRS:
        series = load_candles(folder, pair)
        assert isinstance(series, BarSeries)
        found[pair] = series.between(COMMON_FROM_NS, COMMON_TO_NS).bid
    return found


def simulated(settings: Settings) -> dict[str, Candles]:
    market = seeded_terminal(settings).market
    found = {}
    for pair in PAIRS:
        columns = market.columns(pair, "M15")
        assert columns is not None
        found[pair] = columns
    return found


def wanted(pairs: tuple[str, ...], history_days: int, *, balance_money: float = 10_000.0) -> Settings:
    return shipped_settings(
        ("desk.pairs", list(pairs)),
        ("simulation.history_days", history_days),
        ("simulation.balance_money", balance_money),
        ("simulation.hedging", True),
        ("simulation.leverage", 500),
    )


def play(entries: int) -> FairGame:
    pairs = ("EURUSD", "GBPUSD", "USDJPY", "USDCHF", "AUDUSD", "USDCAD", "EURGBP", "EURJPY")
    settings = wanted(pairs, 30, balance_money=1e9)
    return fair_game(seeded_terminal(settings, seed=20), pairs, entries=entries, seed=1)


def crosses_agree(days: int) -> tuple[int, float]:
    """Quotes of crosses compared with their legs, and the widest gap between them as a share of the cross's spread."""
    terminal = seeded_terminal(wanted(("EURUSD", "GBPUSD", "USDJPY", *CROSSES), 30))
    quotes, worst, compared = terminal.ledger.quotes, 0.0, 0
    until = terminal.now_utc_ns + days * DAY_NS
    while (ahead := terminal.next_ns()) is not None and ahead < until:
        terminal.advance()
        (eb, ea, _), (gb, ga, _), (jb, ja, _) = (quotes[name] for name in ("EURUSD", "GBPUSD", "USDJPY"))
        made = {"EURGBP": (eb / ga, ea / gb), "EURJPY": (eb * jb, ea * ja), "GBPJPY": (gb * jb, ga * ja)}
        for name, (low, high) in made.items():
            bid, ask, _ = quotes[name]
            worst = max(worst, (bid - high) / (ask - bid), (low - ask) / (ask - bid))
            compared += 1
    return compared, max(worst, 0.0)


def show(name: str, real: PairFigures, made: PairFigures, pip: float) -> None:
    print(
        f"{name:8} range {real.day_range_price_mean / pip:7.0f} {made.day_range_price_mean / pip:7.0f} pips"
        f"   M15 deviation {real.deviation * 1e4:5.2f} {made.deviation * 1e4:5.2f} e-4"
        f"   kurtosis {real.kurtosis:6.1f} {made.kurtosis:6.1f}"
    )


def main() -> None:
    data = Path(os.environ.get("QUARTERDECK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else data / "m15"
    entries = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    settings = wanted(PAIRS, 365)
    real, made = recorded(folder), simulated(settings)
    print(
        f"quarter hours: recorded {folder.name} (2024-06-24 to 2025-06-17), simulated seed {settings.simulation.seed}, one year"
    )
    print("recorded first, simulated second\n")
    for name in PAIRS:
        show(name, figures(real[name]), figures(made[name]), instrument(name).pip)
    print("\ncorrelations of M15 returns (recorded / simulated)")
    theirs, ours = correlations(real), correlations(made)
    print("         " + " ".join(f"{name:>12}" for name in PAIRS))
    for row, name in enumerate(PAIRS):
        cells = " ".join(f"{theirs[row, column]:5.2f} /{ours[row, column]:5.2f}" for column in range(len(PAIRS)))
        print(f"{name:8} {cells}")
    print("\nspread in pips by New York hour: recorded minimum / the same as priced at a bar's open / simulated minimum")
    print("         " + " ".join(f"{hour:>18}h" for hour in HOURS))
    for name in PAIRS:
        spec, costs = instrument(name), for_pair(settings, name).costs
        bars = real[name]
        model = spreads(bars.open_utc_ns, bars.spread_points, spec, costs).at_open
        priced = Candles(
            bars.open_utc_ns, bars.open, bars.high, bars.low, bars.close, bars.tick_volume, (model / spec.point).round()
        )
        ours_by, theirs_by, priced_by = (figures(item).spread_points_by_hour for item in (made[name], bars, priced))
        scale = spec.point / spec.pip
        cells = " ".join(
            f"{theirs_by[hour] * scale:5.2f}/{priced_by[hour] * scale:5.2f}/{ours_by[hour] * scale:6.2f}" for hour in HOURS
        )
        print(f"{name:8} {cells}")
    compared, worst = crosses_agree(5)
    print(f"\ncrosses: {compared} quotes compared with their legs; widest gap {worst:.2f} of the cross's own spread")
    game = play(entries)
    print(
        f"fair game: {game.entries} random entries of 0.10 lots: result {game.result_money_mean:+.3f}, costs"
        f" {game.cost_money_mean:.3f} {account_terms(settings).currency} each; {game.deviations:+.2f} standard errors apart"
    )


if __name__ == "__main__":
    main()
