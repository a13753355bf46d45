"""Everything between the desk's effects and a broker: the protocol, the MetaTrader 5 adapter and the simulated terminal.

May import `core.model`, `core.clock`, `core.settings`, `core.data` and the money formulas. Next: `core.brokers.base`.
"""
