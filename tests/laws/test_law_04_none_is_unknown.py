"""Law 4: `None` from a broker means unknown, never empty. A read is Known or Unknown by type, and no code turns one into the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.laws.source import Module, modules, report

READS = ("account", "quotes", "bars", "new_deals")


def emptied(module: Module) -> Iterator[ast.AST]:
    """Answers that are replaced by something empty when there is none: `call() or []`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            asked = any(
                isinstance(part, ast.Await) or (isinstance(part, ast.Call) and "_get" in ast.unparse(part.func))
                for part in node.values
            )
            if asked and is_empty(node.values[-1]):
                yield node


def is_empty(node: ast.expr) -> bool:
    return ast.unparse(node) in {"[]", "()", "{}", "list()", "tuple()", "dict()", "0", "0.0", "''"}


def test_a_missing_answer_is_never_made_empty() -> None:
    found = [
        f"{module.at(node)} {ast.unparse(node)}"
        for module in modules("quarterdeck.core.brokers", "quarterdeck.core.engine")
        for node in emptied(module)
    ]
    assert not found, report(found)


def test_a_brokers_reads_are_known_or_unknown() -> None:
    (base,) = modules("quarterdeck.core.brokers.base")
    broker = next(node for node in base.tree.body if isinstance(node, ast.ClassDef) and node.name == "Broker")
    returns = {
        node.name: ast.unparse(node.returns) for node in broker.body if isinstance(node, ast.AsyncFunctionDef) and node.returns
    }
    for name in READS:
        assert returns[name].startswith("Known["), name
        assert returns[name].endswith("| Unknown"), name
    assert not [name for name, said in returns.items() if "None" in said.split(" | ") and said != "None"]


@pytest.mark.parametrize(
    "planted", ["x = mt5.positions_get() or ()", "async def f(t):\n    return await t.call('orders_get') or []"]
)
def test_a_planted_default_is_found(planted: str) -> None:
    module = Module(modules("quarterdeck.core")[0].path, "quarterdeck.core.brokers.planted", planted, ast.parse(planted))
    assert list(emptied(module))
