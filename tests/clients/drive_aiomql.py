"""A day's work of an aiomql program on the simulated module; prints what it saw as one line of JSON."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

from aiomql.core.config import Config
from aiomql.core.constants import OrderType, TimeFrame
from aiomql.lib.account import Account
from aiomql.lib.history import History
from aiomql.lib.order import Order
from aiomql.lib.positions import Positions
from aiomql.lib.symbol import Symbol


async def work() -> dict[str, object]:
    seen: dict[str, object] = {}
    Config(login=1, password="p", server="Test")
    async with Account() as account:
        seen["balance"] = account.balance
        symbol = Symbol(name="EURUSD")
        seen["symbol"] = await symbol.initialize()
        seen["ask"] = (await symbol.info_tick()).ask
        candles = await symbol.copy_rates_from_pos(timeframe=TimeFrame.M15, count=20)
        seen["candles"] = len(candles)
        order = Order(symbol="EURUSD", type=OrderType.BUY, volume=0.1, price=1.08515, sl=1.08, tp=1.09, type_filling=1)
        seen["margin"] = await order.calc_margin()
        seen["check"] = (await order.check()).retcode
        sent = await order.send()
        seen["sent"] = sent.retcode
        positions = Positions()
        held = await positions.get_positions(symbol="EURUSD")
        seen["held"] = [[one.ticket == sent.order, one.volume, one.sl] for one in held]
        seen["closed"] = (await positions.close_position(position=held[0])).retcode
        seen["left"] = len(await positions.get_positions())
        history = History(date_from=datetime(2024, 1, 1, tzinfo=UTC), date_to=datetime(2030, 1, 1, tzinfo=UTC))
        await history.initialize()
        seen["deals"] = [deal.entry for deal in history.get_deals_by_position(position=sent.order)]
        seen["orders"] = len(history.get_orders_by_position(position=sent.order))
    return seen


print(json.dumps(asyncio.run(work())))
