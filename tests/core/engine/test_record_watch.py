"""A journal that is gone stops entries within a heartbeat; a log or heartbeat that fails is said, and so is its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.core.model.effects import Alert, LogEvent
from quarterdeck.core.model.inputs import ConnectionState
from tests.sim.simulated_engine import World


def world_at(home: Path) -> World:
    return World(home, seed=3, history_days=3, desk__pairs=["EURUSD"], engine__heartbeat_s=5.0)


@pytest.mark.posix  # Windows removes no file that is open
def test_a_journal_that_was_deleted_stops_entries_within_a_heartbeat(tmp_path: Path) -> None:
    world = world_at(tmp_path / "home")

    async def live(world: World) -> None:
        engine = await world.start()
        await world.hours(0.1)
        assert "journal" not in world.state()["reasons"]
        world.home.journal.unlink()
        await world.hours(6.0 / 3600.0)
        await world.hours(1.0 / 3600.0)
        reason = world.state()["reasons"]["journal"]
        assert reason["state"] == "REDUCE_ONLY"
        assert "removed or replaced" in reason["text"]
        assert not engine.journal.writable
        await world.close()

    world.run(live)


def test_an_unwritable_entry_is_alerted_and_followed_by_a_checkpoint(tmp_path: Path) -> None:
    world = world_at(tmp_path / "home")
    told: list[Alert] = []

    async def live(world: World) -> None:
        engine = await world.start()
        engine.publisher.alerts.take = told.append  # type: ignore[method-assign] # whoever is informed
        engine.runner.feed_input(ConnectionState(is_connected=True, why="\ud800"), world.now_utc_ns)
        seq = engine.runner.seq
        engine.journal.flush_blocking()
        await world.hours(0.01)
        engine.journal.flush_blocking()
        newest = engine.journal._store.connection.execute("SELECT max(seq) FROM checkpoints").fetchone()
        assert newest[0] >= seq, "a restart does not need what is missing"
        await world.close()

    world.run(live)
    assert [alert.level for alert in told if "left out" in alert.text] == ["critical"]


def test_a_failing_log_is_alerted_once_and_resolved(tmp_path: Path) -> None:
    world = world_at(tmp_path / "home")
    told: list[str] = []

    async def live(world: World) -> None:
        engine = await world.start()
        engine.publisher.alerts.take = lambda alert: told.append(alert.text)  # type: ignore[method-assign] # whoever is informed
        for _ in range(3):
            engine._log.failures += 1
            engine.monitoring.heart.failures += 1
            engine._record.look()
        engine._record.look()
        await world.close()

    world.run(live)
    about = [text for text in told if "written" in text]
    assert [("cannot" in text, " log " in text) for text in about] == [
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    ]
    assert not any(isinstance(effect, LogEvent) and "log" in effect.kind for _, effect in world.effects)
