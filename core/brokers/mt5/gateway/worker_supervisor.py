"""Keeping a child: one call inside at a time, the urgent ones first, a deadline for each, and a new child where one is lost.

Why: the module may block for ever; what is then unknown is the call inside alone, and only if nobody else entered (law 9).
Promises: a deadline runs from the moment the call is written to the child; past it, or at any odd answer, the child is killed and
replaced; the call inside is `lost`, those still queued are `not_sent`, and so is one that would enter a child that has ended; a
call waits in the queue at most as long as its deadline, and an order never longer than [10 s]; the queue is bounded. What a
client gave up before it entered never enters.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence

from quarterdeck.core.brokers.mt5.gateway import gateway_protocol
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import ENTRIES
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.pipes.framing import MalformedMessage, pack_frame, read_frame

QUEUE_MAX = 512
ORDER_WAIT_S_MAX = 10.0
_FIRST_START_S = 120.0
_START_LIMITS_S = (60.0, 120.0, 240.0, 480.0)
"""How long another child may take to start, by try: on a machine at its limit one that is killed too early never comes up."""
_RESTART_WAITS_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)


def _owned() -> str:
    return ""


class QueuedCalls:
    """An `Ask` on its way."""

    __slots__ = ("answer", "ask", "given_up", "not_owner", "priority", "queued_s")

    def __init__(self, ask: gateway_protocol.CallBatch, priority: int, queued_s: float) -> None:
        """`queued_s` is the monotonic moment of its arrival."""
        self.ask = ask
        self.priority = priority
        self.queued_s = queued_s
        self.given_up = False
        self.not_owner: Callable[[], str] = _owned
        """Asked once more as it enters: why it may not, because another engine took the account meanwhile."""
        self.answer: asyncio.Future[gateway_protocol.CallResult] = asyncio.get_running_loop().create_future()

    def end(self, status: gateway_protocol.Status, why: str) -> None:
        """Answer without replies."""
        if not self.answer.done():
            self.answer.set_result(gateway_protocol.CallResult(self.ask.id, status, why=why))


class WorkerSupervisor:
    """The front's only way to the module."""

    def __init__(self, command: Sequence[str], clock: Clock) -> None:
        """`command` is the child's host and arguments, as `child` takes them."""
        self._command = tuple(command)
        self._clock = clock
        self._process: Process | None = None
        self._queue: list[tuple[int, int, QueuedCalls]] = []
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self.order_over = asyncio.Event()
        """Cleared while an order is inside the module."""
        self.order_over.set()
        self.ready = gateway_protocol.ChildReady("", "")
        self.replaced = 0
        """Children lost so far."""

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the child and the loop that feeds it.

        Raises:
            BrokerError: the child says why there is no module to be had. OSError, TimeoutError, EOFError, Garbled: there is no
                child, or it says nothing.
        """
        await self._spawn(_FIRST_START_S)
        self._runner = asyncio.create_task(self._run(), name="gateway child")

    async def stop(self) -> None:
        """Let the call inside end, then the child; nothing queued enters any more."""
        runner, self._runner = self._runner, None
        self._fail_queued("the gateway stops")
        self._wake.set()
        if runner is not None:
            await runner
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5.0)
        except TimeoutError:
            await _killed(process)

    def put(self, ask: gateway_protocol.CallBatch, priority: int) -> QueuedCalls:
        """Queue an `Ask`; its answer comes as the job's future."""
        job = QueuedCalls(ask, priority, self._clock.monotonic_s())
        if len(self._queue) >= QUEUE_MAX:
            job.end("not_sent", "the gateway's queue is full")
        elif self._runner is None:
            job.end("not_sent", "the gateway is stopping")
        else:
            heapq.heappush(self._queue, (priority, next(self._numbers), job))
            self._wake.set()
        return job

    async def _run(self) -> None:
        while self._runner is not None:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            job = heapq.heappop(self._queue)[2]
            if job.given_up or self._waited_too_long(job):
                job.end("not_sent", "it waited too long behind other calls")
                continue
            if why := job.not_owner():
                job.end("not_owner", why)
                continue
            if self._process is not None and self._process.returncode is not None:
                job.end("not_sent", "the module's process had ended before this call entered it; another is started")
                await self._replace()
                continue
            if job.priority <= ENTRIES:
                self.order_over.clear()
            answer = await self._inside(job)
            self.order_over.set()
            if isinstance(answer, str):
                job.end("lost", answer)
                await self._replace()
            elif not job.answer.done():
                job.answer.set_result(answer)

    def _waited_too_long(self, job: QueuedCalls) -> bool:
        most = min(job.ask.deadline_s, ORDER_WAIT_S_MAX) if job.priority <= ENTRIES else job.ask.deadline_s
        return self._clock.monotonic_s() - job.queued_s > most

    async def _inside(self, job: QueuedCalls) -> gateway_protocol.CallResult | str:
        """The child's answer; in words why the child can no longer be trusted."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return "there is no process that owns the module"
        try:
            async with asyncio.timeout(job.ask.deadline_s):
                process.stdin.write(pack_frame(gateway_protocol.encode(job.ask)))
                await process.stdin.drain()
                message = gateway_protocol.from_child(await read_frame(process.stdout))
        except TimeoutError:
            return f"no answer from the module within {job.ask.deadline_s:g} s; its process was replaced"
        except (OSError, EOFError):
            return "the module's process ended while a call was inside; another is started"
        except MalformedMessage:
            return "a garbled answer from the module; its process was replaced"
        if isinstance(message, gateway_protocol.CallResult) and message.id == job.ask.id:
            return message
        return "the module answered something else; its process was replaced"

    async def _replace(self) -> None:
        """Kill the child, say what was never sent, and start another."""
        self.replaced += 1
        process, self._process = self._process, None
        self._fail_queued("the module's process was replaced before this call entered it")
        if process is not None:
            await _killed(process)
        limits_s = itertools.chain(_START_LIMITS_S, itertools.repeat(_START_LIMITS_S[-1]))
        for wait_s in itertools.chain(_RESTART_WAITS_S, itertools.repeat(_RESTART_WAITS_S[-1])):
            await asyncio.sleep(wait_s)
            if self._runner is None:
                return
            try:
                await self._spawn(next(limits_s))
            except (BrokerError, OSError, TimeoutError, EOFError, MalformedMessage) as error:
                self._fail_queued(f"the module's process does not start: {error}")
            else:
                return

    def _fail_queued(self, why: str) -> None:
        queued, self._queue = self._queue, []
        for _, _, job in queued:
            job.end("not_sent", why)

    async def _spawn(self, limit_s: float) -> None:
        # the package is found the way this process found it; -P keeps the current folder off the path
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "quarterdeck.core.brokers.mt5.gateway.terminal_child",
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=gateway_protocol.ANSWER_BYTES_MAX,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        try:
            async with asyncio.timeout(limit_s):
                first = gateway_protocol.from_child(await read_frame(process.stdout))
        except BaseException:
            await _killed(process)
            raise
        if not isinstance(first, gateway_protocol.ChildReady):
            await _killed(process)
            if isinstance(first, gateway_protocol.ChildFailed):
                raise BrokerError(first.why, what_to_do=first.what_to_do)
            raise MalformedMessage("the child did not say that it is ready")
        self._process, self.ready = process, first


async def _killed(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    # a killed process ends; one that the system cannot end is left to it
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 10.0)
