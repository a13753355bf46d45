"""One feed: asked seldom, kept on disk, patient with refusals; against answers put in manually and a real local server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from quarterdeck.core.calendar.feed_download import CalendarFeed, FeedUnreachable, FetchPolicy, HttpResponse, open_url

S = 1_000_000_000
POLICY = FetchPolicy(refresh_s=3600.0, retry_min_s=10.0, retry_max_s=60.0, timeout_s=5.0)
PUBLIC = FetchPolicy(refresh_s=300.0, retry_min_s=10.0, retry_max_s=60.0, timeout_s=5.0, asked_least_s=3600.0)
BODY = b'[{"title":"NFP","country":"USD","date":"2024-06-07T08:30:00-04:00","impact":"High"}]'
URL = "https://feed.example/week.json"


class Line:
    """Gives the answers in order and remembers what was asked."""

    def __init__(self, *answers: HttpResponse | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Mapping[str, str]] = []

    def __call__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> HttpResponse:
        self.asked.append(headers)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_asked_once_an_hour_and_not_sent_again_when_unchanged() -> None:
    line = Line(HttpResponse(status=200, body=BODY, etag='"a"'), HttpResponse(status=304))
    feed = CalendarFeed(URL, policy=POLICY, cache=None, opener=line)
    assert await feed.refresh(100 * S)
    assert [event.title for event in feed.events] == ["NFP"]
    assert not await feed.refresh(3_699 * S)
    assert len(line.asked) == 1
    assert not await feed.refresh(3_700 * S)
    assert line.asked[1]["If-None-Match"] == '"a"'
    assert (feed.fetched_utc_ns, feed.error) == (3_700 * S, "")
    assert len(feed.events) == 1


async def test_retry_wait_doubles_and_cached_events_are_kept() -> None:
    line = Line(
        HttpResponse(status=200, body=BODY),
        OSError("line down"),
        HttpResponse(status=503),
        HttpResponse(status=200, body=b"<html></html>"),
    )
    feed = CalendarFeed(URL, policy=POLICY, cache=None, opener=line)
    await feed.refresh(0)
    at = 3_600 * S
    for why, wait_s in (("line down", 10), ("answered 503", 20), ("a web page came", 40)):
        assert not await feed.refresh(at)
        assert why in feed.error
        assert feed.due_utc_ns == at + wait_s * S
        assert len(feed.events) == 1
        assert feed.fetched_utc_ns == 0
        at = feed.due_utc_ns


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse(status=200, body=BODY),
        HttpResponse(status=200, body=b"<html></html>"),
        HttpResponse(status=200),
        HttpResponse(status=500),
        OSError("line down"),
        FeedUnreachable("no route"),
    ],
)
async def test_an_address_is_neither_told_nor_kept(answer: HttpResponse | Exception, tmp_path: Path) -> None:
    url = "https://me:hunter2@feed.example/hunter2/week.json?key=hunter2"
    feed = CalendarFeed(url, policy=POLICY, cache=tmp_path, opener=Line(answer))
    await feed.refresh(0)
    assert "hunter2" not in feed.error + held_in(tmp_path)
    assert feed.error.startswith("feed.example" if answer != HttpResponse(status=200, body=BODY) else "")


async def test_a_server_that_never_ends_its_answer_is_a_failure() -> None:
    over = threading.Event()

    def endless(url: str, headers: Mapping[str, str], timeout_s: float) -> HttpResponse:
        over.wait()
        return HttpResponse(status=304)

    feed = CalendarFeed(URL, policy=msgspec.structs.replace(POLICY, timeout_s=0.05), cache=None, opener=endless)
    assert not await feed.refresh(0)
    assert "no answer within" in feed.error
    assert feed.due_utc_ns == 10 * S
    over.set()


async def test_retry_after_is_respected_and_waits_are_bounded() -> None:
    line = Line(HttpResponse(status=429, retry_after_s=900.0), *[OSError("x")] * 5)
    feed = CalendarFeed(URL, policy=POLICY, cache=None, opener=line)
    await feed.refresh(0)
    assert feed.due_utc_ns == 900 * S
    for _ in range(5):
        at = feed.due_utc_ns
        await feed.refresh(at)
    assert feed.due_utc_ns == at + 60 * S


async def test_a_restart_finds_the_week_on_disk_with_its_age(tmp_path: Path) -> None:
    first = CalendarFeed(URL, policy=POLICY, cache=tmp_path / "cache", opener=Line(HttpResponse(status=200, body=BODY, etag="e")))
    await first.refresh(50 * S)
    line = Line(HttpResponse(status=304))
    again = CalendarFeed(URL, policy=POLICY, cache=tmp_path / "cache", opener=line)
    assert again.events == first.events
    assert (again.fetched_utc_ns, again.error) == (50 * S, "")
    assert not await again.refresh(60 * S)
    await again.refresh(3_650 * S)
    assert line.asked[0]["If-None-Match"] == "e"


def held_in(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.iterdir())


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse(status=200, body=BODY),
        HttpResponse(status=304),
        HttpResponse(status=429),
        HttpResponse(status=503),
        HttpResponse(status=200, body=b"<html></html>"),
        TimeoutError("timed out"),
        OSError("the answer broke off"),
    ],
)
async def test_a_public_feed_is_asked_once_an_hour_over_restarts(tmp_path: Path, answer: HttpResponse | Exception) -> None:
    line = Line(*[answer] * 9)
    for minute in range(0, 180, 5):
        feed = CalendarFeed(URL, policy=PUBLIC, cache=tmp_path, opener=line)  # a start
        await feed.refresh(minute * 60 * S)
        await feed.refresh((minute * 60 + 150) * S)
        if isinstance(answer, Exception) or answer.status not in (200, 304) or answer.body != BODY:
            assert feed.error or answer == HttpResponse(status=304)
    assert len(line.asked) == 3


async def test_a_start_that_is_killed_while_it_asks_counts(tmp_path: Path) -> None:
    over = threading.Event()

    def hangs(url: str, headers: Mapping[str, str], timeout_s: float) -> HttpResponse:
        over.wait(60.0)
        raise OSError

    start = asyncio.create_task(CalendarFeed(URL, policy=PUBLIC, cache=tmp_path, opener=hangs).refresh(0))
    await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    over.set()
    line = Line(HttpResponse(status=200, body=BODY))
    again = CalendarFeed(URL, policy=PUBLIC, cache=tmp_path, opener=line)
    await again.refresh(1_800 * S)
    assert not line.asked
    await again.refresh(3_600 * S)
    assert again.events


async def test_a_feed_that_was_not_reached_is_asked_again_soon(tmp_path: Path) -> None:
    line = Line(FeedUnreachable("no route"), HttpResponse(status=200, body=BODY))
    await CalendarFeed(URL, policy=PUBLIC, cache=tmp_path, opener=line).refresh(0)
    again = CalendarFeed(URL, policy=PUBLIC, cache=tmp_path, opener=line)
    assert again.error == "feed.example: no route"
    assert await again.refresh(10 * S)


async def test_a_clock_set_back_does_not_silence_a_feed(tmp_path: Path) -> None:
    line = Line(HttpResponse(status=503), HttpResponse(status=200, body=BODY))
    await CalendarFeed(URL, policy=PUBLIC, cache=tmp_path, opener=line).refresh(400 * 86_400 * S)
    assert await CalendarFeed(URL, policy=PUBLIC, cache=tmp_path, opener=line).refresh(0)


def test_a_damaged_cache_is_as_good_as_none(tmp_path: Path) -> None:
    feed = CalendarFeed(URL, policy=POLICY, cache=tmp_path, opener=Line())
    (tmp_path / "x").mkdir()
    for path in (feed._body, feed._meta):
        assert path is not None
        path.write_bytes(b"\x00rubbish")
    assert CalendarFeed(URL, policy=POLICY, cache=tmp_path, opener=Line()).events == ()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/week.json":
            unchanged = self.headers.get("If-None-Match") == '"v1"'
            self.send_response(304 if unchanged else 200)
            self.send_header("ETag", '"v1"')
            self.end_headers()
            if not unchanged:
                self.wfile.write(BODY)
        elif self.path == "/busy":
            self.send_response(429)
            self.send_header("Retry-After", "120")
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"[")

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


async def test_over_a_real_line(server: str) -> None:
    feed = CalendarFeed(f"{server}/week.json", policy=POLICY, cache=None)
    assert await feed.refresh(0)
    assert len(feed.events) == 1
    assert not await feed.refresh(3_600 * S)
    assert feed.error == ""
    busy = CalendarFeed(f"{server}/busy", policy=POLICY, cache=None)
    await busy.refresh(0)
    assert busy.due_utc_ns == 120 * S
    short = CalendarFeed(f"{server}/short", policy=POLICY, cache=None)
    await short.refresh(0)
    assert "broke off after 1 bytes" in short.error


async def test_nobody_there_and_other_schemes() -> None:
    feed = CalendarFeed("http://127.0.0.1:9/none", policy=POLICY, cache=None)
    await feed.refresh(0)
    assert "refused" in feed.error
    with pytest.raises(FeedUnreachable):
        open_url("http://127.0.0.1:9/none", {}, 1.0)
    with pytest.raises(ValueError, match="only http"):
        open_url("file:///etc/passwd", {}, 1.0)
