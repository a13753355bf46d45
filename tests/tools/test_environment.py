"""The checkout's environment is rebuilt when something changed, and left alone when nothing did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.environment import DEV_LOCK, RUN_LOCK, DownloadMeter, Environment, cache_folder, digest, packages, wheelhouse
from tools.find_python import SetupError

VERSION = (3, 11)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (RUN_LOCK, DEV_LOCK, "pyproject.toml"):
        (tmp_path / name).write_text(name)
    return tmp_path


def stamp(environment: Environment, *, dev: bool) -> None:
    for name in ("python", "quarterdeck"):
        path = environment.script(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    environment._stamp.write_text(json.dumps(environment._expected(dev=dev, version=VERSION)))
    (environment.checkout / ".import" / "quarterdeck").mkdir(parents=True, exist_ok=True)


def test_nothing_is_done_when_nothing_changed(checkout: Path) -> None:
    environment = Environment(checkout, {})
    stamp(environment, dev=False)
    environment.ensure(dev=False)  # would start a Python that does not run


def test_a_developers_environment_serves_an_operator_but_not_the_reverse(checkout: Path) -> None:
    environment = Environment(checkout, {})
    stamp(environment, dev=True)
    assert environment._current(dev=False)
    stamp(environment, dev=False)
    assert not environment._current(dev=True)


def test_a_lost_import_folder_asks_for_set_up(checkout: Path) -> None:
    environment = Environment(checkout, {})
    stamp(environment, dev=False)
    (checkout / ".import" / "quarterdeck").rmdir()
    assert not environment._current(dev=False)


@pytest.mark.parametrize("name", [RUN_LOCK, "pyproject.toml"])
def test_a_changed_lock_or_project_asks_for_set_up(checkout: Path, name: str) -> None:
    environment = Environment(checkout, {})
    stamp(environment, dev=False)
    (checkout / name).write_text("changed")
    assert not environment._current(dev=False)


def test_a_moved_checkout_asks_for_set_up(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = Environment(checkout, {})
    stamp(environment, dev=False)
    elsewhere = tmp_path_factory.mktemp("moved") / "here"
    checkout.rename(elsewhere)
    assert not Environment(elsewhere, {})._current(dev=False)


def test_the_wheelhouse_follows_locks_and_python(checkout: Path) -> None:
    environ = {"QUARTERDECK_CACHE": str(checkout / "cache")}
    first = wheelhouse(checkout, (3, 11), environ)
    assert first.is_dir()
    assert wheelhouse(checkout, (3, 11), environ) == first
    assert wheelhouse(checkout, (3, 13), environ) != first
    (checkout / DEV_LOCK).write_text("changed")
    assert wheelhouse(checkout, (3, 11), environ) != first


def test_a_cache_that_cannot_be_written_is_named(checkout: Path) -> None:
    with pytest.raises(SetupError, match="QUARTERDECK_CACHE=DIR"):
        wheelhouse(checkout, VERSION, {"QUARTERDECK_CACHE": str(checkout / RUN_LOCK)})


def test_the_cache_follows_the_platforms_habit() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/c"}, "linux") == Path("/c/quarterdeck")
    assert cache_folder({"LOCALAPPDATA": "/l"}, "win32") == Path("/l/Quarterdeck/Cache")


def test_line_ends_do_not_change_a_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "unix").write_bytes(b"a\nb\n")
    (tmp_path / "dos").write_bytes(b"a\r\nb\r\n")
    assert digest(tmp_path / "unix") == digest(tmp_path / "dos")


def test_set_up_tells_how_many_packages_are_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / RUN_LOCK
    lock.write_text("# a lock\n" + "".join(f"package{number}==1.{number} \\\n    --hash=sha256:00\n" for number in range(12)))
    meter = DownloadMeter(packages(lock))
    for number in range(12):
        meter.take(f"Collecting package{number}==1.{number} (from -r requirements.lock (line 1))\n")
        meter.take("  Downloading package.whl (1 kB)\n")
    assert capsys.readouterr().out.splitlines() == ["      10 of 12: package9", "      12 of 12: package11"]
