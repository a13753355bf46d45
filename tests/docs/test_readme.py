"""The README's examples run as they are written, one after the other, in a fresh home of a user who has nothing but the clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
EXAMPLES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="the examples are written for a POSIX shell")
def test_the_readmes_examples_run_as_written(tmp_path: Path) -> None:
    assert len(EXAMPLES) >= 10
    shell = shutil.which("sh")
    assert shell is not None
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("QUARTERDECK", "XDG_"))}
    environ |= {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    said = {}
    for line in EXAMPLES:
        done = subprocess.run(
            [shell, "-c", line], cwd=tmp_path, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        said[line.split("#")[0].strip()] = done.stdout
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert "SIMULATED" in said["quarterdeck backtest"]


def test_every_page_the_readme_names_exists() -> None:
    named = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(named) > 10
    assert [name for name in named if not (CHECKOUT / name).exists()] == []
