"""Settings, overrides and secrets that somebody damaged: loaded within their bounds, or refused in one line, and never slowly."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.settings.overrides import OVERRIDES_NAME
from quarterdeck.core.settings.packaged_files import shipped_text
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.secrets import read_secrets
from quarterdeck.core.settings.settings_loader import load_settings, validated

SLOW_S = 0.5
_WORDS = (
    "nan",
    "inf",
    "-inf",
    "1e400",
    "9" * 400,
    "-1",
    "true",
    '""',
    "'\x07'",
    "[]",
    "{}",
    "'" + "x" * 100_000 + "'",
    "0x10",
    "2026-11-30",
)
_OVERRIDES = """[override."risk.risk_per_trade_pct"]
value = 0.5
replaced = 1.0
[[return]]
at_utc_ns = 1_800_000_000_000_000_000
minutes = 30.0
[return.values]
"risk.open_risk_max_pct" = 4.0
"""
_SECRETS = 'password = "hunter2-canary"\nalert_urls = ["json://host/canary"]\n'


def mutated(chance: random.Random, text: str) -> str:
    """One to three lines with another value, another key, other letters, twice, or gone."""
    lines = text.split("\n")
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(lines))
        line = lines[place]
        key, equals, _ = line.partition(" = ")
        step = chance.randrange(5)
        if step == 0 and equals:
            lines[place] = f"{key} = {chance.choice(_WORDS)}"
        elif step == 1 and line:
            at = chance.randrange(len(line))
            lines[place] = line[:at] + chr(chance.choice((0, 7, 27, 34, 61, 91, 93, 0xD800, 0x10FFFF, 65))) + line[at + 1 :]
        elif step == 2:
            lines.insert(place, line)
        elif step == 3:
            del lines[place]
            lines = lines or [""]
        else:
            lines[place] = line[::-1]
    return "\n".join(lines)


@pytest.mark.parametrize("count", [60, pytest.param(10_000, marks=pytest.mark.soak)])
def test_damaged_files_are_refused_or_within_bounds(count: int, tmp_path: Path) -> None:
    texts = {"settings.toml": shipped_text("settings.toml"), OVERRIDES_NAME: _OVERRIDES, "secrets.toml": _SECRETS}
    refused, slowest_s, said = 0, 0.0, list[str]()
    for seed in range(count):
        chance = random.Random(seed)
        for name, text in texts.items():
            (tmp_path / name).write_bytes(text.encode())
        name = chance.choice(("settings.toml", "settings.toml", OVERRIDES_NAME, "secrets.toml"))
        (tmp_path / name).write_bytes(mutated(chance, texts[name]).encode("utf-8", "surrogatepass"))
        (tmp_path / "secrets.toml").chmod(0o600)
        began_s = time.thread_time()
        try:
            loaded = load_settings(tmp_path)
            read_secrets(tmp_path / "secrets.toml", {})
        except QuarterdeckError as error:
            refused += 1
            said.append(error.one_line())
        else:
            assert isinstance(validated(loaded.tree, "again"), Settings)
        slowest_s = max(slowest_s, time.thread_time() - began_s)
    print(f"{count} files: {refused} refused, slowest {slowest_s * 1000:.0f} ms")
    assert refused
    assert not any("canary" in line for line in said), "a secret is not shown"
    assert max(map(len, said)) < 10_000
    assert slowest_s < SLOW_S
