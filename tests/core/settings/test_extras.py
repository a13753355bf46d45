"""Optional packages: what each extra brings is what pyproject.toml says, and a missing one is named with its command."""

from __future__ import annotations

import re
import tomllib

import pytest

from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.settings import extras
from quarterdeck.core.settings.extras import EXTRAS, extra_of, require_extra
from tests.conftest import CHECKOUT

DISTRIBUTION = {"pandas_ta_classic": "pandas-ta-classic"}
"""Where a module's distribution has another name."""


def test_each_extra_brings_its_modules() -> None:
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        names = {re.split(r"[<>=; ]", line)[0] for line in declared[extra]}
        assert names == {DISTRIBUTION.get(module, module) for module in modules}, extra
    assert set(declared) - set(EXTRAS) == {"gateway"}, "each extra is named where it is missing"


def test_what_is_installed_is_no_error() -> None:
    for extra in EXTRAS:
        require_extra(extra, "a test")


def test_what_is_missing_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "optuna" else object())
    with pytest.raises(UsageError) as caught:
        require_extra("optimize", "quarterdeck optimize")
    assert "quarterdeck optimize needs optuna, not installed; run `" in caught.value.one_line()
    assert "-m pip install 'quarterdeck[optimize]'" in caught.value.one_line()


def test_a_modules_extra_is_known() -> None:
    assert extra_of("pandas") == "frames"
    assert extra_of("numpy") is None
