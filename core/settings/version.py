"""Which code is running, for the tape, the journal, the log and `--version`.

Promises: the version of the package; in a checkout the commit follows after a plus sign. Costs no process and never fails.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path

from quarterdeck.core.settings.packaged_files import shipped_root

_DISTRIBUTION = "quarterdeck"
_COMMIT_DIGITS = 12


@cache
def code_version() -> str:
    """Version of the running code, e.g. `0.1.0`, or `0.1.0+1a2b3c4d5e6f` in a checkout; `unknown` where neither is recorded."""
    try:
        version = _recorded(metadata.distribution(_DISTRIBUTION))
    except metadata.PackageNotFoundError:
        version = "unknown"
    commit = _commit(shipped_root() / ".git")
    return f"{version}+{commit[:_COMMIT_DIGITS]}" if commit else version


def _recorded(distribution: metadata.Distribution) -> str:
    # the library's own way parses the whole text with the mail parser, whose import is a share of every start
    lines = (distribution.read_text("METADATA") or "").splitlines()
    return next((line.removeprefix("Version:").strip() for line in lines if line.startswith("Version:")), "unknown")


def _commit(git: Path) -> str:
    # HEAD holds a commit or the name of a branch, whose commit is in a file of its own or among the packed ones.
    try:
        head = (git / "HEAD").read_text(encoding="ascii").strip()
        if not head.startswith("ref: "):
            return head
        branch = head.removeprefix("ref: ")
        loose = git / branch
        if loose.is_file():
            return loose.read_text(encoding="ascii").strip()
        packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return next((line.split(" ")[0] for line in packed if line.endswith(f" {branch}")), "")
