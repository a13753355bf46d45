"""The log file: one line an event, `key=value`, so that `grep pair=EURUSD` and `grep ticket=123` do what they say.

Promises: files rotate by size and their number is bounded; repeats of one kind within a minute are folded into a count, but the
newest word on a state is always written; secrets never appear; a disk that will not serve is counted, never raised. A text is
cut before anything else is done with it, and cleaning takes time linear in what is left, so no word is long enough to stop the
loop. Does not: decide what is worth a line (`core.engine.loglines`).

    at=2024-08-05T13:30:00.000Z level=info kind=fill pair=EURUSD ticket=123 text="opened buy 0.50 at 1.08515"
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any, Final

import msgspec

from quarterdeck.core.clock.wall import Clock, iso
from quarterdeck.core.model.plain_text import plain_text
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.model.units import NS_PER_MS, NS_PER_S, UtcNs
from quarterdeck.core.settings.schema import JournalSection

LOG_NAME: Final = "engine.log"
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_FOLD_NS = 60 * NS_PER_S
_FOLD_KINDS_MAX = 500
_STATE_KINDS = ("state", "alert.state", "alert.connection")
"""Of these the last line must be true: back after down is no repeat of an earlier back."""
_TEXT_MAX = 2_000
_TAIL_CHUNK = 65_536
_HIDDEN = "***"
_MORE = "..."
_NAMED_SECRET = re.compile(
    r"(?i)\b(pass(?:word|wd|phrase)?|token|secret|api[_-]?key|authorization)(\"?\s*[=:]\s*(?:(?:bearer|basic)\s+)?)(\"[^\"]*\"|\S+)"
)
_USER_IN_URL = re.compile(r"(?<=[a-z0-9+.-])://[^\s/@]+@", re.IGNORECASE)
_ALERT_URL = re.compile(r"(?<=[a-z0-9+.-])(?<!\bhttps)(?<!\bhttp)(?<!\bwss)(?<!\bws)(?<!\bfile)://\S+", re.IGNORECASE)
"""Both begin at the `://`: a search for the scheme before it would look at each letter of a long word again and again."""
_HALF_USER = re.compile(r"://[^\s/@]+\Z")
_LINE_BYTES_MAX = 8 * _TEXT_MAX
"""A longer line of the file is none of ours."""
_DIGITS = re.compile(r"\d+")
_FIELDS = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


class RepeatFilter:
    """Folds repeats: what to write for a line, given what was written recently."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], tuple[LogLine, int]] = {}
        self._state: tuple[str, ...] = ()

    def take(self, line: LogLine) -> tuple[LogLine, ...]:
        """The lines to write now, oldest first: counts of what is over, then the line itself if it is no repeat."""
        due = tuple(self._over(line.at_utc_ns))
        key = _fold_key(line)
        if line.kind in _STATE_KINDS and key != self._state:
            due = (*due, *self._count(self._state, line.at_utc_ns))
            self._state = key
        known = self._seen.get(key)
        if known is not None:
            self._seen[key] = (known[0], known[1] + 1)
            return due
        if line.level != "critical" and len(self._seen) < _FOLD_KINDS_MAX:
            self._seen[key] = (line, 0)
        return (*due, line)

    def rest(self) -> tuple[LogLine, ...]:
        """The counts still held back."""
        return tuple(self._over(None))

    def _over(self, now_utc_ns: UtcNs | None) -> Iterator[LogLine]:
        # in the order of their beginnings, so what is over is in front
        while self._seen:
            key, (first, _) = next(iter(self._seen.items()))
            if now_utc_ns is not None and 0 <= now_utc_ns - first.at_utc_ns < _FOLD_NS:
                return
            yield from self._count(key, first.at_utc_ns if now_utc_ns is None else now_utc_ns)

    def _count(self, key: tuple[str, ...], at_utc_ns: UtcNs) -> Iterator[LogLine]:
        first, more = self._seen.pop(key, (None, 0))
        if first is not None and more:
            text = f"{more} more like: {first.text}"
            yield msgspec.structs.replace(first, at_utc_ns=at_utc_ns, text=text)


