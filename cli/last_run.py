"""What became of the newest run of a journal, said when its screen is left."""

from __future__ import annotations

import contextlib
from pathlib import Path

from quarterdeck.cli import summary_text
from quarterdeck.cli.output import print_json
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.study.summary import summary_of


def print_last_run(journal: Path, *, as_json: bool) -> None:
    """A few lines of figures; silent where the journal cannot be read."""
    with contextlib.suppress(StorageError), TapeReader(journal) as reader:
        run = reader.run()
        summary = summary_of(reader, run)
        print(f"run {run.run_id}, {run.mode}: {run.ended_how or 'did not end in order'}")
        for line in summary_text.lines(summary, run.currency):
            print(line)
        if as_json:
            print_json(summary_text.summary_json(summary, currency=run.currency, mode=run.mode, ended=run.ended_how))
