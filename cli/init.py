"""`quarterdeck init`: a home folder with a settings file of the operator's own."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import HomeOption, JsonOption
from cli.output import print_json
from core.model.errors import UsageError
from core.settings.home import prepare, resolve_home
from core.settings.shipped import shipped_text


def command(
    home: HomeOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace settings.toml; the old one is kept beside it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a fresh, commented settings.toml into the home folder.

    It holds every parameter with its default. You may delete whatever you do not change: a missing key takes the shipped value.
    """
    place = prepare(resolve_home(home))
    kept = ""
    if place.settings.exists():
        if not force:
            raise UsageError(f"{place.settings} is already there", what_to_do="edit it, or replace it with --force")
        backup = place.settings.with_suffix(".toml.old")
        place.settings.replace(backup)
        kept = str(backup)
    place.settings.write_text(shipped_text("settings.toml"), encoding="utf-8")
    print(f"wrote {place.settings}" + (f"; the old one is {kept}" if kept else ""))
    print("next: quarterdeck run" + (f" --home {place.root}" if home is not None else ""))
    if as_json:
        print_json({"home": str(place.root), "settings": str(place.settings), "kept": kept})
