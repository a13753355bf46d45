"""A start that takes too long ends, and says where it stood."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from quarterdeck.core.engine.start_sequence import open_broker_in_time
from quarterdeck.core.model.errors import BrokerError


@pytest.mark.parametrize(
    ("hangs", "stood_at"), [("connect", "connecting to the broker"), ("available_symbols", "account 7 on sim")]
)
async def test_it_says_at_which_step_it_stood(hangs: str, stood_at: str) -> None:
    async def connect() -> SimpleNamespace:
        if hangs == "connect":
            await asyncio.Event().wait()
        account = SimpleNamespace(login=7, server="sim", mode="demo", currency="USD", balance_money=1.0)
        return SimpleNamespace(account=account)

    async def available_symbols(_names: object) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    steps: list[str] = []
    broker = SimpleNamespace(connect=connect, available_symbols=available_symbols, select=None)
    with pytest.raises(BrokerError, match=f"within 0.05 s; the start was at: {stood_at}"):
        await open_broker_in_time(broker, ("EURUSD",), history_bars=1, h1_bars=0, on_step=steps.append, limit_s=0.05)  # type: ignore[arg-type]
    assert steps[-1].startswith(stood_at)
