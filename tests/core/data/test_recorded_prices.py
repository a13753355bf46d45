"""Ranges, warm-up, conversions and the words with which missing data are refused."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from quarterdeck.core.data.recorded_prices import conversion_pairs, load_candles, load_recording
from quarterdeck.core.data.series import BarSeries
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import DAY_NS, M15_NS, NS_PER_S

HEADER = "time_utc,open,high,low,close,tick_volume,spread_points\n"
MONDAY_NS = 1_722_816_000 * NS_PER_S  # 2024-08-05


def write_days(folder: Path, name: str, first_day: int, days: int, step_minutes: int = 15, price: float = 1.1) -> None:
    folder.mkdir(exist_ok=True)
    lines = [
        f"2024-08-{first_day + day:02d}T{minute // 60:02d}:{minute % 60:02d}:00Z,{price},{price},{price},{price},5,1\n"
        for day in range(days)
        for minute in range(0, 1440, step_minutes)
    ]
    (folder / name).write_text(HEADER + "".join(lines))


def test_range_includes_both_days_and_warmup_precedes_it(tmp_path):
    write_days(tmp_path / "m15", "EURUSD_M15.csv", 5, 5)
    recording = load_recording(
        [tmp_path / "m15"], ["EURUSD"], from_day=date(2024, 8, 7), to_day=date(2024, 8, 8), warmup_bars=50, history_bars=120
    )
    (pair,) = recording.pairs
    (bars,) = pair.series
    assert (recording.from_utc_ns, recording.to_utc_ns) == (MONDAY_NS + 2 * DAY_NS, MONDAY_NS + 4 * DAY_NS)
    assert bars.first_utc_ns == recording.from_utc_ns - 120 * M15_NS
    assert bars.end_utc_ns == recording.to_utc_ns


def test_days_without_data_inside_the_range_are_told(tmp_path):
    write_days(tmp_path / "m15", "EURUSD_M15_a.csv", 5, 2)
    write_days(tmp_path / "m15", "EURUSD_M15_b.csv", 20, 3)
    whole = load_recording([tmp_path / "m15"], ["EURUSD"], from_day=date(2024, 8, 6), to_day=date(2024, 8, 22))
    assert whole.notes == ("EURUSD: no data from 2024-08-06 to 2024-08-20",)
    after = load_recording([tmp_path / "m15"], ["EURUSD"], from_day=date(2024, 8, 21), to_day=date(2024, 8, 22))
    assert after.notes == ()


def test_default_range_runs_from_first_warm_day_to_earliest_end(tmp_path):
    write_days(tmp_path / "m15", "EURUSD_M15.csv", 5, 5)
    write_days(tmp_path / "m15", "USDJPY_M15.csv", 6, 3, price=150.0)
    recording = load_recording([tmp_path / "m15"], ["EURUSD", "USDJPY"], warmup_bars=90)
    assert (recording.from_utc_ns, recording.to_utc_ns) == (MONDAY_NS + 2 * DAY_NS, MONDAY_NS + 4 * DAY_NS)


def test_short_warmup_error_reports_available_and_required_start(tmp_path):
    write_days(tmp_path / "m15", "EURUSD_M15.csv", 5, 5)
    with pytest.raises(DataError, match=r"EURUSD: 150 M15 bars .* before 2024-08-06, there are 96 .* from 2024-08-07 on"):
        load_recording([tmp_path / "m15"], ["EURUSD"], from_day=date(2024, 8, 6), to_day=date(2024, 8, 8), warmup_bars=150)


def test_finer_series_stand_beside_coarser_ones_and_earlier_folders_win(tmp_path):
    write_days(tmp_path / "a", "EURUSD_M15.csv", 6, 2, price=1.1)
    write_days(tmp_path / "b", "EURUSD_M15.csv", 5, 4, price=1.2)
    write_days(tmp_path / "b", "EURUSD_M1_august.csv", 7, 1, step_minutes=1, price=1.3)
    recording = load_recording([tmp_path / "a", tmp_path / "b"], ["EURUSD"], from_day=date(2024, 8, 7), history_bars=10**6)
    (pair,) = recording.pairs
    assert [item.timeframe for item in pair.series] == ["M1", "M15"]
    coarse = pair.find("M15")
    assert isinstance(coarse, BarSeries)
    assert coarse.bid.close[::96].tolist() == [1.2, 1.1, 1.1, 1.2]


@pytest.mark.parametrize(
    ("pairs", "days", "words"),
    [
        (["GBPUSD"], (None, None), "GBPUSD: no data in .*; there is EURUSD"),
        (
            ["EURUSD"],
            (date(2020, 1, 1), date(2020, 2, 1)),
            "no data from 2020-01-01 to 2020-02-01; there is 2024-08-05 to 2024-08-06",
        ),
        (["EURUSD"], (date(2024, 8, 6), date(2024, 8, 5)), "the range 2024-08-06 to 2024-08-05 is empty"),
        (["EURUSD"], (date(2030, 1, 1), None), "EURUSD: data end 2024-08-06, before 2030-01-01"),
    ],
)
def test_what_is_missing_is_named(tmp_path, pairs, days, words):
    write_days(tmp_path / "m15", "EURUSD_M15.csv", 5, 2)
    with pytest.raises(DataError) as refusal:
        load_recording([tmp_path / "m15"], pairs, from_day=days[0], to_day=days[1])
    assert re.search(words, refusal.value.one_line())


def test_short_warmup_error_names_first_day_valid_for_all_pairs(tmp_path):
    write_days(tmp_path / "m15", "EURUSD_M15.csv", 5, 4)
    write_days(tmp_path / "m15", "GBPUSD_M15.csv", 6, 3)
    words = {"from_day": date(2024, 8, 5), "to_day": date(2024, 8, 8), "warmup_bars": 96}
    with pytest.raises(DataError) as refusal:
        load_recording([tmp_path / "m15"], ["EURUSD", "GBPUSD"], **words)
    assert "EURUSD: 96 M15 bars of warm-up are needed before 2024-08-05, there are 0" in refusal.value.one_line()
    assert "from 2024-08-07 on there is enough" in refusal.value.one_line()
    words["from_day"] = date(2024, 8, 7)
    assert load_recording([tmp_path / "m15"], ["EURUSD", "GBPUSD"], **words).from_utc_ns == 1_722_988_800 * 10**9


def test_folders_without_candles_say_where_some_are(tmp_path):
    write_days(tmp_path / "m15", "EURUSD_M15.csv", 5, 1)
    with pytest.raises(DataError) as refusal:
        load_recording([tmp_path], ["EURUSD"])
    assert "name one of its folders: m15" in refusal.value.one_line()
    with pytest.raises(DataError, match="no such folder"):
        load_recording([tmp_path / "nowhere"], ["EURUSD"])
    write_days(tmp_path / "h1", "EURUSD_H1.csv", 5, 1, step_minutes=60)
    with pytest.raises(DataError, match="only H1 data"):
        load_recording([tmp_path / "h1"], ["EURUSD"])


def test_pairs_that_convert_are_named_and_never_assumed():
    known = {"EURUSD", "USDJPY", "GBPJPY", "GBPUSD", "XAUUSD", "EURGBP"}.__contains__
    assert conversion_pairs(["EURUSD"], "USD", known) == ()
    assert conversion_pairs(["GBPJPY"], "USD", known) == ("USDJPY", "GBPUSD")
    assert conversion_pairs(["USDJPY", "GBPUSD"], "EUR", known) == ("EURUSD", "EURGBP")
    assert conversion_pairs(["XAUUSD"], "EUR", known) == ("EURUSD",)
    with pytest.raises(DataError, match="neither USDCHF nor CHFUSD"):
        conversion_pairs(["EURUSD"], "CHF", known)


def test_data_without_a_spread_are_refused_unless_one_is_given(tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    rows = "".join(f"2024-08-05T{hour:02d}:00:00Z,1.1,1.1,1.1,1.1,7.5\n" for hour in range(24))
    (folder / "EURUSD_M15.csv").write_text("time_utc,open,high,low,close,volume\n" + rows)
    with pytest.raises(DataError, match="say nothing about the spread"):
        load_recording([folder], ["EURUSD"], spread_given=lambda symbol: False)
    assert not load_recording([folder], ["EURUSD"], spread_given=lambda symbol: True).pairs[0].spread_known


def test_a_warm_up_shorter_than_stated_is_reported(recorded_data):
    def loaded(history_bars):
        found = load_recording(
            [recorded_data / "m15"],
            ["EURUSD", "GBPUSD"],
            from_day=date(2024, 7, 1),
            to_day=date(2024, 7, 1),
            history_bars=history_bars,
        )
        before = [int((pair.series[0].bid.open_utc_ns < found.from_utc_ns).sum()) for pair in found.pairs]
        return before, found.notes

    before, notes = loaded(3_000)
    assert before == [3_000, 3_000], "what lies further back in the folder changes nothing"
    assert "EURUSD, GBPUSD: usual spreads and ATR percentiles are learned from 3,000 M15 bars before 2024-07-01" in notes
    _, notes = loaded(10_000_000)
    assert all(note.endswith("M15 bars before 2024-07-01, 10,000,000 are wanted") for note in notes if "usual spreads" in note)


def test_recorded_folders_of_every_kind_load(recorded_data):
    recording = load_recording(
        [recorded_data / "m1", recorded_data / "m15"],
        ["EURUSD", "GBPUSD", "USDCAD"],
        from_day=date(2025, 10, 1),
        to_day=date(2025, 10, 31),
        warmup_bars=1000,
        account_currency="EUR",
    )
    assert [[item.timeframe for item in pair.series] for pair in recording.pairs] == [["M1", "M15"]] * 3
    assert recording.conversions == ()
    bidask = load_candles(recorded_data / "m1_bidask", "GBPUSD", "M1")
    assert isinstance(bidask, BarSeries)
    assert bidask.ask is not None
    assert (bidask.ask.close >= bidask.bid.close).all()
    assert "ask under the bid" in bidask.notes[0]
    assert load_candles(recorded_data / "h1_bidask", "XAUUSD", "H1").timeframe == "H1"
    assert load_candles(recorded_data / "ticks", "GBPUSD", "ticks").timeframe == "ticks"
    with pytest.raises(DataError, match="has no M1, it has M15"):
        load_candles(recorded_data / "m15", "USDJPY", "M1")
