"""How the symbols of the book move together, from the hours that are over.

Promises: only closed hours count. Does not: hold the formula (`core.risk.correlation`).
"""

from __future__ import annotations

from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.open_exposure import completed_hours
from quarterdeck.core.risk.correlation import CloseSeries, CloseSeriesCache, CorrelationMatrix, matrix


def correlation_matrix(ctx: Context, symbols: list[str]) -> CorrelationMatrix:
    """Correlations between the symbols named, each once."""
    names = list(dict.fromkeys(symbols))
    closes: dict[str, CloseSeries] = {}
    currencies: dict[str, tuple[str, str]] = {}
    for name in names:
        spec, pair = ctx.spec(name), ctx.state.pairs.get(name)
        currencies[name] = spec.currencies if spec is not None else ("", "")
        if pair is not None and len(names) > 1:
            count = completed_hours(pair.h1_open_utc_ns, ctx.now)
            kept = ctx.hours.get(name)
            if kept is None:
                kept = ctx.hours[name] = CloseSeriesCache()
            closes[name] = kept.first(count, pair.h1_open_utc_ns, pair.h1_close_price)
    settings = ctx.settings.correlation
    return matrix(closes, currencies, names, bars=settings.lookback_bars, bars_min=settings.lookback_bars_min)
