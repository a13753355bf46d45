"""Law 1: imports run downwards; the screen knows the link, the model and the settings; headless never loads a face.

The whole table is checked by import-linter in `make test`; here stand the parts that it cannot see.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.laws.source import CHECKOUT, imports, modules, report

FACES = ("quarterdeck.tui", "quarterdeck.cli", "textual", "typer", "rich")
HEAVY = ("pandas", "pandas_ta_classic", "polars", "pyarrow", "apprise", "optuna", "distributed")


def within(name: str, *packages: str) -> bool:
    """Whether a module's name is one of `packages` or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_core_names_no_face() -> None:
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules("quarterdeck.core")
        for name, node in imports(module)
        if within(name, *FACES)
    ]
    assert not found, report(found)


def test_the_screen_names_link_model_and_settings_only() -> None:
    allowed = ("quarterdeck.core.link", "quarterdeck.core.model", "quarterdeck.core.settings")
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules("quarterdeck.tui")
        for name, node in imports(module)
        if within(name, "quarterdeck.core", "quarterdeck.cli") and name != "quarterdeck.core" and not within(name, *allowed)
    ]
    assert not found, report(found)


def test_only_the_link_package_opens_a_line_to_an_engine() -> None:
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules("quarterdeck.tui", "quarterdeck.cli")
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
    engine = [module.name for module in modules("quarterdeck.core.engine")]
    assert engine, "quarterdeck.core.engine is empty"
    loaded = loaded_by(*engine, "quarterdeck.core.strategy", "quarterdeck.core.scan")
    assert not {name for name in loaded if within(name, *FACES, *HEAVY)}


def test_the_screen_does_not_load_the_engine() -> None:
    screen = [module.name for module in modules("quarterdeck.tui")]
    assert screen, "tui is empty"
    loaded = loaded_by(*screen)
    forbidden = (
        "quarterdeck.core.engine",
        "quarterdeck.core.desk",
        "quarterdeck.core.brokers",
        "quarterdeck.core.journal",
        "quarterdeck.core.backtest",
        "pandas",
    )
    assert not {name for name in loaded if name.startswith(forbidden)}


@pytest.mark.parametrize("name", ["quarterdeck.core.link.link_client", "quarterdeck.core.link.messages"])
def test_a_clients_half_of_the_link_is_light(name: str) -> None:
    assert not {
        loaded
        for loaded in loaded_by(name)
        if loaded.startswith(("quarterdeck.core.engine", "quarterdeck.core.desk", "quarterdeck.core.brokers", "pandas"))
    }


def test_the_commands_help_loads_no_command() -> None:
    code = "import sys\nfrom quarterdeck.cli.main import main\ncode = main(['--help'])\nprint(*sys.modules)\nsys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not {
        name
        for name in loaded
        if name.startswith(
            ("quarterdeck.core.engine", "quarterdeck.core.desk", "quarterdeck.tui", "textual", "numpy", "pandas", "rich")
        )
    }
