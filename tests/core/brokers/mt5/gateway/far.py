"""A simulated terminal that outlives the gateway's child, as the real program outlives the Python process beside it.

`FarTerminal` runs in the test's process behind a loopback socket; `far_child` is the module that forwards each call there.
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
import time
from collections.abc import Callable
from typing import Any

from quarterdeck.core.brokers.mt5.in_process_terminal import plain
from quarterdeck.core.model.units import NS_PER_S
from tests.core.brokers.mt5.gateway.far_child import HOST, receive, send
from tests.core.brokers.mt5.kit import START, Rig


class FastClock:
    """Market time from START on, so many times faster than life."""

    def __init__(self, speed: float = 1.0):
        self._speed = speed
        self._began = time.monotonic()

    def utc_ns(self) -> int:
        return START + round(self.monotonic_s() * NS_PER_S)

    def monotonic_s(self) -> float:
        return (time.monotonic() - self._began) * self._speed


class FarTerminal:
    """One rig behind a socket; `before` and `after` are hooks by function name that may sleep, count or return GARBLE."""

    def __init__(self, clock: FastClock, **rig: Any):
        self.rig = Rig(connect=False, **rig)
        self.clock = clock
        self.lock = threading.Lock()
        self.before: dict[str, Callable[[tuple[Any, ...]], Any]] = {}
        self.after: dict[str, Callable[[tuple[Any, ...]], Any]] = {}
        self.entered: list[tuple[str, tuple[Any, ...]]] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, EOFError):
                    while True:
                        name, args, kwargs = receive(self.request)
                        send(self.request, outer.called(name, args, kwargs))

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.entered.append((name, args))
        garble = self.before[name](args) if name in self.before else None
        with self.lock:
            now = self.clock.utc_ns()
            self.rig.terminal.advance_to(max(now, self.rig.terminal.now_utc_ns))
            value = plain(getattr(self.rig.module, name)(*args, **kwargs))
            error = self.rig.module.last_error()
        garble = (self.after[name](args) if name in self.after else None) or garble
        return (value, error, garble)

    @property
    def command(self) -> tuple[str, ...]:
        return (HOST, str(self.port))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
