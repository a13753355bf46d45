"""The locks hold what the project asks for, with hashes, and name no place to fetch it from."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.conftest import CHECKOUT
from tools.environment import DEV_LOCK, RUN_LOCK

NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(lines: list[str]) -> set[str]:
    return {normal(found.group(1)) for line in lines if (found := NAME.match(line))}


def locked(lock: str) -> list[str]:
    return [line for line in (CHECKOUT / lock).read_text().splitlines() if NAME.match(line)]


@pytest.mark.parametrize("lock", [RUN_LOCK, DEV_LOCK])
def test_each_package_is_pinned_and_hashed(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    packages = [block for block in blocks if NAME.match(block)]
    assert packages
    assert not [block.splitlines()[0] for block in packages if "==" not in block.splitlines()[0] or "--hash=sha256:" not in block]


@pytest.mark.parametrize("lock", [RUN_LOCK, DEV_LOCK])
def test_no_index_is_named(lock: str) -> None:
    assert not re.findall(r"https?://|--(?:extra-)?index-url|--find-links|file:", (CHECKOUT / lock).read_text())


def test_the_developers_lock_holds_the_desks_own_unchanged() -> None:
    mine = {line.rstrip(" \\") for line in locked(RUN_LOCK)}
    theirs = {line.rstrip(" \\") for line in locked(DEV_LOCK)}
    assert mine <= theirs, mine - theirs


def test_project_and_requirements_name_the_same_packages() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wished = named((CHECKOUT / "requirements.in").read_text().splitlines())
    assert wished - {"hatchling"} == named(project["dependencies"])
    extras = named([line for lines in project["optional-dependencies"].values() for line in lines])
    assert extras - wished <= named((CHECKOUT / "requirements-dev.in").read_text().splitlines())


def test_the_brokers_module_is_for_windows_alone() -> None:
    (line,) = [line for line in locked(RUN_LOCK) if line.startswith("metatrader5==")]
    assert "sys_platform == 'win32'" in line


def test_the_screen_is_pinned_exactly() -> None:
    assert any(line.startswith("textual==8.2.8 ") for line in locked(RUN_LOCK))
