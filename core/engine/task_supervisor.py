"""Tasks that may fail and come back: back-off, a count per class of error, an alert after several failures in a row.

Promises: a failing task never ends the engine, except by a broken promise or where nothing continues without it (`essential`).
Does not: hide anything; every failure is counted and reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from quarterdeck.core.model.errors import InvariantError

FailureListener = Callable[[str, BaseException, int], None]
"""Called with (task, error, failures in a row)."""


class TaskSupervisor:
    """Keeps named loops running."""

    def __init__(self, *, retry_min_s: float, retry_max_s: float, on_failure: FailureListener) -> None:
        """Waits double from `retry_min_s` to `retry_max_s` while a task keeps failing."""
        self._retry_min_s = retry_min_s
        self._retry_max_s = retry_max_s
        self._on_failure = on_failure
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.fatal: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.errors: dict[str, int] = {}

    def keep(self, name: str, work: Callable[[], Awaitable[None]], *, essential: bool = False) -> None:
        """Run `work` until it returns; start it again after a failure, or end the run where it is `essential`."""
        self._tasks[name] = asyncio.create_task(self._keep(name, work, essential=essential), name=name)

    async def stop(self) -> None:
        """Cancel all tasks and wait for them."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]], *, essential: bool) -> None:
        failures = 0
        while True:
            try:
                await work()
            except InvariantError as error:
                self._note(name, error, failures + 1)
                if not self.fatal.done():
                    self.fatal.set_result(error)
                return
            except Exception as error:  # noqa: BLE001 - the rim of a task: counted, reported, tried again
                failures += 1
                self._note(name, error, failures)
                if essential:
                    if not self.fatal.done():
                        self.fatal.set_result(error)
                    return
                await asyncio.sleep(min(self._retry_min_s * 2 ** (failures - 1), self._retry_max_s))
            else:
                return

    def _note(self, name: str, error: BaseException, failures: int) -> None:
        kind = type(error).__name__
        self.errors[kind] = self.errors.get(kind, 0) + 1
        self._on_failure(name, error, failures)
