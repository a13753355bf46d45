"""What a command waits for over the link: a fresh snapshot, and a flatten until the broker's list proves it.

Promises: a flatten that was over before ours is never taken for ours. Does not: connect, or print.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal

import msgspec

from quarterdeck.core.link.link_client import LinkClient
from quarterdeck.core.link.messages import LinkState
from quarterdeck.core.model.commands import Flatten
from quarterdeck.core.model.errors import CheckFailedError, EngineNotRunningError
from quarterdeck.core.model.snapshot import FlattenView, Snapshot

_SNAPSHOT_S = 10.0
_FIRST_SNAPSHOT_S = 3.0


async def fresh_snapshot(client: LinkClient) -> Snapshot:
    """The desk as it is now, for whoever watches. Raises CheckFailedError when the engine shows nothing."""
    # The engine makes a snapshot for whoever comes, so that its age is not judged: two clocks need not agree.
    try:
        async with asyncio.timeout(_SNAPSHOT_S):
            while not isinstance(event := await client.next(), Snapshot):
                pass
    except TimeoutError as error:
        what = f"the engine answers, but has sent no figures for {_SNAPSHOT_S:g} s"
        raise CheckFailedError(
            what, what_to_do="wait a minute, it may still be starting; else look at the log in its home's folder `logs`"
        ) from error
    return event


async def flatten_and_watch(
    client: LinkClient, scope: Literal["ours", "account"], wait_s: float, on_text: Callable[[str], None]
) -> FlattenView:
    """Order a flatten and watch it, `wait_s` seconds at most; `on_text` is given each change of its text.

    Raises:
        CheckFailedError: the engine refuses. EngineNotRunningError: it went away.
    """
    earlier = await _earlier(client)
    result = await client.send(Flatten(scope=scope), timeout_s=wait_s)
    if not result.ok:
        raise CheckFailedError(f"refused: {result.text}")
    seen = [FlattenView(scope=scope, since_utc_ns=0, done=False, text=result.text)]
    on_text(result.text)
    try:
        async with asyncio.timeout(wait_s):
            return await _watch(client, earlier, seen, on_text)
    except TimeoutError:
        return msgspec.structs.replace(seen[-1], done=False, text=f"still closing after {wait_s:g} s: {seen[-1].text}")


async def _earlier(client: LinkClient) -> int:
    # A flatten that was over before ours must not be taken for it.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_SNAPSHOT_S):
            while True:
                event = await client.next()
                if isinstance(event, Snapshot):
                    done = event.desk.flatten
                    return done.since_utc_ns if done is not None and done.done else -1
    return -1


async def _watch(client: LinkClient, earlier_utc_ns: int, seen: list[FlattenView], on_text: Callable[[str], None]) -> FlattenView:
    while True:
        event = await client.next()
        if isinstance(event, LinkState) and not event.up:
            raise EngineNotRunningError(f"the engine ended while closing: {event.why}", what_to_do="see `quarterdeck status`")
        view = event.desk.flatten if isinstance(event, Snapshot) else None
        if view is None or view.since_utc_ns == earlier_utc_ns:
            continue
        if seen[-1].text != view.text:
            on_text(view.text)
        seen.append(view)
        del seen[:-1]
        if view.done:
            return view
