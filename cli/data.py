"""`quarterdeck data`: bring recorded prices in, fetch them, look them over, list them.

The store is the home's data folder, one file per pair and period; `--data` and `--replay` take that folder as it is.
Promises: what an import repaired is said by kind and count; a download that was interrupted continues where it stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.data_text import (
    FOREIGN,
    download_meter,
    file_meter,
    found_files,
    importable,
    imported_lines,
    verifiable,
    verified_lines,
)
from quarterdeck.cli.option_parsing import parse_days, parse_pairs
from quarterdeck.cli.options import FromOption, HomeOption, JsonOption, ToOption
from quarterdeck.cli.output import print_json, print_table
from quarterdeck.core.clock.wall import WallClock, iso
from quarterdeck.core.data.catalogue import catalogue
from quarterdeck.core.data.download import FEED, DownloadResult, download
from quarterdeck.core.data.evidence import SPREAD_UNITS
from quarterdeck.core.data.importing import ImportResult, import_files
from quarterdeck.core.data.series import PERIODS
from quarterdeck.core.data.stamp_forms import DATE_ORDERS
from quarterdeck.core.data.verify import verify
from quarterdeck.core.model.errors import CheckFailedError, DataError, UsageError
from quarterdeck.core.settings.home import prepare, resolve_home

GROUP = typer.Typer(add_completion=False, rich_markup_mode=None)
IntoOption = Annotated[Path | None, typer.Option("--into", metavar="DIR", help="Another store. [the home's data folder]")]
_HOURS = "dukascopy"


@GROUP.callback(invoke_without_command=True)
def command(context: typer.Context) -> None:
    """Recorded prices: bring them in, fetch them, look them over, list them."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@GROUP.command("import")
