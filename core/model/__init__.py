"""Value types that every room shares: instruments, quotes, signals, orders, inputs, effects, snapshots, commands.

Imports nothing of Quarterdeck. Next: `core.model.inputs` (what the desk is given) and `core.model.effects` (what it answers).
"""
