"""Optional packages: which extra of the installation brings them, and the one line that says so where they are missing.

Nothing is imported to find out, so asking costs no start-up time.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

from quarterdeck.core.model.errors import UsageError

EXTRAS: dict[str, tuple[str, ...]] = {
    "compile": ("mypy", "setuptools"),
    "frames": ("pandas", "pandas_ta_classic"),
    "optimize": ("optuna", "distributed"),
    "queue": ("bullmq",),
}
"""Modules that each extra of pyproject.toml brings."""


def require_extra(extra: str, purpose: str) -> None:
    """Check that the packages of `extra` are installed; `purpose` is what needs them, as the sentence begins.

    Raises:
        UsageError: at least one is not; names it and the command that installs the extra.
    """
    missing = [module for module in EXTRAS[extra] if not is_installed(module)]
    if missing:
        raise UsageError(f"{purpose} needs {' and '.join(missing)}, not installed", what_to_do=install_hint(extra))


def install_hint(extra: str) -> str:
    """The command that installs an extra into the running Python."""
    return f"run `{sys.executable} -m pip install 'quarterdeck[{extra}]'`"


def extra_of(module: str) -> str | None:
    """The extra that brings `module` (a top-level name), None for no extra's."""
    return next((extra for extra, modules in EXTRAS.items() if module in modules), None)


def is_installed(module: str) -> bool:
    """Whether a top-level module can be imported."""
    return find_spec(module) is not None
