"""The engine's side of the connection to the scan workers: requests out, answers in, and whether any worker is there.

Promises: the line is tried again for ever, with a growing pause; a question that nobody waits for any more leaves the broker of
messages; answers given while the line was down are heard when it is back. Nothing here raises but `ask`.
Does not: judge an answer or decide what happens without one (`dispatcher`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any, Protocol

from quarterdeck.core.engine.remote_scan import presence
from quarterdeck.core.engine.remote_scan.address import BLOCK_S, RedisAddress, RedisClient, connect, redis_error_text
from quarterdeck.core.engine.remote_scan.scan_messages import PresenceRecord, StrategyIdentity

_SEND_S = 2.0
_ENDED_S = 0.5
LINE_ENDED_S = 5.0
"""A line says goodbye before it ends, and is given the time."""
_KEPT_JOBS = 100
"""Finished jobs that the broker of messages keeps for whoever looks there."""
_EVENTS_MAX = 1_000


class ScanListener(Protocol):
    """Called with what the line brings."""

    def answered(self, question_id: str, text: object) -> None:
        """A machine's answer, as it came."""
        ...

    def failed(self, question_id: str, why: str) -> None:
        """No machine could answer."""
        ...

    def changed(self) -> None:
        """`why` or `present` is another than before."""
        ...


class ScanClient:
    """See the module."""

    def __init__(
        self, place: RedisAddress, me: PresenceRecord, listener: ScanListener, *, retry_min_s: float, retry_max_s: float
    ) -> None:
        """Nothing is connected before `keep`."""
        self.place = place
        self.why = "not connected yet"
        """Why the connection is down; empty while it is up."""
        self.present: tuple[PresenceRecord, ...] = ()
        self.looked = asyncio.Event()
        """The line was tried once."""
        self._me = me
        self._listener = listener
        self._retry_s = (retry_min_s, retry_max_s)
        self._queue: Any = None
        self._data: RedisClient | None = None
        self._last_event = ""
        self._error: BaseException | None = None

    @property
    def machines(self) -> tuple[str, ...]:
        """Names of the machines that may answer, in the order of the alphabet."""
        return tuple(sorted(one.name for one in self.present if one.kind == "machine" and one.identity == self._me.identity))

    @property
    def strangers(self) -> tuple[PresenceRecord, ...]:
        """Machines whose answers would not be ours."""
        return tuple(one for one in self.present if one.kind == "machine" and one.identity != self._me.identity)

    async def keep(self) -> None:
        """Hold the line for ever."""
        low_s, high_s = self._retry_s
        pause_s = low_s
        while True:
            try:
                await self._live()
            except Exception as error:  # noqa: BLE001 - the rim of the line: said, and tried again
                pause_s = low_s if not self.why else min(pause_s * 2.0, high_s)
                self._became(f"{self.place.address}: {redis_error_text(error)}", ())
            await asyncio.sleep(pause_s)

    async def ask(self, question_id: str, data: bytes, keep_s: float) -> None:
        """Put a question before the machines; it leaves by itself after `keep_s`. Raises OSError while the connection is down."""
        if self._data is None or self.why:
            raise ConnectionError(self.why)
        keep = {"count": _KEPT_JOBS}
        try:
            async with asyncio.timeout(_SEND_S):
                await self._data.set(self._key(question_id), data, px=round(keep_s * 1000.0))
                await self._queue.add(
                    "bar", {"question": question_id}, {"jobId": question_id, "removeOnComplete": keep, "removeOnFail": keep}
                )
        except Exception as error:  # whatever the library raises, the question did not get out
            raise ConnectionError(redis_error_text(error)) from error

    async def forget(self, question_id: str) -> None:
        """Nobody waits for that answer any more."""
        if self._data is not None and not self.why:
            with contextlib.suppress(Exception):  # a machine holds it, or the connection is down: it leaves by itself
                async with asyncio.timeout(_SEND_S):
                    await self._data.delete(self._key(question_id))
                    await self._queue.remove(question_id)

    def _key(self, question_id: str) -> str:
        return job_data_key(self.place.prefix, question_id)

    async def _live(self) -> None:
        """One connection, from its first call to its end, which is an error."""
        from bullmq import Queue, QueueEvents

        name = self._me.identity.queue
        data, text, heard = (connect(self.place, text=kind) for kind in (False, True, True))
        common = {"prefix": self.place.prefix, "skipVersionCheck": True}
        async with contextlib.AsyncExitStack() as stack:
            for client in (data, text, heard):
                stack.push_async_callback(close_quietly, client.aclose())
            await data.ping()
            self._queue, self._data = Queue(name, {**common, "connection": text}), data
            stack.callback(self._let_go)
            stack.push_async_callback(self._leave, data)
            await self._begin_after(text)
            events = QueueEvents(
                name,
                {
                    **common,
                    "connection": heard,
                    "autorun": False,
                    "lastEventId": self._last_event,
                    "blockingTimeout": round(BLOCK_S * 1000.0),
                },
            )
            events.on("completed", self._completed)
            events.on("failed", self._failed)
            events.on("error", self._erred)
            hearing = asyncio.create_task(events.run(), name="hear scanning machines")
            stack.push_async_callback(cancel_until_done, hearing)
            while not hearing.done():
                self._became("", await presence.announce_presence(data, self.place.prefix, self._me))
                await asyncio.wait((hearing,), timeout=presence.EVERY_S)
            raise self._error or ConnectionError("the connection closed")

    async def _begin_after(self, text: RedisClient) -> None:
        """Hear from the last event on: what was answered while the line was down comes first."""
        key = self._queue.keys["events"]
        await text.xtrim(key, maxlen=_EVENTS_MAX, approximate=True)
        if not self._last_event:
            newest = await text.xrevrange(key, count=1)
            self._last_event = str(newest[0][0]) if newest else "0-0"

    async def _leave(self, data: RedisClient) -> None:
        with contextlib.suppress(Exception):  # the line may be what failed
            async with asyncio.timeout(_SEND_S):
                await presence.withdraw_presence(data, self.place.prefix, self._me)

    def _let_go(self) -> None:
        self._queue = self._data = None

    def _became(self, why: str, present: tuple[PresenceRecord, ...]) -> None:
        before = (self.why, self.present)
        self.why, self.present = why, present
        self.looked.set()
        if before != (why, present):
            self._listener.changed()

    def _completed(self, args: dict[str, Any], event_id: str) -> None:
        self._last_event = event_id
        self._listener.answered(str(args.get("jobId", "")), args.get("returnvalue"))

    def _failed(self, args: dict[str, Any], event_id: str) -> None:
        self._last_event = event_id
        self._listener.failed(str(args.get("jobId", "")), str(args.get("failedReason", "")))

    def _erred(self, error: BaseException) -> None:
        self._error = error


def job_data_key(prefix: str, question_id: str) -> str:
    """Where the bars of a question lie."""
    return f"{prefix}:question:{question_id}"


def engine_presence(identity: StrategyIdentity, run_id: str) -> PresenceRecord:
    """An engine, as the machines see it."""
    return PresenceRecord(kind="engine", name=run_id, identity=identity)


async def close_quietly(closing: Awaitable[Any]) -> None:
    """Close something whose line may be gone already."""
    with contextlib.suppress(Exception):
        await closing


async def cancel_until_done(task: asyncio.Task[Any], again_s: float = _ENDED_S) -> None:
    """Cancel a task until it ends: a library may take one wish to end for a broken line, and continue."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=again_s)
    if not task.cancelled():
        task.exception()  # seen; whoever ends it has its own reason
