"""Law 1: the program has one import name. `import core` from a checkout's top would load it a second time, with other classes."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import SECOND_NAMES, loaded_twice
from tests.laws.source import CHECKOUT

LINTER = pytest.mark.skipif(
    sys.platform == "win32" and find_spec("ruff") is None, reason="no ruff beside this Python; it reads the same code on Linux"
)
PLANTED = [
    "import core.model.money\n",
    "from core.model import money\n",
    "from core.model.money import lots\n",
    "import tui\n",
    "def later():\n    from cli import main\n",
]


def ruff(path: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--select",
        "TID251",
        "--config",
        CHECKOUT / "pyproject.toml",
        path,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent)


@LINTER
@pytest.mark.parametrize("source", PLANTED)
def test_the_linter_bars_a_second_import_name(source: str, tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(source, encoding="utf-8")
    done = ruff(planted)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "TID251" in done.stdout


@LINTER
def test_the_linter_allows_the_installed_name(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "import quarterdeck.core.model.money\nfrom quarterdeck.tui import app\nimport core_of_mine\n", encoding="utf-8"
    )
    done = ruff(planted)
    assert done.returncode == 0, done.stdout


def test_a_headless_start_loads_no_second_copy(tmp_path: Path) -> None:
    code = (
        "import sys; from quarterdeck.cli.main import main\n"
        f"code = main(['run', '--no-ui', '--replay', 'crash', '--speed', 'max', '--home', {str(tmp_path)!r}])\n"
        "print(*sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "quarterdeck.core.engine.engine" in loaded
    assert not loaded_twice(loaded)


def test_a_leftover_import_is_noticed() -> None:
    code = "import sys, core.model.money; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert done.returncode == 0, done.stderr
    assert loaded_twice(done.stdout.split()) == ["core", "core.model", "core.model.money"]
    assert set(SECOND_NAMES) == {"core", "tui", "cli"}
