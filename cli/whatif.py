"""`quarterdeck whatif`: settings changed over the last days of the tape, or over recorded days, and the difference."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.option_parsing import parse_days, parse_pairs, parse_rates, parse_settings
from quarterdeck.cli.options import FromOption, HomeOption, JsonOption, PairsOption, ProgressOption, RateOption, ToOption
from quarterdeck.cli.output import print_json
from quarterdeck.cli.progress import EXIT_INTERRUPTED, ProgressMeter, interruptible
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.settings.home import Home, resolve_home

_DAYS = 5.0
"""Looked at when nothing else is asked for."""


def command(
    values: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE", help="The setting to change; may be given several times.")
    ],
    days: Annotated[
        float | None,
        typer.Option("--days", min=0.05, max=400, help=f"Number of last days, of the tape or before --to. [{_DAYS:g}]"),
    ] = None,
    number: Annotated[
        int | None, typer.Option("--run", metavar="N", min=1, help="Another run of the journal. [the last]")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option("--data", metavar="FOLDER", help="Recorded prices in place of the tape.")
    ] = None,
    first: FromOption = None,
    last: ToOption = None,
    pairs: PairsOption = None,
    rate: RateOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    progress: ProgressOption = False,
) -> None:
    """Run the same days twice, unchanged and changed, and show the difference in decisions and money.

    From the tape the strategy's signals are taken as they were; a change of the strategy itself needs --data, where
    both runs begin flat, there being no book. Nothing is changed.
    """
    where, changes = resolve_home(home), list(parse_settings(values))
    if not data and (first or last or pairs):
        raise UsageError("--from, --to and --pairs belong to --data", what_to_do="give --data FOLDER, or --days of the tape")
    if first and days is not None:
        raise UsageError("--from and --days both say where to begin", what_to_do="leave one of them out")
    back = _DAYS if days is None else days
    with interruptible(told=progress) as meter:
        if data:
            folders = tuple(folder.expanduser().absolute() for folder in data)
            found = _over_data(where, folders, parse_days(first, last), back, pairs, parse_rates(rate or []), changes, meter)
        else:
            found = _over_tape(where, back, number, parse_rates(rate or []), changes, meter)
    from quarterdeck.cli.whatif_text import lines
    from quarterdeck.core.backtest.whatif import whatif_json

    print("\n".join(lines(found)))
    if as_json:
        print_json(whatif_json(found))
    raise typer.Exit(0 if found.as_is.complete and found.changed.complete else EXIT_INTERRUPTED)


def _over_data(
    home: Home,
    folders: tuple[Path, ...],
    days: tuple[date | None, date | None],
    back: float,
    pairs: str | None,
    rates: dict[str, float],
    changes: list[tuple[str, Any]],
    meter: ProgressMeter,
) -> Any:
    from quarterdeck.cli.backtest_run import BacktestRequest, prepare_backtest
    from quarterdeck.core.backtest.backtest_settings import settings_for_backtest, with_changes
    from quarterdeck.core.backtest.whatif import refuse_no_change, whatif_on_candles
    from quarterdeck.core.data.recorded_prices import last_day
    from quarterdeck.core.strategy.strategy_loader import load_strategy

    values = (("desk.pairs", list(parse_pairs(pairs))),) if pairs is not None else ()
    settings = settings_for_backtest(home, None, values)
    refuse_no_change(settings, with_changes(settings, changes), changes)
    first, last = days
    if first is None:
        last = last or last_day(folders, settings.desk.pairs)
        first = last - timedelta(days=math.ceil(back) - 1)
    order = BacktestRequest(home=home, folders=folders, days=(first, last), rates=rates, settings_file=None, values=values)
    ready = prepare_backtest(order)
    other = load_strategy(with_changes(ready.settings, changes), home.root)
    return whatif_on_candles(ready.market, ready.settings, ready.strategy, other, changes, meter)


def _over_tape(
    home: Home, days: float, number: int | None, rates: dict[str, float], changes: list[tuple[str, Any]], meter: ProgressMeter
) -> Any:
    from quarterdeck.core.backtest.tape_market import load_tape_market
    from quarterdeck.core.backtest.whatif import whatif_on_tape
    from quarterdeck.core.journal.tape_reader import TapeReader
    from quarterdeck.core.model.units import DAY_NS
    from quarterdeck.core.strategy.strategy_loader import load_strategy

    with TapeReader(home.journal) as reader:
        run = reader.run(number)
        (last,) = reader.rows("SELECT coalesce(max(at_utc_ns), 0) FROM tape WHERE run = ?", run.run)[0]
        stretch = load_tape_market(reader, run, from_utc_ns=int(last - days * DAY_NS), rates=rates)
    strategy = load_strategy(stretch.settings, home.root)
    return whatif_on_tape(stretch, strategy, changes, meter)
