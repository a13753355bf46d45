"""A file is replaced whole, also while someone on Windows reads it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from quarterdeck.core.settings.files import real_path, replace_file


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


def test_a_folder_that_the_system_cannot_resolve_keeps_its_name(tmp_path, monkeypatch):
    def refused(_path, strict=False):
        raise OSError(22, "More data available")

    folder = tmp_path / ("x" * 120) / ("y" * 120)
    assert real_path(folder / ".." / "z") == folder.parent / "z"
    monkeypatch.setattr(Path, "resolve", refused)
    assert real_path(folder) == folder
