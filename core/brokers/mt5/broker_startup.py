"""From "nothing" to "ready to trade": connect, resolve symbols, wait for quotes.

Promises: bounded by the start's time limit; what is missing is named with a remedy. A symbol whose tick value is far from what
`order_calc_profit` says gets a tick value of 0, which sizing refuses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import structs

from quarterdeck.core.brokers.base import TerminalCall
from quarterdeck.core.brokers.mt5 import mt5_constants as mt5
from quarterdeck.core.brokers.mt5.parsing import InvalidRecord, instrument_of, misnamed
from quarterdeck.core.brokers.mt5.symbol_names import ResolvedSymbol, resolve
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, TerminalSession
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.market_data import Instrument

_POLL_S = 0.25
_PROBE_TICKS = 200
"""Enough for the cents to vanish, few enough for a rate that moves with the price."""


class BrokerStartup:
    """The steps of a start over one session."""

    def __init__(self, session: TerminalSession) -> None:
        """Shares the adapter's session."""
        self._session = session
        self._offered: tuple[Mapping[str, Any], ...] = ()

    async def connected(self) -> tuple[Account, Mapping[str, Any]]:
        """The account and the terminal's info once the terminal has a connection to its broker. Raises BrokerError."""
        session = self._session
        deadline_s = session.clock.monotonic_s() + session.policy.start_timeout_s
        wait_s = session.policy.retry_min_s
        while True:
            try:
                account = await session.open()
                info = await session.read("terminal_info")
                if info["connected"]:
                    return account, info
                why, remedy = "the terminal has no connection to its trade server", "look at the terminal's Journal tab, or wait"
            except ReadFailed as error:
                why, remedy = str(error), error.what_to_do
            if session.clock.monotonic_s() + wait_s >= deadline_s:
                raise BrokerError(
                    f"the broker was not reached within {session.policy.start_timeout_s:g} s: {why}",
                    what_to_do=remedy or "check that the terminal runs, is logged in and connected, and shows no dialog",
                )
            await session.sleep(wait_s)
            wait_s = min(wait_s * 2.0, session.policy.retry_max_s)

    @staticmethod
    def warnings_of_terminal(info: Mapping[str, Any]) -> tuple[str, ...]:
        """Switches of the terminal that will have orders refused."""
        found = []
        if not info["trade_allowed"]:
            found.append("the terminal's Algo Trading button is off: orders will be refused (10027); switch it on")
        if info["tradeapi_disabled"]:
            found.append(
                "the terminal blocks trading by Python programs: clear 'Disable algorithmic trading via external Python API' "
                "under Tools > Options > Expert Advisors"
            )
        return tuple(found)

    async def available_symbols(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """Those of the plain names that this broker has. Raises BrokerError."""
        await self._load_offered()
        return tuple(name for name in symbols if self._resolved(name) is not None)

    async def select(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """Instruments of the plain names, selected and quoted. Raises BrokerError naming all that are missing."""
        session = self._session
        await self._load_offered()
        resolved = {name: self._resolved(name) for name in symbols}
        missing = [name for name, found in resolved.items() if found is None]
        if missing:
            raise BrokerError(
                f"the broker has no {', '.join(missing)}",
                what_to_do="take them out of desk.pairs, or set account.symbol_suffix to what this broker appends",
            )
        names = {plain: found.broker for plain, found in resolved.items() if found is not None}
        try:
            for broker_name in names.values():
                await session.read("symbol_select", broker_name, True)
            records = await self._quoted(names)
        except ReadFailed as error:
            raise BrokerError(
                f"symbols could not be selected: {error}", what_to_do="look at the terminal's Market Watch"
            ) from error
        instruments = []
        for plain, broker_name in names.items():
            try:
                instrument = instrument_of(records[plain], plain, session.policy.pips)
            except InvalidRecord as error:
                raise BrokerError(f"the broker's specification cannot be: {error}", what_to_do="take the pair out") from error
            instruments.append(await self._with_sound_tick_value(instrument, broker_name, float(records[plain]["bid"])))
            session.instruments[plain] = instruments[-1]
            session.misnamed[plain] = misnamed(records[plain], plain)
            session.name_symbol(plain, broker_name)
        return tuple(instruments)

    async def specifications(self) -> tuple[Instrument, ...]:
        """All selected symbols as the broker describes them now, with what it asks for one lot more.

        Raises:
            ReadFailed: the line is down. A record that cannot be is left out: the last good one holds.
        """
        session = self._session
        names = dict(session.broker_names)
        replies = await session.read_many([TerminalCall("symbol_info", (name,)) for name in names.values()])
        found = []
        for (plain, broker_name), reply in zip(names.items(), replies, strict=True):
            if not isinstance(reply.value, dict):
                continue
            bid, ask = float(reply.value["bid"]), float(reply.value["ask"])
            try:
                instrument = instrument_of(reply.value, plain, session.policy.pips)
            except InvalidRecord:
                continue
            if bid > 0.0 and ask > 0.0:
                instrument = await self._with_sound_tick_value(instrument, broker_name, bid)
                instrument = await self._with_order_margin(instrument, broker_name, bid, ask)
            session.instruments[plain] = instrument
            found.append(instrument)
        return tuple(found)

    async def _with_order_margin(self, instrument: Instrument, broker_name: str, bid: float, ask: float) -> Instrument:
        """The instrument with what `order_calc_margin` says of one lot at the price of an entry; 0.0 where it says nothing."""
        calls = [
            TerminalCall("order_calc_margin", (action, broker_name, 1.0, price))
            for action, price in ((mt5.ORDER_BUY, ask), (mt5.ORDER_SELL, bid))
        ]
        asked = [
            float(reply.value) if isinstance(reply.value, int | float) and 0.0 < reply.value < math.inf else 0.0
            for reply in await self._session.read_many(calls)
        ]
        return structs.replace(instrument, order_margin_buy_money=asked[0], order_margin_sell_money=asked[1])

    def offers(self, broker_name: str) -> bool:
        """Whether the broker has a symbol of exactly that name."""
        return any(str(record["name"]) == broker_name for record in self._offered)

    async def renamed(self, plain: str) -> str:
        """The broker's new name of a symbol that it offers no more under the old one; empty where there is none.

        Raises:
            ReadFailed: the broker's symbols cannot be read.
        """
        session = self._session
        self._offered = tuple(await session.read("symbols_get"))
        old = session.broker_names[plain]
        if any(str(record["name"]) == old for record in self._offered):
            return ""
        found = self._resolved(plain)
        if found is None or found.broker in session.plain_names:
            return ""
        await session.read("symbol_select", found.broker, True)
        session.name_symbol(plain, found.broker)
        return found.broker

    async def add_quoted(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """The broker's names of those plain names that it has, put into Market Watch. Raises BrokerError, ReadFailed."""
        await self._load_offered()
        found = [item.broker for name in symbols if (item := self._resolved(name)) is not None]
        for name in found:
            await self._session.read("symbol_select", name, True)
        return tuple(found)

    async def _load_offered(self) -> None:
        if self._offered:
            return
        try:
            self._offered = tuple(await self._session.read("symbols_get"))
        except ReadFailed as error:
            raise BrokerError(f"the broker's symbols could not be read: {error}", what_to_do="try again in a minute") from error

    def _resolved(self, plain: str) -> ResolvedSymbol | None:
        return resolve(plain, self._offered, self._session.policy.symbol_suffix)

    async def _quoted(self, names: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
        """Records of all symbols once each has a price. Raises ReadFailed naming those that got none in time."""
        session = self._session
        deadline_s = session.clock.monotonic_s() + session.policy.start_timeout_s
        calls = [TerminalCall("symbol_info", (name,)) for name in names.values()]
        while True:
            replies = await session.read_many(calls)
            records: dict[str, Mapping[str, Any]] = {
                plain: reply.value for plain, reply in zip(names, replies, strict=True) if isinstance(reply.value, dict)
            }
            silent = [plain for plain in names if plain not in records or not float(records[plain]["bid"]) > 0.0]
            if not silent:
                return records
            if session.clock.monotonic_s() + _POLL_S >= deadline_s:
                raise ReadFailed(f"no price for {', '.join(silent)}")
            await session.sleep(_POLL_S)

    async def _with_sound_tick_value(self, instrument: Instrument, broker_name: str, price: float) -> Instrument:
        """The instrument as it is, or with tick values of 0 where the broker's own calculation is too far from them."""
        gap = await tick_value_gap(self._session, instrument, broker_name, price)
        if gap is None or gap <= self._session.policy.tick_value_gap_max_fraction:
            return instrument
        return structs.replace(instrument, tick_value_profit_money=0.0, tick_value_loss_money=0.0)


async def tick_value_gap(session: TerminalSession, instrument: Instrument, broker_name: str, price: float) -> float | None:
    """How far the tick value is from `order_calc_profit` over many ticks, as a fraction; None where it cannot be determined."""
    far = price + _PROBE_TICKS * instrument.tick_size
    try:
        profit = float(await session.read("order_calc_profit", mt5.ORDER_BUY, broker_name, 1.0, float(price), float(far)))
    except ReadFailed:
        return None
    told = (instrument.tick_value_profit_money + instrument.tick_value_loss_money) / 2.0
    expected = profit / _PROBE_TICKS
    return None if expected <= 0.0 else abs(told - expected) / expected
