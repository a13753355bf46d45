"""A MetaTrader 5 terminal of our own: markets that step, a ledger that counts, the module's face, and faults on request.

Start with `terminal.SimulatedTerminal`. Prices come from `market.Market` (recorded, seeded or scripted), money is counted in
`ledger.Ledger` alone, `surface.SimulatedMetaTrader5` shows both as the vendor's module would, `faults.Faults` spoils the line.
"""
