"""A journal that is not what was written is used as far as it goes, and the desk begins without entries until the operator looked."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS
from quarterdeck.core.engine.recovery import Found, recover_run
from quarterdeck.core.journal.tape_reader import NewerTape
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.commands import Pause, Resume
from quarterdeck.core.model.units import H1_NS
from quarterdeck.core.settings.home import Home
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes


def world_at(home: Path, run: int = 1) -> World:
    start_utc_ns = SEEDED_START_UTC_NS + run * 6 * H1_NS
    world = World(
        home, seed=11, start_utc_ns=start_utc_ns, history_days=3, desk__pairs=["EURUSD", "GBPUSD"], position__time_exit_hours=0.5
    )
    world.scanner = EagerScanner(11, pip_sizes(world.settings))
    world.runs = run
    return world


def lived(home: Path, *, dies: bool = True) -> Account:
    """A home whose engine traded some hours, was paused, and was killed (or ended in order); its account."""
    world = world_at(home)

    async def live(world: World) -> Account:
        engine = await world.start()
        await world.hours(1.5)
        world.give(Pause())
        await world.hours(0.3)
        assert "paused" in world.state()["reasons"]
        account = engine.desk.view().account
        assert account is not None
        await (world.bury() if dies else world.close())
        return account

    return world.run(live)


def found_at(home: Path, account: Account) -> Found:
    return recover_run(Home(home), account, "demo", lambda _: None)


def flip(connection: sqlite3.Connection, rng: random.Random, table: str, column: str, where: str) -> None:
    rows = connection.execute(f"SELECT rowid, {column} FROM {table} WHERE {where}").fetchall() if table != "tape" else None
    if rows is None:
        keys = connection.execute(f"SELECT run, seq, {column} FROM tape WHERE {where}").fetchall()
        run, seq, body = rng.choice(keys)
        connection.execute(f"UPDATE tape SET {column} = ? WHERE run = ? AND seq = ?", (flipped(rng, body), run, seq))
        return
    row, body = rng.choice(rows)
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (flipped(rng, body), row))


def flipped(rng: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 400))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def drop(connection: sqlite3.Connection, rng: random.Random) -> None:
    seqs = [seq for (seq,) in connection.execute("SELECT seq FROM tape ORDER BY seq")]
    first = rng.randrange(1, len(seqs) - 2)  # of a tape that nobody closed, the end alone cannot be missed
    connection.executemany("DELETE FROM tape WHERE seq = ?", [(seq,) for seq in seqs[first : first + rng.choice((1, 1, 5))][:-1]])


def swap(connection: sqlite3.Connection, rng: random.Random) -> None:
    rows = connection.execute("SELECT seq, tag, body FROM tape").fetchall()
    (one, tag_one, body_one), (two, tag_two, body_two) = rng.sample(rows, 2)
    connection.execute("UPDATE tape SET tag = ?, body = ? WHERE seq = ?", (tag_two, body_two, one))
    connection.execute("UPDATE tape SET tag = ?, body = ? WHERE seq = ?", (tag_one, body_one, two))


WAYS: tuple[Callable[[sqlite3.Connection, random.Random], None], ...] = (
    lambda connection, rng: flip(connection, rng, "tape", "body", "1"),
    lambda connection, rng: flip(connection, rng, "quote_blocks", "body", "1"),
    lambda connection, rng: flip(connection, rng, "checkpoints", "state", "seq = (SELECT max(seq) FROM checkpoints)"),
    drop,
    swap,
)


@pytest.mark.parametrize("mutations", [120, pytest.param(10_000, marks=pytest.mark.soak)])
def test_no_change_of_the_journal_passes_for_the_truth(mutations: int, tmp_path: Path) -> None:
    account = lived(tmp_path / "home")
    true = found_at(tmp_path / "home", account)
    assert true.past is not None
    assert true.damage == ""
    restored = silent = 0
    for seed in range(mutations):
        rng, home = random.Random(seed), tmp_path / f"copy{seed}"
        home.mkdir()
        shutil.copy(tmp_path / "home" / "journal.sqlite", home)
        with sqlite3.connect(home / "journal.sqlite") as connection:
            WAYS[seed % len(WAYS)](connection, rng)
        connection.close()
        found = found_at(home, account)
        same = found.past is not None and state(found) == state(true)
        restored += found.past is not None
        silent += not found.damage and not same
        shutil.rmtree(home)
    assert silent == 0, "another past than the true one, and not a word"
    print(f"{mutations} changes: {restored} restored, {silent} silent")
    assert restored >= mutations * 0.95, "what can be read is used"


def state(found: Found) -> object:
    assert found.past is not None
    return msgspec.msgpack.decode(found.past.state)


def started_again(home: Path, run: int) -> tuple[str, list[str], list[str]]:
    """State and reasons of the next start, and the reasons left after the operator resumed."""
    world = world_at(home, run)

    async def live(world: World) -> tuple[str, list[str], list[str]]:
        await world.start()
        await world.hours(0.01)
        before, state = list(world.state()["reasons"]), world._running.desk.view().state
        world.give(Resume())
        await world.hours(0.01)
        after = list(world.state()["reasons"])
        await world.close()
        return state, before, after

    return world.run(live)


def test_a_pause_changed_to_resume_begins_without_entries(tmp_path: Path) -> None:
    lived(tmp_path / "home")
    with sqlite3.connect(tmp_path / "home" / "journal.sqlite") as connection:
        ((seq, body),) = connection.execute("SELECT seq, body FROM tape WHERE tag = 'command'").fetchall()
        connection.execute("UPDATE tape SET body = ? WHERE seq = ?", (body.replace(b"\xa5pause", b"\xa6resume"), seq))
    connection.close()
    state, before, after = started_again(tmp_path / "home", run=2)
    assert state == "REDUCE_ONLY"
    assert "journal_damaged" in before
    assert "journal_damaged" not in after, "the operator has looked"


@pytest.mark.parametrize("how", ["deleted", "an older copy"])
def test_a_journal_without_the_last_run_begins_without_entries(how: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    lived(home, dies=False)
    if how == "an older copy":
        shutil.copy(home / "journal.sqlite", tmp_path / "older")
        started_again(home, run=2)
        shutil.copy(tmp_path / "older", home / "journal.sqlite")
    else:
        (home / "journal.sqlite").unlink()
    _, before, after = started_again(home, run=3)
    assert "journal_damaged" in before
    assert "journal_damaged" not in after


def test_a_tape_cut_short_after_an_orderly_end_is_damage(tmp_path: Path) -> None:
    account = lived(tmp_path / "home", dies=False)
    with sqlite3.connect(tmp_path / "home" / "journal.sqlite") as connection:
        connection.execute("DELETE FROM checkpoints WHERE seq > (SELECT min(seq) FROM checkpoints)")
        connection.execute("DELETE FROM tape WHERE seq = (SELECT max(seq) FROM tape)")
        connection.execute("DELETE FROM quote_blocks WHERE last_seq > (SELECT max(seq) FROM tape)")
    connection.close()
    assert "ends at input" in found_at(tmp_path / "home", account).damage


def test_a_newer_tape_refuses_the_start_without_damage(tmp_path: Path) -> None:
    account = lived(tmp_path / "home")
    with sqlite3.connect(tmp_path / "home" / "journal.sqlite") as connection:
        connection.execute("UPDATE runs SET tape_version = 99")
    connection.close()
    with pytest.raises(NewerTape):
        found_at(tmp_path / "home", account)
