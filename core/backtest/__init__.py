"""Backtests: the desk and the simulated terminal of a replay, driven without an event loop, as fast as the machine goes.

May import core.engine (the lockstep driver, the venue), core.study (figures), and all below. Next: `backtester` (the plain path),
`result` (what a run came to), `report_folder` (the folder an operator opens), `diagnosis` (whether to believe it).
"""
