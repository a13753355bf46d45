"""Law 12: every queue, window and cache has a size. A line that bounds it by other means says so: `# bounded: how`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.laws.source import Module, dotted, modules, report

MARK = "# bounded: "
QUEUES = frozenset({"Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"})


def unbounded(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Queues, windows and caches that are made without a size."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func).split(".")[-1]
        keywords = {word.arg for word in node.keywords}
        if name in QUEUES and not node.args and "maxsize" not in keywords:
            yield node, f"{name} without maxsize"
        elif name == "deque" and len(node.args) < 2 and "maxlen" not in keywords:
            yield node, "deque without maxlen"
        elif name == "lru_cache" and any(word.arg == "maxsize" and ast.unparse(word.value) == "None" for word in node.keywords):
            yield node, "lru_cache without a size"


def test_what_grows_has_a_size() -> None:
    found = [
        f"{module.at(node)} {what}" for module in modules() for node, what in unbounded(module) if MARK not in module.line(node)
    ]
    assert not found, report(found)


@pytest.mark.parametrize(
    "planted", ["q = asyncio.Queue()", "d = deque()", "d = deque([1])", "@lru_cache(maxsize=None)\ndef f(): ..."]
)
def test_a_planted_one_is_found(planted: str) -> None:
    module = Module(modules("quarterdeck.core")[0].path, "quarterdeck.core.engine.planted", planted, ast.parse(planted))
    assert list(unbounded(module))
