"""The module of the gateway's child in tests: forwards each call to a `FarTerminal`. Imports little, for it starts often.

Both ends are the test's own, so pickle serves between them.
"""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any

from quarterdeck.core.brokers.mt5.gateway.module_loader import HostedModule
from quarterdeck.core.pipes import framing

HOST = "tests.core.brokers.mt5.gateway.far_child:make"
GARBLE = "garble the answer"


def send(line: socket.socket, value: Any) -> None:
    data = pickle.dumps(value)
    line.sendall(struct.pack(">I", len(data)) + data)


def receive(line: socket.socket) -> Any:
    (length,) = struct.unpack(">I", exactly(line, 4))
    return pickle.loads(exactly(line, length))


def exactly(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = line.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


class Forwarder:
    """The module in the gateway's child."""

    __version__ = "far"

    def __init__(self, port: int):
        self._line = socket.create_connection(("127.0.0.1", port))
        self._error = (1, "Success")

    def last_error(self) -> tuple[int, str]:
        return self._error

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            send(self._line, (name, args, kwargs))
            value, self._error, garble = receive(self._line)
            if garble == GARBLE:
                framing.pack_frame = lambda _data: b"\x00\x00\x00\x05junk!"
            return value

        return call


def make(arguments: list[str]) -> HostedModule:
    return HostedModule(module=Forwarder(int(arguments[0])), name="far", version="1")
