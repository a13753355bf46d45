"""Answers on their way to phones: sent in order, tried again while the network is away, never in the way of an order.

Promises: at most 100 answers wait, the oldest goes first when there are more; an answer not delivered within ten minutes is
dropped; a wait that Telegram asks for is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from quarterdeck.core.bot.bot_api import BotApi, BotApiError
from quarterdeck.core.clock.wall import Clock

_WAITING_MAX = 100
_GIVE_UP_S = 600.0
_RETRY_S = (1.0, 30.0)
_FINAL = (400, 403)
"""The chat does not exist, or has blocked the bot: sending again changes nothing."""


class PhoneAnswer(Struct, frozen=True, kw_only=True):
    """A text for a chat, with a picture above it where there is one."""

    chat_id: int
    text: str
    given_s: float
    png: bytes = b""


class Outbox:
    """See the module."""

    def __init__(self, api: BotApi, clock: Clock, say: Callable[[str], None]) -> None:
        """`say` writes a line of the log."""
        self._api = api
        self._clock = clock
        self._say = say
        self._waiting: deque[PhoneAnswer] = deque(maxlen=_WAITING_MAX)
        self._new = asyncio.Event()

    def put(self, chat_id: int, text: str, png: bytes = b"") -> None:
        """Send it as soon as it can be."""
        self._waiting.append(PhoneAnswer(chat_id=chat_id, text=text, png=png, given_s=self._clock.monotonic_s()))
        self._new.set()

    async def run(self) -> None:
        """Send for ever."""
        pause_s = _RETRY_S[0]
        while True:
            await self._new.wait()
            wait_s = await self.send_waiting()
            pause_s = _RETRY_S[0] if wait_s is None else min(pause_s * 2, _RETRY_S[1])
            if wait_s is None:
                self._new.clear()
            else:
                await asyncio.sleep(max(wait_s, pause_s))

    async def send_waiting(self) -> float | None:
        """Send all that waits; gives the seconds to wait after a failure, None once nothing waits."""
        while self._waiting:
            answer = self._waiting[0]
            try:
                await self._send(answer)
            except BotApiError as error:
                given_up = error.status in _FINAL or self._clock.monotonic_s() - answer.given_s > _GIVE_UP_S
                if not given_up:
                    return error.retry_after_s
                self._say(f"an answer to chat {answer.chat_id} was given up: {error}")
            if self._waiting and self._waiting[0] is answer:
                self._waiting.popleft()
        return None

    async def _send(self, answer: PhoneAnswer) -> None:
        if answer.png:
            await self._api.send_picture(answer.chat_id, answer.png, answer.text)
        else:
            await self._api.send_text(answer.chat_id, answer.text)
