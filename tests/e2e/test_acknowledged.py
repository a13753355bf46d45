"""A command that was acknowledged survives `kill -9`: the answer leaves after the journal holds it (law 15)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_NAME
from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.model.commands import Command, Flatten, Pause, Resume
from quarterdeck.core.model.snapshot import Snapshot
from tests.conftest import CHECKOUT
from tests.e2e.processes import LONG_S, EngineProcess, command, environment

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")]
KILL_WITHIN_S = 0.05
PAIRS = "['EURUSD', 'GBPUSD', 'AUDUSD', 'USDJPY']"
"""Four pairs show four changed ticks within two seconds, so a start takes no longer to read the server's clock."""
MIDWEEK = ("--start", "2025-10-22T09:00")
"""Options of a gateway in whose open market ticks show the clock, whatever day it is."""
GATEWAY_SETTINGS = f"[simulation]\nhistory_days = 30\n[desk]\npairs = {PAIRS}\n"


@contextlib.contextmanager
def gateway(home: Path, *words: str, settings: str = GATEWAY_SETTINGS, **environ: str) -> Iterator[str]:
    """A simulated gateway in a process of its own; gives its address."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.toml").write_text(settings)
    words = ("gateway", "--simulated", "--home", str(home), "--port", "0", "--json", *words)
    with subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, text=True, env=environment(**environ), cwd=CHECKOUT
    ) as process:
        try:
            assert process.stdout is not None
            yield next(json.loads(line)["address"] for line in process.stdout if line.startswith("{"))
        finally:
            process.terminate()


def live_home(home: Path, gateway_home: Path, address: str, settings: str = "", *, pairs: str = PAIRS) -> Path:
    """A home whose desk trades the gateway's account; `settings` are further sections of its file."""
    home.mkdir(parents=True)
    desk = f"[desk]\nmode = 'live'\npairs = {pairs}\n[account]\ngateway = '{address}'\n[news]\nimpacts = []\nurls = []\n"
    (home / "settings.toml").write_text(desk + settings)
    token = home / TOKEN_NAME
    token.write_text((gateway_home / TOKEN_NAME).read_text())
    token.chmod(0o600)
    return home


def given(home: Path, order: Command) -> str:
    """Give a command to the engine of a home and wait for its answer."""

    async def give() -> str:
        client = SocketClient(home, client="test", watch=False)
        await client.start()
        try:
            result = await client.send(order, timeout_s=LONG_S)
            assert result.ok, result.text
            return result.text
        finally:
            await client.close()

    return asyncio.run(give())


def reasons(home: Path) -> tuple[str, set[str]]:
    """State and reasons of a running engine."""

    async def look() -> tuple[str, set[str]]:
        client = SocketClient(home, client="test", watch=True)
        await client.start()
        try:
            async with asyncio.timeout(LONG_S):
                while True:
                    event = await client.next()
                    if isinstance(event, Snapshot) and all(reason.code != "starting" for reason in event.desk.reasons):
                        return event.desk.state, {reason.code for reason in event.desk.reasons}
        finally:
            await client.close()

    return asyncio.run(look())


def forgotten_after_kills(folder: Path, rounds: int, seed: int) -> list[str]:
    """Pause, resume and flatten in turn, each followed by `kill -9` within 50 ms and a restart; what was forgotten."""
    rng, found = random.Random(seed), []
    expected = {"pause": ("REDUCE_ONLY", "paused"), "resume": ("ACTIVE", ""), "flatten": ("HALTED", "flat")}
    orders: dict[str, Command] = {"pause": Pause(), "resume": Resume(), "flatten": Flatten()}
    with gateway(folder / "gateway", *MIDWEEK) as address:
        home = live_home(folder / "desk", folder / "gateway", address)
        process = EngineProcess(home).ready()
        try:
            for number in range(rounds):
                for name in ("pause", "resume", "flatten"):
                    text = given(home, orders[name])
                    wait_s = rng.uniform(0.0, KILL_WITHIN_S)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.process.wait(wait_s)
                    process.kill()
                    process = EngineProcess(home).ready()
                    state, codes = reasons(home)
                    wanted, code = expected[name]
                    if state != wanted or (code and code not in codes):
                        found.append(f"{number} {name} ({text}), killed {wait_s * 1000:.0f} ms later: {state} {sorted(codes)}")
                    if name == "flatten":
                        given(home, Resume())
        finally:
            process.close()
    return found


def test_no_acknowledged_command_is_forgotten_by_a_kill(tmp_path: Path) -> None:
    assert forgotten_after_kills(tmp_path, rounds=3, seed=1) == []


@pytest.mark.soak
def test_no_acknowledged_command_is_forgotten_by_ninety_kills(tmp_path: Path) -> None:
    assert forgotten_after_kills(tmp_path, rounds=30, seed=2) == []
