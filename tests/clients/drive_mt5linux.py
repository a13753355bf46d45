"""A day's work over mt5linux's client and its own server on the simulated module; prints what it saw as one line of JSON."""

from __future__ import annotations

import json
import sys
import time

from mt5linux import MetaTrader5


def connected(port: int) -> MetaTrader5:
    limit = time.monotonic() + 60.0
    while True:
        try:
            return MetaTrader5(host="127.0.0.1", port=port)
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.05)


mt5 = connected(int(sys.argv[1]))
seen: dict[str, object] = {"initialize": mt5.initialize(), "version": list(mt5.version()), "balance": mt5.account_info().balance}
seen["bid"] = mt5.symbol_info_tick("EURUSD").bid
seen["bars"] = len(mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M15, 0, 20))
request = {"action": mt5.TRADE_ACTION_DEAL, "symbol": "EURUSD", "volume": 0.1, "type": mt5.ORDER_TYPE_BUY, "price": 1.08515}
request |= {"sl": 1.08, "tp": 1.09, "type_filling": mt5.ORDER_FILLING_IOC, "magic": 7, "comment": "mt5linux"}
seen["check"] = mt5.order_check(request).retcode
sent = mt5.order_send(request)
seen["sent"] = sent.retcode
held = mt5.positions_get(symbol="EURUSD")
seen["held"] = [[one.ticket == sent.order, one.volume, one.comment] for one in held]
close = {**request, "type": mt5.ORDER_TYPE_SELL, "price": 1.085, "position": sent.order, "sl": 0.0, "tp": 0.0}
seen["closed"] = mt5.order_send(close).retcode
seen["left"] = mt5.positions_total()
seen["deals"] = [deal.entry for deal in mt5.history_deals_get(position=sent.order)]
seen["wrong"] = [mt5.order_send({**request, "volume": 1}), list(mt5.last_error())]
print(json.dumps(seen))
