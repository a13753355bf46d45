"""Asking a network time server how wrong this machine's clock is (SNTP, RFC 4330), where the operator allows it.

Guarantees: never raises and never takes longer than its limit; no answer, a late one and a malformed one are None.
Does not: set the clock.
"""

from __future__ import annotations

import asyncio
import struct

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.units import NS_PER_S

LIMIT_S = 2.0
_PORT = 123
_REQUEST = b"\x23" + 47 * b"\x00"
_UNIX_S = 2_208_988_800
"""Seconds from 1900, where network time begins, to 1970."""
_ERA_S = 2**32
_SERVER_MODE = 4
_BYTES = 48


async def machine_error_s(server: str, clock: Clock, limit_s: float = LIMIT_S) -> float | None:
    """Seconds that `clock` is ahead of the server `host` or `host:port`; None where it gave no usable answer in time."""
    host, _, port = server.partition(":")
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    transport: asyncio.DatagramTransport | None = None
    try:
        async with asyncio.timeout(limit_s):
            address = (host, int(port) if port else _PORT)
            transport, _ = await loop.create_datagram_endpoint(lambda: _Answer(answer), remote_addr=address)
            began_ns = clock.utc_ns()
            transport.sendto(_REQUEST)
            reply = await answer
            ended_ns = clock.utc_ns()
    except (OSError, TimeoutError, ValueError):
        return None
    finally:
        if transport is not None:
            transport.close()
    told_s = instant_s(reply, began_ns / NS_PER_S)
    return None if told_s is None else (began_ns + ended_ns) / 2.0 / NS_PER_S - told_s


def instant_s(reply: bytes, near_s: float) -> float | None:
    """UTC seconds of a reply, in the era nearest to `near_s`; None for a malformed one."""
    if len(reply) < _BYTES or reply[0] & 7 != _SERVER_MODE or reply[0] >> 6 == 3 or not 0 < reply[1] < 16:
        return None
    seconds, fraction = struct.unpack(">II", reply[40:48])
    if not seconds:
        return None
    told_s = float(seconds) - _UNIX_S + float(fraction) / _ERA_S
    return told_s + round((near_s - told_s) / _ERA_S) * _ERA_S


class _Answer(asyncio.DatagramProtocol):
    """Takes the first reply."""

    def __init__(self, answer: asyncio.Future[bytes]) -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)
