"""From a signal to a size, and from a book to its dangers: pure functions on plain values, each answer with its visible steps.

Shares are fractions, money is account currency, prices are executable. May import core.model only. Next: `core.risk.sizing`.
"""
