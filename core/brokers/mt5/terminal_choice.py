"""Which terminal settings mean: a gateway's, or the one on this machine behind a gateway of our own.

Promises: the vendor's module is never loaded in this process; nothing is reached before the first call.
"""

from __future__ import annotations

import sys
from pathlib import Path

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from quarterdeck.core.brokers.mt5.gateway.gateway_token import token_of
from quarterdeck.core.brokers.mt5.gateway.local_terminal import LocalTerminal
from quarterdeck.core.brokers.mt5.gateway.module_loader import REAL
from quarterdeck.core.brokers.mt5.gateway_client import CallTimeouts, GatewayTerminal
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.settings.schema import Settings


def open_terminal(settings: Settings, home: Path, clock: Clock) -> GatewayTerminal | LocalTerminal:
    """The terminal of a live or paper desk; `home` holds the token of a gateway elsewhere.

    Raises:
        BrokerError: no gateway is named and this is no Windows, or its address is none, or would tell the token.
        UsageError, StorageError: no token, or one that others can read.
    """
    engine, address = settings.engine, settings.account.gateway
    deadlines = call_timeouts(settings)
    if address:
        _check_address(address)
        token = token_of(home, make=False)
        return GatewayTerminal(address, token, deadlines, clock, retry_min_s=engine.retry_min_s, retry_max_s=engine.retry_max_s)
    if not _on_windows():
        raise BrokerError(
            "MetaTrader 5 does not run on this system and no gateway is named",
            what_to_do="start `quarterdeck gateway` under Wine or on a Windows host and set account.gateway",
        )
    return LocalTerminal((REAL,), deadlines, clock, retry_min_s=engine.retry_min_s, retry_max_s=engine.retry_max_s)


def _check_address(address: str) -> None:
    try:
        parse_uri(address)
    except (ValueError, InvalidURI) as error:
        what_to_do = "set it to ws://HOST:PORT or wss://HOST:PORT, as `quarterdeck gateway` prints it"
        raise BrokerError(f"account.gateway {address!r} is no address of a gateway", what_to_do=what_to_do) from error


def call_timeouts(settings: Settings) -> CallTimeouts:
    """How long calls may take inside the module."""
    engine = settings.engine
    return CallTimeouts(read_s=engine.read_timeout_s, send_s=engine.send_timeout_s, start_s=engine.broker_start_timeout_s)


def _on_windows() -> bool:
    return sys.platform == "win32"
