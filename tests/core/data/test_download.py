"""A feed on this machine serves recorded hours, fails, and comes back; the download continues where it stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from quarterdeck.core.data.download import DownloadProgress, DownloadResult, download, trading_hours
from quarterdeck.core.data.importing import import_files
from quarterdeck.core.data.price_files import price_files
from quarterdeck.core.data.recorded_prices import load_candles
from quarterdeck.core.data.series import BarSeries
from quarterdeck.core.model.errors import DataError

NOW_NS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**9
DAY = date(2012, 12, 3)


class Feed:
    """Serves the files below a folder; `troubles` maps a path to what goes wrong, one after the other."""

    def __init__(self, root: Path) -> None:
        self.asked: list[str] = []
        self.troubles: dict[str, list[str]] = {}
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/feed/")
                feed.asked.append(name)
                trouble = feed.troubles.get(name, [])
                what = trouble.pop(0) if trouble else ""
                file = root / name
                if what == "busy":
                    self.send_error(503)
                elif not file.is_file():
                    self.send_error(404)
                else:
                    body = file.read_bytes()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body[: len(body) // 2] if what == "cut" else body)

            def log_message(self, *args: object) -> None:
                """Nothing on the terminal."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/feed"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def feed(recorded_data: Path) -> Iterator[Feed]:
    served = Feed(recorded_data / "raw_samples" / "dukascopy")
    yield served
    served.close()


def run(
    feed: Feed, tmp_path: Path, waits: list[float] | None = None, seen: list[DownloadProgress] | None = None
) -> DownloadResult:
    return download(
        "GBPJPY",
        DAY,
        DAY,
        hours_folder=tmp_path / "hours",
        store_folder=tmp_path / "store",
        now_utc_ns=NOW_NS,
        feed=feed.url,
        keep_ticks=True,
        progress=(seen if seen is not None else []).append,
        wait=(waits if waits is not None else []).append,
    )


def test_day_downloads_hourly_and_becomes_bars_with_own_ask(feed, tmp_path):
    seen: list[DownloadProgress] = []
    done = run(feed, tmp_path, seen=seen)
    assert (done.hours, done.fetched, done.empty, done.ticks) == (24, 24, 21, 2054 + 4413 + 1637)
    assert [step.done for step in seen] == list(range(1, 25))
    assert seen[-1].fetched_bytes == 10658 + 22370 + 7924
    assert {file.path.name for file in price_files(tmp_path / "store")} == {"GBPJPY_M1.npz", "GBPJPY_M15.npz", "GBPJPY_ticks.npz"}
    minutes, quarters = (load_candles(tmp_path / "store", "GBPJPY", period) for period in ("M1", "M15"))
    assert isinstance(minutes, BarSeries)
    assert isinstance(quarters, BarSeries)
    assert minutes.spread_known
    assert minutes.ask is not None
    assert (minutes.ask.low > minutes.bid.low).all()
    assert len(quarters) == 12
    assert quarters.bid.tick_volume.sum() == done.ticks
    assert quarters.bid.high.max() == minutes.bid.high.max()
    assert quarters.first_utc_ns == np.datetime64("2012-12-03", "ns").astype(int)


def test_feed_with_ask_is_refused_over_stored_bars_without_ask(feed, tmp_path):
    bars = tmp_path / "GBPJPY_M15.csv"
    head = "time_utc,open,high,low,close,tick_volume,spread_points\n"
    bars.write_text(
        head + "".join(f"2012-11-05T{hour:02d}:{quarter}:00Z,1,1,1,1,1,2\n" for hour in range(9) for quarter in (15, 30))
    )
    import_files([bars], tmp_path / "store", period="M15")
    with pytest.raises(DataError, match="has a spread, the feed has own ask prices") as refusal:
        run(feed, tmp_path)
    assert "--into" in refusal.value.one_line()
    assert feed.asked == []
    assert len(load_candles(tmp_path / "store", "GBPJPY", "M15")) == 18


def test_what_is_there_is_not_fetched_again(feed, tmp_path):
    first = run(feed, tmp_path)
    feed.asked.clear()
    again = run(feed, tmp_path)
    assert feed.asked == []
    assert (again.fetched, again.ticks) == (0, first.ticks)


def test_a_stopped_download_goes_on_where_it_stopped(feed, tmp_path):
    hour = "GBPJPY/2012/11/03/12h_ticks.bi5"
    feed.troubles[hour] = ["busy"] * 4
    waits: list[float] = []
    with pytest.raises(DataError, match=r"12h_ticks.bi5: HTTP 503, 4 times") as refusal:
        run(feed, tmp_path, waits)
    assert "continues from there" in refusal.value.one_line()
    assert waits == [1.0, 3.0, 9.0]
    assert not (tmp_path / "store").exists()
    feed.asked.clear()
    assert run(feed, tmp_path).ticks == 2054 + 4413 + 1637
    assert feed.asked[0] == hour
    assert len(feed.asked) == 12


def test_short_troubles_are_waited_out(feed, tmp_path):
    feed.troubles["GBPJPY/2012/11/03/22h_ticks.bi5"] = ["busy", "cut"]
    waits: list[float] = []
    assert run(feed, tmp_path, waits).fetched == 24
    assert waits == [1.0, 3.0]


def test_a_damaged_hour_on_disk_is_fetched_again(feed, tmp_path):
    run(feed, tmp_path)
    held = tmp_path / "hours/GBPJPY/2012/11/03/00h_ticks.bi5"
    held.write_bytes(held.read_bytes()[:500])
    feed.asked.clear()
    assert run(feed, tmp_path).fetched == 1
    assert feed.asked == ["GBPJPY/2012/11/03/00h_ticks.bi5"]


def test_nobody_there_is_said(feed, tmp_path):
    feed.close()
    with pytest.raises(DataError, match="4 times"):
        run(feed, tmp_path)


def test_nothing_there_is_said(feed, tmp_path):
    with pytest.raises(DataError, match="the feed has no tick from 2012-12-04 to 2012-12-04"):
        download(
            "GBPJPY",
            date(2012, 12, 4),
            date(2012, 12, 4),
            hours_folder=tmp_path,
            store_folder=tmp_path,
            now_utc_ns=NOW_NS,
            feed=feed.url,
        )


def test_only_completed_market_hours_are_requested():
    week = list(trading_hours(date(2024, 8, 5), date(2024, 8, 11), NOW_NS))
    assert (week[0].hour, len([hour for hour in week if hour.day == 10])) == (0, 0)
    assert [hour.hour for hour in week if hour.day == 9][-1] == 21
    assert [hour.hour for hour in week if hour.day == 11] == [20, 21, 22, 23]
    middle_ns = int(datetime(2024, 8, 6, 10, 30, tzinfo=UTC).timestamp()) * 10**9
    assert list(trading_hours(date(2024, 8, 6), date(2024, 8, 6), middle_ns))[-1].hour == 9
