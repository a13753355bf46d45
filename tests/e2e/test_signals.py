"""Ctrl-C, SIGTERM and SIGHUP at any moment: an order is obeyed, the journal is closed, nothing looks like a crash."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from quarterdeck.core.journal.tape_reader import TapeReader
from tests.e2e.processes import EngineProcess, engine, journal_opens, small_recording, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]
SLOWLY = ("--pairs", "EURUSD,GBPUSD", "--from", "2024-06-12", "--to", "2024-06-14", "--speed", "60")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_recording(tmp_path_factory.mktemp("good") / "m15")


def ended_how(home: Path) -> str:
    with TapeReader(home / "journal.sqlite") as tape:
        return tape.run().ended_how or ""


def no_traceback(process: EngineProcess) -> None:
    assert "Traceback" not in process.err
    assert "Exception" not in process.err


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "reading settings"),
        (signal.SIGTERM, "loading the market"),
        (signal.SIGINT, "opening the journal"),
        (signal.SIGTERM, "opening the link"),
    ],
)
def test_a_start_is_given_up(number: int, moment: str, good: Path, tmp_path: Path) -> None:
    with engine(tmp_path / "home", "--replay", good, *SLOWLY) as process:
        process.until_said(moment)
        process.tell(number)
        assert process.ended() == (0 if "quarterdeck: ready" in process.err and number == signal.SIGTERM else 130), process.err
        no_traceback(process)
    journal_opens(tmp_path / "home")


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 0, "SIGTERM")])
def test_a_run_ends_in_order(number: int, code: int, name: str, good: Path, tmp_path: Path) -> None:
    with engine(tmp_path / "home", "--replay", good, *SLOWLY) as process:
        process.ready().tell(number)
        assert process.ended() == code, process.err
        no_traceback(process)
        assert f"{name}: flatten" in process.out
        assert "digest" in process.out
    assert journal_opens(tmp_path / "home")
    assert ended_how(tmp_path / "home") == f"{name}: flatten"
    assert not (tmp_path / "home" / "link.sock").exists()


def test_signals_upon_signals_end_it_once(good: Path, tmp_path: Path) -> None:
    with engine(tmp_path / "home", "--replay", good, *SLOWLY) as process:
        process.ready()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            if process.process.poll() is None:
                process.tell(number)
        assert process.ended() in (0, 130), process.err
        no_traceback(process)
    assert journal_opens(tmp_path / "home")
    assert ended_how(tmp_path / "home").endswith(": flatten")


def test_a_replay_at_full_speed_hears_it_too(good: Path, tmp_path: Path) -> None:
    words = ("--pairs", "EURUSD,GBPUSD", "--speed", "max")
    with engine(tmp_path / "home", "--replay", good, *words) as process:
        process.ready().tell(signal.SIGINT)
        assert process.ended() in (0, 130), process.err
        no_traceback(process)
    assert journal_opens(tmp_path / "home")


def test_hangup_reloads_settings_and_bad_file_changes_nothing(good: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with engine(home, "--replay", good, *SLOWLY) as process:
        process.ready()
        log = home / "logs" / "engine.log"
        (home / "settings.toml").write_text("[risk]\nrisk_per_trade_pct = 0.5\n")
        process.tell(signal.SIGHUP)
        wait_for(lambda: "risk.risk_per_trade_pct: 1.0 -> 0.5" in log.read_text(), "the new setting in the log")
        (home / "settings.toml").write_text("[risk]\nrisk_per_trade_pct = 50.0\n")
        process.tell(signal.SIGHUP)
        wait_for(lambda: "risk_per_trade_pct = 50.0" in log.read_text(), "the refusal in the log")
        assert process.process.poll() is None
        process.tell(signal.SIGTERM)
        assert process.ended() == 0
