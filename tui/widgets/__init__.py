"""Widgets that place lines: they repaint what changed and nothing else."""
