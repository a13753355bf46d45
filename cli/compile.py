"""`quarterdeck compile`: the backtest's desk as machine code, for this Python on this machine."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from quarterdeck.cli.options import JsonOption
from quarterdeck.cli.output import print_json
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.compiled.build import build, destination
from quarterdeck.core.compiled.load import fits
from quarterdeck.core.model.errors import StorageError


def command(
    force: Annotated[bool, typer.Option("--force", help="Compile again although the compiled desk matches this source.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Delete the compiled desk instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compile the desk that backtests run: the same decisions, about twice as fast.

    backtest and optimize use it while the program stays the version it was compiled of. The engine that trades never does.
    It needs a C compiler and one to three minutes: pip install 'quarterdeck[compile]'.
    """
    place, seconds = destination(), 0.0
    if remove:
        _remove()
    elif force or not fits():
        clock = WallClock()
        began = clock.monotonic_s()
        typer.echo("compiling; takes one to three minutes", err=True)
        build()
        seconds = clock.monotonic_s() - began
    if as_json:
        print_json({"compiled": not remove, "folder": str(place), "took_s": round(seconds, 1)})
    elif remove:
        print(f"backtests run from the source; {place} is gone")
    else:
        print(f"backtests run compiled; {place}" + (f", made in {seconds:.0f} s" if seconds else " fits this version already"))


def _remove() -> None:
    try:
        shutil.rmtree(destination())
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StorageError(f"{destination()} cannot be taken away: {error.strerror}") from error
