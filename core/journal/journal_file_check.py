"""Whether the journal's files are still the ones that were opened.

Why: SQLite continues writing into a file that was deleted or replaced, without an error, and all of it is gone with the process.
Promises: `check` raises as soon as the file at the path is another one, or none. Does not: write.
"""

from __future__ import annotations

from pathlib import Path

from quarterdeck.core.model.errors import StorageError


class JournalFiles:
    """The journal's file and its write-ahead log, known by their place on the disk."""

    def __init__(self, path: Path) -> None:
        """The journal at `path` was opened just now."""
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._known: dict[Path, tuple[int, int]] = {path: _identity(path) or (0, 0)}

    def check(self) -> None:
        """Raises StorageError when a file was taken away or another one lies in its place."""
        for path, known in self._known.items():
            if _identity(path) != known:
                raise StorageError(
                    f"{path} was removed or replaced while the engine writes it; nothing more is recorded",
                    what_to_do="put that file back, or use `quarterdeck restart`, which makes a fresh journal",
                )
        if self._log not in self._known and (found := _identity(self._log)) is not None:
            self._known[self._log] = found


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
