"""Making a venue over a terminal that makes its own time: recorded days, the simulated market, the scripted crash.

Promises: such a venue is never given credentials; whatever a market cannot price is an error that names the pair before
anything starts. Does not: reach a broker (`core.engine.live_venues` does).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.brokers.mt5.policy import policy_from
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.simulator.fault_options import FaultyTerminal, fault_words
from quarterdeck.core.brokers.simulator.faults import FaultRates, Faults
from quarterdeck.core.brokers.simulator.instruments import without_swap
from quarterdeck.core.brokers.simulator.market_crash import CRASH_UTC_NS
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.brokers.simulator.terminal_builder import crash_terminal, recorded_terminal, seeded_terminal
from quarterdeck.core.calendar.calendar_file import read_calendar
from quarterdeck.core.clock.wall import Clock, iso
from quarterdeck.core.data.recorded_prices import load_recording
from quarterdeck.core.data.series import Recording
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.model.broker_account import TradeMode
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import DAY_NS, H1_NS, NS_PER_S, UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import for_pair, shipped_settings

REPLAY_RUN_ID = "replay"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_RUN_ID_CLOCK, _RUN_ID_CHANCE = 6, 2
"""Letters of a run id that tell its second, and letters drawn by chance."""
_BEGINS_NS = 3 * DAY_NS
"""A calendar that begins so long after the first of the days may have had nothing to tell before."""
_SERVER_RULE: Literal["new_york_plus_7"] = "new_york_plus_7"
_CRASH_HOURS_AFTER = 8
EXAMPLE_FOLDER = "example-prices"
"""In the home: the built-in example, a simulated history."""
CRASH_SEED = 22
"""Of the seeds tried, one on whose day the shipped strategy holds sterling when the crash begins; any other may be set."""


class ReplayRequest(Struct, frozen=True, kw_only=True):
    """What to replay: folders, UTC days (both inclusive), pace, and rates for pairs that the data lack."""

    folders: tuple[Path, ...]
    from_day: date | None = None
    to_day: date | None = None
    speed: float | None = None
    rates: dict[str, float] = {}
    faults: FaultRates | None = None
    warmup_bars: int = 0
    history_bars: int = 0


class TerminalClock:
    """The clock of a terminal that makes its own time: market time, which also serves for spans."""

    def __init__(self, terminal: SimulatedTerminal) -> None:
        """Read `terminal`."""
        self._terminal = terminal

    def utc_ns(self) -> UtcNs:
        """Market now."""
        return self._terminal.now_utc_ns

    def monotonic_s(self) -> float:
        """Market seconds."""
        return self._terminal.now_utc_ns / NS_PER_S


def replay_venue(settings: Settings, request: ReplayRequest, home: Home) -> Venue:
    """Recorded days as a venue. Raises DataError for data that cannot carry the run."""
    recording, notes = replay_recording(settings, request), list[str]()
    news = file_news(settings, home, notes)
    return recorded_venue(
        settings,
        msgspec.structs.replace(recording, notes=(*recording.notes, *notes)),
        label=replay_label(request),
        rates=request.rates,
        news=news,
        speed=request.speed,
        faults=faults_of(request.faults, settings.simulation.seed),
    )


def replay_recording(settings: Settings, request: ReplayRequest) -> Recording:
    """The days asked for, with their past and the pairs that convert. Raises DataError for data that cannot carry the run."""
    return load_recording(
        request.folders,
        settings.desk.pairs,
        from_day=request.from_day,
        to_day=request.to_day,
        warmup_bars=request.warmup_bars,
        history_bars=request.history_bars,
        account_currency=settings.simulation.currency,
        fixed_rates=tuple(request.rates),
        spread_given=lambda symbol: for_pair(settings, symbol).costs.default_spread_pips > 0.0,
    )


def replay_label(request: ReplayRequest) -> str:
    """What a replay of these folders is called."""
    if [folder.name for folder in request.folders] == [EXAMPLE_FOLDER]:
        return "built-in example (simulated prices)"
    return f"recorded days from {', '.join(folder.name for folder in request.folders)}"


def recorded_venue(
    settings: Settings,
    recording: Recording,
    *,
    label: str,
    rates: Mapping[str, float],
    news: tuple[NewsEvent, ...] | None,
    speed: float | None = None,
    faults: Faults | None = None,
) -> Venue:
    """A recording that is loaded already as a venue: replay and backtest begin alike. Raises DataError."""
    terminal = recorded_terminal(settings, recording, label=label, fixed_rates=rates, faults=faults)
    near_news, said = known_news(news, recording)
    return Venue(
        mode="replay",
        broker=simulated_broker(settings, terminal, "replay"),
        observer_broker=observer_broker(settings, terminal, "replay"),
        label=_label(terminal, faults),
        faults=faults,
        run_id=REPLAY_RUN_ID,
        seed=settings.simulation.seed,
        terminal=terminal,
        from_utc_ns=recording.from_utc_ns,
        until_utc_ns=recording.to_utc_ns,
        speed=speed,
        news=lambda: near_news,
        notes=(*recording.notes, *said, *_notes(settings, faults)),
        ends=True,
    )


def known_news(news: tuple[NewsEvent, ...] | None, recording: Recording) -> tuple[tuple[NewsEvent, ...] | None, tuple[str, ...]]:
    """The events near the days of a recording, None where the calendar does not reach them, and what is to be said about it."""
    if not news:
        return None, () if news is None else ("news.files hold no event: there is no calendar",)
    first, last = news[0].at_utc_ns, news[-1].at_utc_ns
    if last < recording.from_utc_ns:
        return None, (f"news.files end at {iso(last)}, before these days: there is no calendar",)
    if first >= recording.to_utc_ns:
        return None, (f"news.files begin at {iso(first)}, after these days: there is no calendar",)
    late = (
        (f"news.files begin at {iso(first)}; no release is known before that",)
        if first > recording.from_utc_ns + _BEGINS_NS
        else ()
    )
    soon = (f"news.files end at {iso(last)}; no release is known after that",) if last < recording.to_utc_ns - DAY_NS else ()
    return news_near(news, recording.from_utc_ns, recording.to_utc_ns), (*late, *soon)


def crash_venue(settings: Settings, speed: float | None, rates: FaultRates | None = None) -> Venue:
    """The scripted sterling crash as a venue, and the hours after it. Raises DataError where sterling is not traded."""
    if "GBPUSD" not in settings.desk.pairs:
        raise DataError("the scripted crash is one of sterling, and GBPUSD is not traded", what_to_do="add it with --pairs")
    shipped = settings.simulation.seed == shipped_settings().simulation.seed
    seed = CRASH_SEED if shipped else settings.simulation.seed
    faults = faults_of(rates, seed)
    terminal = crash_terminal(settings, seed=seed, faults=faults)
    begin = terminal.now_utc_ns
    return Venue(
        mode="replay",
        broker=simulated_broker(settings, terminal, "replay"),
        observer_broker=observer_broker(settings, terminal, "replay"),
        label=_label(terminal, faults),
        faults=faults,
        run_id=REPLAY_RUN_ID,
        seed=seed,
        terminal=terminal,
        from_utc_ns=begin,
        until_utc_ns=CRASH_UTC_NS + _CRASH_HOURS_AFTER * H1_NS,
        speed=speed,
        news=terminal.news,
        notes=_notes(settings, faults),
        ends=True,
    )


def simulated_venue(
    settings: Settings,
    *,
    run_id: str,
    speed: float | None,
    terminal: SimulatedTerminal | None = None,
    faults: Faults | None = None,
) -> Venue:
    """The seeded market as a venue, from its usual start or over `terminal` (with these faults); it continues until stopped.

    Raises DataError for an unknown currency.
    """
    terminal = terminal or seeded_terminal(settings, faults=faults)
    return Venue(
        mode="simulated",
        broker=simulated_broker(settings, terminal, "simulated"),
        observer_broker=observer_broker(settings, terminal, "simulated"),
        label=_label(terminal, faults),
        faults=faults,
        run_id=run_id,
        seed=settings.simulation.seed,
        terminal=terminal,
        from_utc_ns=terminal.now_utc_ns,
        speed=speed,
        news=terminal.news,
        notes=_notes(settings, faults),
    )


def simulated_broker(settings: Settings, terminal: SimulatedTerminal, mode: TradeMode) -> Mt5Broker:
    """The adapter over a simulated terminal in this process; it never suspends."""
    troubled = FaultyTerminal(terminal) if terminal.faults.active else None
    return Mt5Broker(
        troubled or InProcessTerminal(terminal.module, changes=lambda: terminal.trades_changed_counter),
        policy_from(settings, mode=mode),
        TerminalClock(terminal),
        sleep=_no_wait if troubled is None else troubled.sleep,
        server_clock=ServerClock(_SERVER_RULE),
        deal_rule=terminal.ledger.deal_rule,
    )


def observer_broker(settings: Settings, terminal: SimulatedTerminal, mode: TradeMode) -> Mt5Broker | None:
    """A second way to a misbehaving terminal, in good health; None where the only one is."""
    if not terminal.faults.active:
        return None
    line, policy = InProcessTerminal(terminal.healthy_face()), policy_from(settings, mode=mode)
    return Mt5Broker(line, policy, TerminalClock(terminal), sleep=_no_wait, server_clock=ServerClock(_SERVER_RULE))


def faults_of(rates: FaultRates | None, seed: int) -> Faults | None:
    """Faults drawn from the run's own seed; None where nothing is switched on."""
    return None if rates is None or rates == FaultRates() else Faults(rates, seed)


