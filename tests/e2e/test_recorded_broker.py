"""A broker that `doctor --record` wrote down gives the same findings where `gateway --replay` serves it, by command."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_NAME
from tests.conftest import CHECKOUT
from tests.e2e.processes import LONG_S, command, environment

pytestmark = [pytest.mark.processes, pytest.mark.slow]

SLOW_S = 4 * LONG_S
"""A command under Wine takes seconds to start."""
MEASURED = ("round trip", "candles ", "quote ")
"""Milliseconds on the way and ages; they are of the moment."""


@contextlib.contextmanager
def gateway(home: Path, *words: str | Path) -> Iterator[str]:
    """A gateway's address, until the block ends."""
    line = command("gateway", "--home", home, "--port", "0", "--json", *words)
    with subprocess.Popen(line, cwd=CHECKOUT, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield next(json.loads(row)["address"] for row in process.stdout if row.startswith(b"{"))
        finally:
            process.kill()


def findings(home: Path, gateway_home: Path, address: str, *words: str | Path) -> list[tuple[str, ...]]:
    """What `doctor` finds at a gateway: name, verdict, text, remedy. The login is not recorded, so it is left out."""
    home.mkdir(exist_ok=True)
    shutil.copy(gateway_home / TOKEN_NAME, home)
    settings = ("desk.mode=live", f"account.gateway={address}", "news.impacts=[]")
    line = command("doctor", "--home", home, "--json", *(word for one in settings for word in ("--set", one)), *words)
    done = subprocess.run(line, cwd=CHECKOUT, env=environment(), capture_output=True, check=False, timeout=SLOW_S)
    assert done.stdout, done.stderr.decode()
    return [
        (
            row["name"],
            row["verdict"],
            "" if row["name"].startswith(MEASURED) else re.sub(r"login \d+", "", row["text"]),
            row["remedy"],
        )
        for row in json.loads(done.stdout.splitlines()[-1])["findings"]
    ]


def test_a_recorded_broker_is_examined_elsewhere_with_the_same_findings(tmp_path):
    recording = tmp_path / "broker.jsonl"
    with gateway(tmp_path / "broker", "--simulated") as address:
        seen = findings(tmp_path / "desk", tmp_path / "broker", address, "--record", recording)
    with gateway(tmp_path / "elsewhere", "--replay", recording) as address:
        again = findings(tmp_path / "other desk", tmp_path / "elsewhere", address)
    assert {name for name, *_ in seen} >= {"account", "server clock", "symbol EURUSD", "order EURUSD", "book", "deals"}
    assert again == seen
