"""Which modules of `core` are compiled, which only go along under the other name, and which both sides share.

Why three kinds: a class that is compiled is another class than the one it was made from. What an operator's strategy, the data
and the settings are made of must be one and the same on both sides, so it is shared; what meets compiled classes without being
worth compiling (the opening of a run, the broker's adapter) goes along as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "core_compiled"
"""What `core` is called on the compiled side."""
ENTRANCES = ("core.backtest.run", "core.backtest.market")
SHARED = (
    "core.calendar",
    "core.clock.wall",
    "core.data",
    "core.engine.strategy_process",
    "core.engine.strategy_wire",
    "core.journal",
    "core.model.candles",
    "core.model.errors",
    "core.model.units",
    "core.pipes",
    "core.settings",
    "core.strategy",
)
SHARED_CLASSES = {
    "core.backtest.result": ("BacktestResult", "Decided", "Entered", "Marked", "Rejected"),
    "core.model.market": ("Bar", "Side"),
    "core.study.summary": ("Summary",),
}
"""Classes of compiled modules that stay what they are: what the shared modules make, and what a result is read from."""
SEAMS = {"core.scan.plan": {"decision.votes": "checks_of(decision.votes)"}}
"""What a strategy hands over and the compiled side reads often: its own kind is made of it there."""
COMPILED = (
    "core.backtest",
    "core.brokers.base",
    "core.brokers.mt5.requests",
    "core.brokers.simulator.books",
    "core.brokers.simulator.instruments",
    "core.brokers.simulator.ledger",
    "core.brokers.simulator.market",
    "core.brokers.simulator.market_recorded",
    "core.brokers.simulator.records",
    "core.brokers.simulator.rules",
    "core.brokers.simulator.servertime",
    "core.brokers.simulator.state",
    "core.brokers.simulator.terminal",
    "core.brokers.simulator.trade",
    "core.brokers.simulator.triggers",
    "core.brokers.simulator.valuation",
    "core.clock.zones",
    "core.desk",
    "core.engine.perform",
    "core.engine.runner",
    "core.engine.signal_queue",
    "core.filters",
    "core.model",
    "core.risk",
    "core.scan.columns",
    "core.scan.features",
    "core.scan.plan",
    "core.study.summary",
)


def is_shared(module: str) -> bool:
    """Whether both sides use the module that there is."""
    return _inside(module, SHARED)


def is_compiled(module: str) -> bool:
    """Whether the module becomes machine code."""
    return _inside(module, COMPILED) and not is_shared(module)


def renamed(module: str) -> str:
    """What a module is called on the compiled side."""
    return module if is_shared(module) else PACKAGE + module.removeprefix("core")


def needed(root: Path) -> dict[str, Path]:
    """Modules that the entrances lead to and that are not shared, by name; packages included. `root` holds `core`."""
    found: dict[str, Path] = {}
    waiting = list(ENTRANCES)
    while waiting:
        module = waiting.pop()
        path = _path(root, module)
        if path is None or module in found or is_shared(module):
            continue
        found[module] = path
        waiting += module.rpartition(".")[:1]
        waiting += _imported(path)
    return dict(sorted(found.items()))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _path(root: Path, module: str) -> Path | None:
    if module.split(".", maxsplit=1)[0] != "core":
        return None
    bare = root.joinpath(*module.split("."))
    return next((path for path in (bare.with_suffix(".py"), bare / "__init__.py") if path.is_file()), None)


def _inside(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)
