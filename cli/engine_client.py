"""One short conversation with the engine of a home: connect, say one thing, wait for the answer, leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.link.messages import CommandResult, QueryBody, QueryFailed, ReplyBody
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.errors import CheckFailedError, EngineNotRunningError


class NotReached(EngineNotRunningError):
    """No engine took the call: nothing was said to any, so doing without one is safe."""


_Answer = TypeVar("_Answer")


def send_command(home: Path, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
    """Give the engine a command and wait for what became of it.

    Raises:
        NoEngineError: when no engine answers.
        VerdictError: when the engine refuses the command; the text is its reason.
    """
    result = with_engine(home, lambda client: client.send(command, timeout_s=timeout_s))
    if not result.ok:
        raise CheckFailedError(f"refused: {result.text}")
    return result


def ask_engine(home: Path, question: QueryBody) -> ReplyBody:
    """Ask the engine. Raises NoEngineError when no engine answers, or it cannot answer this."""
    answer = with_engine(home, lambda client: client.ask(question))
    if isinstance(answer, QueryFailed):
        raise EngineNotRunningError(f"the engine cannot say: {answer.why}", what_to_do="see `quarterdeck status`")
    return answer


def with_engine(home: Path, say: Callable[[SocketClient], Awaitable[_Answer]], *, watch: bool = False) -> _Answer:
    """Run one exchange over a fresh line to the engine of `home`. Raises NotReached, or NoEngineError if it breaks later."""

    async def exchange() -> _Answer:
        client = SocketClient(home, client="command", watch=watch)
        try:
            await client.start()
        except EngineNotRunningError as error:
            raise NotReached(str(error), what_to_do=error.what_to_do) from error
        try:
            return await say(client)
        finally:
            await client.close()

    return asyncio.run(exchange())
