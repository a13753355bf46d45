"""Compiling the backtest's desk for this Python on this machine, once for each state of the source.

Promises: nothing is at the destination before all of it does; what an earlier build left is put away; the source it was made
of is written beside it. Needs mypy (which brings the compiler's front), setuptools and a C compiler. Takes one to three minutes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

import quarterdeck.core
from quarterdeck.core.compiled import rooms
from quarterdeck.core.compiled.rewrite import rewritten
from quarterdeck.core.model.errors import StorageError, UsageError
from quarterdeck.core.settings.extras import require_extra

STAMP_NAME = "source"
"""A file that holds the digest of the source that was compiled."""
_FOLDER = "quarterdeck_compiled"
_SUPPORT = '''"""What compiled modules need beside their own."""
from typing import Any
from msgspec.structs import replace as _replaced
total: Any = sum
def replace(one: Any, /, **changes: Any) -> Any:
    own = getattr(one, "_replace", None)
    return _replaced(one, **changes) if own is None else own(**changes)
def checks_of(votes: tuple[Any, ...]) -> tuple[Any, ...]:
    from {package}.model.signals import Check
    return tuple([Check(one.name, one.value, one.threshold, one.passed, one.note) for one in votes])
'''
_SETUP = """from setuptools import setup
from mypyc.build import mypycify
from pathlib import Path
files = Path("compiled").read_text(encoding="utf-8").split()
setup(name={package!r}, packages=[], ext_modules=mypycify(
    ["--config-file", "mypy.ini", *files], opt_level={level!r}, debug_level="0", multi_file=True, group_name={package!r}))
"""
_MYPY = """[mypy]
follow_imports = silent
ignore_missing_imports = True
disable_error_code = union-attr, comparison-overlap, unreachable, arg-type
"""
_NO_FUSED_FLOATS = "-ffp-contract=off"
"""A product and a sum stay two roundings, as in Python."""
_TOLD_LINES = 3
_NOT_KEPT = ("build", "*.c", "*.h", "setup.py", "mypy.ini", ".mypy_cache")


def destination() -> Path:
    """Where this Python's compiled desk stands, if there is one."""
    return Path(sysconfig.get_path("platlib")) / _FOLDER


def source_digest() -> str:
    """The digest of all source of `core`, which says as well how it is compiled, and of this Python."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted((_root() / "core").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(place: Path | None = None, *, optimised: bool = True) -> Path:
    """Compile, and put it at `place` [where this Python looks for it]; not optimised it is made in two thirds of the time.

    Raises:
        UsageError: something it needs is missing, or the source cannot be compiled.
        StorageError: the place cannot be written.
    """
    require_extra("compile", "compiling the desk")
    place = place or destination()
    draft = place.with_name(f"{place.name}.new")
    with TemporaryDirectory(prefix="quarterdeck-") as folder:
        made = Path(folder) / "made"
        write_tree(made, optimised=optimised)
        (made / STAMP_NAME).write_text(source_digest(), encoding="ascii")
        _compile(made)
        try:
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(made, draft, ignore=shutil.ignore_patterns(*_NOT_KEPT))
            shutil.rmtree(place, ignore_errors=True)
            draft.rename(place)
        except OSError as error:
            raise StorageError(f"the compiled desk cannot be put at {place}: {error.strerror}") from error
    return place


def write_tree(folder: Path, *, optimised: bool = True) -> None:
    """The sources that the compiler is given, with what tells it how."""
    compiled = []
    for module, path in rooms.needed(_root()).items():
        there = folder / rooms.PACKAGE / path.relative_to(_root() / "core")
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "__init__.py":
            there.write_text('"""A room."""\n', encoding="utf-8")
            continue
        there.write_text(rewritten(module, path.read_text(encoding="utf-8")), encoding="utf-8")
        if rooms.is_compiled(module):
            compiled.append(there.relative_to(folder).as_posix())
    (folder / rooms.PACKAGE / "support.py").write_text(_SUPPORT.format(package=rooms.PACKAGE), encoding="utf-8")
    (folder / "compiled").write_text("\n".join(compiled), encoding="utf-8")
    (folder / "mypy.ini").write_text(_MYPY, encoding="utf-8")
    (folder / "setup.py").write_text(_SETUP.format(package=rooms.PACKAGE, level="1" if optimised else "0"), encoding="utf-8")


def _compile(folder: Path) -> None:
    flags = f"{os.environ.get('CFLAGS', '')} {'' if os.name == 'nt' else _NO_FUSED_FLOATS}".strip()
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=folder,
        env={**os.environ, "CFLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise UsageError(
            f"the desk could not be compiled: {' | '.join(line.strip() for line in told[-_TOLD_LINES:])}",
            what_to_do="a C compiler and Python's headers are needed; backtests run without it as well",
        )


def _root() -> Path:
    return Path(quarterdeck.core.__file__).resolve().parent.parent
