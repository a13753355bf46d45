"""Telling systemd how the run is: ready, alive, stopping. A datagram to the socket that it named; silent where it named none.

Promises: never raises and never waits; what it says is said by the event loop that trades, so a loop that hangs is found out by
the watchdog, which kills without flattening. Windows has no such supervisor.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, MutableMapping

_SOCKET = "NOTIFY_SOCKET"
_WATCHDOG = "WATCHDOG_USEC"
_WATCHDOG_PID = "WATCHDOG_PID"


class SystemdNotifier:
    """The supervisor of this process, if it has one that listens."""

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        """Takes the names out of the environment: a child of ours must not speak for us."""
        environ = os.environ if environ is None else environ
        self._address = environ.pop(_SOCKET, "")
        usec, pid = environ.pop(_WATCHDOG, ""), environ.pop(_WATCHDOG_PID, "")
        ours = usec.isdigit() and pid in ("", str(os.getpid()))
        self.every_s = int(usec) / 2e6 if self._address and ours else 0.0
        """Seconds between two signs of life; 0 where nobody waits for them."""

    def notify_systemd(self, *words: str) -> bool:
        """Send `WORD=VALUE` lines; False when nobody took them."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return False
        # an address that begins with @ lives in the kernel's own namespace, written with a zero byte
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.setblocking(False)
                line.sendto("\n".join(words).encode(), address)
        except OSError:
            return False
        return True

    async def watch(self, alive: Callable[[], bool]) -> None:
        """Give signs of life while `alive` says so, for ever."""
        while self.every_s:
            if alive():
                self.notify_systemd("WATCHDOG=1")
            await asyncio.sleep(self.every_s)
