"""`make windows`: the lock as Windows needs it, the groups it runs, and what it says at the end."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT
from tools import windows, windows_python
from tools.environment import DEV_LOCK
from tools.find_python import SetupError
from tools.windows import GROUPS, QUICK_GROUPS, Outcome, counted, summary
from tools.windows_python import Unavailable, WindowsPython, windows_lock


def test_the_windows_lock_holds_the_module_without_markers():
    lines = windows_lock((CHECKOUT / DEV_LOCK).read_text(encoding="utf-8")).splitlines()
    names = {line.partition("==")[0].lower() for line in lines}
    assert {"metatrader5", "numpy", "textual", "pytest", "colorama", "mypy"} <= names
    assert not {"uvloop", "ruff"} & names
    assert all("--hash=sha256:" in line and ";" not in line for line in lines)


@pytest.mark.parametrize("paths", [*GROUPS.values(), *QUICK_GROUPS.values()])
def test_each_group_names_tests_that_exist(paths):
    assert all((CHECKOUT / path.partition("::")[0]).exists() for path in paths if path.startswith("tests/"))


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


def test_a_machine_without_namespaces_may_skip(monkeypatch):
    monkeypatch.setattr(windows_python.os, "geteuid", lambda: 0)
    monkeypatch.setattr(windows_python.shutil, "which", lambda _name: "/usr/bin/apt-get")
    monkeypatch.setattr(windows_python.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(windows_python, "_NAMESPACES", ("--no-such-namespace",))
    assert windows.main(["quick", "--or-skip"]) == 0


@pytest.mark.parametrize(("said", "may_skip"), [("no route to host", True), ("PACKAGES DO NOT MATCH THE HASHES", False)])
def test_only_what_cannot_be_had_may_be_skipped(said, may_skip):
    with pytest.raises(SetupError) as caught:
        windows_python._call("sh", "-c", f"echo '{said}'; exit 1", "pip")
    assert isinstance(caught.value, Unavailable) == may_skip


def test_a_group_beyond_its_limit_is_killed_and_has_failed(monkeypatch, capsys):
    monkeypatch.setattr(WindowsPython, "command", lambda _python, *_words: ["sleep", "60"])
    outcome = windows.run_group(WindowsPython(CHECKOUT), "asleep", (), 0.05)
    assert outcome.code
    assert outcome.counts == {"failed": 1}
    assert "killed after" in capsys.readouterr().out


def test_a_group_shows_what_it_prints_while_it_runs(monkeypatch, tmp_path):
    shown, seen = queue.Queue(), tmp_path / "seen"
    script = f"printf '....'; until [ -e {seen} ]; do sleep 0.02; done; echo '[100%]'; echo '8 passed in 1.00s'; echo Traceback"
    monkeypatch.setattr(windows, "SILENCE_S", 0.01)
    monkeypatch.setattr(windows, "print", lambda line, **_how: shown.put(line), raising=False)
    monkeypatch.setattr(WindowsPython, "command", lambda _python, *_words: ["sh", "-c", script])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(windows.run_group, WindowsPython(CHECKOUT), "link", (), 60.0)
        assert shown.get(timeout=60.0).split() == ["link", "...."]
        seen.touch()
        assert running.result().counts == {"passed": 8}
    assert shown.get().split() == ["link", "....[100%]"]


def test_groups_may_be_chosen_by_name():
    assert list(windows.chosen(["link", "tui"])[0]) == ["link", "tui"]
    assert windows.chosen(["tests/core/link", "-x"])[0] == {"asked for": ("tests/core/link", "-x")}


def test_recorded_data_beside_the_checkout_are_seen_under_wine(tmp_path):
    checkout, data = tmp_path / "clone", tmp_path / "shared" / "data"
    for folder in (checkout / "tests" / "clients", data):
        folder.mkdir(parents=True)
    for name in (DEV_LOCK, windows_python.CLIENTS_LOCK):
        (checkout / name).touch()
    given = WindowsPython(checkout, {"QUARTERDECK_CACHE": str(tmp_path)}).environment({})
    assert given["QUARTERDECK_DATA"] == str(data)
    assert str(data) in given["QUARTERDECK_WINE_FOLDERS"].split()
