"""How the engine of a home was started: its command line, kept so that a restart can say it again.

Promises: written once an engine is up, without secrets (none is ever given on a command line); a damaged or missing record is
none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from quarterdeck.core.model.errors import UNREADABLE, StorageError
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.safe_files import replace_file
from quarterdeck.core.settings.settings_loader import toml_text

if TYPE_CHECKING:
    from quarterdeck.core.engine.run_request import RunRequest

START_RECORD_NAME = "engine-start.json"
RESTART_WORD = "restart"
"""Why an engine ends that is to begin again."""
EXIT_RESTART = 75
"""Asks the supervisor to start the engine again; `deploy/quarterdeck.service` knows it."""
SUPERVISOR_VARIABLE = "INVOCATION_ID"
"""systemd puts it into the environment of what it runs."""


class StartRecord(Struct, frozen=True, kw_only=True):
    """One start of an engine."""

    arguments: tuple[str, ...]
    replay: bool
    supervised: bool
    """A supervisor starts it again when it ends by `EXIT_RESTART`."""


def start_arguments(wish: RunRequest) -> tuple[str, ...]:
    """The command line of an engine without a screen that carries out `wish`."""
    words = ["run", "--no-ui", "--home", str(wish.home.root)]
    for key, value in wish.values:
        words += ["--set", f"{key}={toml_text(value)}"]
    if wish.pairs:
        words += ["--pairs", ",".join(wish.pairs)]
    for folder in ("crash",) if wish.crash else wish.replay:
        words += ["--replay", str(folder)]
    for option, day in (("--from", wish.from_day), ("--to", wish.to_day)):
        words += [option, day.isoformat()] if day is not None else []
    if wish.speed_given:
        words += ["--speed", "max" if wish.speed is None else repr(wish.speed)]
    for symbol, price in wish.rates.items():
        words += ["--rate", f"{symbol}={price!r}"]
    for fault in wish.faults:
        words += ["--fault", fault]
    if wish.yes_real:
        words += ["--yes-real", str(wish.yes_real)]
    return tuple(words)


def record_start(wish: RunRequest) -> StartRecord:
    """Keep how this engine was started. Raises StorageError when the home cannot be written."""
    supervised = bool(os.environ.get(SUPERVISOR_VARIABLE))
    record = StartRecord(arguments=start_arguments(wish), replay=bool(wish.replay) or wish.crash, supervised=supervised)
    path = _path(wish.home)
    beside = path.with_suffix(".tmp")
    try:
        beside.write_bytes(msgspec.json.encode(record))
        replace_file(beside, path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}", what_to_do="free or unlock the home folder") from error
    return record


def last_start(home: Home) -> StartRecord | None:
    """How the engine of this home was started last; None where that is not known."""
    try:
        return msgspec.json.decode(_path(home).read_bytes(), type=StartRecord)
    except (OSError, *UNREADABLE):
        return None


def _path(home: Home) -> Path:
    return home.root / START_RECORD_NAME
