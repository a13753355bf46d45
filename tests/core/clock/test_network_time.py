"""Asking a time server: its answer gives this machine's error, and silence costs at most the limit."""

from __future__ import annotations

import asyncio
import struct

from quarterdeck.core.clock.network_time import machine_error_s
from quarterdeck.core.model.units import NS_PER_S

NOW_S = 1_761_123_600


class Still:
    def utc_ns(self) -> int:
        return NOW_S * NS_PER_S

    def monotonic_s(self) -> float:
        return 0.0


class TimeServer(asyncio.DatagramProtocol):
    """Answers with a time that is `behind_s` behind the asker's; None is silence."""

    def __init__(self, behind_s: float | None) -> None:
        self.behind_s = behind_s

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.behind_s is not None:
            told = NOW_S - self.behind_s + 2_208_988_800
            self.transport.sendto(b"\x24\x01" + bytes(38) + struct.pack(">II", int(told), 0), addr)


async def asked(behind_s: float | None) -> float | None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: TimeServer(behind_s), local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        return await machine_error_s(f"127.0.0.1:{port}", Still(), limit_s=1.0 if behind_s is not None else 0.05)
    finally:
        transport.close()


async def test_the_answer_is_the_machines_error() -> None:
    assert await asked(3_600) == 3_600.0
    assert await asked(-7) == -7.0


async def test_silence_and_nonsense_are_no_answer() -> None:
    assert await asked(None) is None
    assert await machine_error_s("127.0.0.1:1", Still(), limit_s=0.05) is None
    assert await machine_error_s("127.0.0.1:none", Still(), limit_s=0.05) is None
    assert await machine_error_s("no.such.host.invalid", Still(), limit_s=0.05) is None
