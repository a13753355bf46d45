"""Which modules of `core` are compiled, which only go along under the other name, and which both sides share.

Why three kinds: a class that is compiled is another class than the one it was made from. What an operator's strategy, the data
and the settings are made of must be one and the same on both sides, so it is shared; what meets compiled classes without being
worth compiling (the opening of a run, the broker's adapter) goes along as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = "quarterdeck.core"
PACKAGE = "quarterdeck_compiled_core"
"""What `quarterdeck.core` is called on the compiled side."""
ENTRANCES = ("quarterdeck.core.backtest.backtester", "quarterdeck.core.backtest.recorded_days")
SHARED = (
    "quarterdeck.core.calendar",
    "quarterdeck.core.clock.wall",
    "quarterdeck.core.data",
    "quarterdeck.core.engine.strategy_process",
    "quarterdeck.core.engine.strategy_messages",
    "quarterdeck.core.journal",
    "quarterdeck.core.model.candles",
    "quarterdeck.core.model.errors",
    "quarterdeck.core.model.units",
    "quarterdeck.core.pipes",
    "quarterdeck.core.settings",
    "quarterdeck.core.strategy",
)
SHARED_CLASSES = {
    "quarterdeck.core.backtest.result": ("BacktestResult", "CandidateOutcome", "EntryRecord", "EquityMark", "RefusedCandidate"),
    "quarterdeck.core.model.market_data": ("Bar", "Side"),
    "quarterdeck.core.study.summary": ("Summary",),
}
"""Classes of compiled modules that stay what they are: what the shared modules make, and what a result is read from."""
SEAMS = {"quarterdeck.core.scan.plan": {"decision.votes": "checks_of(decision.votes)"}}
"""What a strategy hands over and the compiled side reads often: its own kind is made of it there."""
COMPILED = (
    "quarterdeck.core.backtest",
    "quarterdeck.core.brokers.base",
    "quarterdeck.core.brokers.mt5.trade_requests",
    "quarterdeck.core.brokers.simulator.books",
    "quarterdeck.core.brokers.simulator.instruments",
    "quarterdeck.core.brokers.simulator.ledger",
    "quarterdeck.core.brokers.simulator.market_source",
    "quarterdeck.core.brokers.simulator.market_recorded",
    "quarterdeck.core.brokers.simulator.ledger_rows",
    "quarterdeck.core.brokers.simulator.trade_server_rules",
    "quarterdeck.core.brokers.simulator.simulated_server_time",
    "quarterdeck.core.brokers.simulator.terminal_state",
    "quarterdeck.core.brokers.simulator.simulated_terminal",
    "quarterdeck.core.brokers.simulator.trade_server",
    "quarterdeck.core.brokers.simulator.triggers",
    "quarterdeck.core.brokers.simulator.valuation",
    "quarterdeck.core.clock.time_zones",
    "quarterdeck.core.desk",
    "quarterdeck.core.engine.order_sender",
    "quarterdeck.core.engine.runner",
    "quarterdeck.core.engine.signal_queue",
    "quarterdeck.core.filters",
    "quarterdeck.core.model",
    "quarterdeck.core.risk",
    "quarterdeck.core.scan.vectorized_scan",
    "quarterdeck.core.scan.features",
    "quarterdeck.core.scan.plan",
    "quarterdeck.core.study.summary",
)


def is_shared(module: str) -> bool:
    """Whether both sides use the module that there is."""
    return _inside(module, SHARED)


def is_compiled(module: str) -> bool:
    """Whether the module becomes machine code."""
    return _inside(module, COMPILED) and not is_shared(module)


def renamed(module: str) -> str:
    """What a module is called on the compiled side."""
    return module if is_shared(module) else PACKAGE + module.removeprefix(SOURCE)


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
    if not _inside(module, (SOURCE,)):
        return None
    bare = root.joinpath(*module.split(".")[1:])
    return next((path for path in (bare.with_suffix(".py"), bare / "__init__.py") if path.is_file()), None)


def _inside(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)
