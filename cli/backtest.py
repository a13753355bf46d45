"""`quarterdeck backtest`: recorded days through the same desk as live, as fast as the machine goes; or a finished one again.

Promises: results on stdout, progress on stderr; Ctrl-C leaves a partial report that says so; the digest is that of `run --replay`
over the same days.
"""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

import typer

from quarterdeck.cli import summary_text
from quarterdeck.cli.backtest_text import comparison_lines, finding_lines
from quarterdeck.cli.option_parsing import parse_days, parse_pairs, parse_rates, parse_settings
from quarterdeck.cli.options import (
    DataOption,
    FromOption,
    HomeOption,
    JsonOption,
    PairsOption,
    ProgressOption,
    RateOption,
    SetOption,
    SettingsFileOption,
    ToOption,
)
from quarterdeck.cli.output import print_json, print_table, warn
from quarterdeck.cli.progress import EXIT_INTERRUPTED, interruptible
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.model.errors import StorageError, UsageError
from quarterdeck.core.settings.home import Home, resolve_home

IntrabarOrder = Literal["pessimistic", "neutral", "optimistic"]
ComparedRun: TypeAlias = tuple[str, Any]
"""The finished backtest that is compared with: where it lies, and its result."""
_LONG_S = 20.0
"""From here on a faster desk is worth a word."""


