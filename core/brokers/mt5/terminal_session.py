"""The connection to the terminal: calls that may fail are tried, classed, and healed in one place.

Why: after a broken pipe, a restarted terminal or a replaced gateway child every call fails until `initialize`, and whoever
heals it must look first whether the same account is still there.
Promises: a read gives its value or raises `ReadFailed` (inside the adapter only); re-initialising waits [retry_min..retry_max]
between tries; after an account change nothing but the account itself is read. Does not: send orders (`order_execution`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from quarterdeck.core.brokers.base import CallNotSent, CallReply, ReplyLost, Terminal, TerminalCall
from quarterdeck.core.brokers.mt5.account_check import account_identity
from quarterdeck.core.brokers.mt5.parsing import InvalidRecord, account_of
from quarterdeck.core.brokers.mt5.policy import Mt5Policy
from quarterdeck.core.brokers.mt5.return_codes import last_error
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.mt5.symbol_names import APART, plain_name
from quarterdeck.core.brokers.mt5.trade_requests import FillingMemory
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.inputs import ConnectionState, EngineFault, Input
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.model.units import UtcNs

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
_NOTICES_MAX = 1000
_CLAIMS_MAX = 10_000


class ReadFailed(Exception):
    """A read gave nothing that may be believed. Never leaves the adapter."""

    def __init__(self, why: str, *, what_to_do: str = "") -> None:
        """`what_to_do` is for the operator, where more is known than `why`."""
        super().__init__(why)
        self.what_to_do = what_to_do


class TerminalSession:
    """One terminal, what is known of it, and the tables of names."""

    def __init__(self, terminal: Terminal, policy: Mt5Policy, clock: Clock, sleep: Sleep) -> None:
        """`clock.utc_ns()` is true UTC for a live terminal and market time for one that makes its own."""
        self.terminal = terminal
        self.policy = policy
        self.clock = clock
        self.sleep = sleep
        self.server = ServerClock("new_york_plus_7")
        self.filling = FillingMemory()
        self.instruments: dict[str, Instrument] = {}
        self.misnamed: dict[str, str] = {}
        """What is to be said of symbols whose record names other currencies than their name."""
        self.broker_names: dict[str, str] = {}
        self.plain_names: dict[str, str] = {}
        self.others: dict[str, Instrument] = {}
        """Specifications of symbols that are not traded and in which positions are open, by the broker's name."""
        self.claimed: dict[int, str] = {}
        """Order tickets of which we know whose they are, by client id; bounded."""
        self.newest_tick_ms = 0
        """Server epoch of the newest tick of any symbol."""
        self._opening = asyncio.Lock()
        self._identity: tuple[int, str, str] | None = None
        self._up = False
        self._ever_up = False
        self._changed = False
        self._down_since: UtcNs = 0
        self._next_try_s = 0.0
        self._wait_s = policy.retry_min_s
        self._notices: list[Input] = []

    @property
    def account_changed(self) -> bool:
        """Whether the terminal serves another account than the one this session began with."""
        return self._changed

    @property
    def server_name(self) -> str:
        """The trade server of the account that this session began with; empty before it was read."""
        return "" if self._identity is None else self._identity[1]

    def plain(self, broker_name: str) -> str:
        """The plain name of a broker's symbol; its own where it is none of ours (see `plain_name`)."""
        return plain_name(broker_name, self.plain_names, self.broker_names)

    def broker_name(self, symbol: str) -> str:
        """What the broker calls a symbol that is known here by that name."""
        return self.broker_names.get(symbol, symbol.removeprefix(APART))

    def name_symbol(self, plain: str, broker_name: str) -> None:
        """From here on `plain` is what the broker calls `broker_name`."""
        self.plain_names.pop(self.broker_names.get(plain, ""), None)
        self.broker_names[plain] = broker_name
        self.plain_names[broker_name] = plain

    def server_now_s(self) -> int:
        """The server's clock now, never behind the newest tick seen."""
        return max(self.server.server_s(self.clock.utc_ns()), self.newest_tick_ms // 1000)

    def saw_tick(self, time_msc: int) -> None:
        """A tick was read; it moves the server's clock forward."""
        self.newest_tick_ms = max(self.newest_tick_ms, time_msc)

    def claim(self, order_ticket: int, client_id: str) -> None:
        """An order's number is known: no other intent may be taken for it."""
        if order_ticket:
            self.claimed[order_ticket] = client_id
            if len(self.claimed) > _CLAIMS_MAX:
                del self.claimed[next(iter(self.claimed))]

    def notice(self, item: Input) -> None:
        """Keep something for the engine to fetch; bounded."""
        if len(self._notices) < _NOTICES_MAX:
            self._notices.append(item)

    def take_notices(self) -> tuple[Input, ...]:
        """What came up since the last time."""
        if not self._notices:
            return ()
        taken = tuple(self._notices)
        self._notices.clear()
        return taken

    def unknown(self, why: object) -> Unknown:
        """The typed "not known", since the line went down or since now."""
        return Unknown(self._down_since or self.clock.utc_ns(), str(why))

    # ------------------------------------------------------------------------------------------------------ the line
    async def open(self) -> Account:
        """Initialise and read the account; the first one found is the one this session is about.

        Raises:
            ReadFailed: the terminal would not. BrokerError: it never will (login or token refused, versions).
        """
        try:
            # first a short question: a process that stands still is then replaced at a read's deadline, not at that of a start
            await self.terminal.call("version")
            reply = await self.terminal.call("initialize", **self._initialize_arguments())
        except (ReplyLost, CallNotSent) as error:
            if error.lasting:
                raise BrokerError(str(error), what_to_do=error.what_to_do) from error
            self.mark_down(str(error))
            raise ReadFailed(f"no connection to the terminal: {error}", what_to_do=error.what_to_do) from error
        if reply.value is not True:
            trouble = last_error(reply.error_code)
            words = f"{trouble.number} {trouble.meaning} ({reply.error_text})"
            if (trouble.on_start or trouble.on_read) in ("stop", "internal_error"):
                raise BrokerError(f"the terminal refuses: {words}", what_to_do=trouble.what_to_do)
            self.mark_down(words)
            raise ReadFailed(words, what_to_do=trouble.what_to_do)
        account = await self._first_account()
        self._up = True
        if self._ever_up:
            self.notice(ConnectionState(is_connected=True, why="the terminal answers again"))
        self._ever_up = True
        self._down_since, self._wait_s = 0, self.policy.retry_min_s
        return account

    async def _first_account(self) -> Account:
        """The account on a line that was opened this moment; nothing is healed on the way."""
        reply = await self._carried(lambda: self.terminal.call("account_info"), "account_info")
        if reply.value is None:
            why = f"account_info: {reply.error_code} {reply.error_text}"
            self.mark_down(why)
            raise ReadFailed(why)
        return self.account_from(reply.value)

    def mark_down(self, why: str) -> None:
        """The line broke; it is opened again by the next read, not sooner than the back-off allows."""
        if self._up or not self._down_since:
            self._down_since = self.clock.utc_ns()
            if self._ever_up:
                self.notice(ConnectionState(is_connected=False, why=why))
        if self._up:
            self._wait_s = self.policy.retry_min_s
            self._next_try_s = self.clock.monotonic_s()
        else:
            self._next_try_s = self.clock.monotonic_s() + self._wait_s
            self._wait_s = min(self._wait_s * 2.0, self.policy.retry_max_s)
        self._up = False

    async def ensure_up(self) -> None:
        """Open the line again if it is down and its time has come. Raises ReadFailed."""
        if self._up:
            return
        async with self._opening:
            await self._open_once()

    async def _open_once(self) -> None:
        if self._up:
            return
        if self._ever_up and self.clock.monotonic_s() < self._next_try_s:
            raise ReadFailed("the connection to the terminal is down")
        try:
            await self.open()
        except BrokerError as error:
            self.mark_down(str(error))
            raise ReadFailed(error.one_line()) from error

    # ------------------------------------------------------------------------------------------------------ reads
    async def read(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """One read; the line is healed once on the way. Raises ReadFailed for `None` and for a line that stays down."""
        await self.ensure_up()
        reply = await self._carried(lambda: self.terminal.call(name, *args, **kwargs), name)
        if reply.value is not None and reply.value is not False:
            return reply.value
        if self._lost_line(reply):
            await self.ensure_up()
            reply = await self._carried(lambda: self.terminal.call(name, *args, **kwargs), name)
            if reply.value is not None and reply.value is not False:
                return reply.value
            self._lost_line(reply)
        raise ReadFailed(f"{name}: {reply.error_code} {last_error(reply.error_code).meaning} ({reply.error_text})")

    async def read_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        """Several reads in one journey; single ones may have failed. Raises ReadFailed when the connection is down."""
        await self.ensure_up()
        replies = await self._carried(lambda: self.terminal.call_many(calls), "reads")
        broken = next((reply for reply in replies if reply.value is None and self._lost_line(reply)), None)
        if broken is None:
            return replies
        await self.ensure_up()
        replies = await self._carried(lambda: self.terminal.call_many(calls), "reads")
        broken = next((reply for reply in replies if reply.value is None and self._lost_line(reply)), None)
        if broken is not None:
            raise ReadFailed(f"{broken.error_code} {broken.error_text}")
        return replies

    async def read_account(self) -> Account:
        """The account; notices when it is another one than before, and when the first is back. Raises ReadFailed."""
        return self.account_from(await self.read("account_info"))

    def account_from(self, record: Mapping[str, Any]) -> Account:
        """As `read_account`, of a record that was read already."""
        try:
            account = account_of(record, self.policy.mode)
        except InvalidRecord as error:
            raise ReadFailed(f"account_info: {error}") from error
        found = account_identity(account)
        if self._identity is None:
            self._identity = found
        changed = found != self._identity
        if changed != self._changed:
            self._changed = changed
            login, server, mode = self._identity
            why = f"The terminal changed account: from {login} at {server} ({mode}) to {found[0]} at {found[1]} ({found[2]})"
            self.notice(
                EngineFault(
                    kind="account_changed",
                    active=changed,
                    why=why if changed else "The terminal is logged in to the first account again",
                )
            )
        return account

    def refuse_foreign_account(self) -> None:
        """Raises ReadFailed while another account is logged in: its lists are not ours to read."""
        if self._changed:
            raise ReadFailed("another account is logged in")

    async def _carried(self, journey: Callable[[], Awaitable[T]], what: str) -> T:
        try:
            return await journey()
        except (ReplyLost, CallNotSent) as error:
            self.mark_down(f"{what}: {error}")
            raise ReadFailed(f"{what}: {error}") from error

    def _lost_line(self, reply: CallReply) -> bool:
        if last_error(reply.error_code).on_read != "connect":
            return False
        self.mark_down(f"{reply.error_code} {reply.error_text}")
        return True

    def _initialize_arguments(self) -> dict[str, Any]:
        policy = self.policy
        arguments: dict[str, Any] = {"timeout": round(policy.start_timeout_s * 1000.0)}
        if policy.terminal_path:
            arguments["path"] = policy.terminal_path
        if policy.password is not None and policy.login:
            arguments |= {"login": policy.login, "password": policy.password.reveal, "server": policy.server}
        return arguments
