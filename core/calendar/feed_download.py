"""One weekly feed over HTTP: asked seldom, kept on disk, never asked again at once after a refusal.

Why: the feeds are free and refuse whoever asks too often; a restart must not lose the week, or ask again.
Promises: what was fetched last stays usable, with its age, whatever happens to the line; two requests that reach the server are
`FetchPolicy.asked_least_s` apart, whatever it answers and however often the program starts; failures of the line wait twice as
long each time.
Does not: read a clock (instants come in), or decide whether an old calendar is good enough (`core.calendar.calendar_source`).
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from quarterdeck.core.calendar.calendar_file import BYTES_MAX, parse_calendar
from quarterdeck.core.model.errors import UNREADABLE, DataError
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, UtcNs
from quarterdeck.core.pipes.blocking_calls import BlockingCalls
from quarterdeck.core.settings.safe_files import replace_file

_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


class HttpResponse(Struct, frozen=True, kw_only=True):
    """What a server said: `status` 200 with a body, 304 for "not changed", anything else a refusal."""

    status: int
    body: bytes = b""
    etag: str = ""
    retry_after_s: float = 0.0


_WHOLE_X = 3.0
"""A whole answer may take so many times as long as one read of the line."""


class FeedUnreachable(OSError):
    """No request reached the server: no name, no route, nobody who listens."""


Opener = Callable[[str, Mapping[str, str], float], HttpResponse]
"""(address, headers, deadline in seconds) to an answer; runs in a thread. Raises OSError when the line fails, FeedUnreachable
when it failed before the request was sent."""


class FetchPolicy(Struct, frozen=True, kw_only=True):
    """How often to ask, and how long to wait after failures, seconds."""

    refresh_s: float
    retry_min_s: float
    retry_max_s: float
    timeout_s: float
    asked_least_s: float = 0.0
    """Shortest time between two requests that reach the server, those of earlier starts included."""


class FeedCacheInfo(Struct, kw_only=True):
    """What is on disk beside the body."""

    fetched_utc_ns: UtcNs
    etag: str = ""
    not_before_utc_ns: UtcNs = 0
    """No request before; 0: as `fetched_utc_ns` and the policy say."""
    error: str = ""
    """What went wrong with the last request."""


def open_url(url: str, headers: Mapping[str, str], timeout_s: float) -> HttpResponse:
    """Ask over HTTP or HTTPS with the standard library. Errors do not name the address, which may hold a secret.

    Raises:
        OSError: when the line fails; FeedUnreachable when no request was sent.
        ValueError: for another scheme.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("only http and https are asked")
    # a desk without an address to ask never loads what asks
    import http.client
    import socket
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:
            body = reply.read(BYTES_MAX + 1)
            if reply.length:
                raise OSError(f"the answer broke off after {len(body)} bytes")
            return HttpResponse(status=reply.status, body=body, etag=reply.headers.get("ETag", ""))
    except urllib.error.HTTPError as refusal:
        with refusal:
            waited = refusal.headers.get("Retry-After", "")
            return HttpResponse(status=refusal.code, retry_after_s=float(waited) if waited.isdigit() else 0.0)
    except urllib.error.URLError as error:
        cause = error.reason
        unsent = isinstance(cause, ConnectionRefusedError | socket.gaierror) or getattr(cause, "errno", None) in _NO_ROUTE
        raise (FeedUnreachable if unsent else OSError)(str(cause)) from error
    except http.client.HTTPException as error:
        raise OSError(type(error).__name__) from error


def feed_name(url: str) -> str:
    """What a feed is called: its host, for the rest of an address may be a secret."""
    try:
        return urlsplit(url).hostname or "a calendar without a host"
    except ValueError:
        return "a calendar whose address is not valid"


