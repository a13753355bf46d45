"""The image's build, carried out in an empty folder as far as it needs no container engine and no package index."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

pytestmark = [pytest.mark.slow, pytest.mark.processes]
CONTAINERFILE = CHECKOUT / "deploy" / "Containerfile"
OF_AN_IMAGE = ("useradd", "python -m venv")
"""Beginnings of RUN lines that only an image can carry out: its user, and the environment that the lock fills from the network."""


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its words, continued lines joined."""
    text = CONTAINERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line and not line.startswith("#"))
    ]


def copied(words: str, folder: Path) -> None:
    """As the image copies: files into a folder or to a name, the content of a folder into a folder."""
    *sources, target = words.split()
    for source in sources:
        place = folder / target
        if (CHECKOUT / source).is_dir():
            shutil.copytree(CHECKOUT / source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            continue
        place = place / source if target.endswith("/") else place
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / source, place)


def test_the_image_builds_from_what_it_copies(tmp_path: Path) -> None:
    folder, target = tmp_path / "opt", tmp_path / "installed"
    folder.mkdir()
    carried_out = 0
    for word, rest in instructions():
        if word == "COPY":
            copied(rest, folder)
        elif word == "RUN" and not rest.startswith(OF_AN_IMAGE):
            pip, *options = shlex.split(rest)
            assert pip.endswith("/bin/pip")
            command = [sys.executable, "-m", "pip", *options, "--target", str(target)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            carried_out += 1
    assert carried_out == 1
    environ = os.environ | {"PYTHONPATH": str(target)}
    command = [
        sys.executable,
        "-c",
        "import quarterdeck, quarterdeck.cli.main as m; print(quarterdeck.__file__); m.main(['run', '--help'])",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert str(target) in done.stdout, done.stdout + done.stderr
    assert "--no-ui" in done.stdout
    assert (target / "quarterdeck" / "_shipped" / "settings.toml").is_file()
