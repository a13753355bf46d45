"""The start, in order: broker, account, instruments, history, then what the desk is given before the first quote.

Promises: each step is reported before it begins; nothing is asked to the desk before all of it was read. `open_broker` bounds
nothing in time, so that the backtest can use the same order without an event loop; `open_broker_in_time` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct, structs

from quarterdeck.core.brokers.base import Broker, Connected
from quarterdeck.core.data.recorded_prices import conversion_pairs
from quarterdeck.core.engine.lockstep import broker_inputs
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.journal.journal_store import NewRun
from quarterdeck.core.journal.tape_reader import TAPE_VERSION
from quarterdeck.core.model.broker_account import Account, TradeMode
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import BrokerError, DataError
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarClosed,
    Calendar,
    History,
    Input,
    Instruments,
    NewDeal,
    Restored,
    ServerClockRule,
    Started,
)
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.money import CENT_CURRENCIES, Valuer
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.model.units import M15_NS, UtcNs
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.version import code_version

StepReporter = Callable[[str], None]
_LATE_BARS_MAX = 1_000
"""Of each pair; ten days of them. Who comes back later than that has no position whose peak they could tell."""


class StartupData(Struct, kw_only=True):
    """What was found at the start."""

    connected: Connected
    instruments: tuple[Instrument, ...]
    clock: ServerClockRule
    history: dict[str, Candles]
    """Closed M15 bars a pair, as many as the strategy wants or the terminal has."""
    h1: dict[str, Candles]


async def open_broker(
    broker: Broker, pairs: Sequence[str], *, history_bars: int, h1_bars: int, on_step: StepReporter
) -> StartupData:
    """Connect, check the account, resolve the pairs and read their past. Raises BrokerError with what to do."""
    on_step("connecting to the broker")
    connected = await broker.connect()
    account = connected.account
    on_step(f"account {account.login} on {account.server}: {account.mode}, {account.currency} {account.balance_money:.2f}")
    instruments = await broker.select((*pairs, *await _rates(broker, pairs, account.currency)))
    connected = structs.replace(connected, warnings=(*connected.warnings, *broker.symbol_warnings))
    check_conversions(account, [spec for spec in instruments if spec.symbol in pairs], instruments)
    clock = await broker.server_clock_rule()
    history: dict[str, Candles] = {}
    h1: dict[str, Candles] = {}
    on_step(f"reading the price history of {len(pairs)} pairs")
    for symbol in pairs:
        history[symbol] = await _bars(broker, symbol, "M15", history_bars)
        if h1_bars:
            h1[symbol] = await _bars(broker, symbol, "H1", h1_bars)
    return StartupData(connected=connected, instruments=instruments, clock=clock, history=history, h1=h1)


def check_conversions(account: Account, traded: Sequence[Instrument], quoted: Sequence[Instrument]) -> None:
    """Refuse a cent account on which nothing turns results of a traded pair into its cents.

    Raises:
        BrokerError: naming the pairs.
    """
    if account.currency not in CENT_CURRENCIES:
        return
    names = {spec.base_currency + spec.profit_currency for spec in quoted}
    lost = [spec.symbol for spec in traded if not Valuer.of(spec, account.currency, names.__contains__).complete]
    if lost:
        raise BrokerError(
            f"the account counts cents ({account.currency}), and nothing converts results of {', '.join(lost)} into them",
            what_to_do="take these pairs out of desk.pairs, or name the broker's cent symbols in account.symbol_suffix",
        )


async def open_broker_in_time(
    broker: Broker, pairs: Sequence[str], *, history_bars: int, h1_bars: int, on_step: StepReporter, limit_s: float | None
) -> StartupData:
    """`open_broker` within `limit_s`, None for a broker that never waits. Raises BrokerError with what to do."""
    at = ""

    def stepped(text: str) -> None:
        nonlocal at
        at = text
        on_step(text)

    work = open_broker(broker, pairs, history_bars=history_bars, h1_bars=h1_bars, on_step=stepped)
    if limit_s is None:
        return await work
    try:
        return await asyncio.wait_for(work, limit_s)
    except TimeoutError as error:
        raise BrokerError(
            f"The broker did not answer within {limit_s:g} s; the start was at: {at}",
            what_to_do="run `quarterdeck doctor`, or raise engine.broker_start_timeout_s",
        ) from error


async def first_inputs(
    broker: Broker,
    opening: StartupData,
    *,
    started: Started,
    restored: bytes | None,
    histories: Sequence[History],
    calendar: Calendar | None,
    late: Sequence[BarClosed] = (),
) -> list[Input]:
    """All that the desk is given before the first quote, in order.

    A desk with a past lives through what it missed before it judges anything: deals and `late` bars in order of time, and only
    then the account and the book as they are now.
    """
    inputs: list[Input] = [started]
    if restored is not None:
        inputs.append(Restored(state=msgspec.Raw(restored)))
    inputs += [opening.clock, Instruments(instruments=opening.instruments), *histories]
    news = await broker_inputs(broker)
    account = AccountRead(account=opening.connected.account)
    if restored is None:
        inputs += [account, *late, *news]
    else:
        missed: list[NewDeal | BarClosed] = [told for told in news if isinstance(told, NewDeal)]
        missed += late
        missed.sort(key=_happened_utc_ns)
        inputs += missed
        inputs += [account] if not any(isinstance(told, AccountRead) for told in news) else []
        inputs += [told for told in news if not isinstance(told, NewDeal)]
    if calendar is not None:
        inputs.append(calendar)
    return inputs


def _happened_utc_ns(told: NewDeal | BarClosed) -> UtcNs:
    return told.deal.at_utc_ns if isinstance(told, NewDeal) else told.bar.open_utc_ns + M15_NS


def late_bars(opening: StartupData, since_utc_ns: UtcNs) -> list[BarClosed]:
    """M15 bars that closed since the desk last heard of any: peaks, hours and holes follow from them, entries do not."""
    found = [
        (int(candles.open_utc_ns[row]), place, BarClosed(symbol=symbol, timeframe="M15", bar=candles.bar(row), late=True))
        for place, (symbol, candles) in enumerate(opening.history.items())
        for row in range(_first_late(candles, since_utc_ns), len(candles))
    ]
    return [bar for _, _, bar in sorted(found, key=lambda one: one[:2])]


def _first_late(candles: Candles, since_utc_ns: UtcNs) -> int:
    return max(int(candles.open_utc_ns.searchsorted(since_utc_ns - 2 * M15_NS)), len(candles) - _LATE_BARS_MAX)


def newest_bar_opens(opening: StartupData) -> dict[str, UtcNs]:
    """Open of the newest bar of each pair's past."""
    return {symbol: int(candles.open_utc_ns[-1]) for symbol, candles in opening.history.items() if len(candles)}


