"""The terminal on this very machine, behind a gateway that is started, and started again, as needed.

Promises: the real module is never loaded in this process (law 9); a gateway that died is replaced at the next call, with growing
pauses; what was inside when it died is `ReplyLost`, everything else `CallNotSent`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from quarterdeck.core.brokers.base import CallNotSent, CallReply, TerminalCall
from quarterdeck.core.brokers.mt5.gateway.launch import LocalGateway, start_local_gateway
from quarterdeck.core.brokers.mt5.gateway_client import CallTimeouts, GatewayTerminal
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.errors import BrokerError


class LocalTerminal:
    """A `Terminal` over a gateway of our own."""

    def __init__(
        self, command: tuple[str, ...], deadlines: CallTimeouts, clock: Clock, *, retry_min_s: float, retry_max_s: float
    ) -> None:
        """`command` is the child's host with its arguments; nothing is started before the first call."""
        self._command = command
        self._deadlines = deadlines
        self._clock = clock
        self._retry_min_s, self._retry_max_s = retry_min_s, retry_max_s
        self._wait_s = retry_min_s
        self._not_before_s = 0.0
        self._down = BrokerError("")
        self._starting = asyncio.Lock()
        self._gateway: LocalGateway | None = None
        self._terminal: GatewayTerminal | None = None

    @property
    def gateway(self) -> LocalGateway | None:
        """The running gateway; None before the first call."""
        return self._gateway

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        """One call. Raises TerminalLost, TerminalNotSent."""
        return await (await self._ready()).call(name, *args, **kwargs)

    async def call_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        """Several reads. Raises TerminalLost, TerminalNotSent."""
        return await (await self._ready()).call_many(calls)

    async def acquire_lease(self, home_id: str, who: str) -> str:
        """See `LeaseTerminal`; a gateway of our own gives it to nobody else."""
        return await (await self._ready()).acquire_lease(home_id, who)

    async def renew_lease(self) -> str:
        """See `LeaseTerminal`."""
        return await (await self._ready()).renew_lease()

    async def refused(self) -> str:
        """See `LeaseTerminal`."""
        return await (await self._ready()).refused()

    def changes(self) -> int | None:
        """Nobody counts changes over there."""
        return None

    async def close(self) -> None:
        """End line and gateway."""
        terminal, gateway = self._terminal, self._gateway
        self._terminal = self._gateway = None
        if terminal is not None:
            await terminal.close()
        if gateway is not None:
            await gateway.stop()

    async def _ready(self) -> GatewayTerminal:
        async with self._starting:
            if self._gateway is not None and self._gateway.process.returncode is not None:
                await self.close()
            if self._terminal is not None:
                return self._terminal
            if self._clock.monotonic_s() < self._not_before_s:
                raise _not_sent(self._down)
            self._not_before_s = self._clock.monotonic_s() + self._wait_s
            self._wait_s = min(self._wait_s * 2.0, self._retry_max_s)
            try:
                self._gateway = await start_local_gateway(self._command)
            except BrokerError as error:
                self._down = error
                raise _not_sent(error) from error
            self._wait_s = self._retry_min_s
            self._terminal = GatewayTerminal(
                self._gateway.address,
                self._gateway.token,
                self._deadlines,
                self._clock,
                retry_min_s=self._retry_min_s,
                retry_max_s=self._retry_max_s,
            )
            return self._terminal


def _not_sent(error: BrokerError) -> CallNotSent:
    """A gateway of our own that does not start will not by itself."""
    return CallNotSent(str(error), what_to_do=error.what_to_do, lasting=True)
