"""Starting a gateway beside the engine: on Windows with the real module, anywhere with a simulated one.

Promises: the gateway ends with the process that started it, however that ends; its token lives in memory and environment alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import Process

import msgspec

from quarterdeck.core.brokers.mt5.gateway.gateway_protocol import ChildFailed
from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_VARIABLE, new_token
from quarterdeck.core.brokers.mt5.gateway.serve import GatewayListening
from quarterdeck.core.brokers.mt5.policy import Secret
from quarterdeck.core.model.errors import UNREADABLE, BrokerError

START_S = 150.0
"""Beyond what its child may take."""


class LocalGateway:
    """A running gateway of our own."""

    def __init__(self, process: Process, listening: GatewayListening, token: Secret) -> None:
        """Made by `start`."""
        self.process = process
        self.listening = listening
        self.token = token

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self.listening.port}"

    async def stop(self) -> None:
        """Ask it to end by closing its input; kill it when it does not."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), 10.0)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


async def start_local_gateway(command: tuple[str, ...]) -> LocalGateway:
    """Start one for the module that `command` names, and wait until it listens.

    Raises:
        BrokerError: it cannot serve and says why, it ended, or did not listen in time.
    """
    token = new_token()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "quarterdeck.core.brokers.mt5.gateway",
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), TOKEN_VARIABLE: token.reveal},
    )
    try:
        async with asyncio.timeout(START_S):
            line = b"" if process.stdout is None else await process.stdout.readline()
        word = msgspec.json.decode(line, type=GatewayListening | ChildFailed)
    except (TimeoutError, *UNREADABLE) as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise BrokerError(
            f"the gateway for {command[0]} did not start", what_to_do="its own words are on stderr; see docs/metatrader5.md"
        ) from error
    if isinstance(word, ChildFailed):
        await process.wait()
        raise BrokerError(word.why, what_to_do=word.what_to_do)
    return LocalGateway(process, word, token)
