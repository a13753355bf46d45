"""What every test may lean on: recorded data, tools of the system, golden files, and a home that is never the user's own.

Missing data or tools skip a test with the reason on a desk, and fail it under `CI=true`: a check that never runs is none.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
collect_ignore = ["tui/test_terminal_driver.py"] if sys.platform == "win32" else []
"""Modules that need what Windows lacks as soon as they are imported."""
GOLDEN = CHECKOUT / "tests" / "golden"

hypothesis.settings.register_profile("quarterdeck", deadline=None, derandomize=True, database=None, print_blob=False)
hypothesis.settings.register_profile("soak", deadline=None, max_examples=2_000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quarterdeck"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Golden files change only when asked to; soak tests run only when asked for."""
    group = parser.getgroup("quarterdeck")
    group.addoption("--golden-update", action="store_true", help="write golden files instead of comparing with them")
    group.addoption("--soak", action="store_true", help="run the tests marked `soak` as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the soak tests out unless asked for, and what belongs to the other kind of system.

    They are deselected, so that a skip keeps meaning "something is missing".
    """
    kinds = [] if config.getoption("--soak") else ["soak"]
    kinds.append("posix" if sys.platform == "win32" else "windows")
    left_out = [item for item in items if any(item.get_closest_marker(kind) for kind in kinds)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long value by its length: pytest puts the id into an environment variable, which Windows bounds to 32,767 characters."""
    return f"{argname}-of-{len(val)}" if isinstance(val, str | bytes) and len(val) > 1_000 else None


def missing(reason: str) -> NoReturn:
    """Skip with `reason` on a desk; fail under CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have what this test needs: {reason}", pytrace=False)
    pytest.skip(reason)


SECOND_NAMES = ("core", "tui", "cli")
"""Top-level folders of a checkout: importable from there, and never to be imported by these names."""


def loaded_twice(modules: Iterable[str]) -> list[str]:
    """Modules of the program that were imported by another name than `quarterdeck...`."""
    return sorted(name for name in modules if name.partition(".")[0] in SECOND_NAMES)


@pytest.fixture(scope="session", autouse=True)
def _one_name() -> Iterator[None]:
    """After the whole suite no part of the program was loaded a second time under another name."""
    yield
    assert not loaded_twice(sys.modules), "import these by `quarterdeck...`"


@pytest.fixture(autouse=True)
def _private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own home folder, nor takes his wishes about colour."""
    monkeypatch.delenv("QUARTERDECK_HOME", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "xdg-data"))


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """Folder of the recorded market data: `QUARTERDECK_DATA`, else `../shared/data` beside the checkout."""
    named = os.environ.get("QUARTERDECK_DATA")
    folder = Path(named).resolve() if named else CHECKOUT.parent / "shared" / "data"
    if not (folder / "m15").is_dir():
        missing(f"no recorded data at {folder}; set QUARTERDECK_DATA to a folder that holds m15/")
    return folder


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Path of a program of the system, by name."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            missing(f"{name} is not installed")
        return path

    return find


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `tests/golden/NAME`, or write it there under `--golden-update`."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--golden-update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            return
        assert path.is_file(), f"{path.relative_to(CHECKOUT)} is missing; `make golden-update` writes it"
        assert text == path.read_text(encoding="utf-8"), f"differs from {path.relative_to(CHECKOUT)}"

    return compare
