"""A home and an account belong to one engine; the second is reported who holds them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from quarterdeck.core.journal.engine_lock import (
    HOME_LOCK,
    EngineLock,
    LockHolder,
    account_lock,
    holder_of,
    home_id,
    is_alive,
    is_held,
)
from quarterdeck.core.model.errors import AlreadyRunningError, StorageError
from quarterdeck.core.settings.home import Home
from tests.core.journal.tapes import Watch

ROOT = Path(__file__).parents[3]
HOLD = """
import sys
from pathlib import Path
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.journal.engine_lock import EngineLock
from quarterdeck.core.settings.home import Home
owner = EngineLock(Home(Path(sys.argv[1])), WallClock())
owner.hold_account("Demo Server", 42)
print("held", flush=True)
{then}
"""


def hold(home: Path, then: str = "sys.stdin.read()") -> subprocess.Popen[str]:
    script = HOLD.format(then=then)
    command = [sys.executable, "-c", script, str(home)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def heard(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_a_second_owner_in_this_process_is_refused(tmp_path: Path) -> None:
    owner = EngineLock(Home(tmp_path), Watch())
    assert is_held(tmp_path / HOME_LOCK)
    with pytest.raises(AlreadyRunningError, match=f"is held by pid {os.getpid()} since 2024-08-05"):
        EngineLock(Home(tmp_path), Watch())
    owner.release()
    owner.release()
    assert not is_held(tmp_path / HOME_LOCK)
    EngineLock(Home(tmp_path), Watch()).release()


@pytest.mark.processes
def test_another_process_is_named_and_its_death_lets_go(tmp_path: Path) -> None:
    with hold(tmp_path) as child:
        assert heard(child) == "held"
        assert is_held(tmp_path / HOME_LOCK)
        with pytest.raises(AlreadyRunningError) as caught:
            EngineLock(Home(tmp_path), Watch())
        assert f"pid {child.pid} " in str(caught.value)
        assert caught.value.what_to_do
        other = EngineLock(Home(tmp_path / "other"), Watch())
        with pytest.raises(AlreadyRunningError, match="the account 42 on Demo Server is held"):
            other.hold_account("Demo Server", 42)
        other.hold_account("Demo Server", 43)
        other.release()
        child.kill()
    owner = EngineLock(Home(tmp_path), Watch())
    owner.hold_account("Demo Server", 42)
    assert holder_of(tmp_path / HOME_LOCK) is not None
    owner.release()
    assert holder_of(tmp_path / HOME_LOCK) is None


@pytest.mark.processes
@pytest.mark.posix  # Windows removes no file that is held
def test_a_removed_lock_lets_nobody_in_beside_its_living_holder(tmp_path: Path) -> None:
    with hold(tmp_path) as child:
        assert heard(child) == "held"
        (tmp_path / HOME_LOCK).unlink()
        with pytest.raises(AlreadyRunningError, match=f"pid {child.pid} "):
            EngineLock(Home(tmp_path), Watch())
        copy = tmp_path.with_name(tmp_path.name + "-copy")
        shutil.copytree(tmp_path, copy)
        EngineLock(Home(copy), Watch()).release()  # what the copied file says is not about the copy
        child.kill()
        child.wait()
        EngineLock(Home(tmp_path), Watch()).release()


@pytest.mark.windows
@pytest.mark.processes
def test_nobody_can_remove_a_held_lock(tmp_path: Path) -> None:
    with hold(tmp_path) as child:
        assert heard(child) == "held"
        with pytest.raises(PermissionError):
            (tmp_path / HOME_LOCK).unlink()
        child.kill()


def test_a_number_given_to_another_process_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        long_ago = LockHolder(pid=other.pid, since_utc_ns=1, command="quarterdeck", home=str(tmp_path))
        (tmp_path / "owner.json").write_bytes(msgspec.json.encode(long_ago))
        EngineLock(Home(tmp_path), Watch()).release()
        other.communicate(b"\n")


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked on POSIX only")
def test_forked_child_does_not_keep_a_dead_engines_lock(tmp_path: Path) -> None:
    then = "import os\nif os.fork() == 0:\n    os.close(1)\n    sys.stdin.read()\nelse:\n    os._exit(9)"
    with hold(tmp_path, then) as child:
        assert heard(child) == "held"
        assert child.wait() == 9
        EngineLock(Home(tmp_path), Watch()).release()


def test_the_accounts_lock_is_the_same_for_all_homes() -> None:
    path = account_lock("Broker/Demo 1", 7, {"XDG_DATA_HOME": "/data"}, "linux")
    assert path == Path("/data/quarterdeck/locks/Broker_Demo_1-7.lock")


def test_a_lock_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        EngineLock(Home(tmp_path / "file" / "home"), Watch())


@pytest.mark.processes
def test_the_living_are_told_from_the_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert is_alive(os.getpid())
    assert not is_alive(child.pid)


def test_an_empty_home_id_is_replaced(tmp_path: Path) -> None:
    ids = set()
    for name in ("one", "two"):
        home = Home(tmp_path / name)
        home.root.mkdir()
        (home.root / "home.id").write_text("")
        ids.add(home_id(home))
        assert home_id(home) in ids
    assert len(ids) == 2
    assert "" not in ids
