"""The wheel is an application: installed alone, elsewhere, it starts, finds its shipped files, and trades recorded days."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
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
    shipped = {"_shipped/settings.toml", "_shipped/deploy/quarterdeck.service"}
    assert {f"quarterdeck/{name}" for name in {*shipped, "py.typed", "__init__.py", "cli/main.py", "tui/__init__.py"}} <= names
    assert any(name.startswith("quarterdeck/_shipped/themes/") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"quarterdeck"}


def test_it_starts_elsewhere(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "--version", cwd=tmp_path)
    assert done.stdout.startswith("quarterdeck 0."), done.stderr
    where = run(installed.with_name("python"), "-c", "import quarterdeck.core; print(quarterdeck.core.__file__)", cwd=tmp_path)
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


def test_a_folder_called_core_beside_a_strategy_changes_nothing(installed: Path, tmp_path: Path, recorded_data: Path) -> None:
    for name in ("core", "tui", "cli"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('a folder of the user was imported')\n")
    home = tmp_path / "home"
    done = run(installed, "init", "--home", home, "--strategy", "mine.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    mine = ["--set", f"strategy.file={home / 'mine.py'}", "--set", "strategy.name=Crossing", "--home", home, "--json"]
    days = ["--pairs", "EURUSD", "--from", "2024-07-01", "--to", "2024-07-05"]
    done = run(installed, "backtest", "--data", recorded_data / "m15", *days, *mine, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    backtest = json.loads(done.stdout.splitlines()[-1])["digest"]
    replay = ["--no-ui", "--speed", "max", "--replay", recorded_data / "m15"]
    done = run(installed, "run", *replay, *days, *mine, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["digest"] == backtest


TYPED = """
from quarterdeck import Candles, Check, Columns, Decision, Instrument, Side, Strategy

def asked(strategy: Strategy, m15: Candles, h1: Candles, instrument: Instrument) -> Side | None:
    columns: Columns = strategy.prepare(m15, h1, instrument)
    decision: Decision = strategy.decide(columns, len(columns) - 1, instrument)
    votes: tuple[Check, ...] = decision.votes
    reveal_type(votes[0].passed)
    return decision.side
"""


def test_a_strict_type_checker_reads_the_exports(installed: Path, tmp_path: Path) -> None:
    script = tmp_path / "typed.py"
    script.write_text(TYPED)
    python = ["--python-executable", installed.with_name("python"), "--cache-dir", tmp_path / "cache"]
    done = run(sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, *python, script, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert 'Revealed type is "bool"' in done.stdout.replace("builtins.", ""), done.stdout


def test_a_bare_editable_installation_works(tmp_path: Path) -> None:
    """`pip install -e .` in an empty environment, from a copy of the checkout that nothing was built in."""
    house = wheelhouse(CHECKOUT, (sys.version_info[0], sys.version_info[1]), os.environ)
    if not any(house.iterdir()):
        missing(f"the wheelhouse {house} is empty; `make setup` fills it")
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("core", "tui", "cli", "package", "themes", "deploy", "tools"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "settings.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, copy / name)
    base = getattr(sys, "_base_executable", sys.executable)
    assert run(base, "-m", "venv", tmp_path / "venv", cwd=tmp_path).returncode == 0
    scripts = tmp_path / "venv" / ("Scripts" if WINDOWS else "bin")
    pip = [scripts / "python", "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-index", "--no-compile"]
    done = run(*pip, "--find-links", house, "-e", copy, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    where = run(scripts / "python", "-c", "import quarterdeck, quarterdeck.core.desk.desk as d; print(d.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).resolve() == copy / "core" / "desk" / "desk.py", where.stderr
    done = run(scripts / "quarterdeck", "init", "--home", tmp_path / "home", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_missing_extra_is_one_line_and_nothing_is_written(installed: Path, tmp_path: Path, recorded_data: Path) -> None:
    search = ["--data", recorded_data / "m15", "--over", "strategy.confidence_min", "--home", tmp_path / "home"]
    done = run(installed, "optimize", *search, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "pip install 'quarterdeck[optimize]'" in done.stderr
    assert not (tmp_path / "home").exists()
    done = run(installed, "compile", cwd=tmp_path)
    assert (done.returncode, "quarterdeck[compile]" in done.stderr) == (2, True)


FRAMES = """
from msgspec import Struct
{head}

class Nothing(Struct, frozen=True):
    pass

class OnFrames:
    name = "on_frames"
    Parameters = Nothing
    warmup_bars = 20
    warmup_h1_bars = 5

    def __init__(self, parameters):
        pass

    def on_frames(self, m15, h1, instrument):
        return None
"""


@pytest.mark.parametrize(
    ("head", "remedy"),
    [
        ("", "quarterdeck[frames]"),
        ("import pandas_ta_classic as ta", "quarterdeck[frames]"),
        ("from core.strategy.interface import Decision", "from quarterdeck import"),
    ],
)
def test_a_strategy_that_needs_more_says_what(
    installed: Path, tmp_path: Path, recorded_data: Path, head: str, remedy: str
) -> None:
    (tmp_path / "mine.py").write_text(FRAMES.format(head=head))
    mine = ["--set", f"strategy.file={tmp_path / 'mine.py'}", "--set", "strategy.name=OnFrames", "--home", tmp_path / "home"]
    done = run(installed, "backtest", "--data", recorded_data / "m15", "--pairs", "EURUSD", *mine, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert remedy in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_gateway_needs_its_own_extra_alone(wheel: Path, tmp_path: Path) -> None:
    house = wheelhouse(CHECKOUT, (sys.version_info[0], sys.version_info[1]), os.environ)
    if not any(house.iterdir()):
        missing(f"the wheelhouse {house} is empty; `make setup` fills it")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = getattr(sys, "_base_executable", sys.executable)
    assert run(base, "-m", "venv", tmp_path / "venv", cwd=tmp_path).returncode == 0
    scripts = tmp_path / "venv" / ("Scripts" if WINDOWS else "bin")
    pip = [scripts / "python", "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-index", "--no-compile"]
    for what in (["--find-links", house, *project["optional-dependencies"]["gateway"]], ["--no-deps", wheel]):
        done = run(*pip, *what, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    command = [str(scripts / "quarterdeck"), "gateway", "--simulated", "--port", "0", "--json", "--home", str(tmp_path / "home")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as gateway:
        assert gateway.stdout is not None
        lines = [gateway.stdout.readline(), gateway.stdout.readline()]
        gateway.terminate()
        assert json.loads(lines[1] or "{}").get("port"), gateway.stderr.read() if gateway.stderr else ""
