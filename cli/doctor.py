"""`quarterdeck doctor`: examine the way to the broker, and say what to do about each weakness."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from quarterdeck.cli.engine_client import NotReached, with_engine
from quarterdeck.cli.option_parsing import parse_pairs, parse_settings
from quarterdeck.cli.options import HomeOption, JsonOption, PairsOption, SetOption
from quarterdeck.cli.output import print_json, say, warn
from quarterdeck.core.brokers.base import Terminal
from quarterdeck.core.brokers.mt5.call_recording import RecordingTerminal
from quarterdeck.core.brokers.mt5.clock_file import ServerClockFile
from quarterdeck.core.brokers.mt5.doctor import LIMIT_S, DoctorFinding, DoctorRequirements, examine, verdict_of
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.brokers.mt5.policy import Mt5Policy, policy_from
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.mt5.terminal_choice import open_terminal
from quarterdeck.core.calendar.coverage import news_rules_on
from quarterdeck.core.clock.wall import Clock, WallClock
from quarterdeck.core.engine.alerting import apprise_sender
from quarterdeck.core.engine.live_doctor import DoctorClock, doctor_requirements
from quarterdeck.core.engine.live_venues import calendar_source, machine_clock
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.link.messages import DoctorQuery, DoctorReply, QueryFailed
from quarterdeck.core.model.errors import CheckFailedError, EngineNotRunningError, StorageError
from quarterdeck.core.model.units import NS_PER_S, S_PER_MINUTE
from quarterdeck.core.settings.home import Home, resolve_home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.secrets import URLS_VARIABLE, read_secrets
from quarterdeck.core.settings.settings_loader import LoadedSettings, load_settings
from quarterdeck.core.settings.version import code_version
from quarterdeck.core.strategy.strategy_loader import load_strategy
from quarterdeck.core.study.slippage import measured_slippage

_ANSWER_S = 15.0
"""An engine that is busy answers so much later than its examination may take."""
_LIMIT_S_MIN, _LIMIT_S_MAX = 5.0, 3600.0
_WIDE = 60
_SLIPPAGE_NOISE_PIPS = 0.05
Line = Callable[[Terminal, Clock], Terminal]
"""What stands between an examination and its terminal."""
_MARKS = {"ok": "ok  ", "warn": "WARN", "unknown": "????", "fail": "FAIL"}


def command(
    pairs: PairsOption = None,
    changes: SetOption = None,
    alert: Annotated[bool, typer.Option("--alert", help="Send a test alert to every service that is set up.")] = False,
    limit_s: Annotated[
        float,
        typer.Option(
            "--limit-s",
            min=_LIMIT_S_MIN,
            max=_LIMIT_S_MAX,
            help="Maximum seconds; checks not done by then are reported as unknown.",
        ),
    ] = LIMIT_S,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="Write every call and answer there, without login, name and folders."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check terminal, account, symbols, candles, quotes, clock and a checked (never sent) order.

    Asks the running engine of the home; without one, with --record, or when pairs or settings are given, it looks by itself. Ends
    with 0 when nothing fails and all was examined, with 9 otherwise.
    """
    place = resolve_home(home)
    given = parse_settings(changes or [])
    if pairs is not None:
        given = (*given, ("desk.pairs", parse_pairs(pairs)))
    loaded = load_settings(place.root, given)
    findings = None if given or record is not None else _of_engine(place, limit_s)
    running = findings is not None
    if findings is None:
        findings = _looked_at(loaded.settings, place, limit_s, record)
    else:
        warn("this is what the running engine sees")
    findings = (*findings, *slippage(loaded.settings, place), *news(loaded, place))
    if alert:
        findings = (*findings, alerted(loaded, place))
    verdict = verdict_of(findings)
    for finding in findings:
        say("\n".join(lines(finding)))
    if as_json:
        print_json({"verdict": verdict, "running": running, "findings": [_plain(finding) for finding in findings]})
    if verdict == "fail":
        failed = [finding.name for finding in findings if finding.verdict == "fail"]
        raise CheckFailedError(f"not fit to trade: {', '.join(failed)}", what_to_do="see the remedies above")
    if verdict == "unknown":
        unseen = [finding.name for finding in findings if finding.verdict == "unknown"]
        raise CheckFailedError(f"not examined within {limit_s:g} s: {', '.join(unseen)}", what_to_do="see the remedies above")