class CalendarFeed:
    """One address with its cache. `events` is what was fetched last; `error` is empty after a good answer."""

    def __init__(self, url: str, *, policy: FetchPolicy, cache: Path | None, opener: Opener = open_url) -> None:
        """Read the cache, if there is one; a damaged cache is as good as none."""
        self.url = url
        self._name = feed_name(url)
        self.policy = policy
        self.events: tuple[NewsEvent, ...] = ()
        self.notes: list[str] = []
        """What its rows leave open, and how it is taken."""
        self.fetched_utc_ns: UtcNs = 0
        self.error = "not fetched yet"
        self.failures = 0
        self.due_utc_ns: UtcNs = 0
        self._etag = ""
        self._not_before_utc_ns: UtcNs = 0
        self._opener = opener
        self._calls = BlockingCalls("calendar")
        name = hashlib.sha256(url.encode()).hexdigest()[:16]
        self._body = None if cache is None else cache / f"calendar-{name}.body"
        self._meta = None if cache is None else cache / f"calendar-{name}.json"
        self._read_cache()

    async def refresh(self, at_utc_ns: UtcNs) -> bool:
        """Ask if it is time to; True when the events may have changed. Nothing is raised: `error` says what went wrong."""
        if at_utc_ns < self.due_utc_ns <= at_utc_ns + DAY_NS:  # a time farther away is that of a clock that was set back
            return False
        headers = {"User-Agent": "quarterdeck", "Accept-Encoding": "identity"}
        if self._etag:
            headers["If-None-Match"] = self._etag
        before_utc_ns, self._not_before_utc_ns = self._not_before_utc_ns, at_utc_ns + round(self.policy.asked_least_s * NS_PER_S)
        self._write_meta()
        changed = False
        try:
            limit_s = _WHOLE_X * self.policy.timeout_s
            answer = await self._calls.run(lambda: self._opener(self.url, headers, self.policy.timeout_s), limit_s)
            changed = self._take(answer, at_utc_ns)
        except FeedUnreachable as error:
            self._not_before_utc_ns = min(before_utc_ns, at_utc_ns)
            self._failed(str(error), at_utc_ns)
        except (OSError, ValueError) as error:
            self._failed(str(error) or type(error).__name__, at_utc_ns)
        except DataError as error:
            self._failed(str(error), at_utc_ns)
        self._write_meta()
        return changed

    def _take(self, answer: HttpResponse, at_utc_ns: UtcNs) -> bool:
        """Raises DataError when the body is no calendar."""
        if answer.status == 304:
            self._succeeded(at_utc_ns)
            return False
        if answer.status != 200:
            self._failed(f"answered {answer.status}", at_utc_ns, answer.retry_after_s)
            return False
        notes: list[str] = []
        self.events = parse_calendar(answer.body, self._name, notes=notes)
        self.notes = notes
        self._etag = answer.etag
        self._succeeded(at_utc_ns)
        self._write_body(answer.body)
        return True

    def _succeeded(self, at_utc_ns: UtcNs) -> None:
        self.error, self.failures = "", 0
        self.fetched_utc_ns = at_utc_ns
        self._wait_until(at_utc_ns + round(self.policy.refresh_s * NS_PER_S))

    def _failed(self, why: str, at_utc_ns: UtcNs, retry_after_s: float = 0.0) -> None:
        wait_s = min(self.policy.retry_min_s * 2.0 ** min(self.failures, 30), self.policy.retry_max_s)
        self.error = why if why.startswith(self._name) else f"{self._name}: {why}"
        self.failures += 1
        if retry_after_s:
            asked_utc_ns = at_utc_ns + min(round(retry_after_s * NS_PER_S), DAY_NS)
            self._not_before_utc_ns = max(self._not_before_utc_ns, asked_utc_ns)
        self._wait_until(at_utc_ns + round(wait_s * NS_PER_S))

    def _wait_until(self, due_utc_ns: UtcNs) -> None:
        self.due_utc_ns = max(due_utc_ns, self._not_before_utc_ns)

    def _read_cache(self) -> None:
        if self._body is None or self._meta is None:
            return
        try:
            kept = msgspec.json.decode(self._meta.read_bytes(), type=FeedCacheInfo)
        except (OSError, *UNREADABLE):
            return
        if "://" in kept.error:  # written by a version that named whole addresses
            kept.error = f"{self._name}: the last request failed"
        self._not_before_utc_ns, self.error = kept.not_before_utc_ns, kept.error or self.error
        self._wait_until(0)
        if not kept.fetched_utc_ns:
            return
        try:
            self.events = parse_calendar(self._body.read_bytes(), str(self._body), notes=self.notes)
        except (OSError, DataError):
            self.error = kept.error or "its cache is damaged"
            return
        self.fetched_utc_ns, self._etag, self.error = kept.fetched_utc_ns, kept.etag, kept.error
        self._wait_until(0 if kept.error else kept.fetched_utc_ns + round(self.policy.refresh_s * NS_PER_S))

    def _write_body(self, body: bytes) -> None:
        """A cache that cannot be written costs a fetch after the next start, nothing else."""
        if self._body is not None and not _replaced(self._body, body):
            self._etag = ""

    def _write_meta(self) -> None:
        if self._meta is None:
            return
        kept = FeedCacheInfo(
            fetched_utc_ns=self.fetched_utc_ns,
            etag=self._etag,
            not_before_utc_ns=self._not_before_utc_ns,
            error=self.error if self.failures else "",
        )
        _replaced(self._meta, msgspec.json.encode(kept))


def _replaced(path: Path, data: bytes) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(path.suffix + ".part")
        part.write_bytes(data)
        replace_file(part, path)
    except OSError:
        return False
    return True
