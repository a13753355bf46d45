"""What is wrong ends with one line that says what and where and what to do, a documented exit code, and a journal that opens."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from tests.e2e.processes import (
    REPLAY_WORDS,
    Done,
    candle_lines,
    engine,
    is_one_clear_line,
    journal_opens,
    quarterdeck,
    small_recording,
    write_candles,
)

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="limits and signals are POSIX")]

LINES = candle_lines(1)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_recording(tmp_path_factory.mktemp("good") / "m15")


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory, good: Path) -> Path:
    """A home that holds the journal of a replay."""
    home = tmp_path_factory.mktemp("traded") / "home"
    done = quarterdeck("run", "--no-ui", "--home", home, "--replay", good, *REPLAY_WORDS)
    assert done.code == 0, done.err
    return home


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run one command in this process: what a wrong file says depends on no process."""

    def run(*words: str | Path) -> Done:
        code = main([str(word) for word in words])
        heard = capsys.readouterr()
        return Done(code, heard.out, heard.err)

    return run


def missing(folder: Path) -> None:
    shutil.rmtree(folder)


def no_file_of_the_pair(folder: Path) -> None:
    (folder / "EURUSD_M15.csv.gz").unlink()


def nothing_in_it(folder: Path) -> None:
    (folder / "EURUSD_M15.csv.gz").write_bytes(b"")


def header_only(folder: Path) -> None:
    write_candles(folder, "EURUSD", ())


def cut_off(folder: Path) -> None:
    path = folder / "EURUSD_M15.csv.gz"
    path.write_bytes(path.read_bytes()[:-300])


def cut_off_in_a_line(folder: Path) -> None:
    write_candles(folder, "EURUSD", [*LINES[:-1], LINES[-1][:30]])


def unsorted(folder: Path) -> None:
    write_candles(folder, "EURUSD", [*LINES[:700], LINES[701], LINES[700], *LINES[702:]])


def nan_in_it(folder: Path) -> None:
    stamp, opened, high, low, _close, *rest = LINES[900].split(",")
    write_candles(folder, "EURUSD", [*LINES[:900], ",".join((stamp, opened, high, low, "nan", *rest)), *LINES[901:]])


def a_line_twice(folder: Path) -> None:
    write_candles(folder, "EURUSD", [*LINES[:800], *LINES[799:]])


def no_candle_files(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (missing, "no such folder"),
        (no_candle_files, "holds no candle files"),
        (no_file_of_the_pair, "EURUSD: no data in"),
        (nothing_in_it, "EURUSD_M15.csv.gz: is empty"),
        (header_only, "EURUSD_M15.csv.gz: has a header and no rows"),
        (cut_off, "EURUSD_M15.csv.gz: cut off or damaged"),
        (cut_off_in_a_line, "EURUSD_M15.csv.gz: line 1921"),
        (unsorted, "EURUSD_M15.csv.gz: line 703: earlier than the line before"),
        (nan_in_it, "EURUSD_M15.csv.gz: line 902: close is nan"),
        (a_line_twice, "EURUSD_M15.csv.gz: line 802: the same time as the line before"),
    ],
)
def test_candle_files_that_cannot_be_traded_on(
    damage: Callable[[Path], None], said: str, good: Path, traded: Path, tmp_path: Path, here: Callable[..., Done]
) -> None:
    folder = shutil.copytree(good, tmp_path / "m15")
    damage(folder)
    home = shutil.copytree(traded, tmp_path / "home")
    done = here("run", "--no-ui", "--home", home, "--replay", folder, *REPLAY_WORDS)
    assert (done.code, said in done.last_error) == (4, True), done.err
    assert is_one_clear_line(done)
    assert str(folder) in done.last_error
    assert journal_opens(home)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--pairs", "EURUSD,USDJPY"), 4, "USDJPY: no data in"),
        (("--from", "2030-01-07", "--to", "2030-01-08"), 4, "no data from 2030-01-07 to 2030-01-08"),
        (("--from", "2024-05-28", "--to", "2024-05-29"), 4, "of warm-up are needed"),
        (("--speed", "banana"), 2, "--speed 'banana' is not a speed"),
        (("--from", "yesterday"), 2, "--from 'yesterday' is not a day"),
        (("--set", "risk.risk_per_trade=1"), 3, "risk.risk_per_trade_pct"),
        (("--no-uy",), 2, "No such option"),
        (("--replay", "crash"), 2, "belong to a replay of recorded days"),
    ],
)
def test_wishes_that_cannot_be_carried_out(
    words: tuple[str, ...], code: int, said: str, good: Path, traded: Path, tmp_path: Path, here: Callable[..., Done]
) -> None:
    home = shutil.copytree(traded, tmp_path / "home")
    done = here("run", "--no-ui", "--home", home, "--replay", good, *REPLAY_WORDS, *words)
    assert (done.code, said in done.last_error) == (code, True), done.err
    assert is_one_clear_line(done)
    assert journal_opens(home)


