"""The screen over an engine that lives in the same process and ends with it."""

from __future__ import annotations

import asyncio

from quarterdeck.cli.last_run import print_last_run
from quarterdeck.cli.output import warn
from quarterdeck.core.engine.engine import RunEnd
from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run, watch_engine
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.link.local_client import LocalClient
from quarterdeck.tui.app import DeskApp


def screen_in_process(wish: RunRequest, *, as_json: bool) -> int:
    """Show an engine that lives in this process and ends with the screen. Raises QuarterdeckError when it cannot start."""
    code = asyncio.run(_beside(wish))
    print_last_run(wish.home.journal, as_json=as_json)
    return code


async def _beside(wish: RunRequest) -> int:
    ready = await start_run(wish, on_step=warn)
    engine = ready.engine
    client = LocalClient(engine.side)
    watch_engine(engine, client.publish)
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
