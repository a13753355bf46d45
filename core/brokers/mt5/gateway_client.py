"""The engine's end of the gateway: a `Terminal` over a websocket.

Why: on Linux the terminal is elsewhere, on Windows its module must not live in the engine (law 9); either way what can happen
is a line that is gone, and what matters is whether the call may have been carried out.
Promises: never blocks the loop; `CallNotSent` only for what surely did not leave or that the gateway says did not enter the
module; everything else without an answer is `ReplyLost`. A line that is silent past a call's time is dropped and opened anew
with growing pauses [retry_min..retry_max]; what waits is bounded. The token never leaves: each side proves that it knows it, the
gateway first, so that whoever listens on its port learns nothing. Orders go to loopback or through TLS, nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from quarterdeck.core.brokers.base import CallNotSent, CallReply, ReplyLost, TerminalCall, TerminalNotOwned
from quarterdeck.core.brokers.mt5.gateway import gateway_protocol
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import kind_of
from quarterdeck.core.brokers.mt5.gateway.gateway_token import is_loopback
from quarterdeck.core.brokers.mt5.gateway.proof import new_nonce, proof_of, proves
from quarterdeck.core.brokers.mt5.policy import Secret
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.pipes.framing import MalformedMessage

PENDING_MAX = 64
PING_S, PONG_S = 5.0, 5.0
OPEN_S = 5.0
_GRACE_S = 2.0
_MODULE_HUNG = "try again; where it comes back, restart the terminal and look for a dialog that waits for an answer"
_SAME_VERSION = "use the same Quarterdeck on both sides"
_COPY_TOKEN = "copy gateway.token from the gateway's home into this one"
_STRANGER = "it has another token than ours, or is no gateway"
_BULK_X = 6.0
"""Long tables take so much longer than a quote."""


class CallTimeouts(Struct, frozen=True, kw_only=True):
    """How long calls may take inside the module, seconds."""

    read_s: float
    send_s: float
    start_s: float

    def of(self, name: str) -> float:
        """The deadline of one function."""
        kind = kind_of(name)
        if kind == "start":
            return self.start_s
        if kind == "bulk":
            return self.read_s * _BULK_X
        return self.send_s if kind == "order" else self.read_s


class _Down(Struct, frozen=True):
    """Why there is no line, and what to do about it."""

    why: str
    remedy: str = ""
    lasting: bool = False
    """Only the operator can repair it: whoever starts need not wait and see."""


class _Line:
    """An open connection and the calls that wait on it."""

    def __init__(self, socket: ClientConnection, welcome: gateway_protocol.GatewayWelcome) -> None:
        self.socket = socket
        self.welcome = welcome
        self.waiting: dict[int, asyncio.Future[gateway_protocol.CallResult | gateway_protocol.LeaseAnswer]] = {}
        self.reader: asyncio.Task[None] | None = None

    def fail(self, why: str) -> None:
        """Nobody will answer any more."""
        waiting, self.waiting = self.waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(ReplyLost(why))


class GatewayTerminal:
    """Carries calls to a gateway."""

    def __init__(
        self,
        address: str,
        token: Secret,
        deadlines: CallTimeouts,
        clock: Clock,
        *,
        retry_min_s: float,
        retry_max_s: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`address` is ws://127.0.0.1:PORT or wss://HOST:PORT; `tls` replaces the system's trust for a certificate of one's own.

        Raises:
            BrokerError: an address that would send orders in the clear.
        """
        check_address(address)
        self._address = address
        self._token = token
        self._deadlines = deadlines
        self._clock = clock
        self._retry_min_s, self._retry_max_s = retry_min_s, retry_max_s
        self._tls = (tls or ssl.create_default_context()) if address.startswith("wss://") else None
        self._line: _Line | None = None
        self._opening = asyncio.Lock()
        self._wait_s = retry_min_s
        self._not_before_s = 0.0
        self._down = _Down("")
        self._number = 0
        self._lease = 0
        self._refused: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        self._closed = False

    @property
    def welcome(self) -> gateway_protocol.GatewayWelcome | None:
        """What the gateway said of itself; None while there is no line."""
        return None if self._line is None else self._line.welcome

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        """One call. Raises TerminalLost, TerminalNotSent."""
        return (await self._ask((TerminalCall(name, args, kwargs),)))[0]

    async def call_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        """Several reads in one message. Raises TerminalLost, TerminalNotSent for the whole."""
        return await self._ask(tuple(calls)) if calls else ()

    async def connected(self) -> gateway_protocol.GatewayWelcome:
        """What the gateway says of itself. Raises CallNotSent when it is not reached."""
        return (await self._open_line()).welcome

    def changes(self) -> int | None:
        """Nobody counts changes over there."""
        return None

    async def close(self) -> None:
        """Drop the line; the module at the other end stays as it is."""
        self._closed = True
        await self._drop("closed")

    async def acquire_lease(self, home_id: str, who: str) -> str:
        """See `LeaseTerminal`."""
        found = await self._asked_lease(home_id, who, 0)
        if found.number:
            self._lease = found.number
            with contextlib.suppress(asyncio.QueueEmpty):
                self._refused.get_nowait()  # of a lease that is no more
        return "" if found.number else found.why

    async def renew_lease(self) -> str:
        """See `LeaseTerminal`."""
        found = await self._asked_lease("", "", self._lease)
        return "" if found.number else found.why

    async def refused(self) -> str:
        """See `LeaseTerminal`."""
        return await self._refused.get()

    async def _asked_lease(self, home_id: str, who: str, number: int) -> gateway_protocol.LeaseAnswer:
        line = await self._open_line()
        self._number += 1
        ask = gateway_protocol.AskLease(self._number, home_id, who, number)
        answer = await self._exchanged(line, ask, self._deadlines.read_s)
        if not isinstance(answer, gateway_protocol.LeaseAnswer):
            await self._drop("an answer to something else")
            raise ReplyLost("an answer to something else")
        return answer

    async def _ask(self, calls: tuple[TerminalCall, ...]) -> tuple[CallReply, ...]:
        line = await self._open_line()
        if len(line.waiting) >= PENDING_MAX:
            raise CallNotSent("too many calls are waiting for the gateway")
        self._number += 1
        deadline_s = max(self._deadlines.of(call.name) for call in calls)
        answer = await self._exchanged(line, gateway_protocol.CallBatch(self._number, calls, deadline_s, self._lease), deadline_s)
        if not isinstance(answer, gateway_protocol.CallResult):
            await self._drop("an answer to something else")
            raise ReplyLost("an answer to something else")
        return await self._replies(answer, len(calls))

    async def _exchanged(
        self, line: _Line, ask: gateway_protocol.CallBatch | gateway_protocol.AskLease, deadline_s: float
    ) -> gateway_protocol.CallResult | gateway_protocol.LeaseAnswer:
        future: asyncio.Future[gateway_protocol.CallResult | gateway_protocol.LeaseAnswer] = (
            asyncio.get_running_loop().create_future()
        )
        line.waiting[ask.id] = future
        try:
            # twice: it may wait as long behind other calls as it may take itself
            async with asyncio.timeout(2.0 * deadline_s + _GRACE_S):
                await line.socket.send(gateway_protocol.encode(ask))
                return await future
        except (ConnectionClosed, AttributeError) as error:
            # AttributeError: websockets aborts a transport that the loop has let go of already
            raise ReplyLost(f"the connection to the gateway broke: {error}") from error
        except TimeoutError as error:
            await self._drop(f"no answer within {2.0 * deadline_s + _GRACE_S:g} s")
            raise ReplyLost("the gateway did not answer in time") from error
        finally:
            line.waiting.pop(ask.id, None)
            if future.done() and not future.cancelled():
                future.exception()  # a line that broke while the question left has reported so twice

    async def _replies(self, answer: gateway_protocol.CallResult, count: int) -> tuple[CallReply, ...]:
        if answer.status == "not_sent":
            raise CallNotSent(answer.why)
        if answer.status == "not_owner":
            with contextlib.suppress(asyncio.QueueFull):
                self._refused.put_nowait(answer.why)
            raise TerminalNotOwned(answer.why, what_to_do="stop that engine, then `quarterdeck resume` here")
        if answer.status == "lost":
            raise ReplyLost(answer.why, what_to_do=_MODULE_HUNG)
        try:
            replies = gateway_protocol.decode_replies(answer.replies)
        except MalformedMessage as error:
            await self._drop(f"garbled answer: {error}")
            raise ReplyLost(f"garbled answer: {error}") from error
        if len(replies) != count:
            await self._drop("an answer to other calls")
            raise ReplyLost("an answer to other calls")
        return replies

    async def _open_line(self) -> _Line:
        line = self._line
        if line is not None:
            return line
        async with self._opening:
            if self._line is not None:
                return self._line
            if self._closed:
                raise CallNotSent("the connection was closed")
            if self._clock.monotonic_s() < self._not_before_s:
                raise self._not_reached()
            try:
                line = await self._connected()
            except (OSError, TimeoutError, WebSocketException, MalformedMessage, CallNotSent) as error:
                self._back_off(_reason(error))
                raise self._not_reached() from error
            self._line, self._wait_s = line, self._retry_min_s
            line.reader = asyncio.create_task(self._read(line), name="gateway line")
            return line

    async def _connected(self) -> _Line:
        async with asyncio.timeout(OPEN_S):
            socket = await connect(
                self._address,
                ssl=self._tls,
                max_size=gateway_protocol.ANSWER_BYTES_MAX,
                compression=None,
                ping_interval=PING_S,
                ping_timeout=PONG_S,
                open_timeout=OPEN_S,
                close_timeout=1.0,
                proxy=None,
                user_agent_header=None,
            )
            try:
                first = await self._greeted(socket)
            except BaseException:
                socket.transport.abort()
                raise
        if isinstance(first, gateway_protocol.GatewayWelcome):
            return _Line(socket, first)
        socket.transport.abort()
        raise _refused(first)

    async def _greeted(self, socket: ClientConnection) -> gateway_protocol.FromFront:
        """The front's answer to our proof, or its goodbye. Nothing is proved to whoever has not proved it first."""
        nonce = new_nonce()
        await socket.send(gateway_protocol.encode(gateway_protocol.GatewayHello(gateway_protocol.PROTOCOL, nonce=nonce)))
        first = gateway_protocol.from_front(_bytes(await socket.recv()))
        if isinstance(first, gateway_protocol.GatewayBye):
            return first
        if not isinstance(first, gateway_protocol.Challenge) or not proves(
            first.proof, proof_of(self._token, "gateway", nonce, first.nonce)
        ):
            raise CallNotSent(_STRANGER, what_to_do=_COPY_TOKEN, lasting=True)
        await socket.send(gateway_protocol.encode(gateway_protocol.Proof(proof_of(self._token, "client", nonce, first.nonce))))
        return gateway_protocol.from_front(_bytes(await socket.recv()))

    def _not_reached(self) -> CallNotSent:
        down = self._down
        text = f"the gateway at {self._address} is not reached: {down.why}"
        return CallNotSent(text, what_to_do=down.remedy, lasting=down.lasting)

    async def _read(self, line: _Line) -> None:
        why = "the gateway closed the line"
        try:
            async for data in line.socket:
                message = gateway_protocol.from_front(_bytes(data))
                if isinstance(message, gateway_protocol.GatewayBye):
                    why = message.why
                    break
                if isinstance(message, gateway_protocol.GatewayWelcome | gateway_protocol.Challenge):
                    continue
                future = line.waiting.get(message.id)
                if future is not None and not future.done():
                    future.set_result(message)
        except MalformedMessage as error:
            why = f"garbled message: {error}"
        except ConnectionClosed as error:
            why = f"the connection broke: {error}"
        finally:
            self._forget(line, why)

    def _forget(self, line: _Line, why: str) -> None:
        if self._line is line:
            self._line = None
            self._back_off(_Down(why))
        line.fail(why)
        if line.socket.transport is not None:
            # no polite closing: the other end may be frozen
            line.socket.transport.abort()

    async def _drop(self, why: str) -> None:
        line = self._line
        if line is None:
            return
        self._forget(line, why)
        if line.reader is not None and line.reader is not asyncio.current_task():
            line.reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await line.reader

    def _back_off(self, down: _Down) -> None:
        self._down = down
        self._not_before_s = self._clock.monotonic_s() + self._wait_s
        self._wait_s = min(self._wait_s * 2.0, self._retry_max_s)


