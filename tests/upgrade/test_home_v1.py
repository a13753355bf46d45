"""A home of version 0.1.0, killed in mid-order, opens, audits, reports and resumes in this version: nothing of it is lost."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.backtest.search_store import SearchSpec, Trial
from quarterdeck.core.model.renamed_keys import RENAMED_KEYS
from quarterdeck.core.settings.settings_loader import load_settings
from tests.conftest import GOLDEN
from tests.e2e.processes import LONG_S, command, engine, environment, quarterdeck, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.processes, pytest.mark.xdist_group("home_v1")]
UNCONFIRMED = "tpb2v9-3"
"""The entry whose reply was lost before the engine was killed."""


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    with tarfile.open(GOLDEN / "home_v1" / "home.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path


def result(*words: str | Path) -> dict[str, Any]:
    done = quarterdeck(*words, "--json")
    assert done.code == 0, done.err
    return done.json()


def test_settings_and_overrides_hold_under_their_new_names(homes: Path) -> None:
    loaded = load_settings(homes / "engine")
    assert loaded.settings.position.time_exit_hours == 3.5, "overridden as care.age_max_hours"
    assert loaded.settings.strategy.load_timeout_s == 61.0, "filed as strategy.give_up_s"
    assert loaded.settings.strategy.confidence_min == 0.0
    assert "strategy.give_up_s is called strategy.load_timeout_s now" in loaded.notes
    assert set(loaded.overrides) == {"strategy.confidence_min", "position.time_exit_hours"}


def test_every_old_key_is_understood(tmp_path: Path) -> None:
    shipped = load_settings(tmp_path)
    for old, new in RENAMED_KEYS.items():
        assert old != new
        section, name = new.split(".")
        value = getattr(getattr(shipped.settings, section), name)
        assert (
            load_settings(tmp_path, [(old, list(value) if isinstance(value, tuple) else value)]).settings == shipped.settings
        ), old


@pytest.mark.parametrize(("run", "decisions"), [(1, 62), (2, 73)])
def test_both_runs_audit_whole_though_rules_are_newer(homes: Path, run: int, decisions: int) -> None:
    found = result("audit", "--run", str(run), "--home", homes / "engine")
    assert (found["agrees"], found["older_rules"], found["findings"].keys()) == (True, True, {"decision"})
    assert found["decisions"] >= decisions
    # risk is counted with the commission as the ledger rounds it, and a day's result is said beside its equity
    assert "result_money" in found["first_difference"]["text"] or "risk_money" in found["first_difference"]["text"]
    other = quarterdeck("audit", "--run", str(run), "--home", homes / "engine", "--set", "risk.risk_per_trade_pct=0.5")
    assert other.code == 9, "what other settings change is a finding in any run"


def test_it_reports_and_explains(homes: Path) -> None:
    report = result("report", "--home", homes / "engine")
    assert (report["mode"], report["performance"]["trades"]["trades"]) == ("demo", 1)
    why = result("why", "USDCHF", "--home", homes / "engine")
    assert why["bars"]


def test_its_study_is_read(homes: Path) -> None:
    import msgspec

    first, *trials = (homes / "engine" / "reports" / "study.jsonl").read_bytes().splitlines()
    assert msgspec.json.decode(first, type=SearchSpec).goal == "sqn"
    assert [msgspec.json.decode(line, type=Trial).number for line in trials] == [0, 1, 2, 3]


@contextmanager
def gateway(home: Path) -> Iterator[str]:
    words = command("gateway", "--simulated", "--port", "0", "--json", "--home", home)
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.terminate()
            process.wait(LONG_S)


def test_it_resumes_and_learns_what_became_of_its_order(homes: Path) -> None:
    journal = homes / "engine" / "journal.sqlite"

    def outcome() -> str | None:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=LONG_S) as rows:
            ((found,),) = rows.execute("SELECT fate FROM intents WHERE client_id = ?", (UNCONFIRMED,))
        return found

    assert not outcome()
    with gateway(homes / "gateway") as address, engine(homes / "engine", "--set", f"account.gateway={address}") as running:
        running.ready()
        wait_for(lambda: outcome() == "filled", f"what became of {UNCONFIRMED}")
        status = quarterdeck("status", "--home", homes / "engine", "--json").json()
        assert status["unknown_fates"] == []
        assert quarterdeck("stop", "--keep", "--home", homes / "engine").code == 0
        running.ended()
