"""The heart: a deterministic machine that owns the book. Inputs go in one at a time, decisions come out (`core.desk.desk`).

Pure: awaits nothing, reads no clock, no file, no socket, no random number, keeps no log. May import core.filters, core.risk,
core.settings, core.clock.zones and core.model. Read on in `desk.py` (dispatch), `state.py` (all it knows), `rounds.py` and
`entry.py` (a candidate's way to an order), `gate.py`, `care.py`, `flatten.py`.
"""
