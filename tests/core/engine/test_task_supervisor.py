"""Tasks come back after failures with a growing wait; a broken promise ends the run."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from quarterdeck.core.clock.virtual import VirtualTimeLoop
from quarterdeck.core.engine.task_supervisor import TaskSupervisor
from quarterdeck.core.model.errors import InvariantError


def test_failing_task_backs_off_and_is_reported() -> None:
    loop = VirtualTimeLoop(0)
    starts: list[float] = []
    told: list[int] = []

    async def work() -> None:
        starts.append(loop.time())
        if len(starts) < 6:
            raise OSError("line")

    async def live() -> dict[str, int]:
        supervisor = TaskSupervisor(retry_min_s=1, retry_max_s=4, on_failure=lambda _, __, count: told.append(count))
        supervisor.keep("work", work)
        await asyncio.sleep(60)
        return supervisor.errors

    errors = loop.run_until_complete(live())
    loop.close()
    assert [round(after - before) for before, after in pairwise(starts)] == [1, 2, 4, 4, 4]
    assert told == [1, 2, 3, 4, 5]
    assert errors == {"OSError": 5}


def test_essential_task_ends_the_run_at_its_first_failure() -> None:
    loop = VirtualTimeLoop(0)
    calls: list[int] = []

    async def work() -> None:
        calls.append(1)
        raise AttributeError("a bug")

    async def live() -> BaseException:
        supervisor = TaskSupervisor(retry_min_s=1, retry_max_s=4, on_failure=lambda *_: None)
        supervisor.keep("drive", work, essential=True)
        return await supervisor.fatal

    error = loop.run_until_complete(live())
    loop.close()
    assert isinstance(error, AttributeError)
    assert calls == [1]


def test_a_broken_promise_is_not_tried_again() -> None:
    loop = VirtualTimeLoop(0)
    calls: list[int] = []

    async def work() -> None:
        calls.append(1)
        raise InvariantError("reserved risk stays under the cap")

    async def live() -> BaseException:
        supervisor = TaskSupervisor(retry_min_s=1, retry_max_s=4, on_failure=lambda *_: None)
        supervisor.keep("work", work)
        return await supervisor.fatal

    error = loop.run_until_complete(live())
    loop.close()
    assert isinstance(error, InvariantError)
    assert calls == [1]
