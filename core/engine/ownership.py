"""The engine's side of the lease: asked for at the start, renewed every two seconds, and halted without it (law 16).

Promises: an engine that another one replaced is HALTED within a renewal, flattens nothing, and asks for the lease again only when
the operator resumed. A gateway that does not answer takes no lease away: its own refusal of older numbers does.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from quarterdeck.core.brokers.base import TerminalError
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.errors import AlreadyRunningError, BrokerError
from quarterdeck.core.model.inputs import EngineFault

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

RENEW_S = 2.0
_TRY_S = 1.0
_PATIENCE_S = 12.0
"""A lease runs 10 s: one whose owner died is free by then."""


class LeaseTerminal(Protocol):
    """A terminal whose gateway gives leases."""

    async def acquire_lease(self, home_id: str, who: str) -> str:
        """Take the lease; why not, empty where it is ours. Raises TerminalLost, TerminalNotSent."""
        ...

    async def renew_lease(self) -> str:
        """Prolong it; why it is no longer ours, empty where it is. Raises TerminalLost, TerminalNotSent."""
        ...

    async def refused(self) -> str:
        """Wait until an order was refused because another engine holds the lease; the words of the gateway."""
        ...


class Ownership:
    """The lease of one run."""

    def __init__(self, terminal: LeaseTerminal, home_id: str, who: str, clock: Clock) -> None:
        """`home_id` lies in the home; `who` is for whoever is refused."""
        self._terminal = terminal
        self._home_id = home_id
        self._who = who
        self._clock = clock
        self._owns = False

    async def begin(self) -> None:
        """Take the lease. Raises HeldError naming the owner, BrokerError for a gateway that does not answer."""
        end_s = self._clock.monotonic_s() + _PATIENCE_S
        while True:
            try:
                why = await self._terminal.acquire_lease(self._home_id, self._who)
            except TerminalError as error:
                raise BrokerError(f"The gateway does not grant this account: {error}", what_to_do=error.what_to_do) from error
            if not why:
                self._owns = True
                return
            if self._clock.monotonic_s() >= end_s:
                raise AlreadyRunningError(why, what_to_do="open a screen on it with `quarterdeck monitor`, or stop it first")
            await asyncio.sleep(_TRY_S)

    async def keep(self, engine: Engine) -> None:
        """Renew for ever; halt when the lease is another's, and take it again once the operator resumed.

        A run that did not begin with the lease goes on as the one before it ended: halted.
        """
        why = "" if self._owns else "since before this start"
        while True:
            while why:
                await self._halted(engine, why)
                why = await self._taken()
            why = await self._lost()

    async def _halted(self, engine: Engine, why: str) -> None:
        """Halt the desk, and wait until the operator resumes it."""
        over = EngineFault(
            kind="not_owner",
            active=False,
            why="Run `quarterdeck resume` to take the account back once the other engine is stopped",
        )
        booked = asyncio.Event()
        engine.runner.when_decided(over, booked.set)
        engine.run_loop.post(EngineFault(kind="not_owner", active=True, why=f"Another engine has taken over this account: {why}"))
        engine.run_loop.post(over)
        await booked.wait()
        while any(reason.code == "not_owner" for reason in engine.desk.view().reasons):  # noqa: ASYNC110 - a desk has no events
            await asyncio.sleep(_TRY_S)

    async def _lost(self) -> str:
        """Renew until the lease is another's; the gateway's words."""
        while True:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._terminal.refused(), RENEW_S)
            with contextlib.suppress(TerminalError):
                if why := await self._terminal.renew_lease():
                    return why

    async def _taken(self) -> str:
        """Take the lease again; why not, empty where it is ours."""
        while True:
            with contextlib.suppress(TerminalError):
                return await self._terminal.acquire_lease(self._home_id, self._who)
            await asyncio.sleep(_TRY_S)
