"""Candles and ticks from files: found, read, checked, put on one grid, imported, verified and stored.

`recording` is what replay and backtest load; `importing` and `verify` are behind `quarterdeck data`. May import `core.scan` and
what lies below it. Next: `core.data.recorded_prices`.
"""
