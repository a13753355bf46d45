"""Calls that may block for ever, each caller's in a thread that nobody has to wait for.

Why: a server that sends one byte a second meets the deadline of every single read and never ends its answer. A thread of the
loop's pool would keep its place in the pool, and the process could not end. Promises: the caller waits at most its limit; one
thread a caller, whatever the calls before became; a thread that hangs does not keep the process alive.
Does not: stop what hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class BlockingCalls:
    """One caller's calls."""

    def __init__(self, name: str) -> None:
        """`name` is the thread's."""
        self._name = name
        self._busy = False

    async def run(self, work: Callable[[], T], limit_s: float) -> T:
        """Give what `work` gives.

        Raises:
            TimeoutError: it takes longer than `limit_s`, or an earlier call has not ended yet.
            OSError, ValueError: what `work` raises; any other error is an OSError with its name.
        """
        if self._busy:
            raise TimeoutError("an earlier request has not ended yet")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[T] = loop.create_future()

        def call() -> None:
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001 - foreign code; it is raised where it is waited for
                done = _settled(found.set_exception, _as_os_error(error))
            else:
                done = _settled(found.set_result, value)
            self._busy = False
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done)

        self._busy = True
        threading.Thread(target=call, name=self._name, daemon=True).start()
        try:
            async with asyncio.timeout(limit_s):
                return await found
        except TimeoutError as error:
            if found.done() and not found.cancelled():
                raise
            raise TimeoutError(f"no answer within {limit_s:g} s") from error


def _as_os_error(error: BaseException) -> BaseException:
    if isinstance(error, OSError | ValueError):
        return error
    named = OSError(f"it failed with {type(error).__name__}")
    named.__cause__ = error
    return named


def _settled(settle: Callable[[T], None], value: T) -> Callable[[], None]:
    def done() -> None:
        with contextlib.suppress(asyncio.InvalidStateError):  # nobody waits for it any more
            settle(value)

    return done
