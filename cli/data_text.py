"""How `quarterdeck data` speaks: which files are meant, progress on stderr, and what was found as lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from quarterdeck.core.clock.wall import iso
from quarterdeck.core.data.download import DownloadProgress
from quarterdeck.core.data.importing import ImportResult
from quarterdeck.core.data.price_files import price_file
from quarterdeck.core.data.verify import FileReport
from quarterdeck.core.model.errors import DataError

FOREIGN = (".csv", ".csv.gz", ".txt", ".txt.gz", ".zip", ".bi5", ".json")
"""How files that can be imported end."""
_WIDTH = 76
Walk = Callable[[Iterable[Path]], Iterator[Path]]


def importable(path: Path) -> bool:
    """Whether a file in a folder may hold prices of some maker."""
    return path.name.lower().endswith(FOREIGN)


def verifiable(path: Path) -> bool:
    """Whether a file in a folder is named as ours are."""
    return price_file(path) is not None


def found_files(sources: Sequence[Path], wanted: Callable[[Path], bool], remedy: str) -> tuple[Path, ...]:
    """The files named, and those wanted below the folders named, by name. Raises DataError for what is missing or empty."""
    files: list[Path] = []
    for source in sources:
        path = source.expanduser()
        if path.is_dir():
            below = sorted(item for item in path.rglob("*") if item.is_file() and wanted(item))
            if not below:
                raise DataError(f"{path}: no files of prices below it", what_to_do=remedy)
            files += below
        elif path.is_file():
            files.append(path)
        else:
            raise DataError(f"{path}: no such file or folder", what_to_do="check the name")
    return tuple(dict.fromkeys(files))


def imported_lines(path: Path, item: ImportResult) -> list[str]:
    """What came of one file."""
    series = item.series
    first, last = iso(series.first_utc_ns)[:16], iso(series.end_utc_ns)[:16]
    lines = [f"{path.name}: {series.symbol} {series.timeframe}, {len(series):,} of {item.lines:,} lines, {first} to {last}"]
    if item.clock is not None:
        lines.append(f"  clock     {item.clock.words}")
    lines += [f"  left out  {count:,} {why}" for why, count in item.left_out]
    return lines + [f"  note      {note}" for note in dict.fromkeys(item.notes)]


def verified_lines(result: FileReport) -> list[str]:
    """One file's table: what struck, and what was measured."""
    head = f"{result.path.name}: {result.verdict.upper()}: {result.rows:,} rows, {result.first[:16]} to {result.last[:16]}"
    lines = [head]
    for row in result.findings:
        if row.count or row.grade == "fine":
            count = f"{row.count:,}" if row.count else ""
            lines.append(f"  {row.grade:<6} {row.check:<34} {count:>9}  {row.example}".rstrip())
    return lines


@contextmanager
def file_meter(total: int) -> Iterator[Walk]:
    """Gives a function that walks over files and says on a terminal where it is."""

    def walk(files: Iterable[Path]) -> Iterator[Path]:
        for done, path in enumerate(files, start=1):
            _say(f"{done} of {total}  {path.name}")
            yield path

    try:
        yield walk
    finally:
        _say("")


@contextmanager
def download_meter() -> Iterator[Callable[[DownloadProgress], None]]:
    """Gives a function that says on a terminal how far a download is."""

    def progress(at: DownloadProgress) -> None:
        _say(f"{at.symbol} {at.hour}  {at.done} of {at.total} hours  {at.fetched_bytes / 1e6:.1f} MB fetched")

    try:
        yield progress
    finally:
        _say("")


def _say(text: str) -> None:
    """One line that rewrites itself, on a terminal only; an empty one takes it away."""
    if sys.stderr.isatty():
        end = "" if text else "\r"
        print(f"\r{text[:_WIDTH]:<{_WIDTH}}", end=end, file=sys.stderr, flush=True)
