"""What a strategy is (`interface`), the shipped one (`trend`), and how one of the operator's own is taken in (`strategy_loader`).

May import `core.settings` and `core.model`. Next: `core.strategy.interface`.
"""
