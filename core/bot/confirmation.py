"""What a message of a phone means, and the word that confirms an order.

Promises: an order that closes or resumes is carried out only after its preview, by the same person in the same chat, with the
word of that preview, once, within 60 s; any other message in between cancels it. Words are plain, so a phone does not correct
them. Does not: carry anything out.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from quarterdeck.core.bot.bot_api import ChatMessage
from quarterdeck.core.model.units import NS_PER_S, UtcNs

CONFIRM_S = 60
_WORDS = (
    "amber anchor apple arrow basket beach bridge bronze butter button candle canyon carbon castle cedar cherry "
    "circle cloud coffee copper coral cotton desert dragon eagle engine falcon feather forest garden ginger granite "
    "guitar hammer harbor honey island jacket jungle kettle ladder lemon lantern marble meadow mirror monkey "
    "mountain needle olive orange oyster paper pebble pepper pillow planet pocket purple rabbit ribbon river rocket "
    "saddle salmon silver spider summer temple tiger timber tomato tunnel turtle valley velvet violet walnut window "
    "winter yellow zebra "
)
WORDS = tuple(_WORDS.split())
PhoneAction = Literal[
    "help", "status", "positions", "why", "report", "pause", "cancel", "resume", "close", "losers", "winners", "flatten"
]
CONFIRMED: tuple[PhoneAction, ...] = ("resume", "close", "losers", "winners", "flatten")
_PLAIN: dict[str, PhoneAction] = {
    "help": "help",
    "start": "help",
    "status": "status",
    "positions": "positions",
    "report": "report",
    "pause": "pause",
    "cancel": "cancel",
    "resume": "resume",
    "flatten": "flatten",
    "close losers": "losers",
    "close winners": "winners",
    "why": "why",
}
_CLOSE = re.compile(r"close #?([0-9]{1,18})")
_WHY = re.compile(r"why ([a-z0-9._#-]{3,20})")


class PhoneRequest(Struct, frozen=True, kw_only=True):
    """What a person wants; `position` is a number of a position, `symbol` a pair in capital letters."""

    action: PhoneAction
    position: int = 0
    symbol: str = ""


class PendingOrder(Struct, frozen=True, kw_only=True):
    """An order that waits for its word."""

    request: PhoneRequest
    sender_id: int
    position_ids: tuple[int, ...]
    """What the preview showed."""
    word: str
    shown_utc_ns: UtcNs
    shown_s: float


def request_of(text: str, bot_name: str = "") -> PhoneRequest | None:
    """The request that a text makes, with or without a slash and the bot's name; None where it makes none."""
    words = text.casefold().split()
    if not words:
        return None
    first, at, name = words[0].partition("@")
    if at and (not text.lstrip().startswith("/") or name != bot_name.casefold()):
        return None
    said = " ".join((first.removeprefix("/"), *words[1:]))
    if said in _PLAIN:
        return PhoneRequest(action=_PLAIN[said])
    if found := _CLOSE.fullmatch(said):
        return PhoneRequest(action="close", position=int(found[1]))
    if found := _WHY.fullmatch(said):
        return PhoneRequest(action="why", symbol=found[1].upper())
    return None


class Confirmations:
    """One order at most waits in each chat."""

    def __init__(self, choose: Callable[[Sequence[str]], str] = secrets.choice) -> None:
        """`choose` picks a word."""
        self._choose = choose
        self._waiting: dict[int, PendingOrder] = {}  # bounded: chats of the list
        self._last_word: dict[int, str] = {}  # bounded: chats of the list

    def ask(
        self, message: ChatMessage, request: PhoneRequest, position_ids: tuple[int, ...], now_utc_ns: UtcNs, now_s: float
    ) -> str:
        """The word that confirms the order; it differs from the chat's last one."""
        word = self._choose([word for word in WORDS if word != self._last_word.get(message.chat_id)])
        self._last_word[message.chat_id] = word
        self._waiting[message.chat_id] = PendingOrder(
            request=request,
            sender_id=message.sender_id,
            position_ids=position_ids,
            word=word,
            shown_utc_ns=now_utc_ns,
            shown_s=now_s,
        )
        return word

    def take(self, message: ChatMessage) -> PendingOrder | None:
        """Take what waits in the message's chat away; None where nothing does."""
        return self._waiting.pop(message.chat_id, None)


def refusal_of(pending: PendingOrder, message: ChatMessage, now_utc_ns: UtcNs, now_s: float) -> str:
    """Why a message does not confirm an order that waited; empty where it does."""
    if message.sender_id != pending.sender_id:
        return "Cancelled: only the person who gave the order can confirm it. Nothing was done."
    if message.text.strip().removeprefix("/").casefold() != pending.word:
        return "Cancelled: that is not the word. Nothing was done."
    passed_s = max(now_s - pending.shown_s, abs(now_utc_ns - pending.shown_utc_ns) / NS_PER_S)
    if passed_s > CONFIRM_S:
        return f"Expired: the word was valid for {CONFIRM_S} s. Nothing was done. Give the order again for a new preview."
    return ""
