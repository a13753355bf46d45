"""The screen over an engine in a process of its own, or over one that runs already.

Promises: a home whose engine runs is attached to, never given a second one; leaving the screen leaves the engine alone, and what
became of it is said afterwards. Does not: load the engine, whose libraries would double the start and the weight of a screen.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from quarterdeck.cli.engine_client import NotReached, with_engine
from quarterdeck.cli.output import warn
from quarterdeck.cli.start_record import start_arguments
from quarterdeck.core.engine.engine_process import start_engine
from quarterdeck.core.engine.journal_queries import JournalQueries
from quarterdeck.core.engine.run_request import RunRequest, settings_for_run
from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.model.errors import AlreadyRunningError
from quarterdeck.core.settings.home import Home, prepare
from quarterdeck.core.settings.schema import UiSection
from quarterdeck.core.settings.settings_loader import load_settings


def monitor(home: Path, *, mouse: bool = True) -> int:
    """Attach a screen to the engine of `home` until the operator leaves. Raises NoEngineError when none answers."""
    ui = load_settings(home).settings.ui
    return asyncio.run(_attached(home, ui, mouse=mouse))


def screen_with_engine(wish: RunRequest, *, as_json: bool) -> int:
    """Start the engine as a process of its own, unless one runs, and show it. Raises QuarterdeckError when it cannot start."""
    home = prepare(wish.home).root
    settings = settings_for_run(wish).settings
    if _runs(home):
        if wish.replay or wish.crash or wish.values or wish.pairs or wish.speed_given:
            raise AlreadyRunningError(
                f"an engine runs in {home} already", what_to_do="`quarterdeck monitor` shows it; --home DIR starts another"
            )
        warn("an engine runs here already: attaching to it")
    else:
        if (wish.replay or wish.crash) and not wish.speed_given:
            wish = msgspec.structs.replace(wish, speed=settings.simulation.speed, speed_given=True)
        start_engine(home, start_arguments(wish), warn, meanwhile=_load_the_screen)
    code = asyncio.run(_attached(home, settings.ui))
    if _runs(home):
        print("the engine continues; `quarterdeck monitor` attaches again, `quarterdeck flatten` closes everything")
    else:
        from quarterdeck.cli.last_run import print_last_run

        print_last_run(wish.home.journal, as_json=as_json)
    return code


def _runs(home: Path) -> bool:
    async def greet(client: SocketClient) -> bool:
        return client.welcome is not None

    try:
        return with_engine(home, greet)
    except NotReached:
        return False


def _load_the_screen() -> None:
    """Half a second of imports, while the engine does its own."""
    import quarterdeck.tui.app  # noqa: F401


async def _attached(home: Path, ui: UiSection, *, mouse: bool = True) -> int:
    from quarterdeck.tui.app import show_screen

    answers = JournalQueries(Home(home).journal, Home(home).logs, lambda: None)
    client = SocketClient(home, client="screen", watch=True, past=answers.answer)
    await client.start()
    try:
        return await show_screen(client, ui, mouse=mouse, home=home)
    finally:
        await client.close()
