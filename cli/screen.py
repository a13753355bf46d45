"""The screen, over an engine in a process of its own, over one that runs already, or over one in this process.

Promises: a home whose engine runs is attached to, never given a second one; leaving the screen leaves an engine of its own
process alone, and what became of it is said afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec

from cli import summary as summary_text
from cli.engine_line import NotReached, talk
from cli.output import print_json, warn
from cli.started import arguments_of
from core.engine.child import start_engine
from core.engine.engine import RunEnd
from core.engine.session import RunWish, run_to_end, start_run, watch, wished_settings
from core.journal.tape import TapeReader
from core.link.client import SocketClient
from core.link.local import LocalClient
from core.model.errors import HeldError, StorageError
from core.settings.home import prepare
from core.settings.load import load_settings
from core.settings.schema import Ui
from core.study.summary import summary_of
from tui.app import DeskApp, show_screen


def monitor(home: Path, *, mouse: bool = True) -> int:
    """Attach a screen to the engine of `home` until the operator leaves. Raises NoEngineError when none answers."""
    ui = load_settings(home).settings.ui
    return asyncio.run(_attached(home, ui, mouse=mouse))


def screen_over_child(wish: RunWish, *, as_json: bool) -> int:
    """Start the engine as a process of its own, unless one runs, and show it. Raises QuarterdeckError when it cannot start."""
    home = prepare(wish.home).root
    settings = wished_settings(wish).settings
    if _runs(home):
        if wish.replay or wish.crash or wish.values or wish.pairs or wish.speed_given:
            raise HeldError(
                f"an engine runs in {home} already", what_to_do="`quarterdeck monitor` shows it; --home DIR starts another"
            )
        warn("an engine runs here already: attaching to it")
    else:
        if (wish.replay or wish.crash) and not wish.speed_given:
            wish = msgspec.structs.replace(wish, speed=settings.simulation.speed, speed_given=True)
        start_engine(home, arguments_of(wish), warn)
    code = asyncio.run(_attached(home, settings.ui))
    if _runs(home):
        print("the engine goes on; `quarterdeck monitor` attaches again, `quarterdeck flatten` closes everything")
    else:
        _tell_last_run(wish.home.journal, as_json=as_json)
    return code


def screen_beside(wish: RunWish, *, as_json: bool) -> int:
    """Show an engine that lives in this process and ends with the screen. Raises QuarterdeckError when it cannot start."""
    code = asyncio.run(_beside(wish))
    _tell_last_run(wish.home.journal, as_json=as_json)
    return code


def _runs(home: Path) -> bool:
    async def greet(client: SocketClient) -> bool:
        return client.welcome is not None

    try:
        return talk(home, greet)
    except NotReached:
        return False


async def _attached(home: Path, ui: Ui, *, mouse: bool = True) -> int:
    client = SocketClient(home, client="screen", watch=True)
    await client.start()
    try:
        return await show_screen(client, ui, mouse=mouse, home=home)
    finally:
        await client.close()


async def _beside(wish: RunWish) -> int:
    ready = await start_run(wish, on_step=warn)
    engine = ready.engine
    client = LocalClient(engine.side)
    watch(engine, client.publish)
    app = DeskApp(client, ready.loaded.settings.ui, home=wish.home.root)

    async def run() -> RunEnd:
        end = await run_to_end(ready, screen=True)
        if end.signal:  # nobody is there any more to look at how it ended
            app.exit(return_code=end.exit_code)
        return end

    running = asyncio.create_task(run(), name="engine")
    try:
        await app.run_async()
    finally:
        engine.stop(why="screen left")
        end = await running
    return app.return_code or end.exit_code


def _tell_last_run(journal: Path, *, as_json: bool) -> None:
    with contextlib.suppress(StorageError), TapeReader(journal) as reader:
        run = reader.run()
        summary = summary_of(reader, run)
        print(f"run {run.run_id}, {run.mode}: {run.ended_how or 'did not end in order'}")
        for line in summary_text.lines(summary, run.currency):
            print(line)
        if as_json:
            print_json(summary_text.as_plain(summary, currency=run.currency, mode=run.mode, ended=run.ended_how))
