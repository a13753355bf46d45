"""The screen alone, in a process and on a terminal of its own, over a desk that never holds still: 28 pairs, 20 positions.

`python -m benchmarks._screen live` paints until it is left, and says on a file descriptor of its parent's what it cost.
`... day N` lives through N snapshots as fast as it can and says how much memory that took.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time

import msgspec

from benchmarks._terminal import TELL_ON, memory_bytes
from quarterdeck.core.model.snapshot import PairView, PositionView, Snapshot
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.tui.app import DeskApp
from tests.tui.demo_client import FakeClient, live_events
from tests.tui.demo_desk import demo_log, demo_pairs, demo_position, demo_snapshot

PAIRS, POSITIONS = 28, 20
PER_S = 5.0
"""The engine publishes no more than this; each pair has five quotes a second, so that all of them move every time."""
WARM = 200


def snapshots(seed: int = 7) -> list[Snapshot]:
    """A minute of a busy desk."""
    chance = random.Random(seed)
    pairs = list(demo_pairs(PAIRS))
    positions = [demo_position(number, pairs[number].symbol) for number in range(POSITIONS)]
    told = []
    for number in range(int(60 * PER_S)):
        pairs = [_moved(pair, chance) for pair in pairs]
        by_symbol = {pair.symbol: pair for pair in pairs}
        positions = [_carried(view, by_symbol[view.symbol]) for view in positions]
        told.append(demo_snapshot(number + 2, pairs=tuple(pairs), positions=tuple(positions)))
    return told


def _moved(pair: PairView, chance: random.Random) -> PairView:
    assert pair.bid is not None
    assert pair.spread_pips is not None
    step = round(chance.choice((-2, -1, -1, 0, 1, 1, 2)) * pair.pip / 10, pair.digits)
    spread = max(pair.spread_pips + chance.choice((-0.1, 0.0, 0.0, 0.1)), 0.1)
    bid = pair.bid + step
    return msgspec.structs.replace(pair, bid=bid, ask=round(bid + spread * pair.pip, pair.digits), spread_pips=round(spread, 1))


def _carried(view: PositionView, pair: PairView) -> PositionView:
    assert pair.bid is not None
    pips = round((pair.bid - view.open_price) * view.side / pair.pip, 1)
    changes = {"now_price": pair.bid, "pips": pips, "profit_money": round(pips * 5, 2), "result_r": round(pips / 18, 2)}
    return msgspec.structs.replace(view, **changes)


def _later(told: Snapshot, number: int) -> Snapshot:
    """The same desk at its place in time."""
    at = told.desk.at_utc_ns + int(number / PER_S * NS_PER_S)
    money = 124.27 + number % 97 - 48
    pairs = tuple(msgspec.structs.replace(pair, quote_utc_ns=at - NS_PER_S // 5) for pair in told.desk.pairs)
    desk = msgspec.structs.replace(
        told.desk,
        at_utc_ns=at,
        equity_money=10_000 + money,
        day_result_money=money,
        oldest_quote_utc_ns=at - NS_PER_S,
        pairs=pairs,
    )
    return msgspec.structs.replace(told, number=number + 2, desk=desk)


class PacedClient(FakeClient):
    """Yields what happened at the pace of the clock, or as fast as it is taken."""

    def __init__(self, *, paced: bool) -> None:
        super().__init__(live_events(pairs=demo_pairs(PAIRS)))
        self._told, self._paced = snapshots(), paced
        self.given = 0

    async def tell(self, count: int | None = None) -> None:
        """Give `count` snapshots, or for ever."""
        while count is None or self.given < count:
            if self._paced:
                await asyncio.sleep(1.0 / PER_S)
            self.give(_later(self._told[self.given % len(self._told)], self.given))
            self.given += 1
            if not self._paced:
                await asyncio.sleep(0)


async def live(paint_per_s: float) -> None:
    """Until the screen is left; twice a second it says what it cost so far."""
    feed = PacedClient(paced=True)
    app = DeskApp(feed, msgspec.structs.replace(shipped_settings().ui, max_fps=paint_per_s))
    telling = asyncio.create_task(feed.tell())
    spent = asyncio.create_task(_spent())
    await app.run_async(mouse=False)
    telling.cancel()
    spent.cancel()


async def _spent() -> None:
    tell_on = int(os.environ[TELL_ON])
    while True:
        os.write(tell_on, f"{time.perf_counter()} {time.process_time()}\n".encode())
        await asyncio.sleep(0.5)


async def day(count: int) -> None:
    """Memory before and after `count` snapshots and as many lines of log."""
    feed = PacedClient(paced=False)
    app = DeskApp(feed, shipped_settings().ui)
    lines = demo_log()
    async with app.run_test(size=(120, 40), tooltips=False) as pilot:
        before = 0
        for number in range(count):
            feed.give(msgspec.structs.replace(lines[number % len(lines)], text=f"line {number} of the day"))
            await feed.tell(number + 1)
            app.paint()
            await pilot.pause(0)
            if number == WARM:
                before = memory_bytes()
        print(f"{before} {memory_bytes()}")


if __name__ == "__main__":
    asyncio.run(live(float(sys.argv[2])) if sys.argv[1] == "live" else day(int(sys.argv[2])))
