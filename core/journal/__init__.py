"""What happened, kept: the tape, trades, equity and heartbeat in SQLite; logs; the lock that makes a home one engine's.

Imports `core.model`, `core.clock` and `core.settings` only. Start at `core.journal.tape_reader` (what a tape is and how it is
read),
then `core.journal.writer` (how it is written without slowing the desk).
"""
