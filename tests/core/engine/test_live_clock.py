"""The server's clock is measured anew each hour, sooner where it is not sure, and whenever the connection is back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from quarterdeck.core.clock.virtual import VirtualClock, VirtualTimeLoop
from quarterdeck.core.engine.live_feed import LiveFeed
from quarterdeck.core.engine.task_supervisor import TaskSupervisor
from quarterdeck.core.model.inputs import ServerClockRule
from quarterdeck.core.settings.settings_loader import shipped_settings

WINTER = ServerClockRule(rule="eet", offset_s=7_200)
SUMMER = ServerClockRule(rule="eet", offset_s=10_800)
UNSURE = ServerClockRule(rule="eet", offset_s=7_200, confirmed=False)


@pytest.mark.parametrize(
    ("told", "found", "back_at", "asked", "posted"),
    [
        (WINTER, [WINTER, WINTER, SUMMER, SUMMER], None, [3600, 7200, 10_800, 11_100], [SUMMER]),
        (UNSURE, [UNSURE, WINTER, WINTER], None, [300, 600, 900], [WINTER]),
        (WINTER, [WINTER, WINTER], 100, [100, 3700], []),
    ],
    ids=["an hour", "unsure", "the connection is back"],
)
def test_it_is_measured_and_a_change_is_told(told, found, back_at, asked, posted) -> None:
    loop = VirtualTimeLoop(0)
    at: list[float] = []
    answers = list(found)
    heard = []

    async def clock() -> ServerClockRule:
        at.append(round(loop.time()))
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def live() -> None:
        supervisor = TaskSupervisor(retry_min_s=1, retry_max_s=4, on_failure=lambda *_: None)
        feed = LiveFeed(
            broker=SimpleNamespace(server_clock_rule=clock),  # type: ignore[arg-type]
            runner=SimpleNamespace(),  # type: ignore[arg-type]
            performer=SimpleNamespace(perform=lambda _: asyncio.sleep(0, ())),  # type: ignore[arg-type]
            scans=SimpleNamespace(),  # type: ignore[arg-type]
            settings=shipped_settings,
            interest=SimpleNamespace(),  # type: ignore[arg-type]
            clock=VirtualClock(loop),
            supervisor=supervisor,
        )
        feed.server_clock = told
        feed.post = lambda item: heard.append(item) if isinstance(item, ServerClockRule) else None  # type: ignore[method-assign]
        supervisor.keep("server clock", feed._measuring)
        if back_at is not None:
            await asyncio.sleep(back_at)
            feed._line(up=False)
            feed._line(up=True)
        await asyncio.sleep(asked[-1] - (back_at or 0) + 1)
        await feed.stop()
        await supervisor.stop()

    loop.run_until_complete(live())
    loop.close()
    assert at == asked
    assert heard == posted
