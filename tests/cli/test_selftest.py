"""`selftest`: the same days on every sound installation; one that decides otherwise is found out.

The shipped expectation changes only with `--golden-update`, when what the desk decides was changed on purpose.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quarterdeck.cli import selftest
from quarterdeck.cli.main import main
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.engine.engine import RunEnd
from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.model.inputs import SequencedInput
from quarterdeck.core.settings.home import Home
from quarterdeck.core.study.summary import Summary

EXPECTED = Path(selftest.__file__).with_name("selftest.json")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Summary]:
    home = Home(tmp_path_factory.mktemp("selftest"))
    summary, end = asyncio.run(selftest.run_selftest_days(home))
    assert end.clean, end.why
    return home, summary


@pytest.fixture
def again(lived: tuple[Home, Summary], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command without living the days once more: its home is a copy of the one that was lived in."""
    home, summary = lived

    async def done(place: Home, _on_line: object = None) -> tuple[Summary, Any]:
        place.journal.write_bytes(home.journal.read_bytes())
        return summary, RunEnd(clean=True, why="over")

    monkeypatch.setattr(selftest, "run_selftest_days", done)


def test_these_days_are_the_shipped_ones(lived: tuple[Home, Summary], request: pytest.FixtureRequest) -> None:
    found = selftest.observed_result(lived[1])
    if request.config.getoption("--golden-update"):
        EXPECTED.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    assert selftest.differences(selftest.expected_result(), found) == [], (
        "if the desk was meant to decide otherwise: pytest tests/cli/test_selftest.py --golden-update"
    )


def test_they_hold_enough_to_compare(lived: tuple[Home, Summary]) -> None:
    summary = lived[1]
    assert summary.trades >= 5
    assert len(summary.exits) >= 3
    assert len(summary.refusals) >= 3


@pytest.mark.usefixtures("again")
def test_a_sound_installation_says_so_in_three_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["selftest", "--home", str(tmp_path / "new"), "--json"]) == 0
    *said, plain = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["lived", "audited", "decides"]
    assert json.loads(plain)["ok"] is True
    assert (tmp_path / "new" / "journal.sqlite").is_file()


@pytest.mark.usefixtures("again")
def test_another_decision_is_a_verdict_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = msgspec.structs.replace(selftest.expected_result(), trades=99, made_by="numpy 0.1")
    monkeypatch.setattr(selftest, "expected_result", lambda: other)
    assert main(["selftest", "--json"]) == 9
    said = capsys.readouterr()
    assert "the makers had 99" in said.err
    assert "they had numpy 0.1, here is numpy" in said.err
    assert json.loads(said.out.splitlines()[-1])["ok"] is False


@pytest.mark.usefixtures("again")
def test_a_desk_that_decides_otherwise_fails_the_audit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(Desk):
        def on(self, stamped: SequencedInput) -> tuple[Effect, ...]:
            return super().on(stamped)[:-1]

    monkeypatch.setattr(selftest, "Desk", Silent)
    assert main(["selftest"]) == 9
    assert "DECIDES OTHERWISE" in capsys.readouterr().out


def test_a_folder_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "settings.toml").write_text("# mine\n")
    assert main(["selftest", "--home", str(tmp_path)]) == 2
    assert "not an empty folder" in capsys.readouterr().err


def test_a_damaged_installation_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(selftest, "_EXPECTED", tmp_path / "gone.json")
    with pytest.raises(StorageError, match="gone"):
        selftest.expected_result()
