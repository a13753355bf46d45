"""What the operator wants of a run, as the command line says it.

Why apart: a screen whose engine is another process states the wish and needs nothing of the engine.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Struct

from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.settings_loader import LoadedSettings, load_settings

CRASH_AGE_MAX_HOURS = 12.0
"""Entries end more than four hours before the crash: with the usual limit of age nothing would be left to meet it."""
_AGE = "position.time_exit_hours"


class RunRequest(Struct, frozen=True, kw_only=True):
    """What the operator asked for on the command line."""

    home: Home
    values: tuple[tuple[str, Any], ...] = ()
    """Settings for this run alone, (dotted key, value)."""
    pairs: tuple[str, ...] = ()
    replay: tuple[Path, ...] = ()
    crash: bool = False
    """Replay the scripted crash instead of recorded days."""
    from_day: date | None = None
    to_day: date | None = None
    speed: float | None = None
    speed_given: bool = False
    rates: dict[str, float] = {}
    faults: tuple[str, ...] = ()
    """Faults of the simulated terminal, `name=probability`."""
    yes_real: int = 0


def settings_for_run(wish: RunRequest) -> LoadedSettings:
    """Settings in force for the wish. Raises SettingsError."""
    pairs = (("desk.pairs", list(wish.pairs)),) if wish.pairs else ()
    longer = ((_AGE, CRASH_AGE_MAX_HOURS),) if wish.crash and _AGE not in dict(wish.values) else ()
    return load_settings(wish.home.root, (*wish.values, *pairs, *longer))
