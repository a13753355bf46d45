"""Foreign files come in on UTC, in order, without doubles; what was done to them is said."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.core.data.importing import import_file, import_files, write_merged
from quarterdeck.core.data.price_files import price_files, read_series
from quarterdeck.core.data.recorded_prices import load_candles
from quarterdeck.core.data.series import BarSeries, TickSeries
from quarterdeck.core.model.errors import DataError

SERVER = "new_york_plus_7"
SAMPLES = [
    # file, pair, period, rows, left out, clock, weekends, of them fitting, the operator's decision
    ("mt5_export/EURUSD_M15_202503030000_202504042345_rendered.csv", "EURUSD", "M15", 2400, 0, SERVER, 4, 4, "auto"),
    ("mt5_export/EURUSD_ticks_20250925_2330_rendered.csv", "EURUSD", "ticks", 1032, 0, SERVER, 0, 0, SERVER),
    ("histdata/DAT_MT_GBPUSD_M1_20260102.csv", "GBPUSD", "M1", 1436, 0, "est", 0, 0, "auto"),
    ("histdata/DAT_ASCII_GBPUSD_M1_20260102_rendered.csv", "GBPUSD", "M1", 1436, 0, "est", 0, 0, "auto"),
    ("mt5_copy_rates/EURGBP_M5_epoch_head1500.csv", "EURGBP", "M5", 1500, 0, SERVER, 1, 1, "auto"),
    ("mt5_copy_rates/GBPUSD_M15_float_noise_head800.csv", "GBPUSD", "M15", 800, 0, SERVER, 2, 2, "auto"),
    ("quirks/EURUSD_H4_points_scaled_head800.csv", "EURUSD", "H4", 800, 0, SERVER, 28, 27, "auto"),
    ("quirks/EURUSD_M1_quoted_tabs_head800.csv", "EURUSD", "M1", 800, 0, SERVER, 0, 0, SERVER),
    ("quirks/USDCAD_M15_duplicates_server_time.csv", "USDCAD", "M15", 600, 201, SERVER, 1, 1, "auto"),
    ("dukascopy/EURUSD_2014-01-01--22h_ticks.csv", "EURUSD", "ticks", 882, 0, "utc", 0, 0, "auto"),
    ("dukascopy/EURUSD_M15_node_style_head500.csv", "EURUSD", "M15", 500, 0, "utc", 1, 1, "auto"),
]


@pytest.mark.parametrize(
    ("name", "pair", "period", "rows", "left_out", "clock", "weekends", "fitting", "word"),
    SAMPLES,
    ids=[row[0] for row in SAMPLES],
)
def test_every_known_layout_is_recognised(recorded_data, name, pair, period, rows, left_out, clock, weekends, fitting, word):
    done = import_file(recorded_data / "raw_samples" / name, clock=word)
    assert (done.series.symbol, done.series.timeframe, len(done.series)) == (pair, period, rows)
    assert sum(count for _, count in done.left_out) == left_out
    assert done.lines == rows + left_out
    assert done.clock is not None
    assert (done.clock.clock, done.clock.weekends, done.clock.fitting) == (clock, weekends, fitting)


@pytest.mark.parametrize("declared", ["M5", "H1"])
def test_a_period_that_the_stamps_contradict_is_refused(recorded_data, declared):
    export = recorded_data / "raw_samples/mt5_export/EURUSD_M15_202503030000_202504042345_rendered.csv"
    with pytest.raises(DataError, match=f"its bars are M15, not {declared}"):
        import_file(export, period=declared)
    assert import_file(export, period="M15").series.timeframe == "M15"


def test_timeframe_is_accepted_with_few_bars_present(tmp_path):
    minutes = [0, 5, 10, 15, 21, 26, 31, 36]
    lines = [f"2024-08-06T10:{minute:02d}:00,1.1,1.1,1.1,1.1,1" for minute in minutes]
    file = tmp_path / "EURUSD_seldom.csv"
    file.write_text("\n".join(["time_utc,open,high,low,close,tick_volume", *lines]), encoding="ascii")
    assert import_file(file, period="M1", clock="utc").series.timeframe == "M1"


def test_deeply_nested_json_is_refused(tmp_path):
    path = tmp_path / "EURUSD_M15.json"
    path.write_text("[" * 100_000)
    with pytest.raises(DataError, match="no JSON"):
        import_file(path)


def test_json_of_another_kind_is_named_as_such(recorded_data):
    with pytest.raises(DataError, match="layout not recognised"):
        import_file(recorded_data / "raw_samples/mt5_tick_json/EURUSD_20251010_174911_ticks.json")


def test_server_time_export_matches_recorded_bars_across_clock_changes(recorded_data):
    done = import_file(recorded_data / "raw_samples/mt5_export/EURUSD_M15_202503030000_202504042345_rendered.csv")
    known = load_candles(recorded_data / "m15", "EURUSD").between(done.series.first_utc_ns, done.series.end_utc_ns)
    assert isinstance(done.series, BarSeries)
    assert isinstance(known, BarSeries)
    for part in ("open_utc_ns", "open", "high", "low", "close", "tick_volume", "spread_points"):
        assert np.array_equal(getattr(done.series.bid, part), getattr(known.bid, part)), part


def test_exported_ticks_match_and_fill_in_the_unchanged_side(recorded_data):
    export = recorded_data / "raw_samples/mt5_export/EURUSD_ticks_20250925_2330_rendered.csv"
    with pytest.raises(DataError, match="nothing in the file proves its clock") as asked:
        import_file(export)
    assert "--clock" in asked.value.what_to_do
    done = import_file(export, clock=SERVER)
    known = load_candles(recorded_data / "ticks", "EURUSD", "ticks").between(done.series.first_utc_ns, done.series.end_utc_ns)
    assert isinstance(done.series, TickSeries)
    assert isinstance(known, TickSeries)
    for part in ("at_utc_ns", "bid", "ask"):
        assert np.array_equal(getattr(done.series, part), getattr(known, part)), part


def test_histdata_is_eastern_standard_time_in_both_layouts(recorded_data):
    plain, ascii_ = (
        import_file(recorded_data / "raw_samples/histdata" / name).series
        for name in ("DAT_MT_GBPUSD_M1_20260102.csv", "DAT_ASCII_GBPUSD_M1_20260102_rendered.csv")
    )
    assert plain.first_utc_ns == np.datetime64("2026-01-01T22:00", "ns").astype(int) == ascii_.first_utc_ns
    assert np.array_equal(plain.bid.close, ascii_.bid.close)


def test_noise_and_scales_of_conversions_are_taken_back(recorded_data):
    scaled = import_file(recorded_data / "raw_samples/quirks/EURUSD_H4_points_scaled_head800.csv")
    assert scaled.notes[0].startswith("prices were in points")
    assert scaled.series.bid.low[0] == 1.29587
    noisy = import_file(recorded_data / "raw_samples/mt5_copy_rates/GBPUSD_M15_float_noise_head800.csv").series
    assert all(price == round(price, 5) for price in noisy.bid.low.tolist())


def test_hours_of_bi5_and_json_are_read(recorded_data):
    hour = import_file(recorded_data / "raw_samples/dukascopy/GBPJPY/2012/11/03/12h_ticks.bi5")
    assert (hour.series.symbol, len(hour.series), hour.clock) == ("GBPJPY", 4413, None)
    assert (hour.series.bid[0], hour.series.ask[0]) == (131.866, 131.884)
    assert hour.series.first_utc_ns == np.datetime64("2012-12-03T12:00:00.778", "ns").astype(int)
    newer = import_file(recorded_data / "raw_samples/dukascopy/ticks-EUR-USD-2026-7-13-12.json").series
    assert (newer.symbol, len(newer)) == ("EURUSD", 3551)
    assert (newer.bid[0], newer.ask[1]) == (1.14273, 1.14275)
    assert newer.end_utc_ns < np.datetime64("2026-07-13T13:00", "ns").astype(int)
    assert (newer.ask >= newer.bid).all()


def test_an_index_needs_its_name_and_its_clock(recorded_data):
    folder = recorded_data / "raw_samples/mt5_export"
    with pytest.raises(DataError, match="the file name contains no pair"):
        import_file(folder / "US30m_H1_head1500.csv")
    with pytest.raises(DataError, match="fit its weeks alike"):
        import_file(folder / "US30m_H1_head1500.csv", symbol="US30M")
    hourly = import_file(folder / "US30m_H1_head1500.csv", symbol="US30M", clock="utc")
    assert hourly.clock is not None
    assert hourly.clock.words.startswith("utc (declared), ")
    assert hourly.series.bid.close[0] > 37_000
    daily = import_file(folder / "US30m_Daily_202401010000_202509080000.csv", symbol="US30M", clock="utc")
    assert (daily.series.timeframe, len(daily.series)) == ("D1", 527)


def test_a_declared_clock_that_the_week_contradicts_is_refused(recorded_data):
    path = recorded_data / "raw_samples/mt5_export/EURUSD_M15_202503030000_202504042345_rendered.csv"
    with pytest.raises(DataError, match=r"utc fits .* on 0 of 4 weekends; new_york_plus_7 fits 4 of them"):
        import_file(path, clock="utc")
    forced = import_file(path, clock="utc", force=True)
    assert forced.clock is not None
    assert not forced.clock.proved
    with pytest.raises(DataError, match=r"eet fits .* on 1 of 4 weekends"):
        import_file(path, clock="eet")
    with pytest.raises(DataError, match="'mars' is not a known clock"):
        import_file(path, clock="mars")


def test_cleaned_files_come_in_unchanged(recorded_data, tmp_path):
    path = recorded_data / "m1_bidask/USDJPY_M1_bidask_2013-02.csv.gz"
    done = import_files([path], tmp_path)
    (file,) = price_files(tmp_path)
    ours, known = read_series(file), load_candles(path.parent, "USDJPY", "M1")
    assert np.array_equal(ours.bid.close, known.bid.close)
    assert np.array_equal(
        ours.ask.low, np.minimum.reduce([getattr(known.ask, part) for part in ("open", "high", "low", "close")])
    )
    assert done[0].clock is not None
    assert done[0].clock.proved


def test_a_second_import_adds_and_replaces(tmp_path):
    head = "time_utc,open,high,low,close,tick_volume,spread_points\n"
    row = "2024-08-0{day}T{hour:02d}:00:00Z,{price},{price},{price},{price},1,2\n"
    first, second = tmp_path / "EURUSD_H1_a.csv", tmp_path / "EURUSD_H1_b.csv"
    first.write_text(head + "".join(row.format(day=5, hour=hour, price=1.1) for hour in range(8)))
    second.write_text(head + "".join(row.format(day=5, hour=hour, price=1.2) for hour in range(6, 10)))
    store = tmp_path / "store"
    import_files([first], store)
    import_files([second], store)
    held = load_candles(store, "EURUSD", "H1")
    assert held.bid.close.tolist() == [1.1] * 6 + [1.2] * 4
    assert held.spread_known
    write_merged(store, [read_series(price_files(store)[0])])
    assert load_candles(store, "EURUSD", "H1").bid.close.tolist() == [1.1] * 6 + [1.2] * 4


def test_bars_with_other_cost_data_are_refused_and_replace_nothing(recorded_data, tmp_path):
    store = tmp_path / "store"
    import_files([recorded_data / "m15" / "EURUSD_M15.csv.gz"], store)
    before = load_candles(store, "EURUSD", "M15")
    minutes = tmp_path / "EURUSD_M15_ask.csv"
    head = ",".join(f"{side}_{part}" for side in ("bid", "ask") for part in ("open", "high", "low", "close"))
    minutes.write_text(f"time_utc,{head}\n2024-08-05T00:00:00Z,1.1,1.1,1.1,1.1,1.2,1.2,1.2,1.2\n")
    other = tmp_path / "EURGBP_M5.csv"
    other.write_text("time_utc,open,high,low,close\n2024-08-05T00:00:00Z,1.1,1.1,1.1,1.1\n2024-08-05T00:05:00Z,1.1,1.1,1.1,1.1\n")
    plain = recorded_data / "m15_dukascopy" / "EURUSD_M15.csv.gz"
    with pytest.raises(DataError, match=r"has a spread, .* has no spread: ") as refused:
        import_files([other, plain], store)
    assert "--into" in refused.value.one_line()
    with pytest.raises(DataError, match=r"has a spread, .* has own ask prices: "):
        write_merged(store, [next(read_series(file) for file in price_files(tmp_path) if file.path == minutes)])
    after = load_candles(store, "EURUSD", "M15")
    assert len(after.bid) == len(before.bid)
    assert after.spread_known
    assert [file.path.name for file in price_files(store)] == ["EURUSD_M15.npz"], "nothing is written when one cannot be"


def test_hours_of_ticks_around_others_leave_them_where_they_are(tmp_path):
    head = "time_utc,bid,ask\n"
    for hour in (1, 2, 3):
        (tmp_path / f"EURUSD_ticks_{hour}.csv").write_text(head + f"2024-08-05T0{hour}:00:00.000Z,1.{hour},1.{hour}\n")
    store = tmp_path / "store"
    import_files([tmp_path / "EURUSD_ticks_2.csv"], store)
    import_files([tmp_path / "EURUSD_ticks_1.csv", tmp_path / "EURUSD_ticks_3.csv"], store)
    assert read_series(price_files(store)[0]).bid.tolist() == [1.1, 1.2, 1.3]


def test_what_cannot_be_mended_is_left_out_and_counted(tmp_path):
    path = tmp_path / "GBPUSD.csv"
    path.write_text(
        "time,open,high,low,close,tick_volume\n"
        "2024-08-05 00:15:00,1.2,1.3,1.1,1.2,5\n"
        "2024-08-05 00:00:00,1.2,1.3,1.1,1.2,5\n"
        "2024-08-05 00:30:00,nan,1.3,1.1,1.2,5\n"
        "2024-08-05 00:45:00,1.2,1.15,1.1,1.2,5\n"
        "2024-08-05 01:07:00,1.2,1.3,1.1,1.2,5\n"
        "2024-08-05 01:15:00,1.2,1.3,1.1,1.2,5\n"
        "2024-08-05 01:15:00,1.2,1.3,1.1,1.2,5\n"
        "2024-08-05 01:30:00,1.2,1.3\n"
        "2024-99-05 01:45:00,1.2,1.3,1.1,1.2,5\n"
        "2024-08-05 02:00:00,1.2,x,1.1,1.2,5\n"
    )
    done = import_file(path, clock="utc", period="M15")
    assert dict(done.left_out) == {
        "not shaped like the rest": 2,
        "without a price": 2,
        "high or low does not hold the bar": 1,
        "no start of an M15 bar": 1,
        "a second time": 1,
    }
    assert done.notes[0] == "1 lines were out of order"
    assert len(done.series) == 3
    assert not done.series.spread_known


@pytest.mark.parametrize("text", ["hello\n", "a;b;c\n1;2;3\n", "a,b\n", "\n\n"])
def test_an_unknown_layout_is_refused_with_its_first_line(tmp_path, text):
    path = tmp_path / "EURUSD.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"EURUSD\.csv"):
        import_file(path)


def test_a_damaged_hour_is_refused(tmp_path, recorded_data):
    whole = recorded_data / "raw_samples/dukascopy/GBPJPY/2012/11/03/00h_ticks.bi5"
    folder = tmp_path / "GBPJPY/2012/11/03"
    folder.mkdir(parents=True)
    (folder / "00h_ticks.bi5").write_bytes(whole.read_bytes()[:-300])
    with pytest.raises(DataError, match="damaged"):
        import_file(folder / "00h_ticks.bi5")
    (tmp_path / "00h_ticks.bi5").write_bytes(whole.read_bytes())
    with pytest.raises(DataError, match="months from 00"):
        import_file(tmp_path / "00h_ticks.bi5")
    (tmp_path / "EURUSD.json").write_text('{"times": [1]}')
    with pytest.raises(DataError, match="no answer of Dukascopy's feed"):
        import_file(tmp_path / "EURUSD.json")


def test_a_name_that_no_store_would_find_again_is_refused(recorded_data, tmp_path):
    path = recorded_data / "raw_samples" / "mt5_export" / "US30m_H1_head1500.csv"
    with pytest.raises(DataError, match=r"US30_H1\.npz would not be found again"):
        import_files([path], tmp_path / "store", symbol="US30", clock="utc")
    assert not (tmp_path / "store").exists()
    import_files([path], tmp_path / "store", symbol="US30.M", clock="utc")
    assert [file.symbol for file in price_files(tmp_path / "store")] == ["US30.M"]


def bars_file(folder, prices, name="EURUSD_M15.csv"):
    lines = [f"2024-03-05T{row // 4:02d}:{row % 4 * 15:02d}:00Z,{p},{p},{p},{p}" for row, p in enumerate(prices)]
    path = folder / name
    path.write_text("time,open,high,low,close\n" + "\n".join(lines) + "\n")
    return path


def test_an_impossible_price_is_left_out_and_reported(tmp_path):
    done = import_file(bars_file(tmp_path, [1.1] * 20 + [110.0] + [1.2] * 19))
    assert len(done.series) == 39
    assert "1 lines with a price that EURUSD never had (0.6557 to 2.016) were left out" in done.series.notes + done.notes


def test_prices_with_decimals_are_no_points(tmp_path):
    done = import_file(bars_file(tmp_path, [150.123 + row / 1000 for row in range(40)]))
    assert done.series.bid.close[0] == 150.123
    assert any("is it that pair?" in note for note in done.series.notes + done.notes)


def test_a_spread_below_zero_is_named(tmp_path):
    path = bars_file(tmp_path, [1.1] * 40)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},spread", *(f"{row},-3" for row in rows)]))
    with pytest.raises(DataError, match="no line of it is usable: 40 with a spread below zero"):
        import_file(path)
