"""Pictures of the screens for the docs, drawn from the demo desk: `python -m tests.tui.screen_pictures`."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.tui.app import DeskApp
from tests.tui.conftest import Bridge
from tests.tui.demo_client import FakeClient, live_events
from tests.tui.demo_commands import DemoCommands, demo_reports
from tests.tui.demo_desk import NOW, demo_positions, drawdown_reason, foreign_position

ANSWERED = ""
"""Not a key: wait until what was asked is answered."""
EDITED = ("t", ANSWERED, "slash", *"time_exit_h", "enter", "down", "enter", *("backspace",) * 4, "2", "enter")
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screens"
BAD_NIGHT: dict[str, Any] = {
    "mode": "real",
    "state": "HALTED",
    "reasons": (drawdown_reason(),),
    "positions": (*demo_positions(), foreign_position()),
    "positions_without_stop": 1,
    "unconfirmed_orders": 1,
    "positions_match": False,
    "day_result_money": -430.5,
    "oldest_quote_utc_ns": NOW - 400 * 10**9,
}
SAME_FOR_ALL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
"""The terminal that the pictures are drawn for, whoever draws them."""
PICTURES: dict[str, tuple[str, tuple[int, int], tuple[str, ...], dict[str, Any]]] = {
    "desk": ("harbour", (120, 40), (), {}),
    "desk-wide": ("harbour", (200, 60), (), {}),
    "desk-small": ("daylight", (80, 24), (), {}),
    "flatten": ("harbour", (100, 30), ("F", "f", "l"), {"positions": (*demo_positions(), foreign_position())}),
    "tweak": ("harbour", (120, 36), ("t", "slash", *"risk_per", "enter", "down"), {}),
    "effect": ("harbour", (120, 36), (*EDITED, "E"), {}),
    "backtest": ("harbour", (120, 44), ("x", ANSWERED, "enter"), {}),
    "why": ("clear_sight", (100, 30), ("w", "down"), {}),
    "chart": ("high_contrast", (120, 36), ("v",), {}),
    "metrics": ("harbour", (120, 40), ("M",), {}),
    "story": ("daylight", (120, 36), ("b", "", "enter"), {}),
    "bad-night": ("clear_sight", (80, 24), (), BAD_NIGHT),
}


CELL = 12.2
"""Width of a letter in the picture's own units."""
TEXT = re.compile(r'(<text [^>]*?x=")([0-9.]+)("[^>]*?textLength=")([0-9.]+)("[^>]*>)((?:&#160;)*)(.*?)((?:&#160;)*)</text>')


async def drawn(name: str) -> str:
    """One picture."""
    theme, size, keys, desk = PICTURES[name]
    ui = msgspec.structs.replace(shipped_settings().ui, theme=theme)
    commands = DemoCommands()
    commands.finished = demo_reports()
    app = DeskApp(FakeClient(live_events(**desk)), ui, commands=commands)
    async with app.run_test(size=size, tooltips=False) as pilot:
        app.ticking.pause()
        bridge = Bridge(app, pilot, app.client)  # type: ignore[arg-type]
        await bridge.settle()
        for key in keys:
            await (bridge.press(key) if key else bridge.answers())
        await bridge.answers()
        return tight(own_fonts(app.export_screenshot(title="Quarterdeck")))


def own_fonts(svg: str) -> str:
    """The picture with the reader's own fonts: nothing is fetched when the docs are read."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family: [^;]*;", "font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace;", svg)


def tight(svg: str) -> str:
    """Each text begins and ends with a letter: some programs leave blanks at its ends out, and everything after them slips."""

    def moved(found: re.Match[str]) -> str:
        head, x, middle, length, tail, before, text, after = found.groups()
        if not text:
            return ""
        left, right = before.count(";"), after.count(";")
        return f"{head}{float(x) + left * CELL:g}{middle}{float(length) - (left + right) * CELL:g}{tail}{text}</text>"

    return TEXT.sub(moved, svg)


def main() -> None:
    """All pictures; the names of those that changed."""
    os.environ.update(SAME_FOR_ALL)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        path, picture = FOLDER / f"{name}.svg", asyncio.run(drawn(name))
        if not path.is_file() or path.read_text(encoding="utf-8") != picture:
            path.write_text(picture, encoding="utf-8", newline="\n")
            print(f"wrote docs/screens/{name}.svg")


if __name__ == "__main__":
    main()
