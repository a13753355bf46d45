"""What the engine asks of a broker. One implementation knows MetaTrader 5; what serves it may be real, remote or simulated.

Promises: every method ends in a typed value within the caller's deadline; nothing raises for what a broker may do in an ordinary
bad hour. Only `connect` and `select` raise (`BrokerError`), because a start without them is no start. All times are UTC.
Symbols are the plain names of settings ("EURUSD"); what the broker calls them ("EURUSDm") stays behind this border.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from msgspec import Struct

from quarterdeck.core.model.broker_account import Account, Deal
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.effects import BrokerRequest
from quarterdeck.core.model.inputs import BrokerBook, Input, ServerClockRule
from quarterdeck.core.model.market_data import Instrument, Quote
from quarterdeck.core.model.reads import Known, Unknown
from quarterdeck.core.model.units import Money, UtcNs


class CallReply(Struct, frozen=True):
    """What a call of the terminal's module gave: plain data (dicts, tuples, arrays) and the error pair read right after it."""

    value: Any
    error_code: int
    error_text: str


class TerminalCall(Struct, frozen=True):
    """One call of the module, as data."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}


class Terminal(Protocol):
    """A `MetaTrader5` module within reach, in this process or behind a gateway. Calls are served one after the other."""

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        """Call the module's function `name`.

        Raises:
            TerminalLost: the answer did not come (connection lost, child killed at its deadline). A send is unconfirmed then.
            TerminalNotSent: the call surely never reached the module.
        """
        ...

    async def call_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        """Several reads in one journey, answered in order. Raises as `call` does, for the whole."""
        ...

    def changes(self) -> int | None:
        """A number that differs once anything in account, positions, orders or deals may have; None where nobody counts."""
        ...

    async def close(self) -> None:
        """Let go of the terminal."""
        ...


class TerminalError(Exception):
    """A call without an answer; its kind says whether it may have been carried out."""

    def __init__(self, why: str = "", *, what_to_do: str = "", lasting: bool = False) -> None:
        """`what_to_do` is for the operator, empty where only the kind of trouble is known; `lasting` trouble waits for him."""
        super().__init__(why)
        self.what_to_do = what_to_do
        self.lasting = lasting

    def one_line(self) -> str:
        """What, and what to do about it."""
        return f"{self}; {self.what_to_do}" if self.what_to_do else str(self)


class ReplyLost(TerminalError):
    """The call may or may not have been carried out."""


class CallNotSent(TerminalError):
    """The call was surely not carried out."""


class TerminalNotOwned(CallNotSent):
    """The call was surely not carried out: another engine trades this account (law 16)."""


class Connected(Struct, frozen=True, kw_only=True):
    """What a connection found."""

    account: Account
    terminal_name: str
    build: int
    bars_max: int
    warnings: tuple[str, ...] = ()
    """What does not stop the start but should be read, each with what to do."""


class Broker(Protocol):
    """The adapter's face to the engine."""

    async def connect(self) -> Connected:
        """Initialise, log in if asked to, and check that the account is the one settings allow. Raises BrokerError."""
        ...

    async def close(self) -> None:
        """Shut the connection; open positions keep their stops at the broker."""
        ...

    async def select(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """Resolve names (suffixes mapped), put them into Market Watch, wait for quotes. Raises BrokerError naming the missing."""
        ...

    async def specifications(self) -> Known[tuple[Instrument, ...]] | Unknown:
        """All selected symbols as the broker describes them now, with the margin it asks for one lot more."""
        ...

    @property
    def symbol_warnings(self) -> tuple[str, ...]:
        """What should be read about the symbols that were selected, each one line."""
        ...

    async def available_symbols(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """Those of the plain names that this broker has. Raises BrokerError."""
        ...

    async def server_clock_rule(self) -> ServerClockRule:
        """The server's clock rule, measured from ticks and recognised."""
        ...

    async def account(self) -> Known[Account] | Unknown:
        """Read the account."""
        ...

    async def quotes(self, symbols: Sequence[str]) -> Known[tuple[Quote, ...]] | Unknown:
        """The newest quote of each symbol that has one."""
        ...

    async def bars(self, symbol: str, timeframe: str, count: int) -> Known[Candles] | Unknown:
        """The last `count` closed bars, oldest first; fewer where the terminal has fewer."""
        ...

    async def book(self) -> BrokerBook:
        """Positions and pending orders, both or unknown."""
        ...

    async def new_deals(self) -> Known[tuple[Deal, ...]] | Unknown:
        """Deals not handed out before, oldest first."""
        ...

    def resume_deals(
        self,
        from_utc_ns: UtcNs,
        known_tickets: Iterable[int] = (),
        not_before_utc_ns: UtcNs = 0,
        known_money: Mapping[int, Money] = MappingProxyType({}),
    ) -> None:
        """Say before `connect` what the journal already holds: hand out deals from that instant on, without these.

        With the tickets of the hour before, late deals of that hour are found as well, none older than `not_before_utc_ns` (the
        first start of the journal on this account). With the tickets of the week before and the money of each, late deals of that
        week are found, and deals that the broker changed since.
        """
        ...

    async def deals_of(self, position_id: int) -> Known[tuple[Deal, ...]] | Unknown:
        """The whole history of one position, oldest first, handed out before or not."""
        ...

    async def execute_request(self, request: BrokerRequest) -> tuple[Input, ...]:
        """Carry out one effect; what the desk must learn, in order: the report, then new deals, then account and book."""
        ...

    def change_counter(self) -> int | None:
        """As `Terminal.changes`: while it stays the same, neither book nor deals nor account need reading. None: read them."""
        ...

    def take_events(self) -> tuple[Input, ...]:
        """What came up beside the answers, once each: account changed or back, line down or up, the server's clock moved."""
        ...