def check_address(address: str) -> None:
    """Raises BrokerError for an address that is none, or that would send orders in the clear."""
    parts = urlsplit(address)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise BrokerError(
            f"account.gateway = {address!r} is no address", what_to_do="write ws://127.0.0.1:PORT or wss://HOST:PORT"
        )
    if parts.scheme == "ws" and not is_loopback(parts.hostname):
        raise BrokerError(
            f"account.gateway = {address!r} would send orders in the clear, where others can read and change them",
            what_to_do="use wss:// with the gateway's --certificate and --key, or an SSH tunnel to 127.0.0.1",
        )


def _bytes(data: str | bytes) -> bytes:
    if isinstance(data, str):
        raise MalformedMessage("text instead of bytes")
    return data


def _refused(word: gateway_protocol.FromFront) -> CallNotSent:
    """A front that did not say welcome."""
    if not isinstance(word, gateway_protocol.GatewayBye):
        return CallNotSent("it did not complete the handshake", what_to_do=_SAME_VERSION, lasting=True)
    if word.why == gateway_protocol.WRONG_TOKEN:
        return CallNotSent("it refuses the token", what_to_do=_COPY_TOKEN, lasting=True)
    if word.why == gateway_protocol.TOO_MANY:
        return CallNotSent("it serves too many already", what_to_do="end other engines and doctors that use it")
    return CallNotSent(word.why, what_to_do=_SAME_VERSION, lasting=True)


