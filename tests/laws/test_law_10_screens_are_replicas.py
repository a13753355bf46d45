"""Law 10: screens are conflated, bounded replicas. One that never reads costs a bounded box, and nobody else notices it."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.link.link_server import LinkServer
from quarterdeck.core.model.commands import Pause
from quarterdeck.core.model.snapshot import LogLine, Snapshot
from tests.core.link.test_link import FakeEngine, dial, hello
from tests.tui.demo_desk import demo_snapshot

SNAPSHOTS, LINES_A_SNAPSHOT = 1_500, 5


async def test_a_screen_that_never_reads_slows_nobody(tmp_path: Path) -> None:
    side = FakeEngine()
    server = LinkServer(tmp_path, side)
    await server.start()
    quick = SocketClient(tmp_path, client="quick", watch=True)
    await quick.start()
    async with dial(tmp_path, max_queue=1) as deaf:
        await deaf.send(hello(tmp_path, client="deaf", watch=True))
        await asyncio.wait_for(_until(lambda: len(server._watchers) == 2), 30.0)
        seen = 0
        for number in range(1, SNAPSHOTS + 1):
            server.publish(demo_snapshot(number))
            for line in range(LINES_A_SNAPSHOT):
                server.log(LogLine(at_utc_ns=number, level="info", kind="test", text=f"{number}.{line}"))
            if number % 100 == 0:
                seen = await asyncio.wait_for(_newest(quick, number), 30.0)
        assert seen == SNAPSHOTS
        boxes = [len(watcher._messages) for watcher in server._watchers]
        assert max(boxes) <= 2_000, "what a deaf screen did not take is bounded"
        assert (await quick.send(Pause())).ok
        assert side.commands == [Pause()]
    await quick.close()
    await server.stop("test over")


def test_the_engine_never_waits_for_a_screen() -> None:
    for told in (LinkServer.publish, LinkServer.log):
        assert not inspect.iscoroutinefunction(told)


async def _newest(client: SocketClient, number: int) -> int:
    """Reads until that snapshot is there; older ones may be left out."""
    while True:
        event = await client.next()
        if isinstance(event, Snapshot) and event.number >= number:
            return event.number


async def _until(holds) -> None:  # type: ignore[no-untyped-def] # a question without arguments
    while not holds():  # noqa: ASYNC110 - the server says nothing when someone comes
        await asyncio.sleep(0)
