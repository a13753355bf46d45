"""What the build backend cannot do by itself: shipped files inside a wheel, and one import name for a checkout.

A wheel holds `settings.toml`, `themes/` and `deploy/` under `quarterdeck/_shipped`; an editable install reads them in the
checkout. A checkout keeps `core`, `tui` and `cli` at its top, where their owner wants them. For an editable install the
folder `.import` continues the path. It holds `quarterdeck` as links to those folders: real packages for Python, type checkers
and import checkers alike. On Windows the links are junctions, which need no rights. Where none can be made, `quarterdeck` is
one file that names the checkout in its `__path__`: enough to run, but not for checkers.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = ("settings.toml", "themes", "deploy")
PACKAGE = "package"
"""Files of `quarterdeck` itself. A folder of that name would hide the installed package from whoever works in the checkout."""
FOLDERS = ("core", "tui", "cli")
IMPORT_ROOT = ".import"
_FALLBACK = """
# folders cannot be linked here: the packages are looked for in the checkout
__path__ = [{checkout!r}]
"""


class BuildHook(BuildHookInterface[Any]):
    """Called by the build backend before it collects files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the shipped files to a wheel that is installed elsewhere; make the import folder of an editable one."""
        if version == "editable":
            make_import_root(Path(self.root))
        else:
            build_data["force_include"].update({name: f"quarterdeck/_shipped/{name}" for name in SHIPPED})


def make_import_root(checkout: Path) -> Path:
    """Folder for the import path whose one entry is `quarterdeck`; made anew. Raises OSError where it cannot be written."""
    root = checkout / IMPORT_ROOT
    _remove(root)
    package = root / "quarterdeck"
    package.mkdir(parents=True)
    own = sorted(path for path in (checkout / PACKAGE).iterdir() if path.is_file())
    try:
        for target in (*(checkout / name for name in FOLDERS), *own):
            _link(target, package / target.name)
    except OSError:
        _remove(root)
        package.mkdir(parents=True)
        for file in own:
            shutil.copyfile(file, package / file.name)
        with (package / "__init__.py").open("a", encoding="utf-8") as init:
            init.write(_FALLBACK.format(checkout=str(checkout)))
    return root


def _link(target: Path, link: Path) -> None:
    if sys.platform != "win32":
        link.symlink_to(os.path.relpath(target, link.parent), target_is_directory=target.is_dir())
    elif target.is_dir():
        import _winapi

        _winapi.CreateJunction(str(target), str(link))
    else:
        shutil.copyfile(target, link)  # a link to a file needs rights there; the build makes it anew


def _remove(root: Path) -> None:
    # links are taken away as links: nothing behind them is touched
    package = root / "quarterdeck"
    for entry in package.iterdir() if package.is_dir() else ():
        if entry.is_symlink() or entry.is_file():
            entry.unlink()
        elif sys.platform == "win32" and entry.name in FOLDERS:
            entry.rmdir()  # a junction
        else:
            shutil.rmtree(entry)
    if root.is_dir():
        shutil.rmtree(root)
