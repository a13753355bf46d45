"""`quarterdeck why`: why the desk traded, or did not, with each number beside its threshold."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from cli.options import HomeOption, JsonOption
from cli.output import print_json
from cli.parsing import parse_pairs
from core.clock.wall import iso
from core.journal.tape import TapeReader
from core.model.signals import Check
from core.settings.home import resolve_home
from core.study.why import Ruling, Wanted, counts, rulings


def command(
    pair: Annotated[str, typer.Argument(metavar="[PAIR]", help="One pair. [all]")] = "",
    last: Annotated[int, typer.Option("--last", metavar="N", min=1, max=10_000, help="How many, newest first.")] = 10,
    reason: Annotated[str, typer.Option("--reason", metavar="WORD", help="Only what this decided, e.g. spread, budget.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also bars in which the strategy found nothing.")] = False,
    number: Annotated[
        int | None, typer.Option("--run", metavar="N", min=1, help="Another run of the journal. [the last]")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what became of the last candidates: the outcome, what decided it, and every check with its number and threshold."""
    symbol = parse_pairs(pair)[0] if pair else ""
    wanted = Wanted(symbol=symbol, reason=reason, candidates_only=not everything)
    with TapeReader(resolve_home(home).journal) as reader:
        run = reader.run(number)
        found, frequent = rulings(reader, run, wanted, last), counts(reader, run, wanted)
    shown = ", ".join(f"{what} {times}" for what, times in frequent.items()) or "nothing"
    print(f"run {run.run} ({run.run_id}, {run.mode}): {shown}")
    for ruling in found:
        print("\n".join(explained(ruling)))
    if as_json:
        rows = [{"at": iso(ruling.at_utc_ns), **msgspec.to_builtins(ruling.verdict)} for ruling in found]
        result: dict[str, Any] = {"run": run.run, "counts": frequent, "verdicts": rows}
        print_json(result)


def explained(ruling: Ruling) -> list[str]:
    """One verdict: a head line, then a line a check, the failed ones marked."""
    verdict = ruling.verdict
    side = f" {verdict.side.word}" if verdict.side is not None else ""
    size = f" {verdict.lots:g} lots, risk {verdict.risk_money:,.2f}, order {verdict.client_id}" if verdict.client_id else ""
    why = f": {verdict.reason}" if verdict.reason else ""
    when, bar = iso(ruling.at_utc_ns)[:16], iso(verdict.bar_open_utc_ns)[:16]
    head = f"\n{when} {verdict.symbol}{side} {verdict.outcome}{why}{size} (bar {bar})"
    return [head, *(_check(check) for check in verdict.checks)]


def _check(check: Check) -> str:
    value = "-" if check.value is None else f"{check.value:g}"
    against = "" if check.threshold is None else f" against {check.threshold:g}"
    return f"  {'ok ' if check.passed else 'NO '} {check.name} {value}{against}{f'  {check.note}' if check.note else ''}"
