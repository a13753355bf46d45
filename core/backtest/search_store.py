"""A search's memory: one file, a line for what is searched and a line for each finished trial.

Why: a search takes hours; whatever ends it, it continues where it was.
Promises: lines are only ever appended, a torn last one is left out; a file of another search is refused, never mixed.
Does not: search (`optimize`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.backtest.search_space import Dimension
from quarterdeck.core.model.errors import UNREADABLE, StorageError, UsageError
from quarterdeck.core.model.renamed_keys import current_key


class SearchSpec(Struct, frozen=True, kw_only=True):
    """What makes two searches the same one."""

    space: tuple[Dimension, ...]
    goal: str
    seed: int
    batch: int
    data: str
    """Folders and days."""
    settings_hash: str


class Trial(Struct, frozen=True, kw_only=True):
    """One finished trial."""

    number: int
    values: dict[str, Any]
    goal: float | None
    """None where the run could not be judged."""
    figures: dict[str, float | None]
    digest: str
    why: str = ""
    daily: tuple[float, ...] = ()
    """Return of each open day; empty where the run did not come to its end, or in a study of an older version."""


def _with_current_keys(head: SearchSpec) -> SearchSpec:
    return replace(head, space=tuple(replace(one, key=current_key(one.key)) for one in head.space))


class SearchStore:
    """The file, and what is in it."""

    def __init__(self, path: Path | None, head: SearchSpec) -> None:
        """Opens or begins it; None keeps everything in memory. Raises UsageError for another search's file, StorageError."""
        self.head = head
        self.trials: list[Trial] = []
        self._path = path
        if path is not None:
            self._open(path)

    def add(self, trial: Trial) -> None:
        """Keep a finished trial. Raises StorageError."""
        self.trials.append(trial)
        if self._path is not None:
            self._append(self._path, trial)

    @property
    def different(self) -> list[Trial]:
        """The trials, each combination of values once."""
        return list({msgspec.json.encode(trial.values, order="sorted"): trial for trial in reversed(self.trials)}.values())[::-1]

    @property
    def best(self) -> Trial | None:
        """The first of those with the highest goal."""
        judged = [trial for trial in self.trials if trial.goal is not None]
        return max(judged, key=lambda trial: (trial.goal or 0.0, -trial.number)) if judged else None

    def _open(self, path: Path) -> None:
        try:
            lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        except OSError as error:
            raise StorageError(f"{path}: cannot be read: {error.strerror or error}", what_to_do="name another file") from error
        if not lines:
            self._append(path, self.head)
            return
        try:
            head = _with_current_keys(msgspec.json.decode(lines[0], type=SearchSpec))
        except UNREADABLE as error:
            raise UsageError(f"{path}: is not a study file", what_to_do="name another file with --study") from error
        if head != msgspec.json.decode(msgspec.json.encode(self.head), type=SearchSpec):
            raise UsageError(
                f"{path}: is the study of another search (other ranges, data, settings, goal or seed)",
                what_to_do="name another file with --study",
            )
        whole = [line for line in lines if line.endswith(b"\n")]
        if len(whole) < len(lines):
            self._write(path, b"".join(whole))
        for number, line in enumerate(whole[1:], start=2):
            try:
                trial = msgspec.json.decode(line, type=Trial)
                values = {current_key(key): value for key, value in trial.values.items()}
                self.trials.append(replace(trial, values=values))
            except UNREADABLE as error:
                raise UsageError(f"{path}: line {number} is no trial", what_to_do="remove it and all after it") from error

    def _append(self, path: Path, row: Struct) -> None:
        self._write(path, msgspec.json.encode(row) + b"\n", more=True)

    def _write(self, path: Path, data: bytes, *, more: bool = False) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab" if more else "wb") as file:
                file.write(data)
        except OSError as error:
            what = f"{path}: cannot be written: {error.strerror or error}"
            raise StorageError(what, what_to_do="check space and rights") from error


def earlier_trials(path: Path, head: SearchSpec) -> int:
    """Different trials that other studies beside this file made on the same folders and on days that overlap.

    A file that cannot be read, or is no study, has none.
    """
    folders, span = _data(head.data)
    found = 0
    for other in sorted(path.parent.glob(f"*{path.suffix}")):
        if other == path:
            continue
        try:
            lines = other.read_bytes().splitlines()
            theirs = msgspec.json.decode(lines[0], type=SearchSpec) if lines else head
            values = {msgspec.json.encode(msgspec.json.decode(line, type=Trial).values, order="sorted") for line in lines[1:]}
        except (OSError, msgspec.MsgspecError):
            continue
        their_folders, their_span = _data(theirs.data)
        if their_folders == folders and span[0] <= their_span[1] and their_span[0] <= span[1]:
            found += len(values)
    return found


def _data(data: str) -> tuple[str, tuple[str, str]]:
    """Folders and days of `FOLDERS: DAY to DAY`; an open end is before or after every day."""
    folders, _, days = data.rpartition(": ")
    first, _, last = days.partition(" to ")
    return folders, ("0000" if first == "begin" else first, "9999" if last == "end" else last)
