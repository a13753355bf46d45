"""`quarterdeck bar_verdicts`: why the desk traded, or did not, with each number beside its threshold."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from quarterdeck.cli.option_parsing import parse_pairs
from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json, say
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.settings.home import resolve_home
from quarterdeck.core.study.queries import last_judged_bars
from quarterdeck.core.study.why_not import BarVerdicts, bar_verdicts, parse_bar, refusals_per_reason, unjudged


def command(
    pair: Annotated[str, typer.Argument(metavar="[PAIR]", help="One pair. [all]")] = "",
    bar: Annotated[
        str, typer.Argument(metavar="[INSTANT]", help="The bar of that time, UTC, e.g. 2024-08-05T13:30. [the last]")
    ] = "",
    last: Annotated[int, typer.Option("--last", metavar="N", min=1, max=10_000, help="How many bars, newest first.")] = 5,
    reason: Annotated[
        str, typer.Option("--reason", metavar="WORD", help="Only decisions for this reason, e.g. spread, budget.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also bars in which the strategy found nothing.")] = False,
    number: Annotated[int | None, typer.Option("--run", metavar="N", min=1, help="A run of the journal. [the last]")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what became of a bar, or of the last candidates: the verdict, and every vote and check with its threshold."""
    symbol = parse_pairs(pair)[0] if pair else ""
    with TapeReader(resolve_home(home).journal) as reader:
        run, missing = reader.run(number), ""
        if bar:
            stories = [
                story for story in bar_verdicts(reader, symbol, parse_bar(bar), run=number) if story.found or story.judgements
            ]
            if not stories:
                reason_why = unjudged(reader, symbol, parse_bar(bar), run=number)
                run, missing = reason_why.run or run, reason_why.text
        else:
            found = last_judged_bars(reader, run, symbol=symbol, reason=reason, count=last, candidates_only=not everything)
            stories = [story for name, opened in found for story in bar_verdicts(reader, name, opened, run=run.run)]
        refused = refusals_per_reason(reader, run, symbol=symbol)
    for story in stories:
        say("\n".join(story.lines()) + "\n")
    if missing:
        say(f"{symbol}, bar of {iso(parse_bar(bar))}: {missing}")
    elif not stories:
        print(f"no bar of run {run.run} ({run.run_id}) fits")
    shown = ", ".join(f"{word} {count}" for word, count in refused.items()) or "nothing"
    print(f"refused in run {run.run} ({run.run_id}, {run.mode}): {shown}")
    if as_json:
        print_json({"run": run.run, "refusals": refused, "unjudged": missing, "bars": [_plain(story) for story in stories]})


def _plain(story: BarVerdicts) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(story)
    last = story.last
    return plain | {"outcome": last.outcome if last else "", "reason": last.reason if last else ""}
