"""A very small HTTP server on 127.0.0.1, for pages that are read by machines.

Why: a scraper must never delay the loop that trades, whatever it sends or fails to read.
Promises: at most 8 connections at a time and 50 new ones a second, of a request at most 4 KiB, 5 s for all of it; one request per
connection; only GET and HEAD; a `Host` that is not this machine is refused, so that no web page in a browser reads it.
Does not: listen beyond this machine, read a body, or keep a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable

from msgspec import Struct

HEAD_BYTES_MAX = 4_096
CONNECTIONS_MAX = 8
REQUEST_S_MAX = 5.0
_ACCEPT_EVERY_S = 0.02
_HOSTS = ("", "127.0.0.1", "localhost", "[::1]")
_STATUS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class HttpPage(Struct, frozen=True):
    """An answer: status, body, and what the body is."""

    status: int
    body: str
    content_type: str = "text/plain; charset=utf-8"


Pages = Callable[[str, str], HttpPage | None]
"""Gives the page of (path, Accept header); None where there is none."""


class LoopbackHttp:
    """See the module."""

    def __init__(self, port: int, pages: Pages) -> None:
        """Nothing is opened before `run`. A port of 0 takes a free one, named by `port` then."""
        self.port = port
        self._pages = pages
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, on_listening: Callable[[], None] | None = None) -> None:
        """Serve for ever. Raises OSError where the port cannot be had."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            if sys.platform != "win32":  # there it would let two programs share the port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
            listener.listen(CONNECTIONS_MAX)
            listener.setblocking(False)
            self.port = listener.getsockname()[1]
            if on_listening is not None:
                on_listening()
            try:
                await self._accept(listener)
            finally:
                for task in tuple(self._tasks):
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop, free = asyncio.get_running_loop(), asyncio.Semaphore(CONNECTIONS_MAX)
        while True:
            await free.acquire()
            connection, _ = await loop.sock_accept(listener)
            task = asyncio.create_task(self._serve(connection), name="metrics request")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: free.release())
            await asyncio.sleep(_ACCEPT_EVERY_S)

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection, contextlib.suppress(TimeoutError, OSError):
            connection.setblocking(False)
            async with asyncio.timeout(REQUEST_S_MAX):
                await loop.sock_sendall(connection, self._answer(await _head(connection)))
                connection.shutdown(socket.SHUT_WR)
                await loop.sock_recv(connection, HEAD_BYTES_MAX)  # closed with bytes unread, the answer may be lost on its way

    def _answer(self, head: bytes) -> bytes:
        method, page = self._page(head)
        body = page.body.encode()
        lines = [
            f"HTTP/1.1 {page.status} {_STATUS[page.status]}",
            f"Content-Type: {page.content_type}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
            *(["Allow: GET, HEAD"] if page.status == 405 else []),
        ]
        return "\r\n".join((*lines, "", "")).encode("ascii") + (b"" if method == "HEAD" else body)

    def _page(self, head: bytes) -> tuple[str, HttpPage]:
        if b"\r\n\r\n" not in head:
            large = len(head) >= HEAD_BYTES_MAX
            return "", HttpPage(431, "the request is too large\n") if large else HttpPage(400, "the request is not complete\n")
        first, *rest = head.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
            return "", HttpPage(400, "this is no HTTP request\n")
        method, path = words[0], words[1].split("?", 1)[0]
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        if _host_name(fields.get("host", "")) not in _HOSTS:
            return method, HttpPage(421, "only this machine is served, by the name localhost or 127.0.0.1\n")
        if method not in ("GET", "HEAD"):
            return method, HttpPage(405, "only GET and HEAD\n")
        return method, self._pages(path, fields.get("accept", "")) or HttpPage(404, "there is no such page\n")


async def _head(connection: socket.socket) -> bytes:
    loop, head = asyncio.get_running_loop(), b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES_MAX:
        more = await loop.sock_recv(connection, HEAD_BYTES_MAX - len(head))
        if not more:
            break
        head += more
    return head


def _host_name(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
