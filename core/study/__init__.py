"""Looking at what was recorded: summaries, the audit, the "why not?" ledger. Pure over effects and tapes.

May import what the engine may. Next: `summary` (what a run came to).
"""
