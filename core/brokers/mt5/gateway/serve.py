"""Running a gateway: child, front, and an orderly end, for the command line and for an engine that starts one beside itself.

Promises: listens only when the child is ready; SIGTERM, Ctrl-C, or the end of the parent's pipe end it: the call inside is let
finish, lines are closed, the child goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Callable

from msgspec import Struct

from quarterdeck.core.brokers.mt5.gateway.gateway_server import GatewayOptions, GatewayServer, check_options
from quarterdeck.core.brokers.mt5.gateway.worker_supervisor import WorkerSupervisor
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.errors import BrokerError, UsageError
from quarterdeck.core.pipes.framing import MalformedMessage


class GatewayListening(Struct, frozen=True, kw_only=True, tag="listening"):
    """What a gateway says once it can be reached."""

    host: str
    port: int
    tls: bool
    module: str
    module_version: str
    child_pid: int | None = None


async def serve_gateway(
    options: GatewayOptions,
    command: tuple[str, ...],
    clock: Clock,
    announce: Callable[[GatewayListening], None],
    *,
    end_with_parent: bool = False,
) -> None:
    """Serve until asked to stop; `command` is the child's host with its arguments.

    Raises:
        UsageError: careless options, or an address that cannot be listened on. BrokerError: the module does not start.
    """
    check_options(options)
    stop = asyncio.Event()
    _listen_for_the_end(stop, end_with_parent)
    keeper = WorkerSupervisor(command, clock)
    front = GatewayServer(options, keeper, clock)
    try:
        await keeper.start()
    except (OSError, TimeoutError, EOFError, MalformedMessage) as error:
        raise BrokerError(
            f"the process that owns {command[0]} does not start: {str(error) or type(error).__name__}",
            what_to_do="its own words are above; see docs/metatrader5.md",
        ) from error
    try:
        try:
            await front.start()
        except OSError as error:
            raise UsageError(
                f"{options.host}:{options.port} cannot be listened on: {error.strerror or error}",
                what_to_do="choose another --port",
            ) from error
        announce(
            GatewayListening(
                host=options.host,
                port=front.port,
                tls=options.certificate is not None,
                module=keeper.ready.module,
                module_version=keeper.ready.module_version,
                child_pid=keeper.pid,
            )
        )
        await stop.wait()
    finally:
        await front.stop()
        await keeper.stop()


def _listen_for_the_end(stop: asyncio.Event, end_with_parent: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows' loops take no handlers; Ctrl-C cancels the main task there
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    if end_with_parent:
        threading.Thread(target=_wait_for_end_of_input, args=(loop, stop), daemon=True).start()


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while sys.stdin.buffer.read(1):
        pass
    # the loop may be gone already
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop.set)
