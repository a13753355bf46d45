"""One short conversation with the engine of a home: connect, say one thing, wait for the answer, leave.

Promises: "no engine is running" is said only when the home's lock is free; a living engine whose link is away is waited for
(it publishes its link again), and named by its process where it stays away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.journal.engine_lock import HOME_LOCK, holder_of, is_held
from quarterdeck.core.journal.heartbeat import last_word, read_heartbeat
from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.link.messages import CommandResult, QueryBody, QueryFailed, ReplyBody
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.errors import CheckFailedError, EngineNotRunningError
from quarterdeck.core.settings.home import Home

_RETURN_S = 10.0
"""An engine looks after its link every 2 s."""
_TRY_AGAIN_S = 0.3


class NotReached(EngineNotRunningError):
    """No engine took the call, and none holds the home: doing without one is safe."""


class Unreachable(CheckFailedError):
    """An engine holds the home and does not answer."""


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


def with_engine(
    home: Path, say: Callable[[SocketClient], Awaitable[_Answer]], *, watch: bool = False, brief: bool = True
) -> _Answer:
    """Run one exchange over a fresh line to the engine of `home`; one that stays, as a screen does, is not `brief`.

    Raises:
        NotReached: no engine runs there. Unreachable: one runs and does not answer. NoEngineError: the line breaks later.
    """

    async def exchange() -> _Answer:
        client = await _reached(home, watch=watch, brief=brief)
        try:
            return await say(client)
        finally:
            await client.close()

    return asyncio.run(exchange())


async def _reached(home: Path, *, watch: bool, brief: bool) -> SocketClient:
    clock, lock = WallClock(), home / HOME_LOCK
    until_s = clock.monotonic_s() + _RETURN_S
    while True:
        client = SocketClient(home, client="command", watch=watch, brief=brief)
        try:
            await client.start()
        except EngineNotRunningError as error:
            if not await asyncio.to_thread(is_held, lock):
                word = last_word(read_heartbeat(Home(home).heartbeat), clock.utc_ns())
                text = f"{error}; {word}" if word else str(error)
                raise NotReached(text, what_to_do=error.what_to_do) from error
            if clock.monotonic_s() >= until_s:
                raise _unreachable(home, lock, str(error), clock.utc_ns()) from error
            await asyncio.sleep(_TRY_AGAIN_S)
        else:
            return client


def _unreachable(home: Path, lock: Path, why: str, now_utc_ns: int) -> Unreachable:
    holder = holder_of(lock)
    who = holder.shown() if holder is not None else f"a process that does not say who it is, home {home}"
    word = last_word(read_heartbeat(Home(home).heartbeat), now_utc_ns) or "there is no heartbeat yet: it may still be starting"
    end = f"end process {holder.pid} and start it again" if holder is not None else f"look at its log in {Home(home).logs}"
    return Unreachable(
        f"an engine runs and does not answer: {who} ({why}); {word}",
        what_to_do=f"{end}; in an emergency close the positions in the terminal",
    )