def command(
    data: DataOption = None,
    first: FromOption = None,
    last: ToOption = None,
    pairs: PairsOption = None,
    settings: SettingsFileOption = None,
    values: SetOption = None,
    rate: RateOption = None,
    path: Annotated[
        str, typer.Option("--intrabar", metavar="WORD", help="Inside a bar: pessimistic, neutral or optimistic. [as in settings]")
    ] = "",
    paths: Annotated[bool, typer.Option("--all-intrabar", help="All three, side by side.")] = False,
    every_bar: Annotated[bool, typer.Option("--every-bar", help="Skip no bar, scan each as live does; the same trades.")] = False,
    reruns: Annotated[
        bool | None,
        typer.Option(
            "--stress/--no-stress",
            help="Run the days again for the diagnosis: with double costs, and with later starts. [if a run takes under 8 s]",
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="DIR", help="Its folder. [HOME/reports/...]")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    opened: Annotated[Path | None, typer.Option("--show", metavar="DIR", help="Show a finished report; run nothing.")] = None,
    compare: Annotated[Path | None, typer.Option("--compare", metavar="DIR", help="Compare with a finished report.")] = None,
    browse: Annotated[bool, typer.Option("--browser", help="Show the page in the browser.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
    progress: ProgressOption = False,
) -> None:
    """Trade recorded days and report the results.

    Without --data it uses the prices imported into the home, else a built-in example of simulated prices, and says which.
    Days are UTC, both inclusive; the warm-up comes from before the first. Costs and paths inside a bar are those of [costs].
    """
    where = resolve_home(home)
    if opened is not None:
        if data or values or pairs or settings or first or last:
            raise UsageError("--show shows a finished report, nothing is run", what_to_do="leave out --show, or the rest")
        raise typer.Exit(_again(opened, compare, browse=browse, as_json=as_json))
    wanted, days = _wanted(values, pairs, path), parse_days(first, last)
    parsed_rates = parse_rates(rate or [])

    from quarterdeck.cli.backtest_run import BacktestRequest, run_backtest
    from quarterdeck.cli.default_prices import default_prices

    order = BacktestRequest(
        home=where,
        folders=tuple(folder.expanduser().absolute() for folder in data or (default_prices(where, settings, wanted),)),
        days=days,
        rates=parsed_rates,
        settings_file=settings,
        values=wanted,
        every_bar=every_bar,
        paths=paths,
        stress=reruns,
    )
    other = _find_faults_first(compare, report)
    with interruptible(told=progress) as meter:
        done = run_backtest(order, meter)
    folder, unwritten = (None, None) if no_report else _written(done, report, where)
    if meter.interrupted and done.result.complete:
        warn("the run itself is complete; what was to follow it was stopped manually")
    _tell(done, folder, other, browse=browse, as_json=as_json)
    raise unwritten or typer.Exit(EXIT_INTERRUPTED if meter.interrupted else 0)


def _wanted(values: list[str] | None, pairs: str | None, path: str) -> tuple[tuple[str, Any], ...]:
    if path and path not in get_args(IntrabarOrder):
        raise UsageError(
            f"--intrabar {path!r} is not an intrabar order", what_to_do=f"choose {', '.join(get_args(IntrabarOrder))}"
        )
    wanted = list(parse_settings(values or []))
    if pairs is not None:
        wanted.append(("desk.pairs", list(parse_pairs(pairs))))
    if path:
        wanted.append(("costs.intrabar_order", path))
    return tuple(wanted)


def _find_faults_first(compare: Path | None, report: Path | None) -> ComparedRun | None:
    """What would fail after the run fails before it; what is compared with is read before a report may take its place."""
    other = _other(compare)
    if report is not None:
        from quarterdeck.core.backtest.report_folder import prepare_report_folder

        prepare_report_folder(report)
    return other


def _other(folder: Path | None) -> ComparedRun | None:
    if folder is None:
        return None
    from quarterdeck.core.backtest.result import read_result

    return str(folder), read_result(folder)


def _written(done: Any, report: Path | None, home: Home) -> tuple[Path | None, StorageError | None]:
    """Where the report lies, or why there is none: a full disk must not take what was found with it."""
    from quarterdeck.core.backtest.report_folder import report_name, write_report

    folder = report if report is not None else home.root / "reports" / report_name(done.result)
    try:
        write_report(folder, done.result, done.findings, done.others)
    except StorageError as error:
        return None, error
    return folder, None


def _tell(done: Any, folder: Path | None, compare: ComparedRun | None, *, browse: bool, as_json: bool) -> None:
    result = done.result
    if not result.complete:
        warn("stopped manually: what follows is partial")
    for note in result.notes:
        warn(note)
    print(f"{result.label}, {result.path}: {result.bars:,} bars in {result.elapsed_s:.1f} s, {result.bars_per_s:,.0f} a second")
    for line in summary_text.lines(result.summary, result.currency):
        print(line)
    _tell_paths([*done.others, result] if done.others else [])
    print("\n".join(finding_lines(done.findings)))
    if folder is not None:
        print(f"report    {folder / 'report.html'}")
    if result.elapsed_s >= _LONG_S and not done.compiled:
        print("faster    `quarterdeck compile` makes such a run about twice as fast")
    difference = _compared(compare, result)
    if browse and folder is not None:
        _browse(folder)
    if as_json:
        print_json({"report": None if folder is None else str(folder), **_plain(done), **difference})


def _plain(done: Any) -> dict[str, Any]:
    from quarterdeck.core.backtest.result_json import result_json

    return {
        **result_json(done.result, done.findings),
        "paths": {other.path: other.summary.result_money for other in done.others},
    }


def _tell_paths(runs: Sequence[Any]) -> None:
    if not runs:
        return
    rows = [["path", "trades", "result", "R", "ambiguous"]]
    for run in runs:
        total = run.summary
        rows.append([run.path, f"{total.trades}", f"{total.result_money:+,.2f}", f"{total.result_r:+.2f}", f"{total.ambiguous}"])
    print_table(rows, right=(1, 2, 3, 4))


def _compared(other: ComparedRun | None, result: Any) -> dict[str, Any]:
    if other is None:
        return {}
    from quarterdeck.core.backtest.compare import compare_runs

    name, before = other
    difference = compare_runs(before, result)
    print("\n".join(comparison_lines(difference, name, "this run")))
    return {"same_trades": difference.same_trades}


def _again(folder: Path, compare: Path | None, *, browse: bool, as_json: bool) -> int:
    from quarterdeck.core.backtest.report_folder import PAGE_NAME
    from quarterdeck.core.backtest.result import read_result
    from quarterdeck.core.backtest.result_json import read_findings, result_json

    result = read_result(folder)
    folder = folder.parent if folder.is_file() else folder
    days = f"{iso(result.from_utc_ns)[:10]} to {iso(result.to_utc_ns - 1)[:10]}"
    for note in result.notes:
        warn(note)
    partial = "" if result.complete else " (partial)"
    print(f"{result.label}, {result.path}: {', '.join(result.pairs)}, {days}{partial}")
    for line in summary_text.lines(result.summary, result.currency):
        print(line)
    findings = read_findings(folder)
    print("\n".join([*finding_lines(findings), f"report    {folder / PAGE_NAME}"]))
    difference = _compared(_other(compare), result)
    if browse:
        _browse(folder)
    if as_json:
        print_json({"report": str(folder), **result_json(result, findings), **difference})
    return 0


def _browse(folder: Path) -> None:
    from quarterdeck.core.backtest.report_folder import PAGE_NAME

    page = (folder / PAGE_NAME).absolute()
    if not webbrowser.open(page.as_uri()):
        warn(f"there is no browser here; take {page} to one, it needs nothing else")
