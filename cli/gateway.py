"""`quarterdeck gateway`: host the terminal's module for an engine elsewhere, on a Windows machine or under Wine."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
import typer
from msgspec import structs

from quarterdeck.cli.options import FaultOption, HomeOption, JsonOption
from quarterdeck.cli.output import print_json
from quarterdeck.core.brokers.mt5.call_recording import read_recording
from quarterdeck.core.brokers.mt5.gateway.gateway_server import GatewayOptions
from quarterdeck.core.brokers.mt5.gateway.gateway_state import SPEED_MAX, GatewayState, market_clock, read_state, write_state
from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_NAME, token_of
from quarterdeck.core.brokers.mt5.gateway.module_loader import MARKET, REAL, REPLAYED, SIMULATED
from quarterdeck.core.brokers.mt5.gateway.serve import GatewayListening, serve_gateway
from quarterdeck.core.clock.market_clock import MarketClock
from quarterdeck.core.clock.wall import WallClock, iso
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.units import NS_PER_S, S_PER_MINUTE, UtcNs
from quarterdeck.core.settings.home import prepare, resolve_home
from quarterdeck.core.settings.version import code_version

PORT = 18_765


SpeedOption: TypeAlias = Annotated[
    float | None,
    typer.Option("--speed", min=1.0, max=SPEED_MAX, metavar="X", help="Market seconds per second; simulated terminal only."),
]
StartOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--start", metavar="YYYY-MM-DD[THH:MM]", help="UTC date at which its market begins; simulated terminal only."),
]
PcClockOption: TypeAlias = Annotated[
    float,
    typer.Option("--pc-clock-off", metavar="MINUTES", help="How far engines' clocks are ahead; simulated terminal only."),
]


def command(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 uses a free port.")] = PORT,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="TLS certificate, PEM; needed beyond this machine.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Its private key, PEM.")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="Host the simulated terminal instead.")] = False,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", metavar="FILE", help="Answer from a file of `doctor --record`; accepts no orders."),
    ] = None,
    no_lease: Annotated[
        bool, typer.Option("--no-lease", help="Let several engines trade at once; simulated terminal only.")
    ] = False,
    speed: SpeedOption = None,
    start: StartOption = None,
    pc_clock_off: PcClockOption = 0.0,
    fault: FaultOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve a closed list of MetaTrader 5 calls to engines that know the token.

    The token is in the home's gateway.token; copy that file into the engine's home and set account.gateway there. Ends with
    Ctrl-C. Nothing listens beyond this machine without a certificate.
    """
    rehearses = speed is not None or start is not None or pc_clock_off != 0.0
    _check_options(simulated=simulated, no_lease=no_lease, rehearses=rehearses, recorded=replay is not None)
    place = prepare(resolve_home(home))
    clock = WallClock()
    begins = None if start is None else _instant(start)
    off_s = pc_clock_off * S_PER_MINUTE
    market = (
        market_clock(place.root, clock.utc_ns(), speed=speed, start_utc_ns=begins, pc_clock_off_s=off_s) if simulated else None
    )
    options = GatewayOptions(
        host=host,
        port=port,
        token=token_of(place.root, make=True),
        certificate=certificate,
        key=key,
        version=code_version(),
        home=place.root,
        lease=not no_lease,
        market=market,
    )
    hosted = _simulated(place.root, market, fault or []) if simulated else _recorded(replay)
    known = GatewayState(market=market, asked_start_utc_ns=begins or read_state(place.root).asked_start_utc_ns)
    announcement = _Announcement(place.root, clock, known if simulated else None, as_json=as_json)
    try:
        asyncio.run(serve_gateway(options, hosted, clock, announcement.make))
    finally:
        announcement.take_back()


class _Announcement:
    """Says where the gateway listens; of a simulated one it is written down for `quarterdeck terminal` as well."""

    def __init__(self, home: Path, clock: WallClock, state: GatewayState | None, *, as_json: bool) -> None:
        self._home, self._clock, self._state, self._as_json = home, clock, state, as_json
        self._made = False

    def make(self, listening: GatewayListening) -> None:
        """Announce it. Raises StorageError."""
        scheme = "wss" if listening.tls else "ws"
        address = f"{scheme}://{listening.host}:{listening.port}"
        print(
            f"{listening.module} {listening.module_version} at {address}; the token is in {self._home / TOKEN_NAME}", flush=True
        )
        if self._state is not None:
            market = self._state.market
            if market is not None:
                print(f"market time {iso(market.at(self._clock.utc_ns()))}, {market.speed:g} x life", flush=True)
            write_state(self._home, structs.replace(self._state, address=address))
            self._made = True
        if self._as_json:
            print_json({"address": address, "port": listening.port, "module": listening.module, "child_pid": listening.child_pid})

    def take_back(self) -> None:
        """The gateway has ended in order."""
        if self._state is not None and self._made:
            write_state(self._home, structs.replace(self._state, ended_utc_ns=self._clock.utc_ns()))


def _check_options(*, simulated: bool, no_lease: bool, rehearses: bool, recorded: bool) -> None:
    """Raises UsageError for options that do not go together."""
    if no_lease and not simulated:
        raise UsageError("--no-lease would let two engines trade a real terminal", what_to_do="leave it out, or add --simulated")
    if rehearses and not simulated:
        raise UsageError("--speed, --start and --pc-clock-off rehearse", what_to_do="leave them out, or add --simulated")
    if recorded and simulated:
        raise UsageError("--replay and --simulated name two different modules", what_to_do="give one of them")


def _simulated(home: Path, market: MarketClock | None, faults: list[str]) -> tuple[str, ...]:
    """The child's host of the simulated terminal, with its arguments."""
    timed = () if market is None else (MARKET + msgspec.json.encode(market).decode(),)
    return (SIMULATED, str(home), *timed, *faults)


def _recorded(file: Path | None) -> tuple[str, ...]:
    """The child's host of a recording, or of the real module where there is none. Raises DataError for a bad file."""
    if file is None:
        return (REAL,)
    read_recording(file)  # what is wrong with the file is reported here, not by the child
    return (REPLAYED, str(file.absolute()))


def _instant(text: str) -> UtcNs:
    """The instant of a UTC date, with or without a time. Raises UsageError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--start {text!r} is not a valid time", what_to_do="write 2026-03-02 or 2026-03-02T08:00") from error
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * NS_PER_S