def import_(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Files of prices, or folders of them.")],
    pair: Annotated[str, typer.Option("--pair", metavar="PAIR", help="The pair, where the file name does not contain it.")] = "",
    period: Annotated[
        str, typer.Option("--period", metavar="M15", help="The period, where the time stamps do not show it.")
    ] = "",
    clock: Annotated[
        str,
        typer.Option("--clock", metavar="CLOCK", help="utc, new_york_plus_7, eet, est, new_york, utc+2, or a zone. [detected]"),
    ] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Use --clock although the week's open contradicts it.")] = False,
    dates: Annotated[
        str, typer.Option("--dates", metavar="ORDER", help="dmy, mdy or ymd, where days and months are not distinguished.")
    ] = "",
    spread_unit: Annotated[
        str, typer.Option("--spread-unit", metavar="UNIT", help="points, pips or price, where the column does not show it.")
    ] = "",
    into: IntoOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import files of prices into the store: exports of terminals, archives and spreadsheets, JSON, Dukascopy's bi5, and our own.

    What a file means is proved by what it says and holds: columns, stamps, clock (the hour at which the week opens), scale and
    the unit of a spread. Where nothing decides, the import ends with the option that does. Lines are put in order; doubles and
    bad ones are left out and counted. Files of one pair and period are laid together, later named over earlier.
    """
    if period and period not in PERIODS:
        raise UsageError(f"--period {period!r} is not a known period", what_to_do=f"choose {', '.join(PERIODS)}")
    for word, option, known in ((dates, "--dates", DATE_ORDERS), (spread_unit, "--spread-unit", SPREAD_UNITS)):
        if word and word not in known:
            raise UsageError(f"{option} {word!r} is not known", what_to_do=f"choose {', '.join(known)}")
    symbol = parse_pairs(pair)[0] if pair else ""
    files = found_files(sources, importable, f"they end in {', '.join(FOREIGN)}")
    store = _store(into, home, make=True)
    with file_meter(len(files)) as seen:
        done = import_files(
            seen(files),
            store,
            symbol=symbol,
            period=period,
            clock=clock,
            force=force,
            date_order=dates,
            spread_unit=spread_unit,
        )
    for path, item in zip(files, done, strict=True):
        print("\n".join(imported_lines(path, item)))
    print(f"{len(files)} file{'s' * (len(files) != 1)} in {store}; use it with --data {store} or --replay {store}")
    if as_json:
        print_json({"store": str(store), "files": [_imported(path, item) for path, item in zip(files, done, strict=True)]})


@GROUP.command("verify")
def verify_(
    sources: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE|FOLDER]...", help="Files or folders to check. [the store]")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check files: order, doubles, prices, gaps, weekend bars, wicks, spread; a table and a verdict for each.

    Ends with 9 when one of them is bad, which means that it cannot be traded on.
    """
    files = found_files(sources or [_store(None, home, make=False)], verifiable, "they are named like EURUSD_M15.csv.gz")
    bad: list[str] = []
    plain: list[dict[str, Any]] = []
    with file_meter(len(files)) as seen:
        for path in seen(files):
            try:
                result = verify(path)
            except DataError as error:
                print(f"{path.name}: BAD: {error.one_line()}")
                bad.append(path.name)
                plain.append({"path": str(path), "verdict": "bad", "error": error.one_line()})
                continue
            print("\n".join(verified_lines(result)))
            bad += [path.name] if result.verdict == "bad" else []
            found = [
                {"check": row.check, "count": row.count, "example": row.example, "grade": row.grade} for row in result.findings
            ]
            plain.append({"path": str(path), "verdict": result.verdict, "rows": result.rows, "findings": found})
    if as_json:
        print_json({"ok": not bad, "files": plain})
    if bad:
        raise CheckFailedError(f"{len(bad)} of {len(files)} files cannot be traded on: {', '.join(bad[:5])}")


@GROUP.command("list")
def list_(
    folders: Annotated[list[Path] | None, typer.Argument(metavar="[FOLDER]...", help="Where to look. [the store]")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the files of prices in folders and right below them: pair, period, days, rows, where the spread comes from."""
    entries = catalogue(folders or [_store(None, home, make=False)])
    rows = [["pair", "period", "from", "to", "rows", "spread", "MB", "file"]]
    for entry in entries:
        size = f"{entry.size_bytes / 1e6:.1f}"
        rows.append(
            [
                entry.symbol,
                entry.period,
                entry.first[:10],
                entry.last[:10],
                f"{entry.rows:,}",
                entry.spread,
                size,
                str(entry.path),
            ]
        )
    print_table(rows, right=(4, 6))
    for entry in entries:
        if entry.trouble:
            print(f"damaged: {entry.trouble}")
    if as_json:
        print_json({"files": [{**_plain(entry), "path": str(entry.path)} for entry in entries]})


@GROUP.command("download")
def download_(
    pairs: Annotated[str, typer.Option("--pairs", metavar="A,B,...", help="Pairs, comma separated.")],
    first: FromOption = None,
    last: ToOption = None,
    ticks: Annotated[bool, typer.Option("--ticks", help="Keep the ticks as well, not only M1 and M15 bars.")] = False,
    feed: Annotated[str, typer.Option("--feed", metavar="URL", help="Another server of the same files.")] = FEED,
    into: IntoOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch ticks from Dukascopy's public feed and store them as M1 and M15 bars with their own ask.

    Days are UTC, both inclusive. Hours already fetched are not fetched again: after an interruption, run the command again.
    """
    symbols = parse_pairs(pairs)
    from_day, to_day = parse_days(first, last)
    if from_day is None or to_day is None:
        raise UsageError("a download needs --from and --to", what_to_do="give both as YYYY-MM-DD, UTC, inclusive")
    if not feed.startswith(("http://", "https://")):
        raise UsageError(f"--feed {feed!r} is not an address", what_to_do="write it like https://server/datafeed")
    clock = WallClock()
    if iso(clock.utc_ns())[:10] < from_day.isoformat():
        raise UsageError(f"--from {from_day} has not come yet", what_to_do="choose days of the past")
    store = _store(into, home, make=True)
    done: list[DownloadResult] = []
    for symbol in symbols:
        with download_meter() as progress:
            got = download(
                symbol,
                from_day,
                to_day,
                hours_folder=store / _HOURS,
                store_folder=store,
                now_utc_ns=clock.utc_ns(),
                feed=feed.rstrip("/"),
                keep_ticks=ticks,
                progress=progress,
            )
        done.append(got)
        print(f"{symbol}: {got.ticks:,} ticks in {got.hours} hours, {got.fetched} fetched now, {got.empty} empty")
    print(f"in {store}; use it with --data {store} or --replay {store}")
    if as_json:
        print_json({"store": str(store), "pairs": [{**_plain(got), "files": [str(path) for path in got.files]} for got in done]})


def _store(into: Path | None, home: Path | None, *, make: bool) -> Path:
    if into is not None:
        return into.expanduser().absolute()
    place = resolve_home(home)
    if make:
        prepare(place)
    elif not place.data.is_dir():
        raise DataError(f"{place.data}: nothing was imported yet", what_to_do="see `quarterdeck data import --help`")
    return place.data


def _imported(path: Path, item: ImportResult) -> dict[str, Any]:
    series = item.series
    return {
        "file": str(path),
        "symbol": series.symbol,
        "period": series.timeframe,
        "lines": item.lines,
        "rows": len(series),
        "left_out": dict(item.left_out),
        "clock": None if item.clock is None else item.clock.clock,
        "clock_proved": item.clock is None or item.clock.proved,
        "clock_origin": "said" if item.clock is None else item.clock.origin,
        "notes": list(item.notes),
    }


def _plain(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__struct_fields__ if name not in ("path", "files")}
