"""Damaged files are refused by name, line and remedy; good ones come back exactly, from text and from the store."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from quarterdeck.core.data import price_store
from quarterdeck.core.data.price_files import PriceFile, price_file, price_files, read_series
from quarterdeck.core.data.series import BarSeries, TickSeries
from quarterdeck.core.model.errors import DataError, StorageError
from quarterdeck.core.model.units import M15_NS

HEADER = "time_utc,open,high,low,close,tick_volume,spread_points\n"
GOOD = HEADER + (
    "2024-08-05T00:00:00Z,1.09105,1.0912,1.09095,1.09101,310,2\n"
    "2024-08-05T00:15:00Z,1.09101,1.0913,1.09100,1.09125,280,0\n"
    "2024-08-05T00:45:00Z,1.09125,1.0914,1.09120,1.09133,150,3\n"
)


def put(tmp_path: Path, text: str | bytes, name: str = "EURUSD_M15.csv") -> PriceFile:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    file = price_file(path)
    assert file is not None
    return file


def test_names_tell_pair_and_period():
    assert price_file(Path("EURUSD_M1_2025.csv.gz"))[1:] == ("EURUSD", "M1")
    assert price_file(Path("xauusd_h1_bidask_2012-2018.csv"))[1:] == ("XAUUSD", "H1")
    assert price_file(Path("GBPUSD_flashcrash_2016-10-06_ticks.csv"))[1:] == ("GBPUSD", "ticks")
    for other in ("README.md", "EURUSD.csv", "notes_M15.csv", "EURUSD_M15.xlsx"):
        assert price_file(Path(other)) is None


def test_a_clean_file_comes_back_exactly_plain_or_gzipped(tmp_path):
    plain = read_series(put(tmp_path, GOOD))
    packed = read_series(put(tmp_path, gzip.compress(GOOD.replace("\n", "\r\n").encode()), "GBPUSD_M15.csv.gz"))
    for bars in (plain, packed):
        assert isinstance(bars, BarSeries)
        assert bars.bid.open_utc_ns.tolist() == [1722816000 * 10**9, 1722816900 * 10**9, 1722818700 * 10**9]
        assert bars.bid.low.tolist() == [1.09095, 1.091, 1.0912]
        assert bars.bid.tick_volume.tolist() == [310, 280, 150]
        assert bars.bid.spread_points.tolist() == [2, 0, 3]
        assert bars.spread_known
        with pytest.raises(ValueError, match="read-only"):
            bars.bid.close[0] = 0.0


def line(number: int, text: str) -> str:
    lines = GOOD.splitlines(keepends=True)
    lines[number - 1] = text + "\n"
    return "".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (HEADER, "has a header and no rows"),
        ("date;open\n1;2\n", r"line 1: the header 'date;open' is not one of ours"),
        (line(3, "2024-08-05T00:00:00Z,1,1,1,1,1,1"), "line 3: the same time as the line before"),
        (line(3, "2024-08-04T00:00:00Z,1,1,1,1,1,1"), "line 3: earlier than the line before"),
        (line(3, "2024-08-05T00:15:00Z,1,nan,1,1,1,1"), "line 3: high is nan"),
        (line(3, "2024-08-05T00:15:00Z,1,inf,1,1,1,1"), "line 3: high is inf"),
        (line(3, "2024-08-05T00:15:00Z,1,1,0,1,1,1"), "line 3: low is 0"),
        (line(3, "2024-08-05T00:15:00Z,1,1,1,1,1,-1"), "line 3: spread_points is -1"),
        (line(4, "2024-08-05T00:45:00Z,1.1,1.05,1,1.02,1,1"), "line 4: high or low does not hold the bar"),
        (line(4, "2024-08-05T00:46:00Z,1,1,1,1,1,1"), "line 4: 2024-08-05T00:46:00.000Z is no start of an M15 bar"),
        (line(4, "2024-08-05T00:45:00Z,1,1,1,1"), r"line 4: 5 fields where the header has 7 \(the file may be cut off\)"),
        (line(2, "2024-08-05T00:00:00Z,1,x,1,1,1,1"), "line 2: high is 'x', no number"),
        (line(2, "2024-08-05T00:00:00Z,1,,1,1,1,1"), "line 2: high is '', no number"),
        (line(2, "2024-13-05T00:00:00Z,1,1,1,1,1,1"), "line 2: '2024-13-05T00:00:00Z' is no time"),
        (line(2, "2024-02-30T00:00:00Z,1,1,1,1,1,1"), "line 2: '2024-02-30T00:00:00Z' is no time"),
        (line(3, "2024-08-05T00:15:00+02:00,1,1,1,1,1,1"), "line 3: .* is no time"),
        (line(3, ""), "line 3: empty"),
        (b"\xff\xfe\x00\x01" * 20, "line 1: the header"),
    ],
)
def test_a_damaged_file_is_named_with_line_and_remedy(tmp_path, text, words):
    with pytest.raises(DataError, match=words) as refusal:
        read_series(put(tmp_path, text))
    assert "EURUSD_M15.csv" in str(refusal.value)
    assert refusal.value.what_to_do


def test_a_cut_off_archive_is_named(tmp_path):
    with pytest.raises(DataError, match="cut off or damaged"):
        read_series(put(tmp_path, gzip.compress((GOOD * 50).encode())[:-20], "EURUSD_M15.csv.gz"))


def test_ticks_may_share_a_millisecond_but_never_go_back(tmp_path):
    text = "time_utc,bid,ask,flags\n2024-08-05T00:00:00.250Z,1.1,1.2,6\n2024-08-05T00:00:00.250Z,1.2,1.1,2\n"
    ticks = read_series(put(tmp_path, text, "EURUSD_ticks.csv"))
    assert isinstance(ticks, TickSeries)
    assert ticks.at_utc_ns.tolist() == [1722816000_250_000_000] * 2
    assert ticks.ask.tolist() == [1.2, 1.2]
    assert "1 ticks with the ask under the bid" in ticks.notes[0]
    with pytest.raises(DataError, match="holds ticks, its name says M15"):
        read_series(put(tmp_path, text, "EURUSD_M15.csv"))


def test_a_changed_file_is_read_again(tmp_path):
    file = put(tmp_path, GOOD)
    assert read_series(file) is read_series(file)
    put(tmp_path, GOOD + "2024-08-05T01:00:00Z,1.1,1.1,1.1,1.1,1,1\n")
    assert len(read_series(file)) == 4


def test_the_store_gives_back_what_it_took_bit_for_bit(tmp_path, recorded_data):
    for folder, name in (("m15", "USDJPY_M15"), ("m1_bidask", "USDJPY_M1"), ("ticks", "EURUSD_OANDA")):
        file = next(item for item in price_files(recorded_data / folder) if item.path.name.startswith(name))
        before = read_series(file)
        after = price_store.read(price_store.write(tmp_path, before), file.symbol, file.period)
        if isinstance(before, TickSeries) and isinstance(after, TickSeries):
            assert all(np.array_equal(getattr(before, part), getattr(after, part)) for part in ("at_utc_ns", "bid", "ask"))
            continue
        assert isinstance(before, BarSeries)
        assert isinstance(after, BarSeries)
        for part in ("open_utc_ns", "open", "high", "low", "close", "spread_points", "tick_volume"):
            assert np.array_equal(getattr(before.bid, part), getattr(after.bid, part))
        assert (before.ask is None) == (after.ask is None)
        assert after.spread_known
    assert {item.path.name for item in price_files(tmp_path)} == {"USDJPY_M15.npz", "USDJPY_M1.npz", "EURUSD_ticks.npz"}


def test_a_damaged_store_is_named(tmp_path):
    path = tmp_path / "EURUSD_M15.npz"
    path.write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(DataError, match=r"EURUSD_M15\.npz: cannot be read"):
        read_series(PriceFile(path, "EURUSD", "M15"))
    np.savez(path, open_utc_ns=np.zeros(1, np.int64))
    with pytest.raises(DataError, match="lacks the column"):
        read_series(PriceFile(path, "EURUSD", "M15"))
    (tmp_path / "file").write_text("")
    series = read_series(put(tmp_path, GOOD))
    with pytest.raises(StorageError, match="cannot be written"):
        price_store.write(tmp_path / "file", series)


@pytest.mark.parametrize(("symbol", "written", "points"), [("EURUSD", 12, 12), ("USDHUF", 30_000, 300), ("XAUUSD", 25, 25)])
def test_older_stores_are_read_in_the_points_of_today(tmp_path: Path, symbol: str, written: int, points: int) -> None:
    stamps = np.arange(4, dtype=np.int64) * M15_NS
    path = price_store.store_path(tmp_path, symbol, "M15")
    prices = {name: np.full(4, 360.0) for name in ("open", "high", "low", "close")}
    np.savez_compressed(path, open_utc_ns=stamps, tick_volume=np.ones(4, np.int64), spread_points=np.full(4, written), **prices)
    series = price_store.read(path, symbol, "M15")
    assert isinstance(series, BarSeries)
    assert series.bid.spread_points.tolist() == [points] * 4
    again = price_store.read(price_store.write(tmp_path / "again", series), symbol, "M15")
    assert isinstance(again, BarSeries)
    assert again.bid.spread_points.tolist() == [points] * 4
