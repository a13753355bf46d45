"""The scanner: closed candles in, `Signal` or `NoSignal` out. Pure; one code for a bar at a time and for whole columns.

May import `core.strategy` and what lies below it. Next: `core.scan.scanner`.
"""
