"""One module's source as the compiler takes it: the same statements, over classes that the compiler can lay out itself.

What changes, and why
    structs, data classes, some tuples    plain classes with typed attributes: read at a fixed place instead of looked up
    their `replace`                       `quarterdeck_compiled_core.support.replace`
    imports of `core`                     of the compiled side, where a module is not shared
    constants                             `Final`, so that the compiler puts them in place
    `Side.BUY`, `Side.SELL`               two such constants
    `sum`                                 Python's own, also over generators: the compiler's adds floats another way than 3.12
    votes of a strategy                   made anew as checks of the compiled side
    words of checks, caps and alerts      dropped: a backtest keeps numbers, names and reasons; the journal of a run has the words
Promises: the order of what is worked out, and so every float, is that of the source.
"""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from quarterdeck.core.compiled import rooms

_CONSTANT = re.compile(r"^_?[A-Z][A-Z0-9_]+$")
_SIDES = {"BUY": "SIDE_BUY", "SELL": "SIDE_SELL"}
_WORDS = {"Check": 4, "VolumeCap": 2, "Alert": 1}
"""Place of the words among the arguments."""
_RECORDS = ("Advanced", "MarketStep", "MqlTradeResult", "QuietEquityBand", "RequestCheck")
"""Named tuples that nobody takes apart by place, on either side: read by name alone."""
_STRUCT_REPLACE = ("structs.replace", "msgspec.structs.replace")
_PRELUDE = "from typing import Any, Final\nfrom mypy_extensions import mypyc_attr\nfrom {package}.support import total\n"
_UNTRACKED = "@mypyc_attr(acyclic=True)"
"""Records form no cycles, so the collector of cycles need not look at them."""
_HEAD = 2
"""Statements before the first import: the docstring and the future."""


class _Field(NamedTuple):
    name: str
    kind: str
    default: ast.expr | None


def rewritten(module: str, source: str) -> str:
    """The source of `module` (its name in `core`) for the compiled side."""
    tree = ast.parse(source)
    change = _Change(module)
    tree = ast.fix_missing_locations(change.visit(tree))
    head = []
    if rooms.is_compiled(module):
        tree.body = [new for statement in tree.body for new in _finals(statement)]
        head += ast.parse(_PRELUDE.format(package=rooms.PACKAGE)).body
        if module == "quarterdeck.core.model.market_data":
            tree.body += ast.parse("\n".join(f"{name}: Final = Side.{side}" for side, name in _SIDES.items())).body
    for wanted in sorted(change.wanted):
        head += ast.parse(f"from {rooms.PACKAGE}.{wanted}").body
    tree.body[_HEAD:_HEAD] = head
    return ast.unparse(tree) + "\n"


class _Change(ast.NodeTransformer):
    def __init__(self, module: str) -> None:
        self.wanted: set[str] = set()
        """Imports that the changes need."""
        self._module = module
        self._compiled = rooms.is_compiled(module)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.module is not None and f"{node.module}.".startswith(f"{rooms.SOURCE}."):
            node.module = rooms.renamed(node.module)
        elif node.module == "msgspec.structs":
            node.module = f"{rooms.PACKAGE}.support"
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if node.name in rooms.SHARED_CLASSES.get(self._module, ()):
            return ast.parse(f"from {self._module} import {node.name} as {node.name}").body[0]
        bases, node.bases = node.bases, []
        self.generic_visit(node)
        node.bases = bases
        if not self._compiled:
            return node
        node.body = [one for one in node.body if not (isinstance(one, ast.Assign) and _named(one.targets[0], "__slots__"))]
        options = {one.arg: getattr(one.value, "value", None) for one in node.keywords}
        if any(_named(base, "Struct") for base in bases):
            return _plain(node, by_name=bool(options.get("kw_only")), frozen=bool(options.get("frozen")))
        if any(_named(base, "NamedTuple") for base in bases) and node.name in _RECORDS:
            return _plain(node, by_name=False, frozen=True)
        for one in node.decorator_list:
            if isinstance(one, ast.Call) and _named(one.func, "dataclass"):
                return _plain(node, by_name=False, frozen=any(option.arg == "frozen" for option in one.keywords))
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name("Any", node.ctx) if self._compiled and node.id == "Struct" else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        seam = rooms.SEAMS.get(self._module, {}).get(ast.unparse(node))
        if seam is not None:
            self.wanted.add("support import checks_of")
            return ast.parse(seam, mode="eval").body
        if (
            self._compiled
            and self._module != "quarterdeck.core.model.market_data"
            and _named(node.value, "Side")
            and node.attr in _SIDES
        ):
            name = _SIDES[node.attr]
            self.wanted.add(f"model.market_data import {name}")
            return ast.Name(name, node.ctx)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) in _STRUCT_REPLACE:
            self.wanted.add("support import replace as replaced_in")
            node.func = ast.Name("replaced_in", ast.Load())
        if not self._compiled or not isinstance(node.func, ast.Name):
            return node
        if node.func.id == "sum":
            node.func.id = "total"
            if isinstance(node.args[0], ast.GeneratorExp):
                node.args[0] = ast.ListComp(node.args[0].elt, node.args[0].generators)
        elif node.func.id in _WORDS:
            _drop_words(node, _WORDS[node.func.id])
        return node


