"""`quarterdeck doctor`: examine the way to the broker, and say what to do about each weakness."""

from __future__ import annotations

import asyncio
from typing import Any

from cli.options import HomeOption, JsonOption, PairsOption, SetOption
from cli.output import print_json
from cli.parsing import parse_pairs, parse_settings
from core.brokers.base import Terminal
from core.brokers.mt5.doctor import Finding, Wanted, examine, verdict_of
from core.brokers.mt5.inprocess import InProcess
from core.brokers.mt5.policy import Mt5Policy, policy_from
from core.brokers.mt5.servertime import ServerClock
from core.brokers.mt5.terminals import open_terminal
from core.clock.wall import Clock, WallClock
from core.model.errors import VerdictError
from core.settings.home import Home, resolve_home
from core.settings.load import load_settings
from core.settings.schema import Settings
from core.settings.secrets import read_secrets

_BARS = 1_000
"""What the shipped strategy's longest average asks for."""
_MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def command(pairs: PairsOption = None, changes: SetOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Examine terminal, account, symbols, candles, quotes, clock and a checked (never sent) order.

    Works without a running engine. Ends with 0 when nothing fails, with 9 otherwise.
    """
    place = resolve_home(home)
    given = parse_settings(changes or [])
    if pairs is not None:
        given = (*given, ("desk.pairs", parse_pairs(pairs)))
    settings = load_settings(place.root, given).settings
    findings = asyncio.run(_examined(settings, place))
    verdict = verdict_of(findings)
    for finding in findings:
        print("\n".join(lines(finding)))
    if as_json:
        print_json({"verdict": verdict, "findings": [_plain(finding) for finding in findings]})
    if verdict == "fail":
        failed = [finding.name for finding in findings if finding.verdict == "fail"]
        raise VerdictError(f"not fit to trade: {', '.join(failed)}", what_to_do="see the remedies above")


def lines(finding: Finding) -> list[str]:
    """A finding as an operator reads it: verdict, name, text, and its remedy below."""
    first = f"{_MARKS[finding.verdict]}  {finding.name:<20}  {finding.text}"
    return [first, f"      {'':<20}  -> {finding.remedy}"] if finding.remedy else [first]


async def _examined(settings: Settings, place: Home) -> tuple[Finding, ...]:
    wanted = Wanted(symbols=settings.desk.pairs, bars=_BARS, round_trip_ms_max=settings.engine.read_timeout_s * 1000.0)
    if settings.desk.mode == "simulated":
        return await _of_simulated(settings, wanted)
    clock = WallClock()
    password = read_secrets(place.secrets).password or None
    policy = policy_from(settings, password=password if settings.desk.mode == "live" else None)
    terminal = open_terminal(settings, place.root, clock)
    try:
        return await examine(terminal, policy, wanted, clock)
    finally:
        await terminal.close()


async def _of_simulated(settings: Settings, wanted: Wanted) -> tuple[Finding, ...]:
    from core.brokers.simulator.opening import seeded_terminal

    simulated = seeded_terminal(settings)
    clock: Clock = _Standing(simulated.now_utc_ns)
    terminal: Terminal = InProcess(simulated.module)
    policy: Mt5Policy = policy_from(settings, mode="simulated")
    return await examine(terminal, policy, wanted, clock, server_clock=ServerClock("new_york_plus_7"))


class _Standing:
    """The simulated market's moment with the machine's own spans."""

    def __init__(self, at_utc_ns: int) -> None:
        self._at_utc_ns = at_utc_ns
        self._wall = WallClock()

    def utc_ns(self) -> int:
        """Where the market stands."""
        return self._at_utc_ns

    def monotonic_s(self) -> float:
        """The machine's."""
        return self._wall.monotonic_s()


def _plain(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in finding.__struct_fields__}
