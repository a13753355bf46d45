"""Every call of an examination with its answer, as lines of JSON that a person can read before sending them anywhere.

Why: a broker's answers cannot be had without that broker. `doctor --record` writes them, `gateway --replay` serves them.
Promises: login, password, the account's name and the machine's folders are not in the file; everything else is as the terminal
answered. Does not: record orders; an examination sends none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import msgspec
import numpy as np
from msgspec import Struct

from quarterdeck.core.brokers.base import CallReply, Terminal, TerminalCall
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.errors import UNREADABLE, DataError
from quarterdeck.core.model.units import UtcNs

VERSION = 1
_HIDDEN_ARGUMENTS = ("login", "password", "path")
_HIDDEN_FIELDS: dict[str, dict[str, Any]] = {
    "account_info": {"login": 1, "name": "not recorded"},
    "terminal_info": {"path": "", "data_path": "", "commondata_path": ""},
}
_ROWS = "rows"
_COLUMNS = "columns"


class Recorded(Struct, frozen=True, kw_only=True):
    """One call and its answer; `value` is plain data, an array is a table of columns and rows."""

    at_utc_ns: UtcNs
    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    value: Any = None
    error_code: int
    error_text: str


class RecordingHeader(Struct, frozen=True, kw_only=True):
    """First line of a recording."""

    recording: int = VERSION
    quarterdeck: str


class RecordingTerminal:
    """A terminal whose calls are written down on their way."""

    def __init__(self, inner: Terminal, file: TextIO, clock: Clock, version: str) -> None:
        """`version` is that of the program, for whoever replays the file."""
        self._inner = inner
        self._file = file
        self._clock = clock
        self._write(RecordingHeader(quarterdeck=version))

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        """Call, and write it down. Raises what the terminal raises."""
        reply = await self._inner.call(name, *args, **kwargs)
        self._write(recorded(self._clock.utc_ns(), TerminalCall(name, args, kwargs), reply))
        return reply

    async def call_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        """As `call`, for several reads."""
        replies = await self._inner.call_many(calls)
        for call, reply in zip(calls, replies, strict=True):
            self._write(recorded(self._clock.utc_ns(), call, reply))
        return replies

    def changes(self) -> int | None:
        """The terminal's own count."""
        return self._inner.changes()

    async def close(self) -> None:
        """Close the terminal."""
        await self._inner.close()

    def _write(self, line: Struct) -> None:
        self._file.write(msgspec.json.encode(line).decode() + "\n")


def recorded(at_utc_ns: UtcNs, call: TerminalCall, reply: CallReply) -> Recorded:
    """A call and its answer without what tells whose they are."""
    text = reply.error_text
    path = call.kwargs.get("path")
    if isinstance(path, str) and path:
        text = text.replace(path, "(terminal_path)")
    return Recorded(
        at_utc_ns=at_utc_ns,
        name=call.name,
        args=tuple(call.args),
        kwargs={key: value for key, value in call.kwargs.items() if key not in _HIDDEN_ARGUMENTS},
        value=_shown(reply.value, _HIDDEN_FIELDS.get(call.name, {})),
        error_code=reply.error_code,
        error_text=text,
    )


def read_recording(path: Path) -> tuple[Recorded, ...]:
    """The calls of a recording in their order. Raises DataError."""
    try:
        lines = path.read_bytes().splitlines()
        header = msgspec.json.decode(lines[0], type=RecordingHeader)
        found = tuple(msgspec.json.decode(line, type=Recorded) for line in lines[1:])
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", what_to_do="name a file that `quarterdeck doctor --record` wrote") from error
    except (IndexError, *UNREADABLE) as error:
        raise DataError(f"{path} is no recording: {error}", what_to_do="name a file of `quarterdeck doctor --record`") from error
    if header.recording != VERSION:
        raise DataError(
            f"{path} is a recording of version {header.recording}, this program reads {VERSION}",
            what_to_do="use the Quarterdeck that wrote it",
        )
    return found


class ReplayedModule:
    """A module that answers as a recording says, each call in the order in which it was recorded; the last answer stays.

    Calls are distinguished by name, symbol and the small numbers among their arguments, for instants differ from day to day.
    `now_utc_ns` moves ticks to the present, so that they are as old as they were; without it nothing moves.
    """

    __version__ = "recording"

    def __init__(self, calls: Sequence[Recorded], now_utc_ns: Callable[[], UtcNs] | None = None) -> None:
        """Nothing that was not recorded is answered, and no order is taken."""
        self._now = now_utc_ns
        self._answers: dict[tuple[Any, ...], list[Recorded]] = {}
        for call in calls:
            self._answers.setdefault(_key(call.name, call.args, call.kwargs), []).append(call)
        self._names = {call.name for call in calls}
        self._served: dict[tuple[Any, ...], int] = {}
        self._error = (1, "Success")
        self.at_utc_ns: UtcNs = calls[0].at_utc_ns if calls else 0
        """When the answer that was given last was recorded."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The function of that name."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self._answered(name, args, kwargs)

    def last_error(self) -> tuple[int, str]:
        """The error pair of the last answer."""
        return self._error

    def shutdown(self) -> bool:
        """Nothing is open."""
        return True

    def _answered(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if name == "order_send":
            self._error = (-8, "a recording takes no orders")
            return None
        key = _key(name, args, kwargs)
        answers = self._answers.get(key)
        if answers is None:
            self._error = (-1, f"{name} was not recorded with these arguments")
            return None
        place = self._served.get(key, 0)
        self._served[key] = min(place + 1, len(answers) - 1)
        answer = answers[place]
        self.at_utc_ns = answer.at_utc_ns
        self._error = (answer.error_code, answer.error_text)
        return self._moved(name, _restored(answer.value), answer.at_utc_ns)

    def _moved(self, name: str, value: Any, at_utc_ns: UtcNs) -> Any:
        if self._now is None or not isinstance(value, dict):
            return value
        by_ms = (self._now() - at_utc_ns) // 1_000_000
        if name == "symbol_info_tick":
            msc = value["time_msc"] + by_ms
            return {**value, "time_msc": msc, "time": msc // 1_000}
        return {**value, "time": value["time"] + by_ms // 1_000} if name == "symbol_info" and value["time"] else value


def _key(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    if name == "initialize":
        return (name,)
    given = (*args, *(value for _, value in sorted(kwargs.items())))
    told = [value.get("symbol") if isinstance(value, dict) else value for value in given]
    return (name, *(value for value in told if isinstance(value, str | bool) or (isinstance(value, int) and value < _INSTANT)))


_INSTANT = 1_000_000
"""Whole numbers from here on are instants or tickets; timeframes, sides and counts are smaller."""


def _shown(value: Any, hidden: Mapping[str, Any]) -> Any:
    if isinstance(value, np.ndarray):
        return {_COLUMNS: [list(column) for column in value.dtype.descr], _ROWS: [list(row) for row in value.tolist()]}
    if isinstance(value, dict):
        return {key: hidden.get(key, _shown(item, {})) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_shown(item, {}) for item in value]
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {_COLUMNS, _ROWS}:
            return np.array([tuple(row) for row in value[_ROWS]], dtype=[(name, kind) for name, kind in value[_COLUMNS]])
        return {key: _restored(item) for key, item in value.items()}
    return tuple(_restored(item) for item in value) if isinstance(value, list) else value
