"""A parameter that nobody reads is a promise without effect: every key of the schema is read somewhere in the code."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from quarterdeck.core.settings.addresses import ALERT_URLS
from quarterdeck.core.settings.parameters import parameters, sections
from tests.conftest import CHECKOUT


def _pairs(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Targets with their values, tuples taken apart."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from zip(target.elts, node.value.elts, strict=False)
            else:
                yield target, node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value


def _last(node: ast.expr) -> str:
    """The last name of `a.b.c`, or of `a.b.c()`."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _read_in(tree: ast.Module) -> set[str]:
    """Dotted keys that one module reads: from `....section.key`, or from a name that stands for a section."""
    by_class = {kind.__name__: name for name, kind in sections().items()}
    stands_for: defaultdict[str, set[str]] = defaultdict(set)
    for name in sections():
        stands_for[name].add(name)
    nodes = list(ast.walk(tree))
    for node in nodes:
        for target, value in _pairs(node):
            if isinstance(value, ast.Attribute) and value.attr in sections():
                stands_for[_last(target)].add(value.attr)
        if isinstance(node, ast.arg) and node.annotation is not None:
            named = by_class.get(ast.unparse(node.annotation).removeprefix("Callable[[], ").rstrip("]").rpartition(".")[2])
            if named is not None:
                stands_for[node.arg] |= {named}
                stands_for[f"_{node.arg}"] |= {named}
    return {
        f"{section}.{node.attr}"
        for node in nodes
        if isinstance(node, ast.Attribute)
        for section in stands_for.get(_last(node.value), ())
    }


def test_every_parameter_is_read_by_the_code() -> None:
    read: set[str] = set()
    for room in ("core", "cli", "tui"):
        for path in sorted((CHECKOUT / room).rglob("*.py")):
            read |= _read_in(ast.parse(path.read_text(encoding="utf-8")))
    read.add(ALERT_URLS)  # named where it is lifted out of the settings: the rest of the program reads the secrets
    assert [key for key in parameters() if key not in read] == []
