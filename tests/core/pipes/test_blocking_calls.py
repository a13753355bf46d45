"""A call that blocks for ever costs its caller a limited time, and nobody else any."""

from __future__ import annotations

import threading

import pytest

from quarterdeck.core.pipes.blocking_calls import BlockingCalls

LONG_S = 60.0
SHORT_S = 0.05


async def test_a_call_gives_what_the_work_gives() -> None:
    calls = BlockingCalls("test")
    assert await calls.run(lambda: threading.current_thread().daemon, LONG_S), "no process waits for its thread"
    with pytest.raises(OSError, match="ZeroDivisionError"):
        await calls.run(lambda: 1 // 0, LONG_S)
    with pytest.raises(TimeoutError, match="of the work"):
        await calls.run(_times_out, LONG_S)


async def test_one_thread_hangs_at_most_for_a_caller() -> None:
    calls, over = BlockingCalls("hangs"), threading.Event()
    for said in (r"no answer within 0\.05 s", "an earlier request has not ended", "an earlier request has not ended"):
        with pytest.raises(TimeoutError, match=said):
            await calls.run(over.wait, SHORT_S)
    assert await BlockingCalls("another").run(lambda: "served", LONG_S) == "served"
    (hangs,) = (thread for thread in threading.enumerate() if thread.name == "hangs")
    over.set()
    hangs.join(LONG_S)
    assert await calls.run(lambda: "served again", LONG_S) == "served again"


def _times_out() -> None:
    raise TimeoutError("of the work")
