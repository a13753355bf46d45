"""One short conversation with the engine of a home: connect, say one thing, wait for the answer, leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from quarterdeck.core.link.client import SocketClient
from quarterdeck.core.link.messages import AnswerBody, Cannot, CommandResult, Question
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.errors import NoEngineError, VerdictError


class NotReached(NoEngineError):
    """No engine took the call: nothing was said to any, so doing without one is safe."""


_Answer = TypeVar("_Answer")


def give(home: Path, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
    """Give the engine a command and wait for what became of it.

    Raises:
        NoEngineError: when no engine answers.
        VerdictError: when the engine refuses the command; the text is its reason.
    """
    result = talk(home, lambda client: client.send(command, timeout_s=timeout_s))
    if not result.ok:
        raise VerdictError(f"refused: {result.text}")
    return result


def ask(home: Path, question: Question) -> AnswerBody:
    """Ask the engine. Raises NoEngineError when no engine answers, or it cannot answer this."""
    answer = talk(home, lambda client: client.ask(question))
    if isinstance(answer, Cannot):
        raise NoEngineError(f"the engine cannot say: {answer.why}", what_to_do="see `quarterdeck status`")
    return answer


def talk(home: Path, say: Callable[[SocketClient], Awaitable[_Answer]], *, watch: bool = False) -> _Answer:
    """Run one exchange over a fresh line to the engine of `home`. Raises NotReached, or NoEngineError if it breaks later."""

    async def exchange() -> _Answer:
        client = SocketClient(home, client="command", watch=watch)
        try:
            await client.start()
        except NoEngineError as error:
            raise NotReached(str(error), what_to_do=error.what_to_do) from error
        try:
            return await say(client)
        finally:
            await client.close()

    return asyncio.run(exchange())