def slippage(settings: Settings, place: Home) -> tuple[DoctorFinding, ...]:
    """What the broker's fills cost beyond their quotes, beside what replays and backtests assume; nothing before the first."""
    if not place.journal.exists():
        return ()
    with TapeReader(place.journal) as reader:
        found = measured_slippage(reader, settings.pip)
    if found is None:
        return ()
    assumed = settings.costs.slippage_pips
    dearer = found.mean_pips > assumed + _SLIPPAGE_NOISE_PIPS
    return (
        DoctorFinding(
            name="slippage",
            verdict="warn" if dearer else "ok",
            text=f"{found.mean_pips:+.2f} pips a fill, one in ten over {found.worst_tenth_pips:+.2f} "
            f"({found.fills} fills, {found.mode}); replays assume {assumed:g}",
            number=found.mean_pips,
            unit="pips",
            remedy=f"quarterdeck set costs.slippage_pips={found.mean_pips:.1f}: replays then fill as this broker does"
            if dearer
            else "",
        ),
    )


def news(loaded: LoadedSettings, place: Home) -> tuple[DoctorFinding, ...]:
    """Whether a live desk's calendars cover the next day of open market; the feeds' cache of the home is used first."""
    settings = loaded.settings
    if settings.desk.mode == "simulated":
        return ()
    if not news_rules_on(settings):
        return (DoctorFinding(name="news", verdict="ok", text="news rules are off (news.impacts): no release closes entries"),)
    source = calendar_source(settings, place, read_secrets(place.secrets, news_urls=loaded.news_urls))
    now_utc_ns = WallClock().utc_ns()
    calendar = asyncio.run(source.read(now_utc_ns))
    why = source.uncovered(now_utc_ns)
    if why:
        remedy = "check news.urls and news.files, or set news.impacts = [] to trade without news rules"
        text = f"no calendar covers the next 24 h of open market: {why}"
        return (DoctorFinding(name="news", verdict="warn", text=text, remedy=remedy),)
    if source.notes:
        return (DoctorFinding(name="news", verdict="warn", text="; ".join(source.notes), remedy="complete these rows"),)
    age_min = max(0.0, (now_utc_ns - calendar.fetched_utc_ns) / NS_PER_S / S_PER_MINUTE)
    text = f"the next 24 h of open market are covered; {len(calendar.events)} releases, fetched {age_min:.0f} min ago"
    return (DoctorFinding(name="news", verdict="ok", text=text),)


def alerted(loaded: LoadedSettings, place: Home) -> DoctorFinding:
    """Whether a test alert reached every service."""
    urls = read_secrets(place.secrets, alert_urls=loaded.alert_urls).alert_urls
    if not urls:
        remedy = f"put addresses into {URLS_VARIABLE}, or into secrets.toml as alert_urls"
        return DoctorFinding(name="alerts", verdict="fail", text="no alert service is set up", remedy=remedy)
    answers = [send("Quarterdeck: test", f"[info] a test alert from {place.root.name}", "info") for send in apprise_sender(urls)]
    refused = [answer for answer in answers if answer]
    if not refused:
        return DoctorFinding(name="alerts", verdict="ok", text=f"accepted by {len(urls)} of {len(urls)} services", remedy="")
    return DoctorFinding(
        name="alerts",
        verdict="fail",
        text=f"not accepted by {', '.join(refused)}",
        remedy="check that address; the forms that each service takes are in the documentation of apprise",
    )


