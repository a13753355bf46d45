"""The simulated module against the vendor's own wheel, read as a file."""

from __future__ import annotations

import ast

import pytest

from quarterdeck.core.brokers.simulator.module_constants import AUTHOR, CONSTANTS, VERSION
from quarterdeck.core.brokers.simulator.mt5_api import FUNCTIONS
from quarterdeck.core.brokers.simulator.mt5_records import TYPES
from tests.core.brokers.mt5.wheel import fetch, package_files
from tests.core.brokers.simulator.kit import Desk

HELPERS = {"Buy", "Sell", "Close"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    found = fetch(tmp_path_factory.mktemp("wheel"), VERSION)
    if isinstance(found, str):
        pytest.skip(f"the registry cannot be reached, or has no such wheel: {found}")
    return package_files(found)


def test_names_and_constants(wheel):
    text, _ = wheel
    module = ast.parse(text)
    constants = {
        node.targets[0].id: eval(compile(ast.Expression(node.value), "wheel", "eval"))
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert constants.pop("__version__") == VERSION
    assert constants.pop("__author__") == AUTHOR
    assert constants == CONSTANTS
    functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
    assert functions == HELPERS <= set(FUNCTIONS)
    shown = Desk().mt
    assert all(getattr(shown, name) == value for name, value in constants.items())


def test_functions_records_and_fields_are_in_the_compiled_core(wheel):
    _, core = wheel
    missing = [name for name in (*FUNCTIONS, *TYPES) if name not in HELPERS and name.encode() + b"\0" not in core]
    assert not missing
    fields = {name for kind in TYPES.values() for name in kind._names}
    assert [name for name in sorted(fields) if name.encode() + b"\0" not in core] == []
    for text in ('Invalid "type_filling" argument', "Unnamed arguments not allowed", "No IPC connection", "IPC recv failed"):
        assert text.encode() in core or text.encode("utf-16-le") in core
