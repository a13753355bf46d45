"""Vetoes on a candidate: each a pure function that gives its number, its threshold and its verdict.

Instants are UTC ns of market time, prices executable, shares fractions. May import core.clock.time_zones and core.model only.
Next: `core.filters.ruling` (what each returns), then `spread`, `trading_hours`, `freshness`, `volatility`, `news_window`.
"""
