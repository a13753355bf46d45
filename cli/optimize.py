"""`quarterdeck optimize`: search settings over recorded days, and judge what was found on days the search never saw.

Promises: interrupted, it continues where it was (`--study`); the same seed finds the same, on any number of workers.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from quarterdeck.cli.option_parsing import parse_days, parse_pairs, parse_rates, parse_settings
from quarterdeck.cli.options import (
    FromOption,
    HomeOption,
    JsonOption,
    PairsOption,
    RateOption,
    SetOption,
    SettingsFileOption,
    ToOption,
)
from quarterdeck.cli.output import print_json, print_table, warn
from quarterdeck.cli.progress import EXIT_INTERRUPTED, catch_interrupt
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.settings.extras import require_extra
from quarterdeck.core.settings.home import resolve_home

_WALK = re.compile(r"(\d+)[:/](\d+)")


FoldersOption: TypeAlias = Annotated[
    list[Path], typer.Option("--data", metavar="FOLDER", help="Recorded prices; several times, the finest wins.")
]
OverOption: TypeAlias = Annotated[
    list[str],
    typer.Option("--over", metavar="KEY[=LOW..HIGH[/STEP]]", help="What to search; KEY=a,b,c for a choice. [its own range]"),
]
GoalOption: TypeAlias = Annotated[
    str, typer.Option("--goal", metavar="WORD", help="The figure to maximise: expectancy, result, sharpe, drawdown or sqn.")
]
WalkOption: TypeAlias = Annotated[
    str, typer.Option("--walk-forward", metavar="DAYS:DAYS", help="Search so many days, judge so many after them, move on.")
]
ClusterOption: TypeAlias = Annotated[
    str, typer.Option("--cluster", metavar="ADDRESS", help="Dask scheduler whose workers run the trials.")
]
StudyOption: TypeAlias = Annotated[
    Path | None, typer.Option("--study", metavar="FILE", help="File of the trials. [HOME/reports/study.jsonl]")
]


def command(
    data: FoldersOption,
    over: OverOption,
    first: FromOption = None,
    last: ToOption = None,
    pairs: PairsOption = None,
    goal: GoalOption = "sqn",
    trials: Annotated[int, typer.Option("--trials", min=1, max=1_000_000, help="How many, for each window.")] = 64,
    trades_min: Annotated[int, typer.Option("--min-trades", min=1, help="A trial with fewer trades is not judged.")] = 30,
    walk: WalkOption = "",
    workers: Annotated[int, typer.Option("--workers", min=0, max=1024, help="Processes. [one for each core]")] = 0,
    cluster: ClusterOption = "",
    study: StudyOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the search.")] = 1,
    settings: SettingsFileOption = None,
    values: SetOption = None,
    rate: RateOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search settings for the best goal.

    Ranges come from the settings themselves, or from the strategy for its own parameters. The page shows how the neighbours of
    the best fare; with --walk-forward each search is judged on the days after it.
    """
    require_extra("optimize", "quarterdeck optimize")
    from quarterdeck.cli.optimize_run import OptimizeRequest, run_optimize

    wanted = list(parse_settings(values or []))
    if pairs is not None:
        wanted.append(("desk.pairs", list(parse_pairs(pairs))))
    where = resolve_home(home)
    days = parse_days(first, last)
    wish = OptimizeRequest(
        home=where,
        folders=tuple(folder.expanduser().absolute() for folder in data),
        days=days,
        rates=parse_rates(rate or []),
        settings_file=settings,
        values=tuple(wanted),
        over=tuple(over),
        goal=goal,
        trials=trials,
        trades_min=trades_min,
        walk=_walk_days(walk, days),
        workers=workers,
        cluster=cluster,
        study=study if study is not None else where.root / "reports" / "study.jsonl",
        seed=seed,
    )
    with catch_interrupt() as wishes:
        found = run_optimize(wish, wishes)
    _tell(found)
    if as_json:
        print_json(found.plain())
    raise typer.Exit(0 if found.finished else EXIT_INTERRUPTED)


def _walk_days(text: str, days: tuple[date | None, date | None]) -> tuple[int, int] | None:
    if not text:
        return None
    match = _WALK.fullmatch(text.strip())
    if match is None or not int(match[1]) or not int(match[2]):
        raise UsageError(f"--walk-forward {text!r}: no windows", what_to_do="write SEARCH:JUDGE in days, like 180:60")
    if days[0] is None or days[1] is None:
        raise UsageError("--walk-forward needs --from and --to", what_to_do="give both days")
    return int(match[1]), int(match[2])


def _neighbours(found: Any) -> str:
    if not found.finished:
        return "so        neighbours are looked at when the search is finished"
    return f"so        {found.standing or 'no neighbours lie within the ranges'}"


def _tell(found: Any) -> None:
    if not found.finished:
        warn("stopped manually; the same command continues from here")
    best = found.best
    print(f"trials    {found.trials}, {found.judged} judged")
    if best is None:
        print("best      none could be judged")
    else:
        where = f", of {found.days}" if found.walked else ""
        print(f"best      {best.goal:.4g} ({found.goal}), trial {best.number}{where}")
        print_table(
            [[f"          {key}", f"{value:g}" if isinstance(value, float) else str(value)] for key, value in best.values.items()]
        )
        print(_neighbours(found))
        for one in found.luck:
            print(f"luck      {one.name}: {one.value}; {one.text}")
    for line in found.walk_lines:
        print(line)
    print(f"page      {found.page}")
    print(f"study     {found.study}")
