"""The wheel is an application: installed alone, elsewhere, it starts, finds its shipped files, and trades recorded days."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, missing
from tools.environment import RUN_LOCK, wheelhouse

pytestmark = [pytest.mark.slow, pytest.mark.processes, pytest.mark.xdist_group("wheel")]
WINDOWS = os.name == "nt"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QUARTERDECK"))}
    return subprocess.run([str(word) for word in command], cwd=cwd, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("quarterdeck-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an empty environment that holds the lock's packages and the wheel, and knows no checkout."""
    house = wheelhouse(CHECKOUT, (sys.version_info[0], sys.version_info[1]), os.environ)
    if not any(house.iterdir()):
        missing(f"the wheelhouse {house} is empty; `make setup` fills it")
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    base = getattr(sys, "_base_executable", sys.executable)
    assert run(base, "-m", "venv", folder, cwd=folder.parent).returncode == 0
    scripts = folder / ("Scripts" if WINDOWS else "bin")
    pip = [
        scripts / "python",
        "-m",
        "pip",
        "-q",
        "--disable-pip-version-check",
        "install",
        "--no-deps",
        "--no-index",
        "--no-compile",
    ]
    for what in (["--require-hashes", "--find-links", house, "-r", CHECKOUT / RUN_LOCK], [wheel]):
        done = run(*pip, *what, cwd=folder.parent)
        assert done.returncode == 0, done.stdout + done.stderr
    return scripts / "quarterdeck"


def test_the_wheel_holds_the_program_and_what_it_ships(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"core/_shipped/settings.toml", "core/_shipped/deploy/quarterdeck.service", "cli/main.py", "tui/__init__.py"} <= names
    assert any(name.startswith("core/_shipped/themes/") for name in names)
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"core", "tui", "cli"}


def test_it_starts_elsewhere(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "--version", cwd=tmp_path)
    assert done.stdout.startswith("quarterdeck 0."), done.stderr
    where = run(installed.with_name("python"), "-c", "import core; print(core.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(installed.parent.parent)


def test_init_writes_the_shipped_settings(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "init", "--home", tmp_path / "home", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = Path(json.loads(done.stdout.splitlines()[-1])["settings"])
    assert written.read_text(encoding="utf-8") == (CHECKOUT / "settings.toml").read_text(encoding="utf-8")


def test_a_replay_of_recorded_days_ends_with_its_digest(installed: Path, tmp_path: Path, recorded_data: Path) -> None:
    words = [
        "--no-ui",
        "--replay",
        recorded_data / "m15",
        "--pairs",
        "EURUSD,GBPUSD",
        "--from",
        "2024-07-01",
        "--to",
        "2024-07-03",
    ]
    done = run(installed, "run", *words, "--speed", "max", "--home", tmp_path / "home", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["digest"]
