"""The listening half of the gateway: token, versions, the closed list, limits on size, rate and number.

Promises: no call without a proof of the token, which itself never passes the wire; no order but under the newest lease; no
listening beyond this machine without a token and TLS; nothing that comes over the wire is evaluated, imported or unpickled; a
client that talks too much is refused, not served late; what a client asked for before its line broke and that has not entered the
module never enters it. Secrets are neither logged nor sent back.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
from functools import partial
from http import HTTPStatus
from pathlib import Path

from msgspec import Struct
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from quarterdeck.core.brokers.mt5.gateway import gateway_protocol
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import (
    BATCH_MAX,
    DEADLINE_S_MAX,
    DEADLINE_S_MIN,
    ENTRIES,
    READS,
    kind_of,
    priority_of,
    problem_with,
)
from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_CHARACTERS_MIN, is_loopback
from quarterdeck.core.brokers.mt5.gateway.lease import Leases
from quarterdeck.core.brokers.mt5.gateway.proof import new_nonce, proof_of, proves
from quarterdeck.core.brokers.mt5.gateway.worker_supervisor import QueuedCalls, WorkerSupervisor
from quarterdeck.core.brokers.mt5.policy import Secret
from quarterdeck.core.clock.market_clock import MarketClock
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.pipes.framing import MalformedMessage

CLIENTS_MAX = 8
STRANGERS_MAX, PROVE_S = 256, 3.0
"""Lines that have not proved yet that they know the token, and how long each may take over a word of it."""
ASKS_PER_CLIENT_MAX = 64
CALLS_PER_S, CALLS_BURST = 2_000.0, 4_000.0
ENTRIES_PER_S, ENTRIES_BURST = 20.0, 60.0
"""Closes are never too many; the queue bounds them."""
PING_S, PONG_S = 5.0, 10.0
_REFUSED_PAUSE_S = 0.5


class GatewayOptions(Struct, frozen=True, kw_only=True):
    """Where to listen and what to demand."""

    host: str
    port: int
    token: Secret
    certificate: Path | None = None
    key: Path | None = None
    version: str = ""
    home: Path | None = None
    """Where the number of the lease is kept; None where gateway and engine live and die together, without a lease."""
    lease: bool = True
    """False lets several engines trade at once: for rehearsals on a simulated terminal."""
    market: MarketClock | None = None
    """The market time of a rehearsal, given to each client."""


def check_options(options: GatewayOptions) -> None:
    """Refuse to listen carelessly.

    Raises:
        UsageError: a weak token, an address beyond this machine without TLS, a certificate that cannot be used.
    """
    if len(options.token.reveal) < TOKEN_CHARACTERS_MIN:
        raise UsageError(
            f"the gateway's token has fewer than {TOKEN_CHARACTERS_MIN} characters", what_to_do="let the gateway make one"
        )
    if not is_loopback(options.host) and (options.certificate is None or options.key is None):
        raise UsageError(
            f"{options.host} can be reached from other machines and there is no TLS",
            what_to_do="give --certificate and --key, or listen on 127.0.0.1 and come through an SSH tunnel",
        )
    _tls(options)


class TokenBucket:
    """So many a second, with a burst; what is over is refused."""

    def __init__(self, per_s: float, burst: float, clock: Clock) -> None:
        """Starts full."""
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._left, self._at_s = burst, clock.monotonic_s()

    def take(self, count: int) -> bool:
        """Whether `count` more may pass now."""
        now = self._clock.monotonic_s()
        self._left = min(self._burst, self._left + (now - self._at_s) * self._per_s)
        self._at_s = now
        if self._left < count:
            return False
        self._left -= count
        return True


class GatewayServer:
    """One listening socket over one keeper."""

    def __init__(self, options: GatewayOptions, keeper: WorkerSupervisor, clock: Clock) -> None:
        """Raises UsageError for options that would listen carelessly, StorageError for a lease that cannot be read."""
        check_options(options)
        self._options = options
        self._keeper = keeper
        self._clock = clock
        self._server: Server | None = None
        self._clients = self._strangers = 0
        self._entries = TokenBucket(ENTRIES_PER_S, ENTRIES_BURST, clock)
        self._leases = Leases(options.home, clock) if options.lease and options.home is not None else None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        if self._server is None:
            return 0
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken, UsageError for a certificate that cannot be read."""
        options = self._options
        self._server = await serve(
            self._serve,
            options.host,
            options.port,
            ssl=_tls(options),
            process_request=self._admit,
            origins=[None],
            max_size=gateway_protocol.CLIENT_MESSAGE_BYTES_MAX,
            max_queue=16,
            compression=None,
            ping_interval=PING_S,
            ping_timeout=PONG_S,
            close_timeout=2.0,
            server_header=None,
        )

    async def stop(self) -> None:
        """Close all lines, then the socket."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 5.0)

    async def _admit(self, line: ServerConnection, request: Request) -> Response | None:
        if self._strangers < STRANGERS_MAX:
            return None
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many clients")

    async def _serve(self, line: ServerConnection) -> None:
        self._strangers += 1
        try:
            known = await self._known(line)
        except (ConnectionClosed, TimeoutError):
            return
        except MalformedMessage as error:
            with contextlib.suppress(ConnectionClosed):
                await line.send(gateway_protocol.encode(gateway_protocol.GatewayBye(f"garbled message: {error}")))
            return
        finally:
            self._strangers -= 1
        if known:
            await self._serve_known(line)

    async def _serve_known(self, line: ServerConnection) -> None:
        self._clients += 1
        try:
            if await self._welcomed(line):
                await self._converse(line)
        except (ConnectionClosed, TimeoutError):
            return
        except MalformedMessage as error:
            with contextlib.suppress(ConnectionClosed):
                await line.send(gateway_protocol.encode(gateway_protocol.GatewayBye(f"garbled message: {error}")))
        finally:
            self._clients -= 1

    async def _known(self, line: ServerConnection) -> bool:
        """Whether the client knows the token; the front has proved first that it does."""
        hello = gateway_protocol.from_client(await asyncio.wait_for(line.recv(decode=False), PROVE_S))
        if not isinstance(hello, gateway_protocol.GatewayHello):
            await line.send(gateway_protocol.encode(gateway_protocol.GatewayBye("say hello first")))
            return False
        if hello.protocol != gateway_protocol.PROTOCOL:
            ours = f"the gateway ({self._options.version}) speaks version {gateway_protocol.PROTOCOL}"
            why = f"{ours}, the client version {hello.protocol}"
            await line.send(
                gateway_protocol.encode(gateway_protocol.GatewayBye(f"{why}; install the same Quarterdeck on both sides"))
            )
            return False
        token, nonce = self._options.token, new_nonce()
        await line.send(
            gateway_protocol.encode(gateway_protocol.Challenge(nonce, proof_of(token, "gateway", hello.nonce, nonce)))
        )
        proof = gateway_protocol.from_client(await asyncio.wait_for(line.recv(decode=False), PROVE_S))
        if isinstance(proof, gateway_protocol.Proof) and proves(proof.proof, proof_of(token, "client", hello.nonce, nonce)):
            return True
        await asyncio.sleep(_REFUSED_PAUSE_S)
        await line.send(gateway_protocol.encode(gateway_protocol.GatewayBye(gateway_protocol.WRONG_TOKEN)))
        return False

    async def _welcomed(self, line: ServerConnection) -> bool:
        if self._clients > CLIENTS_MAX:
            await line.send(gateway_protocol.encode(gateway_protocol.GatewayBye(gateway_protocol.TOO_MANY)))
            return False
        ready = self._keeper.ready
        await line.send(
            gateway_protocol.encode(
                gateway_protocol.GatewayWelcome(
                    gateway_protocol.PROTOCOL,
                    self._options.version,
                    ready.module,
                    ready.module_version,
                    self._options.market,
                )
            )
        )
        return True

    async def _converse(self, line: ServerConnection) -> None:
        calls = TokenBucket(CALLS_PER_S, CALLS_BURST, self._clock)
        jobs: set[QueuedCalls] = set()
        answering: set[asyncio.Task[None]] = set()
        try:
            async for data in line:
                if isinstance(data, str):
                    raise MalformedMessage("text instead of bytes")
                ask = gateway_protocol.from_client(data)
                if isinstance(ask, gateway_protocol.AskLease):
                    await line.send(gateway_protocol.encode(await self._lease(ask)))
                    continue
                if not isinstance(ask, gateway_protocol.CallBatch):
                    raise MalformedMessage("hello twice")
                refusal = self._refusal(ask, calls, len(jobs))
                if refusal:
                    await line.send(gateway_protocol.encode(gateway_protocol.CallResult(ask.id, "not_sent", why=refusal)))
                    continue
                job = self._keeper.put(_bounded(ask), min(priority_of(call.name, call.args) for call in ask.calls))
                job.not_owner = partial(self._not_owner, ask)
                jobs.add(job)
                task = asyncio.create_task(_answer(line, job, jobs))
                answering.add(task)
                task.add_done_callback(answering.discard)
        finally:
            for job in jobs:
                job.given_up = True
            for task in answering:
                task.cancel()

    async def _lease(self, ask: gateway_protocol.AskLease) -> gateway_protocol.LeaseAnswer:
        """Grant or prolong a lease; a new owner is reported only when no order of an older one is inside the module any more."""
        if self._leases is None:
            return gateway_protocol.LeaseAnswer(ask.id, 1)
        found = self._leases.renew(ask.number) if ask.number else self._leases.acquire(ask.home_id, ask.who)
        if not ask.number:
            await self._keeper.order_over.wait()
        return gateway_protocol.LeaseAnswer(ask.id, found.number, found.why)

    def _not_owner(self, ask: gateway_protocol.CallBatch) -> str:
        if self._leases is None or all(call.name != "order_send" for call in ask.calls):
            return ""
        return self._leases.problem(ask.lease)

    def _refusal(self, ask: gateway_protocol.CallBatch, calls: TokenBucket, under_way: int) -> str:
        if not 0 < len(ask.calls) <= BATCH_MAX:
            return f"{len(ask.calls)} calls in one message"
        if not math.isfinite(ask.deadline_s):
            return "a deadline that no clock reaches"
        if under_way >= ASKS_PER_CLIENT_MAX:
            return "too many calls under way"
        for call in ask.calls:
            wrong = problem_with(call.name, call.args, call.kwargs)
            if wrong:
                return wrong
        if len(ask.calls) > 1 and any(priority_of(call.name, call.args) != READS for call in ask.calls):
            return "orders come alone"
        if not calls.take(len(ask.calls)):
            return "too many calls a second"
        entry = ask.calls[0].name == "order_send" and priority_of("order_send", ask.calls[0].args) == ENTRIES
        if entry and not self._entries.take(1):
            return "too many entries a second"
        return ""


async def _answer(line: ServerConnection, job: QueuedCalls, jobs: set[QueuedCalls]) -> None:
    try:
        answer = await job.answer
        with contextlib.suppress(ConnectionClosed):
            await line.send(gateway_protocol.encode(answer))
    finally:
        jobs.discard(job)


def _bounded(ask: gateway_protocol.CallBatch) -> gateway_protocol.CallBatch:
    most = max(DEADLINE_S_MAX[kind_of(call.name)] for call in ask.calls)
    return gateway_protocol.CallBatch(ask.id, ask.calls, min(max(ask.deadline_s, DEADLINE_S_MIN), most))


def _refusal(status: HTTPStatus, text: str) -> Response:
    body = f"{text}\n".encode()
    headers = Headers([("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Connection", "close")])
    return Response(status.value, status.phrase, headers, body)


def _tls(options: GatewayOptions) -> ssl.SSLContext | None:
    if options.certificate is None or options.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"certificate {options.certificate} or key {options.key} cannot be used: {error}", what_to_do="give PEM files"
        ) from error
    return context
