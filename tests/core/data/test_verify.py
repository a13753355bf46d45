"""Checks find what is known to be wrong with the recorded files, count it, and come to a verdict."""

from __future__ import annotations

import gzip

import pytest

from quarterdeck.core.data.catalogue import catalogue
from quarterdeck.core.data.verify import verify
from quarterdeck.core.model.errors import DataError


def found(verified):
    return {finding.check: finding.count for finding in verified.findings if finding.count}


@pytest.mark.parametrize(
    ("name", "rows", "missing", "holidays", "verdict"),
    [
        ("m15/AUDUSD_M15.csv.gz", 33850, 53, 2, "good"),
        ("m15/USDCHF_M15.csv.gz", 49969, 86, 4, "good"),
        ("m15/XAUUSD_M15.csv.gz", 66908, 445, 7, "usable"),
        ("h1_bidask/XAUUSD_H1_bidask_2012-2018.csv.gz", 36743, 462, 58, "usable"),
        ("m1_bidask/GBPUSD_M1_bidask_2012-02.csv.gz", 30117, 124, 0, "good"),
    ],
)
def test_gaps_and_holidays_are_those_that_were_counted_by_others(recorded_data, name, rows, missing, holidays, verdict):
    verified = verify(recorded_data / name)
    counts = found(verified)
    away = counts.get("holidays", 0) + counts.get("whole days missing", 0)
    assert (verified.rows, counts.get("missing", 0), away) == (rows, missing, holidays)
    assert verified.verdict == verdict


def test_the_one_bad_print_in_gold_is_found(recorded_data):
    verified = verify(recorded_data / "m15/XAUUSD_M15.csv.gz")
    (wick,) = [finding for finding in verified.findings if finding.check == "lone wick"]
    assert (wick.count, wick.example) == (1, "2023-10-09T20:15:00.000Z")


def test_quirks_of_two_sided_bars_and_ticks_are_counted(recorded_data):
    assert found(verify(recorded_data / "h1_bidask/XAUUSD_H1_bidask_2012-2018.csv.gz"))["in the weekend"] == 7
    assert found(verify(recorded_data / "m1_bidask/USDJPY_M1_bidask_2013-02.csv.gz"))["ask under bid"] >= 683
    ticks = verify(recorded_data / "ticks/EURUSD_ticks_2025-09.csv.gz")
    assert (found(ticks)["the same tick again"], ticks.verdict) == (31, "good")


def test_a_week_that_is_missing_is_no_row_of_holidays(recorded_data, tmp_path):
    lines = gzip.decompress((recorded_data / "m15" / "EURUSD_M15.csv.gz").read_bytes()).decode().splitlines(keepends=True)
    path = tmp_path / "EURUSD_M15.csv"
    path.write_text("".join(line for line in lines if not "2024-05-06" <= line[:10] <= "2024-05-10"))
    verified = verify(path)
    (gone,) = [finding for finding in verified.findings if finding.check == "whole days missing"]
    assert (gone.count, gone.example, verified.verdict) == (4, "2024-05-07", "usable"), "each day begins the evening before"
    ticks = tmp_path / "EURUSD_ticks.csv"
    ticks.write_text("time_utc,bid,ask\n2024-05-06T10:00:00.000Z,1.1,1.1\n2024-05-13T10:00:00.000Z,1.1,1.1\n")
    assert verify(ticks).verdict == "usable"


def test_all_that_is_wrong_is_listed_at_once(tmp_path):
    path = tmp_path / "EURUSD_M15.csv"
    rows = [f"2024-08-05T{hour:02d}:{minute:02d}:00Z,1.1,1.2,1.0,1.1,5,2" for hour in range(4) for minute in (0, 15, 30, 45)]
    rows[3] = rows[2]
    rows[6] = rows[6].replace("1.2", "nan")
    rows[9] = rows[9].replace("1.0", "1.15")
    rows[12], rows[13] = rows[13], rows[12]
    rows[14] = rows[14].replace(":30:", ":31:").replace(",2", ",-2")
    rows.append("2024-08-10T12:00:00Z,1.1,1.1,1.1,1.1,5,2")
    path.write_text("time_utc,open,high,low,close,tick_volume,spread_points\n" + "\n".join(rows) + "\n")
    verified = verify(path)
    counts = found(verified)
    for check in (
        "out of order",
        "a second time",
        "no price",
        "high or low does not hold the bar",
        "off the grid",
        "in the weekend",
    ):
        assert counts[check] == 1, check
    assert counts["negative spread"] == 1
    assert verified.verdict == "bad"
    with pytest.raises(DataError, match="the file name contains no pair and period"):
        verify(tmp_path / "prices.csv")


def test_catalogue_lists_every_file_with_errors_of_bad_ones(recorded_data, tmp_path):
    entries = catalogue([recorded_data / "m15_dukascopy"])
    assert [entry.symbol for entry in entries] == sorted(entry.symbol for entry in entries)
    assert len(entries) == 10
    assert {entry.spread for entry in entries} == {"none"}
    assert entries[0].last == "2025-10-31T20:45:00.000Z"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "EURUSD_M15.csv").write_text("nonsense")
    (entry,) = catalogue([tmp_path])
    assert "not one of ours" in entry.trouble
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no candle files"):
        catalogue([tmp_path / "empty"])
    with pytest.raises(DataError, match="no such folder"):
        catalogue([tmp_path / "nowhere"])
