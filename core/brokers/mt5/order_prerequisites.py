"""What an order needs to know of the broker right before it is sent: its symbol, a fresh price, the position it changes."""

from __future__ import annotations

from typing import Any

from quarterdeck.core.brokers.mt5.parsing import InvalidRecord, instrument_of, position_of, quote_of
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, TerminalSession
from quarterdeck.core.model.broker_account import BrokerPosition
from quarterdeck.core.model.market_data import Instrument, Quote


def named(session: TerminalSession, symbol: str) -> tuple[Instrument, str]:
    """A selected symbol and its name at the broker. Raises ReadFailed."""
    instrument = session.instruments.get(symbol)
    if instrument is None:
        raise ReadFailed(f"{symbol} was not selected")
    return instrument, session.broker_names[symbol]


async def instrument_at(session: TerminalSession, broker_symbol: str) -> Instrument:
    """The specification of the broker's symbol that a position is open in, which need not be one that is traded."""
    symbol = session.plain(broker_symbol)
    known = session.instruments.get(symbol) if broker_symbol in session.plain_names else session.others.get(broker_symbol)
    if known is not None:
        return known
    await session.read("symbol_select", broker_symbol, True)
    record = await session.read("symbol_info", broker_symbol)
    try:
        found = instrument_of(record, symbol, session.policy.pips)
    except InvalidRecord as error:
        raise ReadFailed(str(error)) from error
    session.others[broker_symbol] = found
    return found


async def fresh_quote(session: TerminalSession, instrument: Instrument) -> Quote:
    """The price of a symbol now. Raises ReadFailed."""
    symbol = instrument.symbol
    record = await session.read("symbol_info_tick", session.broker_name(symbol))
    try:
        quote = quote_of(record, symbol, instrument.digits, session.server)
    except InvalidRecord as error:
        raise ReadFailed(str(error)) from error
    if quote is None:
        raise ReadFailed(f"{symbol} has no price")
    session.saw_tick(int(record["time_msc"]))
    return quote


async def position_at(
    session: TerminalSession, ticket: int, position_id: int, broker_symbol: str
) -> tuple[str, BrokerPosition] | None:
    """The broker's symbol and the position by its ticket, or by its lasting id where the server gave it another ticket.

    None when it is gone. The broker may have renamed its symbol: the position's own record says how it is called.
    """
    by_ticket = await positions_at(session, ticket=int(ticket))
    if by_ticket:
        return by_ticket[0]
    others = await positions_at(session, symbol=broker_symbol)
    return next((item for item in others if position_id and item[1].position_id == position_id), None)


async def positions_at(session: TerminalSession, **which: Any) -> tuple[tuple[str, BrokerPosition], ...]:
    """Open positions that a filter of `positions_get` leaves, each with its symbol at the broker. Raises ReadFailed."""
    records = await session.read("positions_get", **which)
    named = [(str(record["symbol"]), record) for record in records]
    return tuple((name, position_of(record, session.plain(name), session.server)) for name, record in named)
