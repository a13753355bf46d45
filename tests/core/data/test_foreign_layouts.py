"""Files as terminals, archives and scripts leave them: read as what they are, or refused with the one question that decides."""

from __future__ import annotations

import lzma
import struct
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from quarterdeck.core.data import layouts, text
from quarterdeck.core.data.importing import import_file
from quarterdeck.core.data.pair_names import pair_of
from quarterdeck.core.data.series import BarSeries, TickSeries
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.pips import pip_price

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
HEAD = "time,open,high,low,close,volume"


def moments(days: int = 15, minutes: int = 15) -> list[datetime]:
    """Starts of bars from Monday 2024-01-01 00:00 UTC on, while the market is open."""
    step = timedelta(minutes=minutes)
    every = [MONDAY + number * step for number in range(days * 1440 // minutes)]
    closed = [(at.weekday(), at.hour) for at in every]
    return [
        at
        for at, (day, hour) in zip(every, closed, strict=True)
        if not (day == 5 or (day == 4 and hour >= 22) or (day == 6 and hour < 22))
    ]


def bar(row: int, digits: int = 5, level: float = 1.1) -> list[str]:
    step = 10.0**-digits
    opened = level + (row * 37 % 50) * step
    return [f"{opened + shift * step:.{digits}f}" for shift in (0, 9, -7, 3)]


def written(path: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def bars(path: Path, **words: str) -> BarSeries:
    series = import_file(path, **words).series  # type: ignore[arg-type]
    assert isinstance(series, BarSeries)
    return series


def test_ticks_with_the_ask_first_are_read_correctly(tmp_path):
    lines = [f"2024-01-02 00:00:{second:02d}.358000,1.10003,1.09999,1500000,2620000" for second in range(50)]
    done = import_file(written(tmp_path / "EURUSD-2024_01_02-2024_01_02.csv", lines))
    assert isinstance(done.series, TickSeries)
    assert (done.series.bid[0], done.series.ask[0]) == (1.09999, 1.10003)
    assert "the other way round" in done.notes[0]
    mixed = [line if second % 2 else line.replace("1.09999", "1.10008") for second, line in enumerate(lines)]
    with pytest.raises(DataError, match="the ask lies under the bid in 50 %"):
        import_file(written(tmp_path / "EURUSD-2024_01_02-2024_01_02.csv", mixed))


@pytest.mark.parametrize(
    ("head", "form"),
    [
        ("Gmt time,Open,High,Low,Close,Volume", "%d.%m.%Y %H:%M:%S.000"),
        (HEAD, "%Y-%m-%d %I:%M:%S %p"),
        (HEAD, "%Y.%m.%d %H:%M"),
        (HEAD, "%d/%m/%Y %H:%M:%S"),
        (HEAD, "%Y%m%d%H%M%S"),
        ("Local time,Open,High,Low,Close,Volume", "%d.%m.%Y %H:%M:%S.000 GMT+0000"),
    ],
)
def test_stamps_of_every_public_form_are_read(tmp_path, head, form):
    lines = [head, *(",".join([at.strftime(form), *bar(row), "7"]) for row, at in enumerate(moments()))]
    series = bars(written(tmp_path / "EURUSD_M15.csv", lines))
    assert len(series) == 1056
    assert series.first_utc_ns == int(MONDAY.timestamp()) * 10**9
    assert (np.diff(series.bid.open_utc_ns) > 0).all()


def test_an_unknown_stamp_is_named_with_its_line(tmp_path):
    lines = [HEAD, *(f"week {row},{','.join(bar(row))},7" for row in range(30))]
    with pytest.raises(DataError, match="line 2: 'week 0' is not a known time format") as refused:
        import_file(written(tmp_path / "EURUSD.csv", lines), period="M15")
    assert "05.08.2024 13:30" in refused.value.what_to_do


def test_stamps_with_offsets_are_instants_over_a_change_of_clocks(tmp_path):
    rows = ["2024-03-09 23:59:59-05:00", "2024-03-10 18:00:00-04:00", "2024-03-10 18:00:01-04:00"]
    lines = ["timestamp,bid,ask", *(f"{stamp},1.09999,1.10003" for stamp in rows)]
    done = import_file(written(tmp_path / "EURUSD_ticks.csv", lines), force=True)
    wanted = [datetime.fromisoformat(stamp).timestamp() * 1e9 for stamp in rows]
    assert done.series.at_utc_ns.tolist() == wanted
    assert done.clock is not None
    assert done.clock.words.startswith("utc (said by the file)")


def test_an_epoch_is_utc_despite_flat_weekends(tmp_path):
    every = [MONDAY + timedelta(minutes=15 * number) for number in range(22 * 96)]
    is_open = set(moments(22))
    lines = ["timestamp,open,high,low,close,volume"]
    for row, at in enumerate(every):
        prices = bar(row) if at in is_open else ["1.10425"] * 4
        lines.append(",".join([str(int(at.timestamp() * 1000)), *prices, "7"]))
    done = import_file(written(tmp_path / "eurusd-m15-bid.csv", lines))
    assert done.clock is not None
    assert (done.clock.clock, done.clock.fitting, done.clock.weekends) == ("utc", 3, 3)
    assert done.series.first_utc_ns == int(MONDAY.timestamp()) * 10**9
    late = [lines[0], *(line.replace(line[:13], str(int(line[:13]) + 7_200_000)) for line in lines[1:])]
    with pytest.raises(DataError, match=r"it says that its clock is utc, but .* fits 3 of them"):
        import_file(written(tmp_path / "eurusd-m15-bid.csv", late))


def test_metatraders_own_epoch_is_its_servers_clock(tmp_path):
    head = "time,open,high,low,close,tick_volume,spread,real_volume"
    lines = [head]
    for row, at in enumerate(moments()):
        lines.append(",".join([str(int(at.timestamp()) + 7200), *bar(row), "7", "6", "0"]))
    done = import_file(written(tmp_path / "EURUSD.csv", lines))
    assert done.clock is not None
    assert done.clock.clock == "new_york_plus_7"
    assert done.series.first_utc_ns == int(MONDAY.timestamp()) * 10**9
    with pytest.raises(DataError, match="nothing in the file proves its clock"):
        import_file(written(tmp_path / "EURUSD.csv", lines[:200]))


def test_hours_without_leading_zeros_keep_their_minute(tmp_path):
    lines = [HEAD]
    every = [MONDAY + timedelta(days=1, minutes=number) for number in range(1440)]
    lines += [f"2024.01.02 {at.hour}:{at:%M},{','.join(bar(row))},7" for row, at in enumerate(every)]
    path = written(tmp_path / "EURUSD_M1.csv", lines)
    with pytest.raises(DataError, match="nothing in the file proves its clock") as asked:
        import_file(path)
    assert "--clock" in asked.value.what_to_do
    series = bars(path, clock="utc")
    assert series.bid.open_utc_ns.tolist() == [int(at.timestamp()) * 10**9 for at in every]


@pytest.mark.parametrize(
    ("symbol", "digits", "level", "points"), [("EURUSD", 4, 1.1, 20), ("EURUSD", 5, 1.1, 2), ("USDJPY", 2, 150.0, 20)]
)
def test_a_spread_in_points_counts_the_brokers_own_digits(tmp_path, symbol, digits, level, points):
    lines = ["<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"]
    for row, at in enumerate(moments()):
        wall = at + timedelta(hours=2)
        lines.append("\t".join([f"{wall:%Y.%m.%d}", f"{wall:%H:%M:%S}", *bar(row, digits, level), "7", "0", "2"]))
    series = bars(written(tmp_path / f"{symbol}_M15.csv", lines))
    assert set(series.bid.spread_points.tolist()) == {points}


@pytest.mark.parametrize(("shown", "points"), [("1.2", 12), ("0.00012", 12), ("0.3", 3)])
def test_a_spread_in_pips_or_price_is_recognised(tmp_path, shown, points):
    lines = ["time,open,high,low,close,tick_volume,spread"]
    lines += [",".join([f"{at:%Y-%m-%d %H:%M:%S}", *bar(row), "7", shown]) for row, at in enumerate(moments())]
    done = import_file(written(tmp_path / "EURUSD_M15.csv", lines))
    assert isinstance(done.series, BarSeries)
    assert set(done.series.bid.spread_points.tolist()) == {points}
    assert any("the spread is in" in note for note in done.notes)


def test_whole_numbers_of_an_unnamed_unit_are_asked_for(tmp_path):
    lines = ["time,open,high,low,close,spread"]
    lines += [",".join([f"{at:%Y-%m-%d %H:%M:%S}", *bar(row), "2"]) for row, at in enumerate(moments())]
    path = written(tmp_path / "EURUSD_M15.csv", lines)
    with pytest.raises(DataError, match="a spread of 2 can be points or pips") as asked:
        import_file(path)
    assert "--spread-unit" in asked.value.what_to_do
    assert set(bars(path, spread_unit="pips").bid.spread_points.tolist()) == {20}


def test_dates_that_tell_no_month_are_asked_for(tmp_path):
    hours = [datetime(2024, 2, 1, tzinfo=UTC) + timedelta(minutes=15 * number) for number in range(40)]
    lines = [HEAD, *(",".join([f"{at:%d/%m/%Y %H:%M}", *bar(row), "7"]) for row, at in enumerate(hours))]
    path = written(tmp_path / "EURUSD_M15.csv", lines)
    with pytest.raises(DataError, match="nothing in the file tells days from months") as asked:
        import_file(path, clock="utc")
    assert "--dates dmy or --dates mdy" in asked.value.what_to_do
    assert bars(path, clock="utc", date_order="mdy").first_utc_ns == int(datetime(2024, 1, 2, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("symbol", "points", "price"), [("USDRUB", 91_234, 91.234), ("EURUSD", 110_234, 1.10234), ("EURHUF", 391_250, 391.25)]
)
def test_bi5_counts_some_currencies_in_thousandths(tmp_path, symbol, points, price):
    folder = tmp_path / symbol / "2024" / "00" / "03"
    folder.mkdir(parents=True)
    ticks = b"".join(struct.pack(">IIIff", at, points + 20, points, 1.0, 1.0) for at in range(0, 9_000, 1_000))
    (folder / "10h_ticks.bi5").write_bytes(lzma.compress(ticks, format=lzma.FORMAT_ALONE))
    assert import_file(folder / "10h_ticks.bi5").series.bid[0] == price


def test_a_price_the_pair_never_had_is_reported(tmp_path):
    lines = [HEAD, *(",".join([f"{at:%Y-%m-%dT%H:%M:%SZ}", *bar(row, 5, 0.911), "7"]) for row, at in enumerate(moments()))]
    assert "is none that USDRUB ever had" in import_file(written(tmp_path / "USDRUB.csv", lines)).notes[0]
    costly = [HEAD, *(",".join([f"{at:%Y-%m-%dT%H:%M:%SZ}", *bar(row, 1, 15_650.0), "7"]) for row, at in enumerate(moments()))]
    rupiah = import_file(written(tmp_path / "USDIDR.csv", costly))
    assert rupiah.series.bid.open[0] == 15_650.0, "some currencies cost so much: these are no points"
    assert rupiah.notes == ()


@pytest.mark.parametrize("quoted", [False, True])
def test_a_decimal_comma_is_read(tmp_path, quoted):
    mark, separator = ('"', ",") if quoted else ("", ";")
    lines = [separator.join(["Time", "Open", "High", "Low", "Close"])]
    for row, at in enumerate(moments()):
        cells = [f"{at:%Y-%m-%d %H:%M:%S}", *(f"{mark}{price.replace('.', ',')}{mark}" for price in bar(row))]
        lines.append(separator.join(cells))
    assert bars(written(tmp_path / "EURUSD_M15.csv", lines)).bid.open[0] == 1.1


def test_decimal_commas_between_commas_are_named(tmp_path):
    lines = [HEAD, *(f"{at:%Y-%m-%d %H:%M:%S},1,10000,1,10033,1,09993,1,10015,7" for at in moments())]
    with pytest.raises(DataError, match="line 2: 10 fields where the header has 6") as refused:
        import_file(written(tmp_path / "EURUSD_M15.csv", lines))
    assert "comma" in refused.value.what_to_do


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_wide_letters_marks_and_a_separator_line_are_read(tmp_path, encoding):
    lines = ["sep=;", "time;open;high;low;close;volume;"]
    lines += [";".join([f"{at:%Y-%m-%d %H:%M:%S}", *bar(row), "7", ""]) for row, at in enumerate(moments())]
    assert len(bars(written(tmp_path / "EURUSD_M15.csv", lines, encoding))) == 1056


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("DAT_MT_GBPUSD_M1.csv", "GBPUSD"),
        ("ticks-EUR-USD-2026.json", "EURUSD"),
        ("EUR_USD Week1.csv", "EURUSD"),
        ("EURUSD.pro_M15.csv", "EURUSD"),
        ("XAUUSD/2024.csv", "XAUUSD"),
        ("USDTHB_M15.csv", "USDTHB"),
    ],
)
def test_names_tell_the_pair(tmp_path, name, pair):
    assert pair_of(tmp_path / name) == pair


@pytest.mark.parametrize(
    "name", ["EURUSD/US500_M15.csv", "EURUSD/GER40.csv", "USDIDX.csv", "DXY.csv", "BTCUSD.csv", "EURUSDX_M1.csv"]
)
def test_a_folder_never_names_what_the_file_calls_otherwise(tmp_path, name):
    with pytest.raises(DataError, match="the file name contains no pair"):
        pair_of(tmp_path / name)


def test_two_pairs_in_a_name_need_a_choice(tmp_path):
    with pytest.raises(DataError, match="EURUSD and GBPUSD: which one is it"):
        pair_of(tmp_path / "EURUSD_GBPUSD.csv")
    lines = [f"{pair},20240102 00:00:{second:02d}.000,1.09999,1.10003" for second in range(30) for pair in ("EUR/USD", "AUD/USD")]
    path = written(tmp_path / "fx.csv", lines)
    with pytest.raises(DataError, match="holds AUDUSD, EURUSD: which one is meant"):
        import_file(path, clock="utc")
    assert len(import_file(path, clock="utc", symbol="AUDUSD").series) == 30


@pytest.mark.parametrize(
    ("symbol", "digits", "pip"),
    [
        ("EURUSD", 5, 0.0001),
        ("USDJPY", 3, 0.01),
        ("USDJPY", 2, 0.01),
        ("EURHUF", 3, 0.01),
        ("USDKRW", 2, 0.1),
        ("USDIDR", 0, 10.0),
        ("USDTHB", 3, 0.01),
        ("XAUUSD", 0, 1.0),
    ],
)
def test_a_pip_is_never_less_than_a_point(symbol, digits, pip):
    assert pip_price(symbol, symbol[:3], symbol[3:], digits) == pytest.approx(pip)


def test_memory_does_not_grow_with_the_text(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", 1 << 16)
    monkeypatch.setattr(layouts, "pieces", lambda path: text.pieces(path, 1 << 16))
    count = 60_000
    rows = (f"{1_704_153_600_000 + 300 * row},1.{10_000 + row % 900},1.{10_006 + row % 900},1.5" for row in range(count))
    path = written(tmp_path / "EURUSD_ticks.csv", ["timestamp,bid,ask,volume", *rows])
    import_file(path)
    tracemalloc.start()
    done = import_file(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(done.series) == count
    assert peak < 24 * count + 6_000_000, f"{peak / count:.0f} bytes a tick; the text has {path.stat().st_size / count:.0f}"


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("time,open,high,low,close,close", "two columns are called close"),
        ("time,open,high,low,last_price,close,closeprice", "two columns are called close"),
        ("time,bid,ask,bidprice,x,y", "two columns are called bid"),
        ("close_time,open,high,low,close,volume", "ends of the bars"),
        ("Close Time (UTC),open,high,low,close,volume", "ends of the bars"),
    ],
)
def test_a_header_with_two_meanings_is_refused_by_name(tmp_path: Path, head: str, said: str) -> None:
    path = tmp_path / "EURUSD_M15.csv"
    width = len(head.split(","))
    rows = [",".join([f"{at:%Y-%m-%d %H:%M:%S}", *bar(row), "100", "1", "1"][:width]) for row, at in enumerate(moments())]
    path.write_text("\n".join([head, *rows]))
    with pytest.raises(DataError, match=said):
        import_file(path)


def test_open_and_close_times_beside_each_other_are_read(tmp_path: Path) -> None:
    path = tmp_path / "EURUSD_M15.csv"
    rows = [
        f"{at:%Y-%m-%d %H:%M:%S},{','.join(bar(row))},{at + timedelta(minutes=15):%Y-%m-%d %H:%M:%S}"
        for row, at in enumerate(moments())
    ]
    path.write_text("\n".join(["open_time,open,high,low,close,close_time", *rows]))
    assert len(bars(path)) == len(rows)
