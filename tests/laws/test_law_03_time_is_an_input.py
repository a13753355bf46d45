"""Law 3: only `core.clock` reads a clock; everybody else is given the time."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.laws.source import Module, dotted, modules, report

READERS = frozenset(
    "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns thread_time "
    "clock_gettime".split()
)
NOW = frozenset({"now", "utcnow", "today"})


def reads(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Where a module reads a clock of the system, or could."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            taken = [alias.name for alias in node.names if alias.name in READERS]
            if taken:
                yield node, f"imports time.{taken[0]}"
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "time"
            and node.attr in READERS
        ):
            yield node, f"time.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = dotted(node.func.value) or ast.unparse(node.func.value)
            if node.func.attr in NOW and ("datetime" in owner or owner.endswith(("date", "Timestamp", "dt"))):
                yield node, f"{owner}.{node.func.attr}()"
            elif node.func.attr == "time" and not node.args and "loop" in owner:
                yield node, f"{owner}.time()"


def test_only_the_clock_reads_clocks() -> None:
    found = [
        f"{module.at(node)} {what}"
        for module in modules()
        if not module.within("quarterdeck.core.clock")
        for node, what in reads(module)
    ]
    assert not found, report(found)


@pytest.mark.parametrize(
    "planted",
    [
        "import time\nx = time.time()",
        "import time\nread = time.monotonic",
        "from time import perf_counter",
        "from datetime import UTC, datetime\nx = datetime.now(UTC)",
        "import datetime as dt\nx = dt.datetime.utcnow()",
        "from datetime import date\nx = date.today()",
        "import asyncio\nx = asyncio.get_running_loop().time()",
        "def f(self):\n    return self.loop.time()",
    ],
)
def test_a_planted_reading_is_found(planted: str) -> None:
    module = Module(modules("quarterdeck.core")[0].path, "quarterdeck.core.engine.planted", planted, ast.parse(planted))
    assert list(reads(module))
