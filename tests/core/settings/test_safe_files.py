"""A file is replaced whole, also while someone on Windows reads it; a small one is read without waiting."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from quarterdeck.core.settings.safe_files import SMALL_BYTES_MAX, open_new, read_small, real_path, replace_file


class Refusing(type(Path())):  # type: ignore[misc]
    """A new file that the system lets into its place only after some refusals."""

    refusals = 0

    def replace(self, target):
        if self.refusals:
            Refusing.refusals -= 1
            raise PermissionError(13, "a reader holds the file open")
        return super().replace(target)


def test_a_refused_replacement_is_tried_again(tmp_path):
    source, target = Refusing(tmp_path / "new"), tmp_path / "file"
    source.write_text("new")
    Refusing.refusals = 3
    replace_file(source, target, waits_s=(0.0, 0.0, 0.0))
    assert target.read_text() == "new"


def test_a_lasting_refusal_is_raised(tmp_path):
    source = Refusing(tmp_path / "new")
    source.write_text("new")
    Refusing.refusals = 9
    with pytest.raises(PermissionError):
        replace_file(source, tmp_path / "file", waits_s=(0.0,))
    Refusing.refusals = 0


@pytest.mark.windows
def test_a_file_that_a_reader_holds_open_is_replaced(tmp_path):
    source, target = tmp_path / "new", tmp_path / "file"
    source.write_text("new")
    target.write_text("old")
    reader = target.open("rb")
    timer = threading.Timer(0.05, reader.close)
    timer.start()
    replace_file(source, target)
    timer.join()
    assert target.read_text() == "new"


IN_THE_WAY = [
    getattr(os, "mkfifo", None),
    Path.mkdir,
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to(path),
    lambda path: path.touch() or os.truncate(path, SMALL_BYTES_MAX + 1),
]


@pytest.mark.posix
@pytest.mark.parametrize("put", IN_THE_WAY)
def test_what_is_no_small_file_is_refused_at_once(put: Callable[[Path], object], tmp_path: Path) -> None:
    put(tmp_path / "x")
    with pytest.raises(OSError, match="x"):
        read_small(tmp_path / "x")


def test_a_small_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\r\n\x1a\x00" * 100_000)
    assert read_small(tmp_path / "x") == b"\r\n\x1a\x00" * 100_000


@pytest.mark.posix
@pytest.mark.parametrize("put", [*IN_THE_WAY, lambda path: path.symlink_to(path.with_name("another"))])
def test_a_new_file_takes_the_place_of_what_lay_there(put: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "another").write_text("untouched")
    put(tmp_path / "x")
    with os.fdopen(open_new(tmp_path / "x"), "wb") as file:
        file.write(b"new")
    assert (read_small(tmp_path / "x"), (tmp_path / "x").stat().st_mode & 0o777) == (b"new", 0o600)
    assert (tmp_path / "another").read_text() == "untouched"


def test_a_folder_that_the_system_cannot_resolve_keeps_its_name(tmp_path, monkeypatch):
    def refused(_path, strict=False):
        raise OSError(22, "More data available")

    folder = tmp_path / ("x" * 120) / ("y" * 120)
    assert real_path(folder / ".." / "z") == folder.parent / "z"
    monkeypatch.setattr(Path, "resolve", refused)
    assert real_path(folder) == folder
