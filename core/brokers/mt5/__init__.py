"""The MetaTrader 5 adapter: the only place that knows the terminal's calls, numbers, clock and quirks.

Start with `adapter.Mt5Broker`. What can be pure is: `requests` (effect to request), `reports` (result to fate), `reading`
(record to value), `codes` (what a number means), `servertime`, `symbols`, `account`. A `Terminal` is what carries the calls:
`inprocess` or `gateway_client`. May import `core.model`, `core.clock`, `core.settings` and `core.brokers.base`.
"""
