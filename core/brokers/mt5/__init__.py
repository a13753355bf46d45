"""The MetaTrader 5 adapter: the only place that knows the terminal's calls, numbers, clock and quirks.

Start with `adapter.Mt5Broker`. What can be pure is: `trade_requests` (effect to request), `order_results` (result to outcome),
`parsing` (record to value), `return_codes` (what a number means), `server_time`, `symbol_names`, `account_check`. A `Terminal`
is what carries the calls: `in_process_terminal` or `gateway_client`. May import `core.model`, `core.clock`, `core.settings` and
`core.brokers.base`.
"""
