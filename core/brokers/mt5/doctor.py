"""Examining the way to the broker, link by link: each finding with its number, its verdict and what to do about it.

Why: "it does not trade" has twenty causes, and most of them are a switch somewhere else.
Promises: sends nothing that could be carried out (an order is only checked); works on any `Terminal`; continues after a failure
as far as it can, and says what it could not look at. Over a slow line it ends at its time limit: what is left then is called
unknown, never good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from quarterdeck.core.brokers.base import CallNotSent, Connected, ReplyLost, Terminal
from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.broker_startup import tick_value_gap
from quarterdeck.core.brokers.mt5.clock_file import ServerClockFile
from quarterdeck.core.brokers.mt5.parsing import InvalidRecord, instrument_of
from quarterdeck.core.brokers.mt5.policy import Mt5Policy
from quarterdeck.core.brokers.mt5.return_codes import last_error, retcode
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, Sleep, TerminalSession
from quarterdeck.core.brokers.mt5.trade_requests import RequestDict, filling_candidates, open_request
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.effects import Submit
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.market_data import Instrument, Quote, Side
from quarterdeck.core.model.reads import Known, Unknown
from quarterdeck.core.model.units import NS_PER_S

DoctorVerdict = Literal["ok", "warn", "unknown", "fail"]
"""`unknown`: not looked at before the time was over."""
LIMIT_S = 60.0
"""How long an examination may take unless stated otherwise."""
ROUND_TRIPS = 20
ROUND_TRIPS_S = 5.0
"""After this no further trip is measured: slow is known by then, and the time is wanted for the rest."""
ROUND_TRIP_MS_WARN = 250.0
WORST_TRIP_MS_WARN = 1000.0
QUOTE_AGE_S_WARN = 60.0
_STOP_SPREADS = 20.0
_BOOKS = 3
_FIRST = "terminal"
"""Without it there is nothing to look at."""
_LINE_BROKE = "the connection to the terminal broke meanwhile: run doctor again, and find out whether the terminal restarts"


class DoctorFinding(Struct, frozen=True, kw_only=True):
    """One row of the examination."""

    name: str
    verdict: DoctorVerdict
    text: str
    number: float | None = None
    unit: str = ""
    remedy: str = ""


class DoctorRequirements(Struct, frozen=True, kw_only=True):
    """What the desk will need."""

    symbols: tuple[str, ...]
    bars: int
    """M15 bars that the strategy asks for at the start."""
    round_trip_ms_max: float
    """The read deadline: slower than this is no connection."""


def verdict_of(findings: Sequence[DoctorFinding]) -> DoctorVerdict:
    """The worst of all."""
    order: tuple[DoctorVerdict, ...] = ("ok", "warn", "unknown", "fail")
    return max((finding.verdict for finding in findings), key=order.index, default="ok")


async def examine(
    terminal: Terminal,
    policy: Mt5Policy,
    wanted: DoctorRequirements,
    clock: Clock,
    *,
    sleep: Sleep = asyncio.sleep,
    server_clock: ServerClock | None = None,
    clock_file: ServerClockFile | None = None,
    machine: Clock | None = None,
    limit_s: float | None = None,
    on_step: Callable[[str], None] | None = None,
) -> tuple[DoctorFinding, ...]:
    """All findings in the order of the way: terminal, account, symbols, candles, quotes, clock, orders.

    `clock_file` is what the home knows of servers' clocks; `machine` is the clock that is judged, where it is not `clock`.
    After `limit_s`, None for a terminal that never waits, what is left is reported as unknown; `on_step` hears what is looked at.
    """
    broker = Mt5Broker(terminal, policy, clock, sleep=sleep, server_clock=server_clock, clock_file=clock_file, machine=machine)
    examination = _Examination(broker, terminal, policy, wanted, clock)
    end_s = None if limit_s is None else clock.monotonic_s() + limit_s
    unseen: dict[str, list[str]] = {}
    for step in examination.steps():
        left_s = None if end_s is None else end_s - clock.monotonic_s()
        if unseen or (left_s is not None and left_s <= 0.0):
            unseen.setdefault(step.kind, []).append(step.symbol)
            continue
        if on_step is not None:
            on_step(f"{step.kind} {step.symbol}".strip())
        if not await _within(step.look, left_s):
            unseen.setdefault(step.kind, []).append(step.symbol)
        if examination.over:
            break
    if limit_s is not None:
        examination.findings.extend(_not_seen(unseen, limit_s))
    return tuple(examination.findings)


class _Step(NamedTuple):
    """One look; of a pair, or of the whole way where `symbol` is empty."""

    kind: str
    look: Callable[[], Awaitable[None]]
    symbol: str = ""


async def _within(look: Callable[[], Awaitable[None]], left_s: float | None) -> bool:
    """Whether it came to its end in time."""
    if left_s is None:
        await look()
        return True
    try:
        async with asyncio.timeout(left_s):
            await look()
    except TimeoutError:
        return False
    return True


def _not_seen(unseen: Mapping[str, Sequence[str]], limit_s: float) -> Iterator[DoctorFinding]:
    """A row for each kind of look that the time did not suffice for."""
    for kind, symbols in unseen.items():
        named = f" for {', '.join(symbols)}" if symbols[0] else ""
        yield DoctorFinding(
            name=kind,
            verdict="fail" if kind == _FIRST else "unknown",
            text=f"not examined{named}: the time limit of {limit_s:g} s was over",
            remedy="look at gateway and network, the terminal did not answer"
            if kind == _FIRST
            else "find out what makes the connection slow, or give more time with --limit-s",
        )
        if kind == _FIRST:
            return


class _Examination:
    """The rows found so far."""

    def __init__(
        self, broker: Mt5Broker, terminal: Terminal, policy: Mt5Policy, wanted: DoctorRequirements, clock: Clock
    ) -> None:
        self.findings: list[DoctorFinding] = []
        self.selected: dict[str, Instrument] = {}
        self._broker = broker
        self._session: TerminalSession = broker.session
        self._terminal = terminal
        self._policy = policy
        self._wanted = wanted
        self._clock = clock
        self.over = False
        """Nothing further can be looked at."""

    def steps(self) -> Iterator[_Step]:
        """Every look, in the order of the way."""
        symbols = self._wanted.symbols
        yield _Step(_FIRST, self.connection)
        yield _Step("permissions", self.permissions)
        yield _Step("round trip", self.round_trip)
        yield from (_Step("symbol", partial(self.symbol, name), name) for name in symbols)
        yield from (_Step("candles", partial(self.candles, name), name) for name in symbols)
        yield _Step("quotes", self.quotes)
        yield _Step("server clock", self.server_clock)
        yield from (_Step("order", partial(self.orders, name), name) for name in symbols)
        yield _Step("book", self.book)
        yield _Step("deals", self.history)

    def add(
        self, name: str, verdict: DoctorVerdict, text: str, *, number: float | None = None, unit: str = "", remedy: str = ""
    ) -> None:
        """One row more."""
        self.findings.append(DoctorFinding(name=name, verdict=verdict, text=text, number=number, unit=unit, remedy=remedy))

    async def connection(self) -> None:
        """Whether there is anything to look at."""
        try:
            connected = await self._broker.connect()
        except BrokerError as error:
            self.add(_FIRST, "fail", str(error), remedy=error.what_to_do)
            self.over = True
            return
        self.connected(connected)

    def connected(self, found: Connected) -> None:
        """Terminal and account."""
        self.add(_FIRST, "ok", f"{found.terminal_name}, build {found.build}", number=float(found.build))
        account = found.account
        kind = "hedging" if account.hedging else "netting"
        self.add(
            "account",
            "ok",
            f"{account.mode}, login {account.login} at {account.server}, {kind}, 1:{account.leverage}, {account.currency}",
            number=account.balance_money,
            unit=account.currency,
        )
        for warning in found.warnings:
            what, _, remedy = warning.partition(": ")
            self.add("warning", "warn", what, remedy=remedy)
        short = found.bars_max < self._wanted.bars
        self.add(
            "bars in terminal",
            "fail" if short else "ok",
            f"the terminal keeps {found.bars_max} bars, {self._wanted.bars} are needed",
            number=float(found.bars_max),
            unit="bars",
            remedy="Tools > Options > Charts > Max bars in chart: raise it and restart the terminal" if short else "",
        )

    async def permissions(self) -> None:
        """The switches that have orders refused."""
        try:
            info: Mapping[str, Any] = await self._session.read("terminal_info")
        except ReadFailed as error:
            self.add("permissions", "fail", str(error), remedy="run doctor again")
            return
        allowed, barred = bool(info["trade_allowed"]), bool(info["tradeapi_disabled"])
        self.add(
            "algo trading",
            "ok" if allowed else "fail",
            "on" if allowed else "off: orders are refused with 10027",
            remedy="" if allowed else "press the Algo Trading button of the terminal",
        )
        self.add(
            "python trading",
            "fail" if barred else "ok",
            "blocked by the terminal's own option" if barred else "allowed",
            remedy="Tools > Options > Expert Advisors: clear 'Disable algorithmic trading via external Python API'"
            if barred
            else "",
        )

    async def round_trip(self) -> None:
        """How long a read takes."""
        spent: list[float] = []
        try:
            while len(spent) < ROUND_TRIPS and sum(spent) < ROUND_TRIPS_S * 1000.0:
                before = self._clock.monotonic_s()
                await self._terminal.call("account_info")
                spent.append((self._clock.monotonic_s() - before) * 1000.0)
        except (ReplyLost, CallNotSent) as error:
            self.add("round trip", "fail", str(error), remedy="look at gateway and network")
            return
        spent.sort()
        median, worst = spent[len(spent) // 2], spent[-1]
        slow = median > ROUND_TRIP_MS_WARN or worst > WORST_TRIP_MS_WARN
        verdict: DoctorVerdict = "fail" if worst > self._wanted.round_trip_ms_max else "warn" if slow else "ok"
        self.add(
            "round trip",
            verdict,
            f"median {median:.1f} ms, worst of {len(spent)} {worst:.1f} ms",
            number=round(median, 2),
            unit="ms",
            remedy=""
            if verdict == "ok"
            else "bring gateway and engine nearer to each other, or the host is overloaded"
            if median > ROUND_TRIP_MS_WARN
            else "single calls are delayed: check the load of its host, and whether the network drops packets",
        )

    async def symbol(self, symbol: str) -> None:
        """A name resolved and quoted; one by one, so that one bad pair does not hide the others."""
        try:
            (instrument,) = await self._broker.select((symbol,))
        except BrokerError as error:
            self.add(f"symbol {symbol}", "fail", str(error), remedy=error.what_to_do)
            return
        self.selected[symbol] = instrument
        name = self._session.broker_names[symbol]
        misnamed = self._session.misnamed.get(symbol, "")
        if misnamed:
            remedy = "report it to the broker; no setting is needed"
            self.add(f"currencies of {symbol}", "warn", misnamed, remedy=remedy)
        called = "" if name == symbol else f"called {name}, "
        tradable = instrument.trade_mode == "full"
        self.add(
            f"symbol {symbol}",
            "ok" if tradable else "fail",
            f"{called}{instrument.execution} execution, "
            f"{instrument.volume_min_lots:g} to {instrument.volume_max_lots:g} lots, "
            f"stops level {instrument.stops_level_points}, trading {instrument.trade_mode}",
            number=float(instrument.stops_level_points),
            unit="points",
            remedy="" if tradable else "the broker restricts this symbol for this account; take it out of desk.pairs",
        )

    async def candles(self, symbol: str) -> None:
        """Closed candles, as many as the strategy needs."""
        if symbol not in self.selected:
            return
        read = await self._broker.bars(symbol, "M15", self._wanted.bars)
        if isinstance(read, Unknown):
            self.add(
                f"candles {symbol}", "fail", read.why, remedy="open a chart of the symbol once, wait for its history, try again"
            )
            return
        count = len(read.value)
        short = count < self._wanted.bars
        age_min = (self._clock.utc_ns() - int(read.value.open_utc_ns[-1])) / NS_PER_S / 60.0 if count else None
        self.add(
            f"candles {symbol}",
            "warn" if short else "ok",
            f"{count} closed M15 bars" + ("" if age_min is None else f", the last opened {age_min:.0f} min ago"),
            number=float(count),
            unit="bars",
            remedy=f"{self._wanted.bars} are wanted: signals are withheld until they are there" if short else "",
        )

    async def quotes(self) -> None:
        """How old quotes are."""
        read = await self._broker.quotes(tuple(self.selected))
        if isinstance(read, Unknown):
            self.add("quotes", "fail", read.why, remedy="look at the terminal's connection")
            return
        for quote in read.value:
            age_s = (self._clock.utc_ns() - quote.at_utc_ns) / NS_PER_S
            old = age_s > QUOTE_AGE_S_WARN
            self.add(
                f"quote {quote.symbol}",
                "warn" if old else "ok",
                f"{quote.bid} / {quote.ask}, {age_s:.0f} s old",
                number=round(age_s, 1),
                unit="s",
                remedy="the market may be closed; else look at the terminal's connection and the clock below" if old else "",
            )

    async def server_clock(self) -> None:
        """The server's clock, and whether this machine's agrees with it."""
        found = await self._broker.server_clock_rule()
        hours = found.offset_s / 3600.0
        verdict: DoctorVerdict = "ok" if found.confirmed else "warn"
        remedy = "" if found.confirmed else "look again when the market is open; check this machine's clock (NTP)"
        if found.judgement == "contradicted":
            verdict = "fail"
            remedy = "set this machine's clock right (NTP); if you know that it is right: quarterdeck resolve clock --pc-right"
        elif found.judgement == "unconfirmed":
            verdict = "warn"
            remedy = "compare this machine's clock with one that you trust; if it is right: quarterdeck resolve clock --pc-right"
        why = found.why or ("" if found.confirmed else "not confirmed: no tick changed while looking")
        rule = f"UTC{hours:+g} h, rule {found.rule}"
        text = why if verdict == "fail" else f"{rule}; {why}" if why else rule
        self.add("server clock", verdict, text, number=hours, unit="h", remedy=remedy)

    async def orders(self, symbol: str) -> None:
        """An entry with stop and target, checked and not sent; and whether the tick value can be believed."""
        instrument = self.selected.get(symbol)
        if instrument is None:
            return
        read = await self._broker.quotes((symbol,))
        if not isinstance(read, Known) or not read.value:
            self.add(f"order {symbol}", "fail", "no price to check an order at", remedy="try again when the market is open")
            return
        quote = read.value[0]
        gap = await self._told_gap(symbol, instrument, quote)
        if gap is not None:
            far = gap > self._policy.tick_value_gap_max_fraction
            self.add(
                f"tick value {symbol}",
                "fail" if far else "ok",
                f"{gap * 100:.2f} % from the broker's own calculation",
                number=round(gap * 100, 3),
                unit="%",
                remedy="position sizes could be wrong, so entries are refused; report it to the broker" if far else "",
            )
        await self._checked(symbol, instrument, quote)

    async def _told_gap(self, symbol: str, instrument: Instrument, quote: Quote) -> float | None:
        """How far the tick value is off as the broker tells it, not as the start left it: one that lies was taken away there."""
        name = self._session.broker_names[symbol]
        try:
            told = instrument_of(await self._session.read("symbol_info", name), symbol, self._policy.pips)
        except (ReadFailed, InvalidRecord):
            told = instrument
        return await tick_value_gap(self._session, told, name, quote.bid)

    async def _checked(self, symbol: str, instrument: Instrument, quote: Quote) -> None:
        number = 10030
        try:
            for filling in filling_candidates(instrument):
                request = probe(instrument, quote, self._session.broker_names[symbol], filling, self._policy.magic)
                reply = await self._terminal.call("order_check", request)
                if reply.value is None:
                    why = f"{reply.error_code} {reply.error_text}"
                    self.add(f"order {symbol}", "fail", why, remedy=last_error(reply.error_code).what_to_do or _LINE_BROKE)
                    return
                number = int(reply.value["retcode"])
                if number != 10030:
                    break
        except (ReplyLost, CallNotSent) as error:
            self.add(f"order {symbol}", "fail", str(error), remedy="look at gateway and network")
            return
        code = retcode(number)
        fine = number in (0, 10009)
        closed = code.kind == "market_closed"
        words = f"{instrument.volume_min_lots:g} lots with stop and target: "
        self.add(
            f"order {symbol}",
            "ok" if fine else "warn" if closed else "fail",
            words + ("accepted by order_check" if fine else f"{number} {code.meaning}"),
            number=float(number),
            remedy="" if fine else code.what_to_do or _remedy_of_refusal(number),
        )

    async def book(self) -> None:
        """Whether positions and orders can be read, and what is there already."""
        reads = [await self._broker.book() for _ in range(_BOOKS)]
        read = next((one for one in reads if one.known), reads[-1])
        if not all(one.known for one in reads):
            why = next(one.why for one in reads if not one.known)
            failed = sum(1 for one in reads if not one.known)
            remedy = "nothing is counted or closed on a reading that fails; restart the terminal if it stays so"
            self.add("book", "warn" if read.known else "fail", f"{failed} of {_BOOKS} readings failed: {why}", remedy=remedy)
            return
        ours = sum(1 for held in read.positions if held.magic == self._policy.magic)
        bare = sum(1 for held in read.positions if held.stop_price is None)
        self.add(
            "book",
            "warn" if bare else "ok",
            f"{len(read.positions)} positions, {ours} of them ours, {bare} without a stop; {len(read.orders)} orders",
            number=float(len(read.positions)),
            unit="positions",
            remedy="give each a stop in the terminal: no entries are made while a position that this desk did not open has none"
            if bare
            else "",
        )

    async def history(self) -> None:
        """Whether deals can be read: money is booked from nothing else."""
        read = await self._broker.new_deals()
        known = isinstance(read, Known)
        self.add(
            "deals",
            "ok" if known else "fail",
            "the history can be read" if isinstance(read, Known) else read.why,
            remedy="" if known else "open the terminal's History tab and choose All History",
        )


def probe(instrument: Instrument, quote: Quote, broker_symbol: str, filling: int, magic: int) -> RequestDict:
    """An entry of the least volume with stop and target far enough away; for `order_check` alone."""
    room = max(_STOP_SPREADS * quote.spread_price, 2.0 * instrument.stops_level_points * instrument.point, 50.0 * instrument.pip)
    effect = Submit(
        client_id="doctor",
        reservation_id="",
        signal_id="",
        symbol=instrument.symbol,
        side=Side.BUY,
        lots=instrument.volume_min_lots,
        quoted_price=quote.ask,
        stop_price=quote.bid - room,
        target_price=quote.ask + room,
        deviation_points=10,
        risk_money=0.0,
    )
    return open_request(
        effect,
        instrument,
        quote,
        broker_symbol=broker_symbol,
        filling=filling,
        magic=magic,
        target_price=effect.target_price,
    )


def _remedy_of_refusal(number: int) -> str:
    if number == 10016:
        return "this broker refuses stops in the opening request; such an account is not traded"
    if number == 10019:
        return "the margin of the account does not suffice for the smallest volume"
    return "see docs/metatrader5.md"
