"""`quarterdeck scan`: a scanning machine, which looks at closed bars for engines elsewhere and holds no broker's credentials."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import signal
import sys
from typing import Annotated

import typer

from quarterdeck.cli.option_parsing import parse_settings
from quarterdeck.cli.options import HomeOption, SetOption
from quarterdeck.cli.output import warn
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.engine.remote_scan.address import RedisAddress, redis_address
from quarterdeck.core.engine.remote_scan.scan_messages import StrategyIdentity
from quarterdeck.core.engine.remote_scan.worker import ScanWorker, run_scan_worker
from quarterdeck.core.engine.strategy_supervision import strategy_for_run
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.settings.home import Home, resolve_home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.secrets import read_secrets
from quarterdeck.core.settings.settings_loader import load_settings
from quarterdeck.core.settings.version import code_version

_NAME_MAX = 64


def command(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="How engines call this machine. [host and process]")] = "",
    values: SetOption = None,
    home: HomeOption = None,
) -> None:
    """Get closed bars from engines through scan.redis, run the strategy, and answer.

    It serves the engines that run the same strategy, with the same parameters, in the same version of this program. Needs
    scan.redis and the strategy in its settings; no terminal and no account. Ends with Ctrl-C, or when its supervisor stops it.
    """
    root = resolve_home(home)
    settings = load_settings(root.root, parse_settings(values or [])).settings
    place = redis_address(settings.scan, read_secrets(root.secrets))
    if place is None:
        raise UsageError(
            "scan.redis is empty: there is nobody to scan for",
            what_to_do="set it in settings.toml, here and where the engine runs",
        )
    if place.in_clear:
        warn(f"{place.address}: what crosses the network is not encrypted; rediss:// would be")
    asyncio.run(_serve(settings, root, place, name[:_NAME_MAX] or f"{platform.node()}-{os.getpid()}"))


async def _serve(settings: Settings, root: Home, place: RedisAddress, name: str) -> None:
    strategy, apart = await strategy_for_run(settings, root.root, WallClock())
    identity = StrategyIdentity(strategy=strategy.name, strategy_hash=strategy.hash, code_version=code_version())
    print(f"strategy {strategy.name} {strategy.hash}, quarterdeck {identity.code_version}", flush=True)
    if apart is not None:
        apart.limit_s, apart.wait_s = settings.strategy.time_limit_ms / 1000.0, settings.scan.round_wait_s
        apart.listen_to_process(_say, lambda trouble: _say(trouble.text))
    serving = ScanWorker(place=place, name=name, identity=identity, strategy=strategy, apart=apart, settings=settings, say=_say)
    work = asyncio.create_task(run_scan_worker(serving))
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        if apart is not None:
            await apart.stop()
    print(f"{serving.answered} questions answered", flush=True)


def _say(text: str) -> None:
    print(text, flush=True)
