"""What the compiler is given means what the source means."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.core.compiled import rooms
from quarterdeck.core.compiled.build import write_tree
from quarterdeck.core.compiled.rewrite import rewritten

HEAD = '"""A room."""\nfrom __future__ import annotations\n'


def run(source: str, module: str = "quarterdeck.core.desk.made_up") -> dict[str, Any]:
    """The names that a module's rewritten source defines."""
    text = rewritten(module, HEAD + source).replace(f"from {rooms.PACKAGE}.support import total", "total = sum")
    names: dict[str, Any] = {}
    exec(compile(text, "made up", "exec"), names)
    return names


STRUCTS = """
from msgspec import Struct, field
class Inner(Struct, frozen=True):
    a: int
    b: float = 1.5
class Outer(Struct, kw_only=True):
    known: list[int] = []
    inner: Inner = Inner(3)
    made: Inner = field(default_factory=lambda: Inner(4))
    word: str = "x"
    @property
    def doubled(self) -> int:
        return self.inner.a * 2
"""


def test_structs_keep_what_structs_do() -> None:
    names = run(STRUCTS)
    inner, outer = names["Inner"], names["Outer"]
    one, other = outer(), outer(word="y")
    one.known.append(1)
    assert (other.known, one.word, other.word, one.doubled, one.made) == ([], "x", "y", 6, inner(4))
    assert inner(1) == inner(1, 1.5) != inner(1, 2.5)
    assert len({inner(1), inner(1), inner(2)}) == 2
    assert one._replace(inner=inner(7)).doubled == 14
    assert "Struct" not in [base.__name__ for base in outer.__mro__]


def test_named_tuples_and_data_classes_become_plain_ones() -> None:
    names = run(
        "from typing import NamedTuple\nfrom dataclasses import dataclass\n"
        "class MarketStep(NamedTuple):\n    at: int\n    price: float = 0.0\nclass Pair(NamedTuple):\n    one: int\n"
        "@dataclass(slots=True)\nclass Row:\n    lots: float\n    note: str = ''\n"
    )
    assert names["MarketStep"](5) == names["MarketStep"](5, 0.0)
    assert not isinstance(names["MarketStep"](5), tuple)
    assert isinstance(names["Pair"](5), tuple)
    assert names["Row"](2.0).lots == 2.0


def test_constants_taken_apart_become_one_each() -> None:
    names = run("FIRST, SECOND, THIRD = range(3)\n_ONE, _TWO = 10.5, 'two'\n")
    assert [names[name] for name in ("FIRST", "SECOND", "THIRD", "_ONE", "_TWO")] == [0, 1, 2, 10.5, "two"]


def test_words_are_dropped_and_names_and_numbers_stay() -> None:
    names = run(
        "def Check(*given, **named):\n    return given, named\n"
        "def judged(x: float):\n    return Check('cost', x, 2.0, x < 2.0, f'{x:.1f} pips'), Check('name', None, None, True, 'constant')\n"
    )
    (numbers, _), (constant, _) = names["judged"](1.25)
    assert numbers == ("cost", 1.25, 2.0, True, "")
    assert constant == ("name", None, None, True, "constant")


def test_a_module_that_goes_along_keeps_its_classes() -> None:
    text = rewritten(
        "quarterdeck.core.engine.start_sequence", HEAD + "from msgspec import Struct\nclass Kept(Struct):\n    a: int = 0\n"
    )
    assert "class Kept(Struct)" in text
    assert not rooms.is_compiled("quarterdeck.core.engine.start_sequence")


@pytest.mark.parametrize(
    "module", ["quarterdeck.core.settings.schema", "quarterdeck.core.strategy.interface", "quarterdeck.core.model.candles"]
)
def test_what_strategies_and_settings_are_made_of_is_shared(module: str) -> None:
    text = rewritten("quarterdeck.core.desk.made_up", f"{HEAD}from {module} import Something\n")
    assert f"from {module} import Something" in text


def test_every_required_unshared_module_is_rewritten(tmp_path: Any) -> None:
    write_tree(tmp_path)
    there = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / rooms.PACKAGE).rglob("*.py")}
    assert f"{rooms.PACKAGE}/desk/desk.py" in there
    assert f"{rooms.PACKAGE}/risk/sizing.py" in there
    assert not any(f"{rooms.PACKAGE}/{room}/" in path for room in ("settings", "strategy", "journal", "data") for path in there)
    for path in (tmp_path / "compiled").read_text(encoding="utf-8").split():
        assert "Struct)" not in (tmp_path / path).read_text(encoding="utf-8"), path
