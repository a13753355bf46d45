"""A scanning machine: takes questions from the broker of messages, scans, answers. It needs no broker and no account.

Promises: a question that its engine no longer waits for is not worked on; the work of a machine that dies is another's within
`scan.takeover_s`; a message that is not ours harms nobody; the line is tried again for ever. A strategy that hangs stops this
machine's signs of life, so that its work goes elsewhere.
Does not: keep anything between two questions.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from quarterdeck.core.engine.machines import presence
from quarterdeck.core.engine.machines.asking import ended, question_key, quietly
from quarterdeck.core.engine.machines.place import BLOCK_S, Place, connect, said
from quarterdeck.core.engine.machines.wire import (
    Answer,
    Identity,
    Present,
    Unreadable,
    decode_question,
    encode_answer,
    short,
)
from quarterdeck.core.engine.strategy_process import Asked
from quarterdeck.core.scan.look import answered
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.load import LoadedStrategy

_KEPT_JOBS = 100
_TAKEOVERS_MAX = 2
"""A question that so many machines fell silent over is answered by none."""
_CHECKS_A_TAKEOVER = 3
"""The broker of messages notes a silent machine in one look and takes its work in the next, after its lock has lapsed."""
Say = Callable[[str], None]


class Serving(Struct, kw_only=True):
    """What a machine serves with."""

    place: Place
    name: str
    identity: Identity
    strategy: LoadedStrategy
    apart: Asked | None
    """Who asks the strategy where it lives in a process of its own."""
    settings: Settings
    say: Say
    """Told one line for people."""
    answered: int = 0
    seen: tuple[Present, ...] = ()
    why: str = "not asked yet"
    """Why there is no line; empty while there is one."""


async def serve(serving: Serving) -> None:
    """Serve for ever; the line is tried again after `engine.retry_min_s`, later more."""
    engine = serving.settings.engine
    pause_s = engine.retry_min_s
    while True:
        try:
            await _live(serving)
        except Exception as error:  # noqa: BLE001 - the rim of the line: said, and tried again
            if serving.why != said(error):
                serving.why = said(error)
                serving.say(f"no line to {serving.place.address}: {serving.why}; trying again")
                pause_s = engine.retry_min_s
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2.0, engine.retry_max_s)


async def _live(serving: Serving) -> None:
    from bullmq import Worker

    data, text = (connect(serving.place, text=kind) for kind in (False, True))
    me = Present(kind="machine", name=serving.name, identity=serving.identity)
    look_ms = round(serving.settings.scan.takeover_s * 1000.0 / _CHECKS_A_TAKEOVER)

    async def work(job: Any, _token: str) -> str:
        return await _answer(serving, data, job)

    async with contextlib.AsyncExitStack() as stack:
        for client in (data, text):
            stack.push_async_callback(quietly, client.aclose())
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
            "failed", lambda job, error: serving.say(f"{short(getattr(job, 'id', '?'))}: not answered: {short(said(error))}")
        )
        working = asyncio.create_task(worker.run(), name="scan for others")
        stack.push_async_callback(ended, working)
        stack.push_async_callback(quietly, _leave(serving, data, me))
        if serving.why:
            serving.say(f"scanning at {serving.place.address} as {serving.name}")
        serving.why = ""
        while not working.done():
            _tell(serving, await presence.look(data, serving.place.prefix, me))
            await asyncio.wait((working,), timeout=presence.EVERY_S)
        raise ConnectionError("the line ended")


async def _answer(serving: Serving, data: Any, job: Any) -> str:
    question_id = job.data.get("question") if isinstance(job.data, dict) else None
    if not isinstance(question_id, str):
        raise Unreadable("no question of ours")
    packed = await data.get(question_key(serving.place.prefix, question_id))
    if packed is None:
        raise Unreadable("nobody waits for it any more")
    identity, look = decode_question(packed)
    differs = serving.identity.differs(identity)
    if differs:
        raise Unreadable(f"asked for {differs}")
    apart = serving.apart
    found = answered(serving.strategy, look) if apart is None else await apart.ask(look)
    serving.answered += 1
    return encode_answer(Answer(machine=serving.name, found=found))


async def _leave(serving: Serving, data: Any, me: Present) -> None:
    await presence.leave(data, serving.place.prefix, me)


def _tell(serving: Serving, present: tuple[Present, ...]) -> None:
    """Say which engines came and went, and which of them this machine cannot serve."""
    engines = tuple(one for one in present if one.kind == "engine")
    for one in engines:
        if one not in serving.seen:
            differs = serving.identity.differs(one.identity)
            why = f"wants {short(differs)}: nothing will be asked of this machine" if differs else "asks this machine"
            serving.say(f"engine {short(one.name)} {why}")
    for one in serving.seen:
        if one not in engines:
            serving.say(f"engine {short(one.name)} is gone")
    serving.seen = engines
