"""Law 1: imports run downwards; the screen knows the link, the model and the settings; headless never loads a face.

The whole table is checked by import-linter in `make test`; here stand the parts that it cannot see.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.laws.source import CHECKOUT, imports, modules, report

FACES = ("tui", "cli", "textual", "typer", "rich")
HEAVY = ("pandas", "pandas_ta_classic", "polars", "pyarrow", "apprise", "optuna", "distributed")


def test_core_names_no_face() -> None:
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules("core")
        for name, node in imports(module)
        if name.split(".")[0] in FACES
    ]
    assert not found, report(found)


def test_the_screen_names_link_model_and_settings_only() -> None:
    allowed = ("core.link", "core.model", "core.settings")
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules("tui")
        for name, node in imports(module)
        if name.split(".")[0] in ("core", "cli") and name != "core" and not name.startswith(allowed)
    ]
    assert not found, report(found)


def test_only_the_link_package_opens_a_line_to_an_engine() -> None:
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules("tui", "cli")
        for name, node in imports(module)
        if name.split(".")[0] in ("websockets", "socket")
    ]
    assert not found, report(found)


def loaded_by(*names: str) -> set[str]:
    """Top-level packages that a fresh process holds after importing `names`."""
    code = f"import importlib, sys\nfor name in {names!r}:\n    importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_headless_engine_loads_no_face_and_nothing_heavy() -> None:
    engine = [module.name for module in modules("core.engine")]
    assert engine, "core.engine is empty"
    loaded = loaded_by(*engine, "core.strategy", "core.scan")
    assert not loaded & {*FACES, *HEAVY}


def test_the_screen_does_not_load_the_engine() -> None:
    screen = [module.name for module in modules("tui")]
    assert screen, "tui is empty"
    loaded = loaded_by(*screen)
    forbidden = ("core.engine", "core.desk", "core.brokers", "core.journal", "core.backtest", "pandas")
    assert not {name for name in loaded if name.startswith(forbidden)}


@pytest.mark.parametrize("name", ["core.link.client", "core.link.messages"])
def test_a_clients_half_of_the_link_is_light(name: str) -> None:
    assert not {loaded for loaded in loaded_by(name) if loaded.startswith(("core.engine", "core.desk", "core.brokers", "pandas"))}


def test_the_commands_help_loads_no_command() -> None:
    code = "import sys\nfrom cli.main import main\ncode = main(['--help'])\nprint(*sys.modules)\nsys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not {
        name for name in loaded if name.startswith(("core.engine", "core.desk", "tui", "textual", "numpy", "pandas", "rich"))
    }