def _reason(error: BaseException) -> _Down:
    match error:
        case InvalidStatus() if error.response.status_code == HTTPStatus.UNAUTHORIZED:
            return _Down("it wants the token in the clear: it is an older version", _SAME_VERSION, lasting=True)
        case InvalidStatus() if error.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            return _Down("it serves too many already", "end other engines and doctors that use it")
        case InvalidStatus():
            status = error.response.status_code
            return _Down(f"it answers {status}", "correct account.gateway: something else listens there", lasting=status < 500)
        case TimeoutError():
            remedy = "restart the gateway; check whether its host or the tunnel to it hangs"
            return _Down(f"no answer within {OPEN_S:g} s", remedy)
        case ssl.SSLError():
            remedy = "set SSL_CERT_FILE to the gateway's certificate, and use the name that is in it"
            return _Down(str(error), remedy, lasting=isinstance(error, ssl.SSLCertVerificationError))
        case ConnectionRefusedError():
            return _Down("nothing listens there", "start `quarterdeck gateway` there, or correct account.gateway")
        case OSError():
            return _Down(str(error), "correct account.gateway; look at the network between here and there")
        case CallNotSent():
            return _Down(str(error), error.what_to_do, lasting=error.lasting)
        case _:
            return _Down(str(error) or type(error).__name__, _SAME_VERSION)
