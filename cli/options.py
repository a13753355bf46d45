"""Options that several commands share, so that each means the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

HomeOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="Home folder. [QUARTERDECK_HOME, or here if settings lie here, or your data folder]"
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line.")]
ProgressOption: TypeAlias = Annotated[
    bool, typer.Option("--progress-json", help="Print progress to stderr as JSON, one object a line, for a program to read.")
]
SetOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting for this run alone; may be given several times.")
]
PairsOption: TypeAlias = Annotated[
    str | None, typer.Option("--pairs", metavar="A,B,...", help="Pairs, comma separated. [as in settings]")
]
FromOption: TypeAlias = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First UTC day, inclusive.")]
ToOption: TypeAlias = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last UTC day, inclusive.")]
FaultOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--fault", metavar="NAME=P", help="A fault of the simulated terminal; may be repeated.")
]
DataOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="FOLDER", help="Recorded prices; may be given several times, the finest data are used."),
]
SettingsFileOption: TypeAlias = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", help="Another settings.toml. [the home's]")
]
RateOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--rate", metavar="PAIR=PRICE", help="Conversion price for a pair that is not in the data.")
]
