"""A scanning machine: takes questions from the broker of messages, scans, answers. It needs no broker and no account.

Promises: a question that its engine no longer waits for is not worked on; the work of a machine that dies is another's within
`scan.worker_timeout_s`; a message that is not ours harms nobody; the line is tried again for ever. A strategy that hangs stops
this
machine's signs of life, so that its work goes elsewhere.
Does not: keep anything between two questions.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from quarterdeck.core.engine.remote_scan import presence
from quarterdeck.core.engine.remote_scan.address import BLOCK_S, RedisAddress, connect, redis_error_text
from quarterdeck.core.engine.remote_scan.client import cancel_until_done, close_quietly, job_data_key
from quarterdeck.core.engine.remote_scan.scan_messages import (
    BadScanMessage,
    PresenceRecord,
    ScanResult,
    StrategyIdentity,
    decode_scan_job,
    encode_scan_result,
    shortened,
)
from quarterdeck.core.engine.strategy_process import ScanBackend
from quarterdeck.core.scan.scan_request import answer_request
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

_KEPT_JOBS = 100
_TAKEOVERS_MAX = 2
"""A question that so many machines fell silent over is answered by none."""
_CHECKS_A_TAKEOVER = 3
"""The broker of messages notes a silent machine in one look and takes its work in the next, after its lock has lapsed."""
WorkerLog = Callable[[str], None]


class ScanWorker(Struct, kw_only=True):
    """What a machine serves with."""

    place: RedisAddress
    name: str
    identity: StrategyIdentity
    strategy: LoadedStrategy
    apart: ScanBackend | None
    """Who asks the strategy where it lives in a process of its own."""
    settings: Settings
    say: WorkerLog
    """Reported one line for people."""
    answered: int = 0
    seen: tuple[PresenceRecord, ...] = ()
    why: str = "not connected yet"
    """Why there is no line; empty while there is one."""


async def run_scan_worker(serving: ScanWorker) -> None:
    """Serve for ever; the line is tried again after `engine.retry_min_s`, later more."""
    engine = serving.settings.engine
    pause_s = engine.retry_min_s
    while True:
        try:
            await _live(serving)
        except Exception as error:  # noqa: BLE001 - the rim of the line: said, and tried again
            if serving.why != redis_error_text(error):
                serving.why = redis_error_text(error)
                serving.say(f"No connection to {serving.place.address}: {serving.why}; trying again")
                pause_s = engine.retry_min_s
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2.0, engine.retry_max_s)


async def _live(serving: ScanWorker) -> None:
    from bullmq import Worker

    data, text = (connect(serving.place, text=kind) for kind in (False, True))
    me = PresenceRecord(kind="machine", name=serving.name, identity=serving.identity)
    look_ms = round(serving.settings.scan.worker_timeout_s * 1000.0 / _CHECKS_A_TAKEOVER)

    async def work(job: Any, _token: str) -> str:
        return await _answer(serving, data, job)

    async with contextlib.AsyncExitStack() as stack:
        for client in (data, text):
            stack.push_async_callback(close_quietly, client.aclose())
        await data.ping()
        options = {
            "connection": text,
            "prefix": serving.place.prefix,
            "skipVersionCheck": True,
            "autorun": False,
            "lockDuration": look_ms,
            "stalledInterval": look_ms,
            "maxStalledCount": _TAKEOVERS_MAX,
            "drainDelay": BLOCK_S,
            "runRetryDelay": round(BLOCK_S * 1000.0),
            "removeOnComplete": {"count": _KEPT_JOBS},
            "removeOnFail": {"count": _KEPT_JOBS},
        }
        worker = Worker(serving.identity.queue, work, options)
        worker.on(
            "failed",
            lambda job, error: serving.say(
                f"{shortened(getattr(job, 'id', '?'))}: not answered: {shortened(redis_error_text(error))}"
            ),
        )
        working = asyncio.create_task(worker.run(), name="scan for others")
        stack.push_async_callback(cancel_until_done, working)
        stack.push_async_callback(close_quietly, _leave(serving, data, me))
        if serving.why:
            serving.say(f"scanning at {serving.place.address} as {serving.name}")
        serving.why = ""
        while not working.done():
            _tell(serving, await presence.announce_presence(data, serving.place.prefix, me))
            await asyncio.wait((working,), timeout=presence.EVERY_S)
        raise ConnectionError("the connection closed")


async def _answer(serving: ScanWorker, data: Any, job: Any) -> str:
    question_id = job.data.get("question") if isinstance(job.data, dict) else None
    if not isinstance(question_id, str):
        raise BadScanMessage("not a valid request")
    packed = await data.get(job_data_key(serving.place.prefix, question_id))
    if packed is None:
        raise BadScanMessage("it came too late, the engine no longer waits for it")
    identity, look = decode_scan_job(packed)
    differs = serving.identity.differs(identity)
    if differs:
        raise BadScanMessage(f"asked for {differs}")
    apart = serving.apart
    found = answer_request(serving.strategy, look) if apart is None else await apart.ask(look)
    serving.answered += 1
    return encode_scan_result(ScanResult(machine=serving.name, found=found))


async def _leave(serving: ScanWorker, data: Any, me: PresenceRecord) -> None:
    await presence.withdraw_presence(data, serving.place.prefix, me)


def _tell(serving: ScanWorker, present: tuple[PresenceRecord, ...]) -> None:
    """Say which engines came and went, and which of them this machine cannot serve."""
    engines = tuple(one for one in present if one.kind == "engine")
    for one in engines:
        if one not in serving.seen:
            differs = serving.identity.differs(one.identity)
            why = f"wants {shortened(differs)}: it sends no work to this machine" if differs else "sends work to this machine"
            serving.say(f"engine {shortened(one.name)} {why}")
    for one in serving.seen:
        if one not in engines:
            serving.say(f"engine {shortened(one.name)} has disconnected")
    serving.seen = engines