def test_process_reports_the_same_error_and_exit_code(good: Path, tmp_path: Path) -> None:
    unsorted(shutil.copytree(good, tmp_path / "m15"))
    done = quarterdeck("run", "--no-ui", "--home", tmp_path / "home", "--replay", tmp_path / "m15", *REPLAY_WORDS)
    assert (done.code, "line 703" in done.last_error) == (4, True), done.err
    assert is_one_clear_line(done)


def test_a_command_that_does_not_exist_names_the_nearest() -> None:
    done = quarterdeck("flaten")
    assert done.code == 2
    assert done.last_error == "quarterdeck: there is no command 'flaten'; did you mean `quarterdeck flatten`?"


def test_five_mistakes_in_the_settings_take_a_line_each(good: Path, traded: Path, tmp_path: Path) -> None:
    home = shutil.copytree(traded, tmp_path / "home")
    mistakes = "[risk]\nrisk_per_trade_pct = 50.0\nopen_risk = 1\n[breakers]\npositions_max = -1\n[news]\nnothing = 1\n[frobs]\n"
    (home / "settings.toml").write_text(mistakes)
    done = quarterdeck("run", "--no-ui", "--home", home, "--replay", good, *REPLAY_WORDS)
    assert (done.code, "5 invalid settings:" in done.err) == (3, True), done.err
    assert all(
        sum(key in line for line in done.err.splitlines()) == 1
        for key in ("risk_per_trade_pct = 50.0", "open_risk", "positions_max", "news.nothing", "frobs")
    )
    assert journal_opens(home)


@pytest.mark.parametrize("place", ["file/home", "dangling/home"])
def test_a_home_that_cannot_be_written(place: str, good: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "else")
    home = tmp_path / place
    done = quarterdeck("run", "--no-ui", "--home", home, "--replay", good, *REPLAY_WORDS)
    assert (done.code, str(home) in done.last_error) == (6, True), done.err
    assert is_one_clear_line(done)


def test_a_journal_that_is_none(good: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "journal.sqlite").write_bytes(b"this is a letter, not a journal" * 200)
    done = quarterdeck("run", "--no-ui", "--home", tmp_path / "home", "--replay", good, *REPLAY_WORDS)
    assert (done.code, "journal.sqlite" in done.last_error) == (6, True), done.err
    assert is_one_clear_line(done)


def files_stop_growing_at(size: int) -> Callable[[], None]:
    """What a full disk looks like to one process."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_full_disk_ends_a_replay_with_a_readable_journal(good: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    words = ("run", "--no-ui", "--home", home, "--replay", good, "--pairs", "EURUSD,GBPUSD", "--speed", "max")
    done = quarterdeck(*words, limits=files_stop_growing_at(1_200_000))
    assert done.code == 6, done.err
    assert "journal" in done.last_error
    assert is_one_clear_line(done)
    assert journal_opens(home)
    audit = quarterdeck("audit", "--home", home, "--json").json()
    assert audit["decisions"] == audit["agree"] > 0


def test_a_disk_that_is_full_at_the_start(good: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = quarterdeck("run", "--no-ui", "--home", home, "--replay", good, *REPLAY_WORDS, limits=files_stop_growing_at(100_000))
    assert done.code == 6, done.err
    assert is_one_clear_line(done)


def test_second_engine_in_a_home_is_refused_clearly(good: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with engine(home, "--replay", good, *REPLAY_WORDS[:-1], "1") as first:
        first.ready()
        second = quarterdeck("run", "--no-ui", "--home", home, "--replay", good, *REPLAY_WORDS)
        assert (second.code, str(first.process.pid) in second.last_error) == (7, True), second.err
        assert is_one_clear_line(second)
        assert quarterdeck("status", "--home", home, "--json").json()["pid"] == first.process.pid


def test_files_of_a_dead_engine_do_not_block_a_start(good: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(home / "link.sock"))
    (home / "link.json").write_text(f'{{"pid": 999999, "socket": "{home / "link.sock"}"}}')
    (home / "engine.lock").write_bytes(b"")
    gone = quarterdeck("status", "--home", home)
    assert gone.code == 8
    assert is_one_clear_line(gone)
    done = quarterdeck("run", "--no-ui", "--home", home, "--replay", good, *REPLAY_WORDS)
    assert done.code == 0, done.err
    assert not (home / "link.sock").exists()
