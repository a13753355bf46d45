"""The pages for machines: bounded in time, size and number of connections, and for this machine alone."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from quarterdeck.core.engine import loopback_http
from quarterdeck.core.engine.loopback_http import CONNECTIONS_MAX, HEAD_BYTES_MAX, HttpPage, LoopbackHttp


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[LoopbackHttp]:
    def pages(path: str, accept: str) -> HttpPage | None:
        return HttpPage(200, f"page for {accept}\n") if path == "/metrics" else None

    server, listening = LoopbackHttp(0, pages), asyncio.Event()
    task = asyncio.create_task(server.run(listening.set))
    await listening.wait()
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def answer(server: LoopbackHttp, request: bytes, *, end: bool = False) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(request)
            if end:
                writer.write_eof()
            return await reader.read()
        return b""
    finally:
        writer.close()


def get(path: str = "/metrics", method: str = "GET", host: str = "localhost:9464", more: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get(), b"200"),
        (get("/metrics?x=1"), b"200"),
        (get("/other"), b"404"),
        (get("/../../etc/passwd"), b"404"),
        (get(method="POST"), b"405"),
        (get(host="evil.example"), b"421"),
        (get(host="127.0.0.1.evil.example:80"), b"421"),
        (get(host="[::1]:9464"), b"200"),
        (b"GET http://localhost/metrics HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"),
        (b"GET /metrics" + b"x" * HEAD_BYTES_MAX, b"431"),
    ],
)
async def test_each_request_gets_its_status(request_: bytes, status: bytes) -> None:
    async with serving() as server:
        told = await answer(server, request_)
        assert told.split(b" ")[1] == status, told


async def test_head_has_no_body_and_accept_reaches_the_page() -> None:
    async with serving() as server:
        told = await answer(server, get(more="Accept: this\r\n"))
        assert told.endswith(b"\r\n\r\npage for this\n")
        told = await answer(server, get(method="HEAD"))
        assert told.endswith(b"\r\n\r\n")
        assert b"Content-Length: 10" in told


async def test_garbage_never_ends_the_server() -> None:
    rng = random.Random(7)
    async with serving() as server:
        for _ in range(40):
            await answer(server, rng.randbytes(rng.randrange(0, 3 * HEAD_BYTES_MAX)), end=True)
        assert (await answer(server, get())).startswith(b"HTTP/1.1 200 ")


async def test_silent_clients_are_dropped_and_others_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback_http, "REQUEST_S_MAX", 0.2)
    async with serving() as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(CONNECTIONS_MAX)]
        assert (await answer(server, get())).startswith(b"HTTP/1.1 200 ")
        assert [await reader.read() for reader, _ in silent] == [b""] * CONNECTIONS_MAX
        for _, writer in silent:
            writer.close()