def lines(finding: DoctorFinding) -> list[str]:
    """A finding as an operator reads it: verdict, name, text, and its remedy below."""
    first = f"{_MARKS[finding.verdict]}  {finding.name:<20}  {finding.text}"
    return [first, f"      {'':<20}  -> {finding.remedy}"] if finding.remedy else [first]


def _of_engine(place: Home, limit_s: float) -> tuple[DoctorFinding, ...] | None:
    """What the running engine found; None where none runs."""
    _at_work(f"asking the engine, for {limit_s:g} s at most")
    try:
        answer = with_engine(place.root, lambda client: client.ask(DoctorQuery(limit_s=limit_s), timeout_s=limit_s + _ANSWER_S))
    except NotReached:
        return None
    finally:
        _at_work("")
    if isinstance(answer, DoctorReply):
        return tuple(msgspec.convert(msgspec.to_builtins(row), DoctorFinding) for row in answer.findings)
    why = answer.why if isinstance(answer, QueryFailed) else "it answered something else"
    raise EngineNotRunningError(f"the running engine cannot be examined: {why}", what_to_do="see `quarterdeck status`")


def _at_work(text: str) -> None:
    """One line that rewrites itself, for eyes alone."""
    if sys.stderr.isatty():
        print(f"\r{text[:_WIDE]:<{_WIDE}}" + ("" if text else "\r"), end="", file=sys.stderr, flush=True)


def _step_by_step(limit_s: float) -> Callable[[str], None]:
    """Shows what is looked at, and how much of the time is gone."""
    clock = WallClock()
    begun_s = clock.monotonic_s()
    return lambda step: _at_work(f"{clock.monotonic_s() - begun_s:3.0f} of {limit_s:g} s  {step}")


def _looked_at(settings: Settings, place: Home, limit_s: float, record: Path | None) -> tuple[DoctorFinding, ...]:
    if record is None:
        return asyncio.run(_examined(settings, place, limit_s, lambda terminal, _clock: terminal))
    try:
        with record.open("w", encoding="utf-8", newline="\n") as file:
            found = asyncio.run(
                _examined(
                    settings, place, limit_s, lambda terminal, clock: RecordingTerminal(terminal, file, clock, code_version())
                )
            )
    except OSError as error:
        raise StorageError(f"{record}: cannot be written: {error.strerror}", what_to_do="name another file") from error
    warn(f"recorded in {record}; read it before you send it to anybody: balance, positions and history are in it")
    return found


async def _examined(settings: Settings, place: Home, limit_s: float, line: Line) -> tuple[DoctorFinding, ...]:
    wanted = doctor_requirements(settings, load_strategy(settings, place.root))
    if settings.desk.mode == "simulated":
        return await _of_simulated(settings, wanted, limit_s, line)
    clock = await machine_clock(settings, place.root)
    password = read_secrets(place.secrets).password or None
    policy = policy_from(settings, password=password if settings.desk.mode == "live" else None)
    terminal = line(open_terminal(settings, place.root, clock), clock)
    known = ServerClockFile(place.root, read_only=True)
    try:
        return await examine(terminal, policy, wanted, clock, clock_file=known, limit_s=limit_s, on_step=_step_by_step(limit_s))
    finally:
        _at_work("")
        await terminal.close()


async def _of_simulated(settings: Settings, wanted: DoctorRequirements, limit_s: float, line: Line) -> tuple[DoctorFinding, ...]:
    from quarterdeck.core.brokers.simulator.terminal_builder import seeded_terminal
    from quarterdeck.core.engine.simulated_venues import TerminalClock

    simulated = seeded_terminal(settings)
    clock = DoctorClock(TerminalClock(simulated), WallClock())
    terminal = line(InProcessTerminal(simulated.module), clock)
    policy: Mt5Policy = policy_from(settings, mode="simulated")
    server = ServerClock("new_york_plus_7")
    return await examine(terminal, policy, wanted, clock, server_clock=server, limit_s=limit_s)


def _plain(finding: DoctorFinding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in finding.__struct_fields__}