def _notes(settings: Settings, faults: Faults | None) -> tuple[str, ...]:
    notes = [] if faults is None else [f"The simulated broker makes the faults you asked for: {fault_words(faults.rates)}"]
    charged = [symbol for symbol in settings.desk.pairs if for_pair(settings, symbol).costs.swap]
    unknown = without_swap(charged)
    if unknown:
        notes.append(f"No swap rate is recorded for {', '.join(unknown)}: no swap is charged there")
    return tuple(notes)


def _label(terminal: SimulatedTerminal, faults: Faults | None) -> str:
    return terminal.label if faults is None else f"{terminal.label}, WITH FAULTS {fault_words(faults.rates)}"


def file_news(settings: Settings, home: Home, notes: list[str]) -> tuple[NewsEvent, ...] | None:
    """Events of the calendar files that settings name, relative ones in the home; None where none is named. Raises DataError.

    What rows of the files leave open is added to `notes`.
    """
    if not settings.news.files:
        return None
    clock = settings.news.files_clock
    paths = [home.root / Path(name).expanduser() for name in settings.news.files]
    events = [event for path in paths for event in read_calendar(path, clock, notes)]
    return tuple(sorted(dict.fromkeys(events), key=lambda event: (event.at_utc_ns, event.currency, event.title)))


def news_near(news: tuple[NewsEvent, ...], from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> tuple[NewsEvent, ...]:
    """The events of a stretch of time, with a day on either side."""
    return tuple(event for event in news if from_utc_ns - DAY_NS <= event.at_utc_ns <= to_utc_ns + DAY_NS)


def new_run_id(clock: Clock) -> str:
    """A run id that fits an order's comment and that no other run has.

    Two engines may begin in one second, and a clock that was set back shows a second twice.
    """
    began = _base36(clock.utc_ns() // NS_PER_S)[-_RUN_ID_CLOCK:]
    return began + "".join(secrets.choice(_DIGITS) for _ in range(_RUN_ID_CHANCE))


def _base36(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number, len(_DIGITS))
        text = _DIGITS[rest] + text
    return text or _DIGITS[0]


async def _no_wait(_seconds: float) -> None:
    """A terminal in this process that makes its own time has nothing to wait for."""
