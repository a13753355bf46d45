"""`quarterdeck flatten`: close everything, and say so only when it is so."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Literal

import msgspec
import typer

from quarterdeck.cli.engine_client import with_engine
from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json, say, warn
from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.link.messages import LinkState
from quarterdeck.core.model.commands import Flatten
from quarterdeck.core.model.errors import CheckFailedError, EngineNotRunningError, UsageError
from quarterdeck.core.model.snapshot import FlattenView, Snapshot
from quarterdeck.core.settings.home import resolve_home

_WORD = "account"
_FIRST_SNAPSHOT_S = 3.0


def command(
    account: Annotated[bool, typer.Option("--account", help="Close positions that this desk did not open, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before closing positions that this desk did not open.")] = False,
    wait_s: Annotated[float, typer.Option("--wait", metavar="SECONDS", min=1.0, help="How long to wait for it.")] = 120.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close every position of this desk: entries stop, pending orders are cancelled, the largest risk is closed first.

    Ends with 0 when two readings of the broker's list show nothing left to close, with 9 otherwise; the engine keeps closing
    either way.
    """
    if account and not yes:
        _agree()
    scope: Literal["ours", "account"] = "account" if account else "ours"
    end = with_engine(resolve_home(home).root, lambda client: _flatten(client, scope, wait_s), watch=True)
    left = list(end.left_open)
    if as_json:
        say(end.text)
        print_json({"flat": end.done and not left, "text": end.text, "left": left})
    if not end.done or left:
        raise CheckFailedError(
            f"not flat: {end.text}{': ' + ', '.join(left) if left else ''}", what_to_do="see `quarterdeck status`"
        )
    if not as_json:
        say(end.text)


def _agree() -> None:
    typed = typer.prompt(f"This closes positions that this desk did not open, too. Type {_WORD} to continue", err=True)
    if typed.strip() != _WORD:
        raise UsageError("nothing was closed", what_to_do=f"type {_WORD}, or give --yes")


async def _flatten(client: SocketClient, scope: Literal["ours", "account"], wait_s: float) -> FlattenView:
    earlier = await _earlier(client)
    result = await client.send(Flatten(scope=scope), timeout_s=wait_s)
    if not result.ok:
        raise CheckFailedError(f"refused: {result.text}")
    seen = [FlattenView(scope=scope, since_utc_ns=0, done=False, text=result.text)]
    warn(result.text)
    try:
        async with asyncio.timeout(wait_s):
            return await _watch(client, earlier, seen)
    except TimeoutError:
        return msgspec.structs.replace(seen[-1], done=False, text=f"still closing after {wait_s:g} s: {seen[-1].text}")


async def _earlier(client: SocketClient) -> int:
    # A flatten that was over before ours must not be taken for it.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_SNAPSHOT_S):
            while True:
                event = await client.next()
                if isinstance(event, Snapshot):
                    done = event.desk.flatten
                    return done.since_utc_ns if done is not None and done.done else -1
    return -1


async def _watch(client: SocketClient, earlier_utc_ns: int, seen: list[FlattenView]) -> FlattenView:
    while True:
        event = await client.next()
        if isinstance(event, LinkState) and not event.up:
            raise EngineNotRunningError(f"the engine ended while closing: {event.why}", what_to_do="see `quarterdeck status`")
        view = event.desk.flatten if isinstance(event, Snapshot) else None
        if view is None or view.since_utc_ns == earlier_utc_ns:
            continue
        if seen[-1].text != view.text:
            warn(view.text)
        seen.append(view)
        del seen[:-1]
        if view.done:
            return view
