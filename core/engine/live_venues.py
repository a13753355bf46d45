"""Venues whose market keeps its own time: a MetaTrader 5 account behind a gateway, or on this machine (Windows).

Promises: the real module is never loaded here (law 9): on Windows a gateway of our own is started as a child on loopback,
anywhere else the operator's is called with its token. The password is read only for a live account.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.brokers.base import ModuleCall, Reply, TerminalNotSent
from core.brokers.mt5.adapter import Mt5Broker
from core.brokers.mt5.gateway.hosts import REAL
from core.brokers.mt5.gateway.launch import LocalGateway, start_local_gateway
from core.brokers.mt5.gateway.place import token_of
from core.brokers.mt5.gateway_client import Deadlines, GatewayTerminal
from core.brokers.mt5.policy import policy_from
from core.calendar.fetch import FetchPolicy
from core.calendar.source import CalendarSource
from core.clock.wall import Clock
from core.engine.venue import Venue
from core.model.errors import BrokerError
from core.settings.home import Home
from core.settings.schema import Settings
from core.settings.secrets import Secrets

_FETCH_TIMEOUT_S = 20.0
_CALENDAR_FOLDER = "calendar"


def live_venue(settings: Settings, home: Home, secrets: Secrets, *, run_id: str, clock: Clock, yes_real: int) -> Venue:
    """The account that settings name. Raises BrokerError, UsageError (no token), StorageError (its file)."""
    address = settings.account.gateway
    if not address and sys.platform != "win32":
        raise BrokerError(
            "MetaTrader 5 does not run on this system and no gateway is named",
            what_to_do="start `quarterdeck gateway` under Wine or on a Windows host and set account.gateway",
        )
    terminal = _far(settings, home, clock) if address else OwnGateway(settings, clock)
    return Venue(
        mode="demo",
        broker=Mt5Broker(terminal, policy_from(settings, password=secrets.password or None, yes_real=yes_real), clock),
        label=f"MetaTrader 5 at {address or 'this machine'}",
        run_id=run_id,
        calendar=calendar_source(settings, home),
        live=True,
        yes_real=yes_real,
    )


def calendar_source(settings: Settings, home: Home) -> CalendarSource:
    """The calendars that settings name; files are looked for in the home."""
    news, engine = settings.news, settings.engine
    policy = FetchPolicy(
        refresh_s=news.refresh_minutes * 60.0,
        retry_min_s=engine.retry_min_s,
        retry_max_s=engine.retry_max_s,
        timeout_s=_FETCH_TIMEOUT_S,
    )
    files = [home.root / Path(name).expanduser() for name in news.files]
    return CalendarSource(files=files, urls=news.urls, policy=policy, cache=home.data / _CALENDAR_FOLDER)


class OwnGateway:
    """A gateway of our own on loopback, started at the first call, ended with the engine."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Nothing is started yet."""
        self._settings = settings
        self._clock = clock
        self._starting = asyncio.Lock()
        self._gateway: LocalGateway | None = None
        self._terminal: GatewayTerminal | None = None

    async def call(self, name: str, *args: Any, **kwargs: Any) -> Reply:
        """See `Terminal`."""
        return await (await self._ready()).call(name, *args, **kwargs)

    async def call_many(self, calls: Sequence[ModuleCall]) -> tuple[Reply, ...]:
        """See `Terminal`."""
        return await (await self._ready()).call_many(calls)

    def changes(self) -> int | None:
        """See `Terminal`."""
        return None

    async def close(self) -> None:
        """See `Terminal`."""
        if self._terminal is not None:
            await self._terminal.close()
        if self._gateway is not None:
            await self._gateway.stop()

    async def _ready(self) -> GatewayTerminal:
        async with self._starting:
            if self._terminal is None:
                try:
                    gateway = self._gateway = await start_local_gateway((REAL,))
                except BrokerError as error:
                    raise TerminalNotSent(error.one_line()) from error
                engine = self._settings.engine
                self._terminal = GatewayTerminal(
                    gateway.address,
                    gateway.token,
                    _deadlines(self._settings),
                    self._clock,
                    retry_min_s=engine.retry_min_s,
                    retry_max_s=engine.retry_max_s,
                )
            return self._terminal


def _far(settings: Settings, home: Home, clock: Clock) -> GatewayTerminal:
    engine = settings.engine
    return GatewayTerminal(
        settings.account.gateway,
        token_of(home.root, make=False),
        _deadlines(settings),
        clock,
        retry_min_s=engine.retry_min_s,
        retry_max_s=engine.retry_max_s,
    )


def _deadlines(settings: Settings) -> Deadlines:
    engine = settings.engine
    return Deadlines(read_s=engine.read_timeout_s, send_s=engine.send_timeout_s, start_s=engine.broker_start_timeout_s)
