"""The right Python is chosen, and what is missing is named."""

from __future__ import annotations

import sys

import pytest

from tools.find_python import Python, SetupError, choose, probe

OLD = Python("/usr/bin/python3", (3, 9))
FIT = Python("/usr/bin/python3.11", (3, 11))
NEWER = Python("/opt/python3.13", (3, 13))
BARE = Python("/usr/bin/python3.12", (3, 12), ("ensurepip", "venv"))


def having(**found: Python):
    names = {name.replace("_", "."): python for name, python in found.items()}
    return names.get


def test_the_python_at_hand_is_taken_if_it_fits() -> None:
    assert choose(None, having(python3=FIT, python3_13=NEWER)) == FIT


def test_else_the_newest_that_fits() -> None:
    assert choose(None, having(python3=OLD, python3_11=FIT, python3_13=NEWER)) == NEWER


def test_one_without_venv_is_passed_over() -> None:
    assert choose(None, having(python3=BARE, python3_11=FIT)) == FIT


def test_a_missing_venv_is_named_with_its_package() -> None:
    with pytest.raises(SetupError, match=r"/usr/bin/python3\.12 has no venv module; on Debian: apt-get install python3\.12-venv"):
        choose(None, having(python3=BARE))


def test_too_old_says_what_was_found() -> None:
    with pytest.raises(SetupError, match=r"Python 3\.11 to 3\.14 is needed, found: Python 3\.9"):
        choose(None, having(python3=OLD))


def test_a_named_one_is_taken_or_refused() -> None:
    assert choose("mine", having(mine=NEWER)) == NEWER
    with pytest.raises(SetupError, match="PYTHON=mine does not run"):
        choose("mine", having())
    with pytest.raises(SetupError, match=r"is Python 3\.9"):
        choose("mine", having(mine=OLD))


def test_this_python_answers() -> None:
    found = probe(sys.executable)
    assert found is not None
    assert found.version == sys.version_info[:2]
    assert found.supported


def test_what_does_not_run_is_none(tmp_path) -> None:
    assert probe(str(tmp_path / "no-python")) is None
