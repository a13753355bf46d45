"""What a simulated gateway leaves in its home: its address for commands beside it, and the market time of its rehearsal.

Guarantees: market time never goes back over a restart. It goes on while the gateway is down; after an orderly end of more than
[5 days] of market time it goes on from where it ended.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.brokers.mt5.account_file import SimulatedAccount
from quarterdeck.core.clock.market_clock import MarketClock
from quarterdeck.core.model.errors import UNREADABLE, StorageError, UsageError
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, UtcNs

STATE_NAME = "gateway.json"
SPEED_MAX = 3_600.0
_PAUSED_AFTER_NS = 5 * DAY_NS


class GatewayState(Struct, frozen=True, kw_only=True):
    """The newest gateway of a home."""

    address: str = ""
    """Where it listens; empty after an orderly end."""
    market: MarketClock | None = None
    asked_start_utc_ns: UtcNs = 0
    """The date that `--start` named."""
    ended_utc_ns: UtcNs = 0
    """The machine's time at its orderly end; 0 while it runs, or where it was killed."""


def read_state(home: Path) -> GatewayState:
    """What lies in the home; an empty one where nothing does. Raises StorageError for a damaged file."""
    path = home / STATE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=GatewayState)
    except FileNotFoundError:
        return GatewayState()
    except (OSError, *UNREADABLE) as error:
        raise StorageError(f"{path} cannot be read: {error}", what_to_do="move it away and start the gateway again") from error


def write_state(home: Path, state: GatewayState) -> None:
    """Write it down. Raises StorageError."""
    try:
        (home / STATE_NAME).write_bytes(msgspec.json.encode(state))
    except OSError as error:
        raise StorageError(f"{home / STATE_NAME} cannot be written: {error}", what_to_do="make room, or choose --home") from error


def market_clock(
    home: Path, now_utc_ns: UtcNs, *, speed: float | None, start_utc_ns: UtcNs | None, pc_clock_off_s: float
) -> MarketClock | None:
    """The market time that options ask for, going on from the home's; None where it is the machine's.

    Raises:
        UsageError: a start for an account that lives at another time already.
    """
    known = read_state(home)
    old = known.market
    lives = (home / SimulatedAccount.FILE).exists()
    if start_utc_ns is not None and lives and start_utc_ns != known.asked_start_utc_ns:
        raise UsageError(
            f"the simulated account in {home} lives at a market time of its own",
            what_to_do=f"leave --start out to go on, or move {SimulatedAccount.FILE} away to begin anew",
        )
    if old is None or not lives:
        if speed is None and start_utc_ns is None and not pc_clock_off_s:
            return None
        return MarketClock(
            began_utc_ns=now_utc_ns,
            start_utc_ns=now_utc_ns if start_utc_ns is None else start_utc_ns,
            speed=speed or 1.0,
            pc_clock_off_s=pc_clock_off_s,
        )
    market_utc_ns = old.at(now_utc_ns)
    if known.ended_utc_ns and market_utc_ns - old.at(known.ended_utc_ns) > _PAUSED_AFTER_NS:
        market_utc_ns = old.at(known.ended_utc_ns) + NS_PER_S
    elif (speed or old.speed) == old.speed and pc_clock_off_s == old.pc_clock_off_s:
        return old
    return MarketClock(
        began_utc_ns=now_utc_ns, start_utc_ns=market_utc_ns, speed=speed or old.speed, pc_clock_off_s=pc_clock_off_s
    )
