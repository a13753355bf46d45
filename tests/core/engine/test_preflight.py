"""What a start needs is checked without starting: a restart ends nothing before it knows that the next can begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_VARIABLE
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.engine.preflight import check_start
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.model.errors import BrokerError, QuarterdeckError, SettingsError
from quarterdeck.core.settings.home import Home


async def checked(home: Path, text: str) -> list[str]:
    (home / "settings.toml").write_text(text)
    steps: list[str] = []
    await check_start(RunRequest(home=Home(home)), WallClock(), steps.append)
    return steps


def left_in(home: Path) -> list[str]:
    return [path.name for path in home.iterdir()]


async def test_what_can_start_is_left_as_it_was(tmp_path: Path) -> None:
    assert len(await checked(tmp_path, "")) == 2
    assert left_in(tmp_path) == ["settings.toml"]


@pytest.mark.parametrize("text", ["[risk]\nrisk_per_trade_pct = 500.0\n", '[strategy]\nfile = "gone.py"\nname = "Mine"\n'])
async def test_settings_and_strategy_are_checked(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        await checked(tmp_path, text)


@pytest.mark.posix  # rights of files work differently on Windows
async def test_secrets_are_checked(tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").write_text('password = "x"')
    (tmp_path / "secrets.toml").chmod(0o644)
    with pytest.raises(QuarterdeckError, match="others may read it"):
        await checked(tmp_path, "")


async def test_the_way_to_the_broker_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "t" * 40)
    with pytest.raises(BrokerError, match="nothing listens there"):
        await checked(tmp_path, '[desk]\nmode = "live"\n[account]\ngateway = "ws://127.0.0.1:9"\n')
