"""`data` from the command line: foreign files in, faults named, a feed fetched, and what was stored carries a backtest."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.main import main
from tests.core.data.test_download import Feed


def told(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> tuple[str, str]:
    assert main(["data", *words]) == code
    said = capsys.readouterr()
    return said.out, said.err


def as_json(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    return json.loads(told([*words, "--json"], capsys, code)[0].splitlines()[-1])


@pytest.fixture
def samples(recorded_data: Path) -> Path:
    return recorded_data / "raw_samples"


@pytest.fixture
def home(tmp_path: Path) -> list[str]:
    return ["--home", str(tmp_path / "home")]


@pytest.fixture
def feed(samples: Path) -> Iterator[Feed]:
    server = Feed(samples / "dukascopy")
    yield server
    server.close()


def mt5_export(samples: Path) -> str:
    return str(samples / "mt5_export" / "EURUSD_M15_202503030000_202504042345_rendered.csv")


def test_an_export_becomes_utc_and_is_there_for_a_check(
    samples: Path, home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = as_json(["import", mt5_export(samples), *home], capsys)["files"]
    assert (file["symbol"], file["period"], file["rows"], file["clock"]) == ("EURUSD", "M15", 2400, "new_york_plus_7")
    (entry,) = as_json(["list", *home], capsys)["files"]
    assert (entry["first"], entry["spread"]) == ("2025-03-02T22:00:00.000Z", "column")
    assert as_json(["verify", *home], capsys)["ok"]
    assert main(["check", "lookahead", "--data", str(tmp_path / "home" / "data"), "--pairs", "EURUSD", "--rows", "4", *home]) == 0


def test_folders_of_several_makers_and_a_zip(
    samples: Path, home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(["import", str(samples / "dukascopy"), *home], capsys)
    said, _ = told(["import", str(samples / "quirks"), "--clock", "new_york_plus_7", *home], capsys)
    assert "left out  201 a second time" in said
    assert "prices were in points" in said
    zipped = tmp_path / "HISTDATA_COM_ASCII_GBPUSD_M1_202601.zip"
    with zipfile.ZipFile(zipped, "w") as held:
        held.write(samples / "histdata" / "DAT_ASCII_GBPUSD_M1_20260102_rendered.csv", "DAT_ASCII_GBPUSD_M1_202601.csv")
        held.writestr("DAT_ASCII_GBPUSD_M1_202601.txt", "gaps: none")
    assert as_json(["import", str(zipped), *home], capsys)["files"][0]["rows"] == 1436


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ([], 2, "Missing argument"),
        (["nowhere.csv"], 4, "no such file or folder"),
        (["EXPORT", "--clock", "utc"], 4, "new_york_plus_7 fits 4 of them"),
        (["EXPORT", "--clock", "mars"], 4, "'mars' is not a known clock"),
        (["EXPORT", "--period", "M7"], 2, "not a known period"),
        (["EXPORT", "--pair", "X"], 2, "not a symbol"),
        (["SETTINGS", "--pair", "EURUSD"], 4, "layout not recognised"),
    ],
)
def test_a_wrong_import_is_one_line_and_leaves_nothing(
    words: list[str], code: int, reason: str, samples: Path, home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "notes.txt"
    settings.write_text("[desk]\nmode = 'live', 3\n")
    known = {"EXPORT": mt5_export(samples), "SETTINGS": str(settings)}
    _, error = told(["import", *(known.get(word, word) for word in words), *home], capsys, code)
    assert error.startswith("quarterdeck: ")
    assert error.count("\n") == 1
    assert reason in error
    assert not list((tmp_path / "home").rglob("*.npz"))


def test_an_empty_store_says_how_to_fill_it(home: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("list", "verify"):
        assert "data import" in told([word, *home], capsys, 4)[1]


def test_bad_file_fails_verification_and_good_files_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "time_utc,open,high,low,close,tick_volume,spread_points\n"
    good = "".join(f"2024-07-01T{hour:02d}:00:00Z,1.1,1.1001,1.0999,1.1,5,2\n" for hour in range(3, 9))
    (tmp_path / "EURUSD_H1.csv").write_text(head + good)
    (tmp_path / "GBPUSD_H1.csv").write_text(head + good + "2024-07-01T05:00:00Z,1.1,1.0,1.2,1.1,5,2\n")
    (tmp_path / "USDJPY_H1.csv").write_text("what is this")
    (tmp_path / "readme.md").write_text("not a file of prices")
    found = as_json(["verify", str(tmp_path)], capsys, 9)
    assert [file["verdict"] for file in found["files"]] == ["good", "bad", "bad"]
    said, error = told(["verify", str(tmp_path)], capsys, 9)
    assert "out of order" in said
    assert "2 of 3 files" in error


def test_a_download_is_stored_and_goes_on_where_it_stopped(
    feed: Feed, home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["download", "--pairs", "GBPJPY", "--from", "2012-12-03", "--to", "2012-12-03", "--feed", feed.url, *home]
    (got,) = as_json(words, capsys)["pairs"]
    assert got["ticks"] == 2054 + 4413 + 1637
    assert sorted(Path(path).name for path in got["files"]) == ["GBPJPY_M1.npz", "GBPJPY_M15.npz"]
    asked = len(feed.asked)
    assert as_json(words, capsys)["pairs"][0]["fetched"] == 0
    assert len(feed.asked) == asked
    assert as_json(["verify", *home], capsys)["ok"]


@pytest.mark.parametrize(
    "words",
    [
        ["--pairs", "EURUSD"],
        ["--from", "2024-01-02", "--to", "2024-01-02"],
        ["--pairs", "EURUSD", "--from", "2024-01-03", "--to", "2024-01-02"],
        ["--pairs", "EURUSD", "--from", "2094-01-02", "--to", "2094-01-02"],
        ["--pairs", "EURUSD", "--from", "2024-01-02", "--to", "2024-01-02", "--feed", "elsewhere"],
    ],
)
def test_a_wrong_download_is_one_line(words: list[str], home: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    _, error = told(["download", *words, *home], capsys, 2)
    assert error.count("\n") == 1
