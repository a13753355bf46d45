"""`make windows`: the lock as Windows needs it, the groups it runs, and what it says at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CHECKOUT
from tools import windows, windows_python
from tools.environment import DEV_LOCK
from tools.find_python import SetupError
from tools.windows import GROUPS, QUICK_GROUPS, Outcome, counted, summary
from tools.windows_python import WindowsPython, windows_lock


def test_the_lock_for_windows_holds_the_brokers_module_and_no_markers():
    lines = windows_lock((CHECKOUT / DEV_LOCK).read_text(encoding="utf-8")).splitlines()
    names = {line.partition("==")[0].lower() for line in lines}
    assert {"metatrader5", "numpy", "textual", "pytest", "colorama"} <= names
    assert not {"uvloop", "ruff", "mypy"} & names
    assert all("--hash=sha256:" in line and ";" not in line for line in lines)


@pytest.mark.parametrize("paths", [*GROUPS.values(), *QUICK_GROUPS.values()])
def test_each_group_names_tests_that_exist(paths):
    assert all((CHECKOUT / path).exists() for path in paths if path.startswith("tests/"))


def test_the_sum_counts_what_each_group_said():
    outcomes = [
        Outcome("model", 0, 12.0, counted("41 passed in 9.81s")),
        Outcome("cli", 1, 30.0, counted("1 failed, 205 passed, 2 skipped, 4 deselected in 28.11s")),
        Outcome("tui", 2, 1.0, counted("3 errors in 0.5s")),
    ]
    assert summary(outcomes).splitlines()[-1] == "Windows: 246 passed, 4 failed, 2 skipped"


def test_a_machine_without_root_rights_is_told_and_may_skip(monkeypatch, capsys):
    monkeypatch.setattr(windows_python.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(windows_python.shutil, "which", lambda _name: "/usr/bin/apt-get")
    monkeypatch.setattr(windows_python.platform, "machine", lambda: "x86_64")
    with pytest.raises(SetupError, match="sudo make windows"):
        WindowsPython(CHECKOUT, {"QUARTERDECK_CACHE": str(Path("/nowhere"))}).ensure()
    assert windows.main(["quick"]) == 2
    assert windows.main(["quick", "--or-skip"]) == 0
    assert capsys.readouterr().err.count("no Windows Python: ") == 2


def test_a_set_up_that_fails_is_not_skipped(monkeypatch):
    def broken(_python):
        raise SetupError("Wine does not run")

    monkeypatch.setattr(WindowsPython, "ensure", broken)
    assert windows.main(["quick", "--or-skip"]) == 2