def _drop_words(call: ast.Call, place: int) -> None:
    if len(call.args) > place and isinstance(call.args[place], ast.JoinedStr):
        call.args[place] = ast.Constant("")
    for option in call.keywords:
        if option.arg in ("note", "text") and isinstance(option.value, ast.JoinedStr):
            option.value = ast.Constant("")


def _named(node: ast.AST, *names: str) -> bool:
    return (isinstance(node, ast.Name) and node.id in names) or (isinstance(node, ast.Attribute) and node.attr in names)


# ------------------------------------------------------------------------------------------------------------ classes
def _plain(node: ast.ClassDef, *, by_name: bool, frozen: bool) -> ast.ClassDef:
    """The class with its attributes, and what a struct has of itself: making, replacing, comparing, hashing."""
    fields = [field for one in node.body if (field := _field(one)) is not None]
    others = [one for one in node.body if _field(one) is None]
    bases = [base for base in node.bases if not _named(base, "Struct", "NamedTuple")]
    lines = [*([] if bases else [_UNTRACKED]), f"class {node.name}:", *(f"    {name}: {kind}" for name, kind, _ in fields)]
    wanted, optional, taken = [], [], []
    for name, kind, default in fields:
        if default is None:
            wanted.append(f"{name}: {kind}")
        elif _unchanging(default):
            optional.append(f"{name}: {kind} = {ast.unparse(default)}")
        else:
            optional.append(f"{name}: {kind} | None = None")
            taken.append(f"        self.{name} = {_made(default)} if {name} is None else {name}")
            continue
        taken.append(f"        self.{name} = {name}")
    star = ["*"] if by_name and fields else []
    given = ", ".join(f"{name}=self.{name}" for name, _, _ in fields)
    lines += [
        f"    def __init__({', '.join(['self', *star, *wanted, *optional])}) -> None:",
        *(taken or ["        pass"]),
        f"    def _replace(self, **changes: Any) -> {node.name}:",
        f"        made = {node.name}({given})",
        "        for name, value in changes.items():",
        "            setattr(made, name, value)",
        "        return made",
    ]
    if fields:
        alike = " and ".join(f"self.{name} == other.{name}" for name, _, _ in fields)
        lines += ["    def __eq__(self, other: object) -> bool:", f"        return isinstance(other, {node.name}) and {alike}"]
    if fields and frozen:
        parts = "".join(f"self.{name}, " for name, _, _ in fields)
        lines += ["    def __hash__(self) -> int:", f"        return hash(({parts}))"]
    made = ast.parse("\n".join(lines)).body[0]
    assert isinstance(made, ast.ClassDef)
    made.body += others
    made.bases = bases
    return made


def _field(node: ast.stmt) -> _Field | None:
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
        return None
    kind = ast.unparse(node.annotation)
    return None if kind.startswith("ClassVar") else _Field(node.target.id, kind, node.value)


def _unchanging(default: ast.expr) -> bool:
    if isinstance(default, ast.UnaryOp):
        default = default.operand
    return isinstance(default, ast.Constant | ast.Name) or (isinstance(default, ast.Tuple) and not default.elts)


def _made(default: ast.expr) -> str:
    """What makes a default anew for each instance."""
    if isinstance(default, ast.Call) and _named(default.func, "field"):
        factories = [option.value for option in default.keywords if option.arg == "default_factory"]
        return f"({ast.unparse(factories[0])})()"
    return ast.unparse(default)


# ---------------------------------------------------------------------------------------------------------- constants
def _finals(node: ast.stmt) -> list[ast.stmt]:
    """A statement of a module, its constants declared as such; several at once become one each."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        kind = ast.unparse(node.annotation)
        if _CONSTANT.match(node.target.id) and "Final" not in kind and kind != "TypeAlias":
            return ast.parse(f"{node.target.id}: Final[{kind}] = {ast.unparse(node.value)}").body
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return [node]
    target = node.targets[0]
    if isinstance(target, ast.Name) and _CONSTANT.match(target.id):
        return ast.parse(f"{target.id}: Final = {ast.unparse(node.value)}").body
    if isinstance(target, ast.Tuple) and (values := _values(node.value)) is not None:
        pairs = zip(target.elts, values, strict=True)
        return ast.parse("\n".join(f"{ast.unparse(name)}: Final = {value}" for name, value in pairs)).body
    return [node]


def _values(node: ast.expr) -> list[str] | None:
    """The values that are taken apart, where they can be determined from the text."""
    if isinstance(node, ast.Tuple):
        return [ast.unparse(one) for one in node.elts]
    if isinstance(node, ast.Call) and _named(node.func, "range") and isinstance(node.args[0], ast.Constant):
        return [str(number) for number in range(int(str(node.args[0].value)))]
    return None
