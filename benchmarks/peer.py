"""The same strategy here and in backtesting.py, over the same bars: symbol-bars a CPU second, as a ratio.

Run: `python -m benchmarks.peer [bars]`; `python -m benchmarks.peer --install` sets the peer up first, in `.venv-peer`, from
`benchmarks/peer.lock`. The work: EMA 20/50 cross, RSI 14, stop 2 ATR, target 3 ATR, one percent at risk, one pair. Ours does it
with the whole desk around it (filters, caps, breakers, care, costs bar by bar); the peer has none of that.
The peer is measured, nothing of it is used: it is in an environment of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import venv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks._busy import cross, market_of
from quarterdeck.core.compiled.load import backtested
from quarterdeck.core.data.series import BarSeries
from quarterdeck.core.settings.settings_loader import shipped_settings

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = CHECKOUT / ".venv-peer"
LOCK = Path(__file__).with_name("peer.lock")
_SCRIPT = Path(__file__).with_name("_peer_backtesting.py")
_BARS = 50_000
SETTINGS: tuple[tuple[str, Any], ...] = (
    ("desk.pairs", ["EURUSD"]),
    ("strategy.parameters", {"fast": 20, "slow": 50}),
    ("strategy.net_reward_risk_min", 1.15),
    ("simulation.balance_money", 1_000_000.0),
    ("filters.entry_hours", []),
    ("filters.atr_price_max_pct", 1.0),
    ("breakers.drawdown_max_pct", 100.0),
)
"""As shipped, but at all hours and for as long as it goes; one percent at risk is the shipped risk."""


def python() -> Path:
    """The peer's Python."""
    return ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install() -> None:
    """Set the peer up from its own lock. Raises CalledProcessError."""
    venv.create(ENVIRONMENT, with_pip=True)
    subprocess.run([str(python()), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(LOCK)], check=True)


def measure(bars: int) -> tuple[str, str, float]:
    """(our line, the peer's line, our speed as a multiple of the peer's). Raises CalledProcessError."""
    with TemporaryDirectory() as folder:
        settings = shipped_settings(*cross(Path(folder)), *SETTINGS)
        market, strategy = market_of(settings, bars)
        series = market.recording.pairs[0].series[0]
        assert isinstance(series, BarSeries)
        held = series.bid
        file = Path(folder) / "bars.npz"
        np.savez(file, at=held.open_utc_ns, open=held.open, high=held.high, low=held.low, close=held.close)
        began = time.process_time()
        result = backtested(market, settings, strategy)
        ours = result.bars / (time.process_time() - began)
        done = subprocess.run([str(python()), str(_SCRIPT), str(file)], capture_output=True, text=True, check=True)
    count, trades, spent, version = done.stdout.split()[-4:]
    theirs = int(count) / float(spent)
    mine = f"Quarterdeck: {result.bars:,} bars, {len(result.trades):,} trades, {ours:,.0f} bars a CPU second"
    peer = f"backtesting.py {version}: {int(count):,} bars, {int(trades):,} trades, {theirs:,.0f} bars a CPU second"
    return mine, peer, ours / theirs


def main() -> int:
    """Measure both."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("bars", nargs="?", type=int, default=_BARS)
    asked.add_argument("--install", action="store_true", help="set the peer up in .venv-peer; needs the network")
    given = asked.parse_args()
    if given.install:
        install()
    if not python().is_file():
        print("backtesting.py is not installed; `python -m benchmarks.peer --install` sets it up in .venv-peer, by its own lock")
        return 0
    mine, peer, ratio = measure(given.bars)
    print(f"{mine}\n{peer}\nours is {ratio:.2f} x the peer's", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
