"""A whole close whose answer is lost, a hand that closes a part meanwhile, and the close carried out late: netting turns it round.

Nobody can call an order back that a broker may still carry out. What is owed is that the other side is noticed, reported, and closed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.brokers.simulator.ledger_rows import ENTRY_INOUT, ORDER_BUY, ORDER_SELL, REASON_CLIENT, LedgerOrder
from quarterdeck.core.brokers.simulator.trade_server import DEAL, MqlTradeRequest, execute
from quarterdeck.core.brokers.simulator.trade_server_rules import DONE
from quarterdeck.core.model.commands import ClosePosition, Flatten
from quarterdeck.core.model.effects import Alert, Close
from quarterdeck.core.model.market_data import Side
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes
from tests.sim.test_flatten_under_faults import ROOM


def by_hand(world: World, position_id: int, lots: float) -> None:
    """Someone closes a part in the terminal."""
    ledger = world.terminal.ledger
    held = next(one for one in ledger.positions.values() if one.position_id == position_id)
    bid, ask, _ = ledger.quotes[held.symbol]
    kind, price = (ORDER_SELL, bid) if held.side is Side.BUY else (ORDER_BUY, ask)
    order = LedgerOrder(0, held.symbol, kind, lots, price, 0.0, 0.0, world.now_utc_ns, 0, "", REASON_CLIENT)
    ledger.fill(ledger.new_order(order), lots, price, "market")


def late(world: World, close: Close) -> int:
    """The broker carries a close out after all; its return code."""
    request = MqlTradeRequest(
        action=DEAL,
        magic=world.magic,
        symbol=close.symbol,
        volume=close.lots,
        type=ORDER_SELL if close.side is Side.BUY else ORDER_BUY,
        comment=close.client_id,
        position=close.ticket,
    )
    return execute(world.terminal.ledger, request).retcode


@pytest.mark.parametrize("flattening", [False, True], ids=["one close", "flatten"])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_told_and_leaves(seed: int, flattening: bool, tmp_path: Path) -> None:
    # nobody watches here: the watch calls a turn what it is, and this one is made on purpose
    world = World(tmp_path, seed=seed, simulation__hedging=False, **ROOM)
    world.scanner = EagerScanner(seed, pip_sizes(world.settings), share=1.0)

    async def life(_: World) -> None:
        await world.start()
        await world.until(lambda: len(world.ledger_lots()) >= 2, 4.0, "something to close")
        position_id, (_, side, lots) = min(world.ledger_lots().items())
        world.faults.set(FaultRates(lost_reply_not_executed=1.0))
        world.give(Flatten() if flattening else ClosePosition(position_id=position_id))
        await world.until(lambda: any(isinstance(one, Close) for _, one in world.effects), 0.1, "a close", every_s=0.05)
        close = next(one for _, one in world.effects if isinstance(one, Close) and one.position_id == position_id)
        await world.hours_without(0.3 / 3600.0)
        by_hand(world, position_id, round(lots * 0.6, 2))
        assert late(world, close) == DONE
        assert world.terminal.ledger.deals[-1].entry == ENTRY_INOUT
        assert world.ledger_lots()[position_id][1] == -side
        world.faults.set(FaultRates())
        await world.until(lambda: position_id not in world.ledger_lots(), 0.05, "the other side closed")
        assert any(isinstance(one, Alert) and one.level == "critical" and "reversed" in one.text for _, one in world.effects)
        await world.until(lambda: position_id not in world.desk_lots() and world.money_agrees(), 0.5, "the books agree")
        await world.flatten()
        assert not world.ledger_lots()
        await world.close()

    world.run(life)
    assert not world.unhandled
