"""`quarterdeck restart`: a new process for the same desk; positions are kept and taken up again."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from quarterdeck.cli.engine_client import Unreachable, send_command, with_engine
from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json, warn
from quarterdeck.cli.start_record import RESTART_WORD, last_start
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.engine.engine_process import EngineStartFailed, start_engine
from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.link.messages import LinkWelcome
from quarterdeck.core.model.commands import StopEngine
from quarterdeck.core.model.errors import CheckFailedError, EngineNotRunningError, StorageError, UsageError
from quarterdeck.core.settings.home import Home, resolve_home

_LOOK_S = 0.2
_TRY_AGAIN_S = 5.0
CHECK = "--check"
"""Has `run` check what it needs and start nothing."""


def command(
    wait_s: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=1.0, help="How long stopping and starting may take, each.")
    ] = 60.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop the engine and start it again with the same options. Positions stay open with their stops at the broker.

    What a start needs is checked first; where a new engine could not start the old one continues, and the command ends with 9.
    """
    place = resolve_home(home)
    before = with_engine(place.root, _welcome)
    record = last_start(place)
    if record is None:
        raise StorageError(f"how the engine of {place.root} was started is not known", what_to_do="stop it and start it manually")
    if record.replay:
        raise UsageError("a replay is not restarted", what_to_do="`quarterdeck run --replay ...` begins it anew")
    if before.mode == "simulated":
        warn("the simulated market begins anew, without what was open in it")
    try:
        start_engine(place.root, (*record.arguments, CHECK), warn)
    except EngineStartFailed as error:
        raise CheckFailedError(
            f"not restarted, run {before.run_id} continues: a new engine could not start: {error}",
            what_to_do="correct that first",
        ) from error
    warn(send_command(place.root, StopEngine(policy="keep", why=RESTART_WORD), timeout_s=wait_s).text)
    _wait(place, before.run_id, wait_s, gone=True)
    if record.supervised:
        _wait(place, before.run_id, wait_s, gone=False)
    else:
        _start(place, record.arguments)
    after = with_engine(place.root, _welcome)
    print(f"run {before.run_id} ended, run {after.run_id} is up (process {after.pid})")
    if as_json:
        print_json({"before": before.run_id, "after": after.run_id, "pid": after.pid})


def _start(place: Home, arguments: tuple[str, ...]) -> None:
    """Start the new engine; one that fails although it was checked is tried once more, for what failed may be over."""
    try:
        start_engine(place.root, arguments, warn)
    except EngineStartFailed as error:
        warn(f"it did not start ({error}); trying once more")
        asyncio.run(asyncio.sleep(_TRY_AGAIN_S))
        start_engine(place.root, arguments, warn)


async def _welcome(client: SocketClient) -> LinkWelcome:
    if client.welcome is None:
        raise EngineNotRunningError("the engine did not say who it is", what_to_do="see `quarterdeck status`")
    return client.welcome


def _wait(place: Home, run_id: str, wait_s: float, *, gone: bool) -> None:
    clock = WallClock()
    until_s = clock.monotonic_s() + wait_s
    while clock.monotonic_s() < until_s:
        try:
            now = with_engine(place.root, _welcome)
        except Unreachable:  # ending, or not up yet
            pass
        except EngineNotRunningError:
            if gone:
                return
        else:
            if now.run_id != run_id:
                return
        asyncio.run(asyncio.sleep(_LOOK_S))
    what = "did not end" if gone else "was not started again by its supervisor"
    raise EngineNotRunningError(f"the engine {what} within {wait_s:g} s", what_to_do="see `quarterdeck status`")
