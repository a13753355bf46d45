"""`quarterdeck selftest`: does this installation decide as the shipped one did?

A few seeded days are lived by the whole engine in a folder of their own, on the shipped settings; then the journal is audited,
and what was traded is compared with what the makers of this version saw. Nothing of the operator's is read or written.
Does not: prove a profit, a broker, or the last bits of another machine; trades and verdicts are compared.
"""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from quarterdeck.cli.options import JsonOption
from quarterdeck.cli.output import print_json
from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.engine.engine import Engine, RunEnd
from quarterdeck.core.engine.run_lifecycle import StartedRun, run_to_end
from quarterdeck.core.engine.simulated_venues import simulated_venue
from quarterdeck.core.model.errors import UNREADABLE, CheckFailedError, StorageError, UsageError
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.model.units import DAY_NS
from quarterdeck.core.settings.home import Home, prepare
from quarterdeck.core.settings.secrets import Secrets
from quarterdeck.core.settings.settings_loader import load_settings
from quarterdeck.core.settings.version import code_version
from quarterdeck.core.strategy.strategy_loader import load_strategy
from quarterdeck.core.study.audit import AuditResult, audit
from quarterdeck.core.study.summary import Summary, SummaryCounter

DAYS = 2
_EXPECTED = Path(__file__).with_name("selftest.json")
_LIBRARIES = ("numpy", "TA-Lib")


class SelftestExpectation(Struct, frozen=True, kw_only=True):
    """What the makers saw, and on what."""

    digest: str
    signals: int
    trades: int
    refusals: dict[str, int]
    made_by: str


def command(
    home: Annotated[
        Path | None, typer.Option("--home", metavar="DIR", help="An empty folder to live in, kept afterwards. [a temporary one]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Trade two simulated days, audit them, and compare with what the makers of this version saw.

    Ends with 0 when all agrees, with 9 otherwise. Your home, settings and accounts are not touched.
    """
    if home is not None:
        root = home.expanduser().absolute()
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise UsageError(f"--home {home} is not an empty folder", what_to_do="name another, or leave it out")
        _test(Home(root), as_json=as_json)
        return
    with tempfile.TemporaryDirectory(prefix="quarterdeck-") as temporary:
        _test(Home(Path(temporary)), as_json=as_json)


def _test(home: Home, *, as_json: bool) -> None:
    clock = WallClock()
    began = clock.monotonic_s()
    summary, end = asyncio.run(run_selftest_days(prepare(home), _show if sys.stderr.isatty() else None))
    spent_s = clock.monotonic_s() - began
    if end.exit_code or not end.clean:
        raise CheckFailedError(f"the simulated days did not end as they should: {end.why}")
    print(f"lived     {DAYS} simulated days in {spent_s:.1f} s: {summary.signals} signals, {summary.trades} trades")
    audited = audit(home.journal, Desk)
    agrees = "decides the same" if audited.agrees else "DECIDES OTHERWISE"
    print(f"audited   a fresh desk, from the journal alone, {agrees}: {audited.agree} of {audited.decisions} decisions")
    wrong = [] if audited.agrees else _audit_words(audited)
    expected, found = expected_result(), observed_result(summary)
    differs = differences(expected, found)
    print(f"decides   {'OTHERWISE than' if differs else 'as'} the makers of {code_version()} saw it: digest {found.digest}")
    wrong += differs
    if as_json:
        print_json({"ok": not wrong, "wrong": wrong, "elapsed_s": round(spent_s, 1), **msgspec.to_builtins(found)})
    if wrong:
        raise CheckFailedError("; ".join(wrong), what_to_do="install Quarterdeck again with the versions of requirements.lock")


async def run_selftest_days(home: Home, on_line: Callable[[LogLine], None] | None = None) -> tuple[Summary, RunEnd]:
    """Live the days in `home`, which holds nothing yet, on the shipped settings."""
    loaded = load_settings(home.root)
    venue = simulated_venue(loaded.settings, run_id="selftest", speed=None)
    venue.until_utc_ns = SEEDED_START_UTC_NS + DAYS * DAY_NS
    venue.ends = True
    engine = Engine(
        home=home,
        loaded=loaded,
        venue=venue,
        strategy=load_strategy(loaded.settings, home.root),
        clock=WallClock(),
        secrets=Secrets(),
        on_line=on_line,
    )
    try:
        await engine.start(lambda _step: None)
    except BaseException as error:
        await engine.close(RunEnd(clean=False, why=f"did not start: {error}"))
        raise
    tally = SummaryCounter()
    engine.runner.listen(tally.on_effect)
    end = await run_to_end(StartedRun(engine=engine, loaded=loaded))
    return tally.summary(), end


def observed_result(summary: Summary) -> SelftestExpectation:
    """A summary as it is compared, with the versions it was made on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return SelftestExpectation(
        digest=summary.digest,
        signals=summary.signals,
        trades=summary.trades,
        refusals=summary.refusals,
        made_by=f"{libraries}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    )


def expected_result() -> SelftestExpectation:
    """What came with this installation. Raises StorageError when it is damaged."""
    try:
        return msgspec.json.decode(_EXPECTED.read_bytes(), type=SelftestExpectation)
    except (OSError, *UNREADABLE) as error:
        raise StorageError(f"{_EXPECTED}: {error}", what_to_do="install Quarterdeck again") from error


def differences(expected: SelftestExpectation, found: SelftestExpectation) -> list[str]:
    """In words; none when this installation decided as the makers' did."""
    words = [
        f"{name}: {ours}, the makers had {theirs}"
        for name, ours, theirs in (
            ("signals", found.signals, expected.signals),
            ("trades", found.trades, expected.trades),
            ("refusals", found.refusals, expected.refusals),
            ("digest of the trades", found.digest, expected.digest),
        )
        if ours != theirs
    ]
    if words and found.made_by != expected.made_by:
        words.append(f"they had {expected.made_by}, here is {found.made_by}")
    return words


def _audit_words(audited: AuditResult) -> list[str]:
    return [audited.first_difference.one_line()] if audited.first_difference is not None else ["the audit did not agree"]


def _show(line: LogLine) -> None:
    if line.level in ("error", "critical"):
        print(f"{line.kind} {line.text}", file=sys.stderr, flush=True)