class LogFile:
    """The rotating log of a home. Not for several processes at once."""

    def __init__(self, folder: Path, settings: JournalSection, *, secrets: Iterable[str] = ()) -> None:
        """Make the folder and open the newest file. `secrets` are texts that never appear; see also `hide`."""
        self.path = folder / LOG_NAME
        self.least = LEVELS[settings.log_level.lower()]
        """Least level that is written; may be changed at any time."""
        self.failures = 0
        """Lines that could not be written."""
        self._size_max = round(settings.log_file_mb * 1_000_000)
        self._files = settings.log_files
        self._secrets = tuple(secret for secret in secrets if len(secret) > 3)
        self._folder = RepeatFilter()
        self._file: FileIO | None = None
        self._size = 0

    def hide(self, secrets: Iterable[str]) -> None:
        """Texts that shall never appear from now on; those of three letters and less are passed over."""
        self._secrets += tuple(secret for secret in secrets if len(secret) > 3)

    def write(self, line: LogLine) -> LogLine:
        """Write a line, or count it with its like; below the least level nothing is written. Returns what may be shown of it."""
        line = msgspec.structs.replace(line, text=self.cleaned(line.text), symbol=self.cleaned(line.symbol))
        if LEVELS[line.level] >= self.least:
            for ready in self._folder.take(line):
                self._put(ready)
        return line

    def close(self) -> None:
        """Write the counts held back and let go of the file."""
        for line in self._folder.rest():
            self._put(line)
        if self._file is not None:
            self._file.close()
        self._file = None

    def _put(self, line: LogLine) -> None:
        data = (shown(line) + "\n").encode("utf-8", "replace")
        try:
            if self._file is None or self._size + len(data) > self._size_max:
                self._open(len(data))
            if self._file is not None:
                self._file.write(data)
                self._size += len(data)
        except OSError:
            self.failures += 1

    def cleaned(self, text: str) -> str:
        """A text as it may be written and shown: cut to its bound, without what looks like, or was named as, a secret."""
        if len(text) > _TEXT_MAX:
            text = self._without_half(text[:_TEXT_MAX]) + _MORE
        text = plain_text(text)
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        text = _NAMED_SECRET.sub(rf"\1\2{_HIDDEN}", text)
        text = _USER_IN_URL.sub(f"://{_HIDDEN}@", text)
        return _ALERT_URL.sub(f"://{_HIDDEN}", text)

    def _without_half(self, text: str) -> str:
        """A cut text without the beginning of a secret at its end, which nothing would know again."""
        for secret in self._secrets:
            for length in range(min(len(secret) - 1, len(text)), 0, -1):
                if text.endswith(secret[:length]):
                    text = text[:-length]
                    break
        return _HALF_USER.sub(f"://{_HIDDEN}", text)

    def _open(self, coming: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._file is None:
            self._file = FileIO(self.path, "a")
            self._size = self.path.stat().st_size
        if self._size and self._size + coming > self._size_max:
            self._file.close()
            self._file = None
            self._rotate()
            self._file, self._size = FileIO(self.path, "a"), 0

    def _rotate(self) -> None:
        numbered = [self.path, *(self.path.with_name(f"{LOG_NAME}.{number}") for number in range(1, self._files))]
        if len(numbered) == 1:
            self.path.write_bytes(b"")
        for older, newer in zip(reversed(numbered), list(reversed(numbered))[1:], strict=False):
            if newer.exists():
                newer.replace(older)


class LibraryLog(logging.Handler):
    """Puts what libraries log (warnings and worse) into the log file; `clock` gives their time."""

    def __init__(self, log: LogFile, clock: Clock) -> None:
        """Add it to the root logger; taking it off is the caller's concern."""
        super().__init__(logging.WARNING)
        self._log = log
        self._clock = clock

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; an exception's type and text follow on the same line."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        level: Any = "critical" if record.levelno >= 50 else "error" if record.levelno >= 40 else "warning"
        self._log.write(LogLine(at_utc_ns=self._clock.utc_ns(), level=level, kind=f"library.{record.name}", text=text))


def shown(line: LogLine) -> str:
    """A line as it is in the file, without its end."""
    pair = f" pair={line.symbol}" if line.symbol else ""
    ticket = f" ticket={line.ticket}" if line.ticket else ""
    text = json.dumps(line.text, ensure_ascii=False)
    return f"at={iso(line.at_utc_ns)} level={line.level} kind={line.kind}{pair}{ticket} text={text}"


def parsed(text: str) -> LogLine | None:
    """A line of the file as an event; None for what is none (a torn line, a foreign one)."""
    if len(text) > _LINE_BYTES_MAX:
        return None
    fields = dict(_FIELDS.findall(text))
    try:
        moment = datetime.fromisoformat(fields["at"])
        level: Any = fields["level"]
        return LogLine(
            at_utc_ns=round(moment.timestamp() * 1000.0) * NS_PER_MS,
            level=level if level in LEVELS else "info",
            kind=fields["kind"],
            text=json.loads(fields["text"]),
            symbol=fields.get("pair", ""),
            ticket=int(fields.get("ticket", 0)),
        )
    except (KeyError, ValueError):
        return None


def newest_lines(folder: Path, count: int, *, symbol: str = "", ticket: int = 0, level: str = "debug") -> tuple[LogLine, ...]:
    """The newest `count` lines of a home's log, oldest first, of one pair, one ticket or from a level up where named."""
    found: list[LogLine] = []
    numbered = sorted(folder.glob(f"{LOG_NAME}.*"), key=lambda path: int(path.suffix[1:]) if path.suffix[1:].isdigit() else 0)
    for path in (folder / LOG_NAME, *numbered):
        for text in _backwards(path):
            line = parsed(text)
            if (
                line is None
                or LEVELS[line.level] < LEVELS[level]
                or (symbol and line.symbol != symbol)
                or (ticket and line.ticket != ticket)
            ):
                continue
            found.append(line)
            if len(found) >= count:
                return tuple(reversed(found))
    return tuple(reversed(found))


def _backwards(path: Path) -> Iterator[str]:
    """Lines of a file from its end, without reading more of it than asked for."""
    try:
        with path.open("rb") as file:
            place, tail = file.seek(0, 2), b""
            while place > 0:
                step = min(_TAIL_CHUNK, place)
                place -= step
                file.seek(place)
                first, *lines = (file.read(step) + tail).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in reversed(lines) if line)
                tail = first
            if tail:
                yield tail.decode("utf-8", "replace")
    except OSError:
        return


def _fold_key(line: LogLine) -> tuple[str, ...]:
    # numbers tell fills apart and do not tell one complaint from the next
    text = line.text if line.level == "info" else _DIGITS.sub("#", line.text)
    return (line.level, line.kind, line.symbol, str(line.ticket), text)
