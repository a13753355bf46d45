"""The heart: a deterministic machine that owns the book. Inputs go in one at a time, decisions come out (`core.desk.desk`).

Pure: awaits nothing, reads no clock, no file, no socket, no random number, keeps no log. May import core.filters, core.risk,
core.settings, core.clock.time_zones and core.model. Read on in `desk.py` (dispatch), `desk_state.py` (all it knows),
`signal_rounds.py` and `entry_evaluation.py` (a candidate's way to an order), `risk_reservation.py`, `position_management.py`,
`flatten.py`.
"""
