"""The product's source as syntax trees, for the tests that read code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PRODUCT = ("quarterdeck.core", "quarterdeck.tui", "quarterdeck.cli")
_NAME = "quarterdeck"
_PARTS = ("core", "tui", "cli")
PURE = (
    "quarterdeck.core.model",
    "quarterdeck.core.desk",
    "quarterdeck.core.scan",
    "quarterdeck.core.strategy",
    "quarterdeck.core.filters",
    "quarterdeck.core.risk",
)


@dataclass(frozen=True)
class Module:
    """One file of the product."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    def __str__(self) -> str:
        return self.path.relative_to(CHECKOUT).as_posix()

    def at(self, node: ast.AST) -> str:
        """`file:line`, as editors understand it."""
        return f"{self}:{getattr(node, 'lineno', 1)}"

    def line(self, node: ast.AST) -> str:
        """The source line on which `node` begins."""
        return self.text.splitlines()[getattr(node, "lineno", 1) - 1]

    def within(self, *packages: str) -> bool:
        """Whether the module belongs to one of `packages`."""
        return any(self.name == package or self.name.startswith(f"{package}.") for package in packages)


def _folder(package: str) -> str:
    """Top-level folder of the checkout that holds `package`."""
    parts = package.split(".")
    return parts[1] if parts[0] == _NAME else parts[0]


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """All modules of `packages` (the whole product by default), in order of their paths."""
    wanted = packages or PRODUCT
    found = []
    for top in sorted({_folder(package) for package in wanted}):
        for path in sorted((CHECKOUT / top).rglob("*.py")):
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            inside = (_NAME,) if top in _PARTS else ()
            name = ".".join((*inside, *(parts[:-1] if parts[-1] == "__init__" else parts)))
            text = path.read_text(encoding="utf-8")
            module = Module(path, name, text, ast.parse(text, filename=str(path)))
            if module.within(*wanted):
                found.append(module)
    return tuple(found)


def imports(module: Module) -> Iterator[tuple[str, ast.stmt]]:
    """Every module that `module` imports anywhere in it, with the statement; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def typing_only(module: Module) -> set[ast.stmt]:
    """Import statements that only a type checker runs."""
    found: set[ast.stmt] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            found.update(inner for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom))
    return found


def dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of names, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def report(found: list[str]) -> str:
    """Findings one below the other, for an assertion's text."""
    return "\n" + "\n".join(found)
