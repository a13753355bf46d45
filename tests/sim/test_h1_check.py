"""A terminal whose H1 bars are not what its M15 bars add up to: it is reported, and trades as before (D1)."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.brokers.base import CallReply, Terminal
from quarterdeck.core.brokers.mt5.mt5_constants import TIMEFRAMES
from quarterdeck.core.model.inputs import Input
from quarterdeck.core.model.signals import NoSignal, Signal
from tests.sim.simulated_engine import Line, World

HOURS = 3.2


class WrongHours(Line):
    """H1 bars of EURUSD lie some ticks beside where the hour was."""

    ticks = 0.0

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        reply = await super().call(name, *args, **kwargs)
        asked = (*args, *kwargs.values())
        if self.ticks and name.startswith("copy_rates") and "EURUSD" in asked and TIMEFRAMES["H1"] in asked:
            rates = reply.value.copy()
            for name in ("open", "high", "low", "close"):
                rates[name] += self.ticks * 0.00001
            return CallReply(rates, reply.error_code, reply.error_text)
        return reply


class WrongWorld(World):
    ticks = 0.0

    def line(self) -> Terminal:
        line = WrongHours(self)
        line.ticks = self.ticks
        return line


def lived(folder: Path, ticks: float) -> tuple[list[Signal | NoSignal], list[tuple[str, str]], dict[str, int], list[str]]:
    world = WrongWorld(folder, seed=4, history_days=40, desk__pairs=["EURUSD", "GBPUSD"])
    world.ticks = ticks
    answers: list[Signal | NoSignal] = []
    errors: dict[str, int] = {}

    def watch(_at_utc_ns: int, item: Input, _effects: object) -> None:
        if isinstance(item, Signal | NoSignal):
            answers.append(item)

    async def hours(world: World) -> None:
        world.watchers.append(watch)
        engine = await world.start()
        await world.hours(HOURS)
        errors.update(engine.snapshot().engine.errors)
        await world.close()

    world.run(hours)
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        told = journal.execute("SELECT symbol, text FROM errors WHERE kind = 'h1'").fetchall()
    log = "".join(file.read_text() for file in (folder / "logs").glob("*"))
    return answers, told, errors, [line for line in log.splitlines() if "alert.error" in line]


@pytest.mark.parametrize(("ticks", "found"), [(0.0, False), (1.0, False), (3.0, True)])
def test_the_brokers_hours_are_compared_and_change_nothing(tmp_path: Path, ticks: float, found: bool) -> None:
    answers, told, errors, alerts = lived(tmp_path / "wrong", ticks)
    assert len(answers) > 20
    assert bool(told) is found
    if found:
        assert [symbol for symbol, _ in told] == ["EURUSD"] * 3
        assert "The desk uses the M15 bars" in told[0][1]
        assert errors["H1Differs"] == 3
        assert len(alerts) == 1
        right = lived(tmp_path / "right", 0.0)[0]
        # the broker's hours before the start serve as warm-up; every answer is the same beyond them
        assert [type(answer) for answer in answers] == [type(answer) for answer in right]
        assert answers[-1] == right[-1]
    else:
        assert "H1Differs" not in errors
