"""The Makefile and the script that serves systems without make know the same targets."""

from __future__ import annotations

import re

import pytest

from tests.conftest import CHECKOUT
from tools import make


def test_makefile_and_script_agree() -> None:
    listed = re.search(r"^TARGETS = (.*)$", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    assert listed is not None
    assert set(listed.group(1).split()) == {*make.TARGETS, "help"}


def test_help_names_each_target_with_its_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    assert make.main(["help"]) == 0
    said = capsys.readouterr().out
    for name, target in make.TARGETS.items():
        assert re.search(rf"^{name} +{re.escape(str(target.__doc__))}$", said, re.MULTILINE)


def test_an_unknown_target_is_a_mistake() -> None:
    assert make.main(["frobnicate"]) == 2
