"""The desk in plain lines."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from quarterdeck.core.link.messages import LinkBye, LinkState
from quarterdeck.core.model.snapshot import FlattenView
from quarterdeck.tui.plain import changes, follow_engine
from tests.tui.demo_client import FakeClient
from tests.tui.demo_desk import (
    NOW,
    demo_desk,
    demo_log,
    demo_position,
    demo_positions,
    demo_signals,
    demo_snapshot,
    paused_reason,
)


def test_the_first_view_is_told_whole():
    lines = list(changes(None, demo_desk()))
    assert lines[0] == "14:33:08 SIMULATED, ACTIVE, equity 10,124.27, day +124.27 +1.24%, 3 positions"
    assert sum("open: " in line for line in lines) == 3


def test_nothing_changed_tells_nothing():
    assert list(changes(demo_desk(), demo_desk(at_utc_ns=NOW + 10**9))) == []


def test_each_change_is_one_line():
    before = demo_desk(signals=demo_signals()[1:])
    moved = msgspec.structs.replace(demo_positions()[0], stop_price=1.073)
    halved = msgspec.structs.replace(demo_positions()[1], lots=0.2)
    now = demo_desk(
        state="REDUCE_ONLY",
        reasons=(paused_reason(),),
        positions=(moved, halved, demo_position(5, "GBPUSD")),
        unconfirmed_orders=1,
        flatten=FlattenView(scope="ours", since_utc_ns=NOW, done=False, text="closing 1 of 3", left_open=("GBPUSD",)),
        equity_money=9_000.0,
    )
    text = "\n".join(changes(before, now))
    for part in (
        "state REDUCE ONLY: paused by the operator (ends when resume)",
        "stop moved: buy 0.50 EURUSD",
        "0.40 to 0.20 lots",
        "opened: buy 0.50 GBPUSD",
        "closed: buy 0.35 USDJPY",
        "signal buy EURUSD 0.84 entered",
        "positions match broker, 0 without a stop, 1 unconfirmed orders",
        "flatten: closing 1 of 3; left: GBPUSD",
        "equity 9,000.00",
    ):
        assert part in text, part


async def test_plain_mode_follows_to_the_end_and_reports_equity_steps():
    small = [demo_snapshot(number, equity_money=10_124.27 + number) for number in range(2, 30)]
    lines: list[str] = []
    client = FakeClient([LinkState(up=True), demo_log(1)[0]])
    client.give(demo_snapshot(1))
    told: list[str] = []

    def write(line: str) -> None:
        lines.append(line)
        if small:
            client.give(small.pop(0))
        elif not told:
            told.append(line)
            client.give(LinkBye(why="done"))

    client.give(*small[:1])
    client.box.put(LinkBye(why="done"))
    assert await follow_engine(client, write) == 0
    assert lines[-1] == "engine ended: done"


def test_plain_lines_never_load_textual():
    code = "import sys, quarterdeck.tui.plain; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
