"""Beside a live market the whole book is asked for now and then, although nobody counted a change."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from quarterdeck.core.clock.virtual import VirtualClock, VirtualTimeLoop
from quarterdeck.core.engine.live_feed import LiveFeed
from quarterdeck.core.engine.task_supervisor import TaskSupervisor
from quarterdeck.core.model.effects import QueryBook
from quarterdeck.core.settings.settings_loader import shipped_settings


def test_the_book_is_read_again_every_so_often() -> None:
    loop = VirtualTimeLoop(0)
    asked: list[tuple[float, str]] = []

    async def perform(request: Any) -> tuple[Any, ...]:
        assert isinstance(request, QueryBook)
        asked.append((loop.time(), request.why))
        return ()

    async def live() -> None:
        supervisor = TaskSupervisor(retry_min_s=1, retry_max_s=4, on_failure=lambda *_: None)
        settings = shipped_settings(("execution.reconcile_s", 30.0))
        feed = LiveFeed(
            broker=SimpleNamespace(change_counter=lambda: 1, take_events=list),  # type: ignore[arg-type]
            runner=SimpleNamespace(desk=SimpleNamespace(wake_at=lambda: None)),  # type: ignore[arg-type]
            performer=SimpleNamespace(perform=perform),  # type: ignore[arg-type]
            scans=SimpleNamespace(),  # type: ignore[arg-type]
            settings=lambda: settings,
            interest=SimpleNamespace(quote_interest=lambda: ((), ())),  # type: ignore[arg-type]
            clock=VirtualClock(loop),
            supervisor=supervisor,
        )
        feed._changes = 1
        supervisor.keep("book", feed._book)
        await asyncio.sleep(100)
        await supervisor.stop()

    loop.run_until_complete(live())
    loop.close()
    assert [round(at) for at, _ in asked] == [30, 60, 90]
    assert {why for _, why in asked} == {"the regular check"}