def started_input(
    settings: Settings, *, run_id: str, code_version: str, strategy_hash: str, seed: int, mode: TradeMode
) -> Started:
    """The first input of a run."""
    return Started(
        run_id=run_id,
        code_version=code_version,
        settings=msgspec.Raw(msgspec.msgpack.encode(settings)),
        strategy_hash=strategy_hash,
        seed=seed,
        mode=mode,
    )


def run_row_at_start(venue: Venue, account: Account, strategy_hash: str, started_utc_ns: UtcNs) -> NewRun:
    """What the journal knows of a run from its beginning."""
    return NewRun(
        run_id=venue.run_id,
        mode=venue.mode,
        account=account.login,
        server=account.server,
        currency=account.currency,
        currency_digits=account.currency_digits,
        code_version=code_version(),
        strategy_hash=strategy_hash,
        seed=venue.seed,
        started_utc_ns=started_utc_ns,
        tape_version=TAPE_VERSION,
    )


async def _rates(broker: Broker, pairs: Sequence[str], currency: str) -> tuple[str, ...]:
    """Pairs beyond the traded ones whose quotes turn results, margins and commission into the account's currency."""
    currencies = dict.fromkeys((*(half for pair in pairs for half in (pair[:3], pair[3:6])), "USD"))
    names = [name for one in currencies for name in (one + currency, currency + one, one + "USD", "USD" + one)]
    wanted = [name for name in dict.fromkeys(names) if name[:3] != name[3:] and name not in pairs]
    offered = (*pairs, *await broker.available_symbols(wanted))
    try:
        found = conversion_pairs(pairs, currency, offered.__contains__)
    except DataError:
        found = ()  # what cannot be valued is refused one by one, with its reason
    if currency in CENT_CURRENCIES:
        return found
    dollars = (f"USD{currency}", f"{currency}USD")
    if currency != "USD" and not any(name in (*pairs, *found) for name in dollars):
        found = (*found, *(name for name in dollars if name in offered))
    return found


async def _bars(broker: Broker, symbol: str, timeframe: str, count: int) -> Candles:
    read = await broker.bars(symbol, timeframe, count)
    if isinstance(read, Unknown):
        raise BrokerError(
            f"{symbol} has no {timeframe} history: {read.why}", what_to_do="open its chart in the terminal, then try again"
        )
    return read.value
