"""Monte Carlo of a run's trades: how deep the drawdown would have been in other orders of the same trades.

Promises: deterministic for a seed. Units: returns and drawdowns are fractions of the balance before.
Source: reshuffling of trades (Vince 1990).
"""

from __future__ import annotations

import numpy as np

from quarterdeck.core.backtest.result import BacktestResult

SHUFFLES = 1_000


def balance_returns(result: BacktestResult) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What each trade made of the balance before it, as a fraction; compounded in order they are the run's own balance."""
    balance, returns = result.start_money, []
    for trade in result.trades:
        if balance <= 0.0:
            break
        returns.append(trade.net_money / balance)
        balance += trade.net_money
    return np.array(returns, dtype=np.float64)


def max_drawdown(returns: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Deepest drawdown, as a fraction, of compounded returns in their order."""
    equity = np.concatenate(([1.0], np.cumprod(np.maximum(1.0 + returns, 1e-9))))
    return float(np.max(1.0 - equity / np.maximum.accumulate(equity)))


def shuffled_drawdowns(
    returns: np.ndarray[tuple[int], np.dtype[np.float64]], seed: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Deepest drawdown, as a fraction, of compounded returns in each of many random orders."""
    rng = np.random.default_rng(seed)
    return np.array([max_drawdown(rng.permutation(returns)) for _ in range(SHUFFLES)])


def run_seed(result: BacktestResult) -> int:
    """A seed that belongs to the run."""
    return int(result.summary.digest or "0", 16)
