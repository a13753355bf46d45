"""`quarterdeck gateway`: host the terminal's module for an engine elsewhere, on a Windows machine or under Wine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.options import FaultOption, HomeOption, JsonOption
from quarterdeck.cli.output import print_json
from quarterdeck.core.brokers.mt5.gateway.gateway_server import GatewayOptions
from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_NAME, token_of
from quarterdeck.core.brokers.mt5.gateway.module_loader import REAL, REPLAYED, SIMULATED
from quarterdeck.core.brokers.mt5.gateway.serve import GatewayListening, serve_gateway
from quarterdeck.core.brokers.mt5.recording import read_recording
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.settings.home import resolve_home
from quarterdeck.core.settings.version import code_version

PORT = 18_765


def command(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes a free one.")] = PORT,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="TLS certificate, PEM; needed beyond this machine.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Its private key, PEM.")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="Host the simulated terminal instead.")] = False,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", metavar="FILE", help="Serve what `doctor --record` wrote; takes no orders."),
    ] = None,
    no_lease: Annotated[
        bool, typer.Option("--no-lease", help="Let several engines trade at once; simulated terminal only.")
    ] = False,
    fault: FaultOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve a closed list of MetaTrader 5 calls to engines that know the token.

    The token is in the home's gateway.token; copy that file into the engine's home and set account.gateway there. Ends with
    Ctrl-C. Nothing listens beyond this machine without a certificate.
    """
    if no_lease and not simulated:
        raise UsageError("--no-lease would let two engines trade a real terminal", what_to_do="leave it out, or add --simulated")
    place = resolve_home(home)
    place.root.mkdir(parents=True, exist_ok=True)
    options = GatewayOptions(
        host=host,
        port=port,
        token=token_of(place.root, make=True),
        certificate=certificate,
        key=key,
        version=code_version(),
        home=place.root,
        lease=not no_lease,
    )
    if replay is not None and simulated:
        raise UsageError("--replay and --simulated name two different modules", what_to_do="give one of them")
    hosted = (SIMULATED, str(place.root), *(fault or ())) if simulated else (REAL,)
    if replay is not None:
        read_recording(replay)  # what is wrong with the file is reported here, not by the child
        hosted = (REPLAYED, str(replay.absolute()))

    def announce(listening: GatewayListening) -> None:
        scheme = "wss" if listening.tls else "ws"
        address = f"{scheme}://{listening.host}:{listening.port}"
        print(
            f"{listening.module} {listening.module_version} at {address}; the token is in {place.root / TOKEN_NAME}", flush=True
        )
        if as_json:
            print_json({"address": address, "port": listening.port, "module": listening.module, "child_pid": listening.child_pid})

    asyncio.run(serve_gateway(options, hosted, WallClock(), announce))
