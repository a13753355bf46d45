"""The Telegram Bot API over HTTP: long polling, texts, pictures. Only what the bot needs.

Promises: the token is part of each address, so no error names an address, and no redirect is followed; an answer is read up to
8 MiB; an update that cannot be read is left out and still confirmed; whatever the line does ends in `BotApiError`.
Does not: try again, or decide what an update means.
Source: the Bot API's own reference (getUpdates, sendMessage, sendPhoto, ResponseParameters.retry_after).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from quarterdeck.core.model.errors import UNREADABLE, SettingsError

ANSWER_BYTES_MAX = 8 * 1024 * 1024
TEXT_LETTERS_MAX = 4_000
"""Of one message; Telegram takes 4,096."""
CAPTION_LETTERS_MAX = 1_000
_SEND_S = 20.0
_POLL_MARGIN_S = 10.0
_RETRY_S_MAX = 300
_LOCAL = ("127.0.0.1", "localhost", "::1")
_BOUNDARY = "quarterdeck-picture-4f1d9c"
_T = TypeVar("_T")


class BotApiError(Exception):
    """The Bot API gave no answer, or refused; `retry_after_s` is what it asks to wait, 0 where it does not say."""

    def __init__(self, why: str, *, status: int = 0, retry_after_s: float = 0.0) -> None:
        """`status` is the HTTP status, 0 where no answer came."""
        super().__init__(why)
        self.status = status
        self.retry_after_s = retry_after_s


class ChatMessage(Struct, frozen=True, kw_only=True):
    """A message of somebody, as Telegram delivers it."""

    message_id: int
    chat_id: int
    sender_id: int
    sender_name: str
    sent_utc_s: int
    text: str
    original: bool = True
    """Typed by its sender: not forwarded, and not by way of another bot."""


class UpdateBatch(Struct, frozen=True, kw_only=True):
    """What one poll brought: messages in order, how many updates, and the number of the last one, None where there was none."""

    messages: tuple[ChatMessage, ...] = ()
    count: int = 0
    last_update_id: int | None = None


class BotApi:
    """See the module."""

    def __init__(self, base_url: str, token: str) -> None:
        """Nothing is opened. Raises SettingsError for an address that is neither https nor on this machine."""
        parts = urlsplit(base_url)
        local = parts.scheme == "http" and parts.hostname in _LOCAL
        if not (parts.scheme == "https" or local) or not parts.hostname:
            raise SettingsError(
                f"bot.base_url {base_url!r}: the token would travel unprotected",
                what_to_do="use https, or this machine's own address",
            )
        if not token or not all("!" <= letter <= "~" and letter not in "/?#%" for letter in token):
            raise SettingsError("the token of the Telegram bot is not a token", what_to_do="copy it from BotFather again")
        self._root = f"{base_url.rstrip('/')}/bot{token}/"
        self._open = urllib.request.build_opener(_NoRedirect).open

    async def name(self) -> str:
        """The bot's own name. Raises BotApiError."""
        found = await self._call("getMe", {}, _SEND_S)
        return str(found.get("username", "")) if isinstance(found, dict) else ""

    async def updates(self, offset: int | None, wait_s: int) -> UpdateBatch:
        """Wait for messages up to `wait_s`; an offset confirms all updates before it. Raises BotApiError."""
        asked: dict[str, Any] = {"timeout": wait_s, "limit": 100, "allowed_updates": ["message"]}
        if offset is not None:
            asked["offset"] = offset
        found = await self._call("getUpdates", asked, wait_s + _POLL_MARGIN_S)
        if not isinstance(found, list):
            raise BotApiError("the answer is no list of updates")
        numbers = [number for update in found if (number := _whole(update, "update_id")) is not None]
        messages = (message_of(update.get("message")) for update in found if isinstance(update, dict))
        return UpdateBatch(
            messages=tuple(message for message in messages if message is not None),
            count=len(found),
            last_update_id=numbers[-1] if numbers else None,
        )

    async def send_text(self, chat_id: int, text: str) -> None:
        """Send a text, without a preview of links. Raises BotApiError."""
        body = {"chat_id": chat_id, "text": text[:TEXT_LETTERS_MAX], "link_preview_options": {"is_disabled": True}}
        await self._call("sendMessage", body, _SEND_S)

    async def send_picture(self, chat_id: int, png: bytes, caption: str) -> None:
        """Send a picture with its caption. Raises BotApiError."""
        fields = {"chat_id": str(chat_id), "caption": caption[:CAPTION_LETTERS_MAX]}
        head = "".join(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
        )
        photo = 'Content-Disposition: form-data; name="photo"; filename="report.png"\r\nContent-Type: image/png\r\n\r\n'
        body = f"{head}--{_BOUNDARY}\r\n{photo}".encode() + png + f"\r\n--{_BOUNDARY}--\r\n".encode()
        await self._post("sendPhoto", body, f"multipart/form-data; boundary={_BOUNDARY}", _SEND_S)

    async def _call(self, method: str, asked: Mapping[str, Any], limit_s: float) -> Any:
        return await self._post(method, json.dumps(asked).encode(), "application/json", limit_s)

    async def _post(self, method: str, body: bytes, kind: str, limit_s: float) -> Any:
        request = urllib.request.Request(self._root + method, data=body, headers={"Content-Type": kind}, method="POST")
        try:
            status, answer = await _in_thread(lambda: self._exchanged(request, limit_s))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None)
            raise BotApiError(f"no answer ({type(reason or error).__name__})") from None  # its text may hold the address
        return _result(status, answer)

    def _exchanged(self, request: urllib.request.Request, limit_s: float) -> tuple[int, bytes]:
        try:
            with self._open(request, timeout=limit_s) as reply:
                answer = reply.read(ANSWER_BYTES_MAX + 1)
                if len(answer) > ANSWER_BYTES_MAX:
                    raise ValueError("the answer is too large")
                return int(reply.status), answer
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read(ANSWER_BYTES_MAX)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token to another place."""

    def redirect_request(self, *_: Any) -> None:
        return None


def message_of(found: Any) -> ChatMessage | None:
    """The message of an update; None where it is none that a person sent, or cannot be read."""
    sender = found.get("from") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(sender, dict):
        return None
    chat, text = found.get("chat"), found.get("text")
    numbers = (_whole(found, "message_id"), _whole(chat, "id"), _whole(sender, "id"), _whole(found, "date"))
    message_id, chat_id, sender_id, sent_utc_s = numbers
    if message_id is None or chat_id is None or sender_id is None or sent_utc_s is None or not isinstance(text, str):
        return None
    foreign = ("forward_origin", "forward_date", "forward_from", "via_bot", "sender_chat", "edit_date")
    name = next((word for field in ("username", "first_name") if isinstance(word := sender.get(field), str) and word), "")
    return ChatMessage(
        message_id=message_id,
        chat_id=chat_id,
        sender_id=sender_id,
        sender_name=name,
        sent_utc_s=sent_utc_s,
        text=text,
        original=sender.get("is_bot") is not True and not any(field in found for field in foreign),
    )


def _whole(found: Any, field: str) -> int | None:
    """A whole number of 64 bits under a field; None for anything else."""
    value = found.get(field) if isinstance(found, dict) else None
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62
    return value if fits else None


def _result(status: int, answer: bytes) -> Any:
    try:
        found = msgspec.json.decode(answer)
    except UNREADABLE:
        found = None
    if not isinstance(found, dict):
        raise BotApiError(f"the answer cannot be read (HTTP {status})", status=status)
    if found.get("ok") is True:
        return found.get("result")
    wait_s = min(max(_whole(found.get("parameters"), "retry_after") or 0, 0), _RETRY_S_MAX)
    raise BotApiError(f"refused: {found.get('description', '')} (HTTP {status})", status=status, retry_after_s=wait_s)


async def _in_thread(call: Callable[[], _T]) -> _T:
    """The result of a call that blocks; who stops waiting leaves the thread behind, and the process does not wait for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(result: list[_T], errors: list[Exception]) -> None:
        if not done.done():
            if result:
                done.set_result(result[0])
            else:
                done.set_exception(errors[0] if errors else OSError("the request ended without an answer"))

    def work() -> None:
        result: list[_T] = []
        errors: list[Exception] = []
        try:
            result.append(call())
        except (OSError, http.client.HTTPException, ValueError) as error:
            errors.append(error)
        finally:
            with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
                loop.call_soon_threadsafe(settle, result, errors)

    threading.Thread(target=work, daemon=True, name="bot api").start()
    return await done
