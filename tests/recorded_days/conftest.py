"""Short stretches of recorded days, replayed once a session through the command itself; each test looks at what was left behind."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.main import main
from tests.conftest import missing

FOUR = "EURUSD,GBPUSD,USDJPY,USDCHF"


class Replayed:
    """A home folder after a replay: its summary, and its journal as plain rows."""

    def __init__(self, home: Path, summary: dict[str, Any]) -> None:
        self.home = home
        self.summary = summary

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the journal by column name."""
        with closing(sqlite3.connect(f"file:{self.home / 'journal.sqlite'}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, values)]


Replay = Callable[..., Replayed]


def candles(folder: Path, symbol: str) -> dict[str, dict[str, str]]:
    """The recorded M15 bars of a pair by their opening time, as the file says them."""
    with gzip.open(folder / f"{symbol}_M15.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        return {row["time_utc"]: row for row in csv.DictReader(lines)}


@pytest.fixture(scope="session")
def replayed(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Replay days of a folder of the recorded data; the same wish is replayed once."""
    done: dict[tuple[str, ...], Replayed] = {}
    kept = {name: os.environ.pop(name, None) for name in ("QUARTERDECK_HOME",)}

    def replay(folder: str, first: str, last: str, *more: str, pairs: str = FOUR) -> Replayed:
        key = (folder, first, last, pairs, *more)
        if key not in done:
            if not (recorded_data / folder).is_dir():
                missing(f"no {folder} in {recorded_data}")
            home = tmp_path_factory.mktemp("replayed")
            words = ["run", "--no-ui", "--replay", str(recorded_data / folder), "--pairs", pairs, "--from", first, "--to", last]
            told = home / "told.txt"
            with told.open("w", encoding="utf-8") as out, pytest.MonkeyPatch.context() as patch:
                patch.setattr("sys.stdout", out)
                code = main([*words, "--speed", "max", "--home", str(home), "--json", *more])
            assert code == 0
            done[key] = Replayed(home, json.loads(told.read_text(encoding="utf-8").splitlines()[-1]))
        return done[key]

    yield replay
    os.environ.update({name: value for name, value in kept.items() if value is not None})
