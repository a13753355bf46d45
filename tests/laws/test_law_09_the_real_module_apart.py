"""Law 9: the real MetaTrader5 module lives in a process of its own. One file imports it, and only the gateway's child runs that."""

from __future__ import annotations

import ast
import subprocess
import sys

from tests.laws.source import CHECKOUT, dotted, imports, modules, report

HOST = "quarterdeck.core.brokers.mt5.gateway.module_loader"


def test_one_module_imports_the_real_one_lazily() -> None:
    static = [
        f"{module.at(node)}" for module in modules() for name, node in imports(module) if name.split(".")[0] == "MetaTrader5"
    ]
    dynamic = [
        module.name
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and dotted(node.func).split(".")[-1] in {"import_module", "__import__"}
        and "MetaTrader5" in ast.unparse(node)
    ]
    assert not static, report(static)
    assert set(dynamic) <= {HOST}, report(dynamic)


def test_an_engine_with_a_live_venue_does_not_hold_it() -> None:
    code = "import quarterdeck.core.engine.live_venues, quarterdeck.core.brokers.mt5.terminal_choice, sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert done.returncode == 0, done.stderr
    assert "MetaTrader5" not in done.stdout.split()
