"""Which messages of a phone are obeyed: allowed chats and people, fresh, in order, once, and not too many.

Promises: a message is admitted at most once, whatever number its update has and however often it is delivered, also after a
restart of the bot; one older than 30 s, or from the future, is refused; one that arrives after a later message of its chat is
refused; who is not on the list gets no answer. Does not: read a clock, or understand a text.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.bot.bot_api import ChatMessage
from quarterdeck.core.model.errors import UNREADABLE
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from quarterdeck.core.settings.safe_files import replace_file

AGE_S_MAX = 30
"""A command that is older is not carried out."""
_AHEAD_S_MAX = 30
_KNOWN_PER_CHAT = 500
_STRANGERS_MAX = 50
_MINUTE_S = 60.0


class Admission(Struct, frozen=True):
    """What becomes of a message: obeyed, or ignored, with an answer for its chat or a line for the log where there is one."""

    obeyed: bool = False
    answer: str = ""
    line: str = ""


class HandledMessages:
    """Numbers of the messages that were handled, by chat; kept in a file, so that a restart carries out nothing twice."""

    def __init__(self, path: Path, chats: frozenset[int]) -> None:
        """Read the file where there is one; a damaged one counts as none."""
        self._path = path
        known: dict[str, list[int]] = {}
        with contextlib.suppress(OSError, *UNREADABLE):
            known = msgspec.json.decode(path.read_bytes(), type=dict[str, list[int]])
        self._known = {chat: deque(known.get(str(chat), ()), maxlen=_KNOWN_PER_CHAT) for chat in chats}

    def seen(self, message: ChatMessage) -> bool:
        """Whether this very message was handled before."""
        return message.message_id in self._known[message.chat_id]

    def late(self, message: ChatMessage) -> bool:
        """Whether a later message of its chat was handled before."""
        return any(number > message.message_id for number in self._known[message.chat_id])

    def add(self, message: ChatMessage) -> None:
        """Count it as handled."""
        self._known[message.chat_id].append(message.message_id)

    def save(self) -> None:
        """Write the file so that no crash loses it. Raises OSError."""
        beside = self._path.with_suffix(".new")
        body = msgspec.json.encode({str(chat): list(numbers) for chat, numbers in self._known.items()})
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        replace_file(beside, self._path)


class UpdateGate:
    """See the module."""

    def __init__(self, allowed: frozenset[int], handled: HandledMessages, *, per_minute_max: int) -> None:
        """`allowed` are numbers of chats and of people; a person's own chat with the bot has the person's number."""
        self._allowed = allowed
        self._handled = handled
        self._per_minute_max = per_minute_max
        self._times = {chat: deque[float](maxlen=per_minute_max) for chat in allowed}
        self._limited: set[int] = set()  # bounded: chats of the list
        self._strangers: set[tuple[int, int]] = set()  # bounded: _STRANGERS_MAX

    def admit(self, message: ChatMessage, now_utc_ns: UtcNs, now_s: float) -> Admission:
        """Decide about one message at an instant of wall time and of the monotonic clock."""
        if message.chat_id not in self._allowed or message.sender_id not in self._allowed:
            return self._stranger(message)
        if self._handled.seen(message):
            return Admission(line=f"message {message.message_id} came again and was left out")
        late = self._handled.late(message)
        self._handled.add(message)
        if not message.original:
            return Admission(answer="A forwarded message is no order. Nothing was done.")
        if too_old := staleness(message, now_utc_ns):
            return Admission(answer=too_old)
        if late:
            return Admission(
                answer="A message arrived after a later one and was not carried out. Send it again if you still want it."
            )
        return self._within_rate(message.chat_id, now_s)

    def _within_rate(self, chat_id: int, now_s: float) -> Admission:
        times = self._times[chat_id]
        if len(times) == self._per_minute_max and now_s - times[0] < _MINUTE_S:
            first = chat_id not in self._limited
            self._limited.add(chat_id)
            text = f"More than {self._per_minute_max} commands in a minute: the rest is not carried out. Wait a minute."
            return Admission(answer=text if first else "")
        self._limited.discard(chat_id)
        times.append(now_s)
        return Admission(obeyed=True)

    def _stranger(self, message: ChatMessage) -> Admission:
        who = (message.chat_id, message.sender_id)
        if who in self._strangers or len(self._strangers) >= _STRANGERS_MAX:
            return Admission()
        self._strangers.add(who)
        return Admission(line=f"ignored: chat {who[0]}, sender {who[1]} are not both in bot.chats")


def staleness(message: ChatMessage, now_utc_ns: UtcNs) -> str:
    """Why a message is too old, or from the future; empty where it is fresh."""
    age_s = now_utc_ns // NS_PER_S - message.sent_utc_s
    if age_s > AGE_S_MAX:
        return f"Not carried out: the message is {age_s} s old, the limit is {AGE_S_MAX} s. Send it again if you still want it."
    if age_s < -_AHEAD_S_MAX:
        return (
            f"Not carried out: the clock of the desk's machine is {-age_s} s behind Telegram's. Set it right, then send it again."
        )
    return ""
