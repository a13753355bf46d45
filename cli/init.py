"""`quarterdeck init`: a home folder with a settings file of the operator's own, or a strategy file to begin with."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.settings.home import prepare, resolve_home
from quarterdeck.core.settings.packaged_files import shipped_text
from quarterdeck.core.strategy.strategy_loader import class_names, template_text


def command(
    home: HomeOption = None,
    strategy: Annotated[
        Path | None, typer.Option("--strategy", metavar="FILE", help="Write a strategy to begin with instead; home-relative.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file; the old one is kept beside it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a fresh, commented settings.toml into the home folder.

    It holds every parameter with its default. You may delete whatever you do not change: a missing key takes the shipped value.
    With --strategy it writes a commented strategy file instead.
    """
    place = prepare(resolve_home(home))
    if strategy is None:
        path, text = place.settings, shipped_text("settings.toml")
    else:
        path, text = place.root / strategy.expanduser(), template_text()
        if path.suffix != ".py":
            raise UsageError(f"--strategy {strategy} is no Python file", what_to_do="name it like my_strategy.py")
    kept = _kept(path, force=force)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}" + (f"; the old one is {kept}" if kept else ""))
    own_home = f" --home {place.root}" if home is not None else ""
    if strategy is None:
        print(f"next: quarterdeck run{own_home}")
    else:
        print(f"next: quarterdeck check lookahead --strategy {path}{own_home}")
        name = path.relative_to(place.root) if path.is_relative_to(place.root) else path
        print(f'to trade it: in {place.settings}, under [strategy]: file = "{name.as_posix()}", name = "{class_names(path)[0]}"')
    if as_json:
        print_json({"home": str(place.root), "settings" if strategy is None else "strategy": str(path), "kept": kept})


def _kept(path: Path, *, force: bool) -> str:
    """Move a file that is there out of the way; where it went, or nothing."""
    if not path.exists():
        return ""
    if not force:
        raise UsageError(f"{path} is already there", what_to_do="edit it, or replace it with --force")
    names = (path.with_name(f"{path.name}.old{number or ''}") for number in count())
    backup = next(name for name in names if not name.exists())  # an older copy may be the one that was worked on
    path.replace(backup)
    return str(backup)
