"""House rules that a tool can count: sizes, leftovers, broad handlers, words that do not belong here.

The lists of exceptions may shrink and never grow.
"""

from __future__ import annotations

import ast
import re
import subprocess

import pytest

from tests.laws.source import CHECKOUT, Module, modules, report

MODULE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
CLASS_LINES_MAX = 300
LONGER_FUNCTIONS: dict[str, int] = {}
LONGER_CLASSES: dict[str, int] = {}
BROAD_HANDLERS_MAX = 12
TEST_NAME_WORDS_MAX = 10
LEFTOVERS = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
# Machines and package indexes are nobody's business: a checkout works wherever it lies.
FOREIGN_WORDS = tuple(
    "".join(parts) for parts in (("/wo", "rk/"), ("/ro", "ot/"), ("py", "pi.org"), ("pythonho", "sted"), ("/opt/", "wheels"))
)


def spans(module: Module, kinds: tuple[type[ast.AST], ...]) -> dict[str, int]:
    """Lines of each function or class, without its docstring, by qualified name."""
    found: dict[str, int] = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            name = f"{prefix}.{child.name}" if named else prefix  # type: ignore[attr-defined]
            if isinstance(child, kinds):
                found[name] = (child.end_lineno or 0) - child.lineno + 1 - docstring_lines(child)  # type: ignore[attr-defined]
            visit(child, name)

    visit(module.tree, module.name)
    return found


def docstring_lines(node: ast.AST) -> int:
    body = getattr(node, "body", [])
    first = body[0] if body else None
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return (first.end_lineno or 0) - first.lineno + 1 if is_text and first is not None else 0


def product_and_tools() -> tuple[Module, ...]:
    return modules("quarterdeck.core", "quarterdeck.tui", "quarterdeck.cli", "tools", "benchmarks")


def test_no_module_is_too_long() -> None:
    found = [
        f"{module}: {count} lines"
        for module in product_and_tools()
        if (count := len(module.text.splitlines())) > MODULE_LINES_MAX
    ]
    assert not found, report(found)


@pytest.mark.parametrize(
    ("kinds", "limit", "known"),
    [
        ((ast.FunctionDef, ast.AsyncFunctionDef), FUNCTION_LINES_MAX, LONGER_FUNCTIONS),
        ((ast.ClassDef,), CLASS_LINES_MAX, LONGER_CLASSES),
    ],
    ids=["functions", "classes"],
)
def test_functions_and_classes_fit_a_reader(kinds: tuple[type[ast.AST], ...], limit: int, known: dict[str, int]) -> None:
    sizes = {name: lines for module in product_and_tools() for name, lines in spans(module, kinds).items()}
    found = [f"{name}: {lines} lines" for name, lines in sizes.items() if lines > known.get(name, limit)]
    outgrown = [f"{name} may leave the list" for name in known if sizes.get(name, 0) <= limit]
    assert not found + outgrown, report(found + outgrown)


def test_nothing_is_left_to_do() -> None:
    found = [
        f"{module}:{number} {line.strip()}"
        for module in product_and_tools()
        for number, line in enumerate(module.text.splitlines(), 1)
        if LEFTOVERS.search(line)
    ]
    assert not found, report(found)


def test_no_function_is_a_promise_only() -> None:
    found = [
        f"{module.at(node)} {ast.unparse(node)}"
        for module in product_and_tools()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)
    ]
    assert not found, report(found)


def test_broad_handlers_are_few_and_give_their_reason() -> None:
    found = []
    for module in product_and_tools():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and is_broad(node):
                line = module.line(node)
                assert re.search(r"#.*\w+ \w+", line), f"{module.at(node)} a broad handler gives its reason beside it"
                found.append(f"{module.at(node)} {line.strip()}")
    assert len(found) <= BROAD_HANDLERS_MAX, report(found)


def is_broad(handler: ast.ExceptHandler) -> bool:
    # One that cleans up and raises again hides nothing.
    last = handler.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    return not raises_again and (handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"})


def test_every_module_says_why_it_exists() -> None:
    found = [str(module) for module in product_and_tools() if not ast.get_docstring(module.tree) and module.text.strip()]
    assert not found, report(found)


def test_no_file_names_a_machine_or_an_index() -> None:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    found = []
    for name in done.stdout.split("\0"):
        path = CHECKOUT / name
        if not name or not path.is_file() or path.suffix in {".gz", ".png", ".bin", ".sqlite"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found.extend(f"{name} names {word}" for word in FOREIGN_WORDS if word in text)
    assert not found, report(found)


def test_each_room_has_tests_of_its_own() -> None:
    rooms = sorted({module.name.split(".")[2] for module in modules("quarterdeck.core") if module.name.count(".") > 2})
    found = [
        f"tests/core/{room} is missing" for room in rooms if not list((CHECKOUT / "tests" / "core" / room).rglob("test_*.py"))
    ]
    assert not found, report(found)


def test_a_class_name_has_one_meaning() -> None:
    places: dict[str, list[str]] = {}
    for module in modules("quarterdeck.core"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module.at(node))
    found = [f"{name}: {', '.join(at)}" for name, at in sorted(places.items()) if len(at) > 1]
    assert not found, report(found)


def test_a_file_name_has_one_meaning() -> None:
    places: dict[str, list[str]] = {}
    for module in modules("quarterdeck.core"):
        places.setdefault(module.path.name, []).append(str(module))
    found = [
        f"{name}: {', '.join(at)}"
        for name, at in sorted(places.items())
        if len(at) > 1 and name not in ("__init__.py", "__main__.py")
    ]
    assert not found, report(found)


def test_a_test_name_has_at_most_ten_words() -> None:
    found = [
        f"{path.relative_to(CHECKOUT)} {name}"
        for path in sorted((CHECKOUT / "tests").rglob("test_*.py"))
        for name in re.findall(r"^\s*(?:async )?def test_(\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
        if len(name.split("_")) > TEST_NAME_WORDS_MAX
    ]
    assert not found, report(found)
