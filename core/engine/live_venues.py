"""Venues whose market keeps its own time: a MetaTrader 5 account, or paper fills on its feed.

Promises: the real module is never loaded here (law 9), it is behind a gateway; the password goes to a live account alone.
"""

from __future__ import annotations

from pathlib import Path

from quarterdeck.core.brokers.base import TerminalError
from quarterdeck.core.brokers.mt5.account_file import AccountFile, PaperAccount
from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.clock_file import ServerClockFile
from quarterdeck.core.brokers.mt5.gateway_client import GatewayTerminal
from quarterdeck.core.brokers.mt5.paper import paper_broker
from quarterdeck.core.brokers.mt5.policy import policy_from
from quarterdeck.core.brokers.mt5.terminal_choice import open_terminal
from quarterdeck.core.calendar.calendar_source import CalendarSource
from quarterdeck.core.calendar.feed_download import FetchPolicy
from quarterdeck.core.clock.market_clock import RehearsalMachine
from quarterdeck.core.clock.steady import MachineClock, SteadyClock
from quarterdeck.core.clock.wall import Clock, WallClock
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.model.errors import BrokerError, QuarterdeckError
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.secrets import Secrets
from quarterdeck.core.settings.settings_loader import shipped_settings

_FETCH_TIMEOUT_S = 20.0
_CALENDAR_FOLDER = "calendar"


def live_venue(settings: Settings, home: Home, secrets: Secrets, *, run_id: str, clock: Clock, yes_real: int) -> Venue:
    """The account that settings name. Raises BrokerError, UsageError (no token), StorageError (its file)."""
    policy = policy_from(settings, password=secrets.password or None, yes_real=yes_real)
    terminal = open_terminal(settings, home.root, clock)
    broker = Mt5Broker(terminal, policy, clock, clock_file=ServerClockFile(home.root))
    return Venue(
        mode="demo",
        broker=broker,
        trust_machine_clock=broker.trust_machine_clock,
        lease=terminal,
        label=f"MetaTrader 5 at {_place(settings)}",
        run_id=run_id,
        calendar=calendar_source(settings, home, secrets),
        live=True,
        yes_real=yes_real,
        market_speed=speed_of(clock),
    )


def paper_venue(settings: Settings, home: Home, secrets: Secrets, *, run_id: str, clock: Clock) -> Venue:
    """A paper account, kept in the home, on the feed that settings name; no order reaches it. Raises as `live_venue`."""
    terminal = open_terminal(settings, home.root, clock)
    file, clock_file = AccountFile(home.root, PaperAccount), ServerClockFile(home.root)
    broker = paper_broker(terminal, settings, clock, file=file, clock_file=clock_file)
    return Venue(
        mode="paper",
        broker=broker,
        trust_machine_clock=broker.trust_machine_clock,
        label=f"paper on MetaTrader 5 at {_place(settings)}",
        run_id=run_id,
        calendar=calendar_source(settings, home, secrets),
        market_speed=speed_of(clock),
    )


async def machine_clock(settings: Settings, home: Path) -> MachineClock:
    """The machine's clock; the market's where settings name a simulated gateway that has a market time of its own.

    A gateway that is not reached leaves the machine's: the start says what is wrong with it.
    """
    machine = WallClock()
    if settings.desk.mode == "simulated" or not settings.account.gateway:
        return machine
    try:
        terminal = open_terminal(settings, home, machine)
    except QuarterdeckError:
        return machine
    if not isinstance(terminal, GatewayTerminal):
        return machine
    try:
        market = (await terminal.connected()).market
    except (BrokerError, TerminalError):
        return machine
    finally:
        await terminal.close()
    return machine if market is None else RehearsalMachine(market, machine)


def speed_of(clock: Clock) -> float:
    """Market seconds per second of life."""
    return clock.speed if isinstance(clock, SteadyClock) else 1.0


def calendar_source(settings: Settings, home: Home, secrets: Secrets) -> CalendarSource:
    """The calendars that settings and secrets name; files are looked for in the home."""
    news, engine = settings.news, settings.engine
    policy = FetchPolicy(
        refresh_s=news.refresh_minutes * 60.0,
        retry_min_s=engine.retry_min_s,
        retry_max_s=engine.retry_max_s,
        timeout_s=_FETCH_TIMEOUT_S,
    )
    files = [home.root / Path(name).expanduser() for name in news.files]
    return CalendarSource(
        files=files,
        urls=news.urls,
        private_urls=secrets.news_urls,
        default_urls=shipped_settings().news.urls,
        policy=policy,
        cache=home.data / _CALENDAR_FOLDER,
        files_clock=news.files_clock,
    )


def _place(settings: Settings) -> str:
    return settings.account.gateway or "this machine"
