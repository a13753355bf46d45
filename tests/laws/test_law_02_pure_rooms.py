"""Law 2: what decides is pure. Same inputs, same decisions: no clock, chance, system, global state, or order that depends on a hash.

A line that must break it says why: `# impure: reason`. The number of such lines may only fall.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.laws.source import PURE, Module, dotted, imports, modules, report, typing_only

EXCEPTIONS_MAX = 6
MARK = "# impure: "
FORBIDDEN_MODULES = frozenset(
    "asyncio concurrent ctypes gc http importlib io locale logging multiprocessing os pathlib pickle platform queue "
    "random secrets select selectors shutil signal socket sqlite3 ssl subprocess sys tempfile threading time urllib "
    "uuid warnings websockets".split()
)
FORBIDDEN_CALLS = frozenset(
    {"open", "print", "input", "id", "hash", "eval", "exec", "globals", "__import__", "breakpoint", "getattr_static"}
)
CLOCKS = frozenset({"now", "utcnow", "today"})
MUTATORS = frozenset(
    "append extend insert remove pop popitem clear add discard update setdefault appendleft popleft sort reverse "
    "__setitem__".split()
)
MUTABLE_MAKERS = frozenset({"list", "dict", "set", "defaultdict", "deque", "bytearray", "Counter", "OrderedDict"})
ORDER_BLIND = frozenset({"sorted", "len", "any", "all", "min", "max", "set", "frozenset", "bool", "isinstance"})


@pytest.fixture(scope="module")
def pure() -> tuple[Module, ...]:
    found = modules(*PURE)
    assert found
    return found


def breaches(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """What a pure module must not do, with the place."""
    skipped = typing_only(module)
    for name, node in imports(module):
        top = name.split(".")[0]
        if node not in skipped and (top in FORBIDDEN_MODULES or name == "quarterdeck.core.clock.wall"):
            yield node, f"imports {name}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield node, "awaits"
        elif isinstance(node, ast.Global):
            yield node, f"changes the global {', '.join(node.names)}"
        elif isinstance(node, ast.Call):
            called = dotted(node.func)
            if called in FORBIDDEN_CALLS:
                yield node, f"calls {called}()"
            elif isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS and not node.args:
                yield node, f"reads a clock: {ast.unparse(node.func)}()"
    yield from changed_globals(module)
    yield from set_orders(module)


def changed_globals(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Mutable values at module level that some code of the module changes."""
    mutable = {name for statement in module.tree.body for name in mutable_names(statement)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            target: ast.expr | None = node.func.value
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            target = node.value
        else:
            continue
        if isinstance(target, ast.Name) and target.id in mutable:
            yield node, f"changes the global {target.id}"


def mutable_names(statement: ast.stmt) -> Iterator[str]:
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    is_maker = isinstance(value, ast.Call) and dotted(value.func).split(".")[-1] in MUTABLE_MAKERS
    if not is_maker and not isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]  # type: ignore[union-attr]
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def set_orders(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Places where the order of a set's elements could show."""
    known = set_names(module)
    for node in ast.walk(module.tree):
        sources: list[ast.expr] = []
        if isinstance(node, ast.For):
            sources = [node.iter]
        elif isinstance(node, ast.ListComp | ast.DictComp | ast.GeneratorExp) and not isinstance(node, ast.SetComp):
            sources = [] if blind(module, node) else [part.iter for part in node.generators]
        elif isinstance(node, ast.Starred):
            sources = [node.value]
        elif isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] in {
            "list",
            "tuple",
            "sum",
            "enumerate",
            "iter",
            "join",
            "zip",
            "map",
            "fsum",
        }:
            sources = list(node.args)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "pop" and not node.args:
            sources = [node.func.value]
        for source in sources:
            if is_set(source, known):
                yield source, f"orders something by a set: {ast.unparse(source)}"


def blind(module: Module, generator: ast.AST) -> bool:
    # A generator inside sorted(), any(), all(), set() ... shows no order.
    return any(
        isinstance(node, ast.Call) and dotted(node.func) in ORDER_BLIND and generator in node.args
        for node in ast.walk(module.tree)
    )


def set_names(module: Module) -> frozenset[str]:
    """Names and attributes of the module that hold sets, by annotation or by what they are first given."""
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AnnAssign) and says_set(node.annotation):
            found.add(dotted(node.target).split(".")[-1])
        elif isinstance(node, ast.arg) and node.annotation is not None and says_set(node.annotation):
            found.add(node.arg)
        elif isinstance(node, ast.Assign) and is_set(node.value, frozenset()):
            found.update(dotted(target).split(".")[-1] for target in node.targets)
    return frozenset(found - {""})


def says_set(annotation: ast.expr) -> bool:
    head = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return dotted(head).split(".")[-1] in {"set", "frozenset", "Set", "AbstractSet", "FrozenSet"}


def is_set(node: ast.expr, known: frozenset[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        return dotted(node.func) in {"set", "frozenset"}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
        return is_set(node.left, known) or is_set(node.right, known)
    return isinstance(node, ast.Name | ast.Attribute) and dotted(node).split(".")[-1] in known


def test_pure_rooms_are_pure(pure: tuple[Module, ...]) -> None:
    found = [f"{module.at(node)} {what}" for module in pure for node, what in breaches(module) if MARK not in module.line(node)]
    assert not found, report(found)


def test_exceptions_are_few_and_give_their_reason(pure: tuple[Module, ...]) -> None:
    marked = [f"{module}:{number}" for module in pure for number, line in enumerate(module.text.splitlines(), 1) if MARK in line]
    assert len(marked) <= EXCEPTIONS_MAX, report(marked)


@pytest.mark.parametrize(
    "planted",
    [
        "import time",
        "from random import choice",
        "def f(d):\n    return d.now()",
        "async def f():\n    pass",
        "SEEN = {}\ndef f(x):\n    SEEN[x] = 1",
        "SEEN = []\ndef f(x):\n    SEEN.append(x)",
        "def f(names: set[str]):\n    for name in names:\n        pass",
        "def f(a, b):\n    return list(set(a) | set(b))",
        "def f(a):\n    return [x for x in {1, 2, a}]",
        "def f(a):\n    return hash(a)",
    ],
)
def test_a_planted_breach_is_found(planted: str) -> None:
    module = Module(modules("quarterdeck.core")[0].path, "quarterdeck.core.desk.planted", planted, ast.parse(planted))
    assert list(breaches(module))


@pytest.mark.parametrize(
    "innocent",
    [
        "def f(names: set[str]):\n    return sorted(names)",
        "def f(names: set[str], x):\n    return x in names and len(names)",
        "def f(a):\n    return any(x > 1 for x in {1, a})",
        "TABLE = {1: 2}\ndef f(x):\n    return TABLE[x]",
        "def f(rows):\n    found = []\n    found.append(rows)\n    return found",
    ],
)
def test_what_is_pure_passes(innocent: str) -> None:
    module = Module(modules("quarterdeck.core")[0].path, "quarterdeck.core.desk.planted", innocent, ast.parse(innocent))
    assert not list(breaches(module))
