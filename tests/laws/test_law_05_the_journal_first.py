"""Law 5, the other half: where the journal cannot be written entries stop, and closes continue, kept in the reserve until it can."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from quarterdeck.core.model.effects import Submit
from tests.sim.eager_scanner import EagerScanner
from tests.sim.law_checker import Watch
from tests.sim.random_day import START_UTC_NS
from tests.sim.simulated_engine import World, pip_sizes


class FullDisk:
    """A store whose disk is full until someone makes room."""

    def __init__(self, store: Any) -> None:
        self._write = store.write
        self.full = False
        store.write = self.write

    def write(self, entries: Any) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        self._write(entries)


def test_full_disk_blocks_entries_but_sends_every_close(tmp_path: Path) -> None:
    world = World(tmp_path, seed=4, start_utc_ns=START_UTC_NS)
    world.scanner = EagerScanner(4, pip_sizes(world.settings), share=1.0)
    watch = Watch(world)

    async def life(_: World) -> None:
        engine = await world.start()
        await world.hours(0.1)
        held = world.ledger_lots()
        assert held
        deals = len(world.terminal.ledger.deals)
        disk = FullDisk(engine.journal._store)
        disk.full = True
        await world.hours(0.5)  # two bar closes: whatever is decided must not be sent
        opened = [deal for deal in world.terminal.ledger.deals[deals:] if deal.entry == 0]
        assert not opened, "an entry left without its intent on disk"
        await world.flatten()
        assert not world.ledger_lots()
        assert world.state()["reasons"].get("journal"), "a journal that cannot be written is a reason"
        disk.full = False
        await world.until(lambda: engine.journal.flush_blocking() and not engine.journal.queued, 0.1, "room on the disk")
        await world.until(lambda: "journal" not in world.state()["reasons"], 0.5, "the way back")
        watch.check()
        await world.close()

    world.run(life)
    with sqlite3.connect(world.home.journal) as journal:
        closes = {row[0] for row in journal.execute("SELECT client_id FROM intents WHERE kind = 'close'")}
        trades = journal.execute("SELECT count(*) FROM trades").fetchone()[0]
    assert set(watch.closes) <= closes, "what was closed in the dark is in the journal afterwards"
    assert trades == len(watch.trades)
    sent = [effect for _, effect in world.effects if isinstance(effect, Submit)]
    assert {one.client_id for one in sent} == set(watch.submitted)
