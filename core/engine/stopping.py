"""How a run is asked to end: the desk gets the order and its time; what it does not close in time keeps its stops at the broker.

Promises: asked once, later wishes change nothing; the order is an input like any command. Does not: close anything itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal

from quarterdeck.core.model.commands import StopEngine
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import CommandReceived

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

ShutdownPolicy = Literal["settings", "flatten", "keep"]


class Stopping:
    """The end of one run, asked for at most once."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is asked for yet."""
        self._engine = engine
        self._task: asyncio.Task[None] | None = None

    def ask(self, policy: ShutdownPolicy, why: str) -> CommandReceived | None:
        """Order the desk to end the run; gives the input that was posted, None where the end was asked for before."""
        if self._task is not None:
            return None
        given = CommandReceived(command_id="stop-1", origin=why, command=StopEngine(policy=policy, why=why))
        self._engine.run_loop.post(given)
        self._engine.run_loop.skip_pacing()
        self._task = asyncio.create_task(self._bounded(why), name="stop")
        return given

    async def _bounded(self, why: str) -> None:
        engine = self._engine
        limit_s = engine.runtime_settings.settings.engine.shutdown_timeout_s
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(engine.ended), limit_s)
        if not engine.ended.done():
            left = len(engine.desk.view().positions)
            text = (
                f"The engine stopped before it was flat: {left} positions are open. Only their stops at the broker protect them; "
                "nothing manages them. Start it again (`quarterdeck run`), or close them in the terminal."
            )
            engine.tell(Alert(kind="crash", level="critical", text=text))
            engine.end_badly(f"{why}; not flat within {limit_s:g} s, {left} positions stay open with their stops at the broker")
