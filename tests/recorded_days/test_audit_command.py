"""The audit as an operator runs it: in a process of its own, from the journal alone, on tapes that someone touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.journal.journal_schema import open_writable
from tests.recorded_days.conftest import Replay

Audit = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def copy(replayed: Replay, tmp_path: Path) -> Path:
    """A home with nothing but the journal of two recorded days."""
    home = replayed("m15", "2024-07-15", "2024-07-16").home
    shutil.copy(home / "journal.sqlite", tmp_path / "journal.sqlite")
    return tmp_path


def requoted(body: bytes) -> bytes:
    """A block whose first quote has another price, in order otherwise."""
    records = zlib.decompress(body)
    return zlib.compress(records[:2] + b"\x10\x00\x00\x00" + records[6:])


def touched(home: Path, *statements: str) -> None:
    connection = open_writable(home / "journal.sqlite", durable=False)
    connection.create_function("requoted", 1, requoted)
    for sql in statements:
        assert connection.execute(sql).rowcount == 1, sql
    connection.close()


def audited(home: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the last line's object, and all that was printed; no data folder is in reach."""
    environ = {**os.environ, "QUARTERDECK_DATA": str(home / "moved away"), "PYTHONHASHSEED": "5"}
    command = [sys.executable, "-m", "quarterdeck.cli.main", "audit", "--home", str(home), "--json", *more]
    done = subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stdout


@pytest.mark.slow
@pytest.mark.processes
def test_every_decision_agrees_without_the_data(copy: Path) -> None:
    code, found, _ = audited(copy)
    assert code == 0
    assert found["decisions"] == found["agree"] > 50
    assert found["states"] == found["states_agree"] > 0


QUOTE = "UPDATE quote_blocks SET body = requoted(body) WHERE id = 2"
DROPPED = "DELETE FROM tape WHERE seq = (SELECT min(seq) FROM deals)"
SWAPPED = (
    "UPDATE tape SET seq = -1 WHERE seq = (SELECT min(seq) FROM signals)",
    "UPDATE tape SET seq = (SELECT min(seq) FROM signals) WHERE seq = (SELECT min(seq) FROM signals) + 1",
    "UPDATE tape SET seq = (SELECT min(seq) FROM signals) + 1 WHERE seq = -1",
)


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize(
    ("statements", "kind"),
    [((QUOTE,), "altered"), ((DROPPED,), "gap"), (SWAPPED, "altered")],
    ids=["quote", "dropped", "swapped"],
)
def test_tape_tampering_is_reported_with_its_location(copy: Path, statements: tuple[str, ...], kind: str) -> None:
    touched(copy, *statements)
    code, found, printed = audited(copy)
    assert code == 9
    assert kind in found["findings"]
    assert f"first difference: input {found['first_difference']['seq']} at " in printed


@pytest.mark.slow
@pytest.mark.processes
def test_edited_threshold_differs_first_at_the_decision_it_changes(copy: Path, replayed: Replay) -> None:
    run = replayed("m15", "2024-07-15", "2024-07-16")
    code, found, printed = audited(copy, "--set", "strategy.confidence_min=0.9")
    assert code == 9
    assert found["findings"].keys() == {"decision"}
    first = found["first_decision"]
    assert first["seq"] == run.rows("SELECT min(seq) AS seq FROM verdicts WHERE outcome != 'none'")[0]["seq"]
    assert "checks[confidence]" in first["text"], "every verdict names the threshold, so the first one differs"
    assert f"first difference: input {first['seq']} at " in printed
    assert audited(copy, "--set", "strategy.confidence_min=0.78")[0] == 0, "the very threshold of the tape changes nothing"
