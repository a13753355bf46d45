"""The phone's side of the desk: polls Telegram, obeys the allowed, answers. A client of the link, as any screen is.

Why a process of its own: a network that hangs, or a crash here, costs the engine nothing.
Promises: an order reaches the engine at most once, over a line that the engine has just answered, and never when its message is
older than 30 s by then; it carries who gave it; what became of an order that got no answer is said to be unknown, and the
order is never sent again. Does not: keep a line to the engine open, or start one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from quarterdeck.core.bot.bot_api import BotApi, BotApiError, ChatMessage
from quarterdeck.core.bot.confirmation import CONFIRMED, Confirmations, PhoneRequest, refusal_of, request_of
from quarterdeck.core.bot.outbox import Outbox
from quarterdeck.core.bot.phone_chart import equity_png
from quarterdeck.core.bot.phone_text import (
    HELP,
    flatten_text,
    positions_of,
    positions_text,
    preview_text,
    report_text,
    status_text,
    why_text,
)
from quarterdeck.core.bot.update_gate import HandledMessages, UpdateGate, staleness
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.journal.heartbeat import last_word, read_heartbeat
from quarterdeck.core.link.engine_watch import flatten_and_watch, fresh_snapshot
from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.link.messages import EquityQuery, EquityReply, VerdictsQuery, VerdictsReply
from quarterdeck.core.link.trade_queries import AccountReport, AccountReportQuery, filter_of
from quarterdeck.core.model.commands import CloseGroup, ClosePosition, Command, Pause, Resume
from quarterdeck.core.model.errors import EngineNotRunningError, QuarterdeckError, SettingsError
from quarterdeck.core.model.plain_text import plain_text
from quarterdeck.core.model.snapshot import PositionView, Snapshot
from quarterdeck.core.model.units import DAY_NS
from quarterdeck.core.settings.home import Home

POLL_S = 25
_RETRY_S = (1.0, 30.0)
_ORDER_S = 30.0
_FLATTEN_S = 180.0
_EQUITY_POINTS = 2_000
_NAME_LETTERS_MAX = 40
_FLATTENS_MAX = 4
HANDLED_NAME = "bot-handled.json"


class BotOptions(Struct, frozen=True, kw_only=True):
    """Whose orders are obeyed, and how many."""

    allowed: frozenset[int]
    commands_per_minute_max: int


class PhoneBot:
    """See the module."""

    def __init__(self, home: Home, api: BotApi, options: BotOptions, clock: Clock, say: Callable[[str], None]) -> None:
        """Nothing is opened before `run`. `say` writes a line of the log."""
        self._home = home
        self._api = api
        self._clock = clock
        self._say = say
        self._handled = HandledMessages(home.root / HANDLED_NAME, options.allowed)
        self._gate = UpdateGate(options.allowed, self._handled, per_minute_max=options.commands_per_minute_max)
        self._confirmations = Confirmations()
        self._name = ""
        self._offset: int | None = None
        self._flattens: set[asyncio.Task[None]] = set()
        self.outbox = Outbox(api, clock, say)

    async def run(self) -> None:
        """Poll and obey for ever. Raises SettingsError when Telegram does not know the token."""
        sending = asyncio.create_task(self.outbox.run(), name="phone answers")
        pause_s, down = _RETRY_S[0], False
        try:
            while True:
                try:
                    self._name = self._name or await self._api.name()
                    fresh = await self.poll(POLL_S)
                except BotApiError as error:
                    _stop_for(error)
                    if not down:
                        self._say(f"Telegram is not reached: {error}. The desk goes on; the bot tries again.")
                    down = True
                    await asyncio.sleep(max(error.retry_after_s, pause_s))
                    pause_s = min(pause_s * 2, _RETRY_S[1])
                    continue
                if down:
                    self._say("Telegram is reached again")
                pause_s, down = _RETRY_S[0], False
                if not fresh:
                    await asyncio.sleep(_RETRY_S[0])
        finally:
            for task in (sending, *self._flattens):
                task.cancel()
            await asyncio.gather(sending, *self._flattens, return_exceptions=True)

    async def poll(self, wait_s: int) -> bool:
        """Wait for messages once and obey them; False where all that came was known already. Raises BotApiError.

        An offset is given once, to confirm the batch before: Telegram may number anew from below, and what is confirmed
        does not come again.
        """
        batch = await self._api.updates(self._offset, wait_s)
        self._offset = None if batch.last_update_id is None else batch.last_update_id + 1
        obeyed = False
        answers: dict[tuple[int, str], None] = {}
        for message in batch.messages:
            found = self._gate.admit(message, self._clock.utc_ns(), self._clock.monotonic_s())
            if found.line:
                self._say(found.line)
            if found.answer:
                answers[message.chat_id, found.answer] = None  # many of one kind, after an outage, get one answer
            if found.obeyed:
                obeyed = True
                await self._obey(message)
        for chat_id, text in answers:
            self.outbox.put(chat_id, text)
        return obeyed or not batch.count

    async def finish_flattens(self) -> None:
        """Wait for the flattens under way."""
        while self._flattens:
            await asyncio.wait(tuple(self._flattens))

    async def _obey(self, message: ChatMessage) -> None:
        try:
            await self._answer(message)
        except EngineNotRunningError as error:
            word = last_word(read_heartbeat(self._home.heartbeat), self._clock.utc_ns())
            self._reply(message, f"{error}{f'; {word}' if word else ''}")
        except QuarterdeckError as error:
            self._reply(message, error.one_line())

    async def _answer(self, message: ChatMessage) -> None:
        request, pending = request_of(message.text, self._name), self._confirmations.take(message)
        if pending is not None and request is None:
            refusal = refusal_of(pending, message, self._clock.utc_ns(), self._clock.monotonic_s())
            if refusal:
                self._reply(message, refusal)
            else:
                await self._carry_out(message, pending.request, pending.position_ids)
            return
        if pending is not None:
            self._reply(message, "The order that waited for its word is cancelled. Nothing was done.")
        if request is None:
            self._reply(message, f"Not understood. Nothing was done.\n{HELP}")
        elif request.action == "help":
            self._reply(message, HELP)
        elif request.action == "pause":
            await self._order(message, Pause())
        elif request.action in CONFIRMED:
            await self._preview(message, request)
        elif request.action == "cancel":
            if pending is None:
                self._reply(message, "No order waits for its word.")
        else:
            await self._tell(message, request)

    async def _tell(self, message: ChatMessage, request: PhoneRequest) -> None:
        async with self._line(message) as client:
            if request.action == "why":
                rows = await client.ask(VerdictsQuery(symbol=request.symbol, count=50))
                text = why_text(rows.rows, request.symbol) if isinstance(rows, VerdictsReply) else "The engine cannot say why."
                self._reply(message, text)
                return
            snapshot = await fresh_snapshot(client)
            if request.action == "report":
                await self._report(message, client, snapshot)
                return
            self._reply(message, status_text(snapshot) if request.action == "status" else positions_text(snapshot.desk))

    async def _report(self, message: ChatMessage, client: SocketClient, snapshot: Snapshot) -> None:
        now_ns = snapshot.desk.at_utc_ns
        report = await client.ask(AccountReportQuery(only=filter_of("today", now_ns)))
        if not isinstance(report, AccountReport):
            self._reply(message, "The engine cannot give the report.")
            return
        equity = await client.ask(EquityQuery(count=_EQUITY_POINTS))
        points: list[tuple[int, float]] = []
        if isinstance(equity, EquityReply):
            every = zip(equity.at_utc_ns, equity.equity_money, strict=True)
            points = [(at, money) for at, money in every if at >= now_ns // DAY_NS * DAY_NS]
        png = equity_png(points)
        text = report_text(snapshot.desk, report)
        if png is not None:
            money = [value for _, value in points]
            text += f"\nequity today: first {money[0]:,.2f}, low {min(money):,.2f}, high {max(money):,.2f}, last {money[-1]:,.2f}"
        self.outbox.put(message.chat_id, text, png or b"")

    async def _preview(self, message: ChatMessage, request: PhoneRequest) -> None:
        async with self._line(message) as client:
            desk = (await fresh_snapshot(client)).desk
        positions = positions_of(desk, request)
        if request.action in ("close", "losers", "winners") and not positions:
            self._reply(message, "No open position of the desk matches. Nothing was done.")
            return
        ids = tuple(position.position_id for position in positions)
        word = self._confirmations.ask(message, request, ids, self._clock.utc_ns(), self._clock.monotonic_s())
        self._reply(message, preview_text(desk, request, positions, word))

    async def _carry_out(self, message: ChatMessage, request: PhoneRequest, shown: tuple[int, ...]) -> None:
        if request.action == "flatten":
            self._start_flatten(message)
        elif request.action == "resume":
            await self._order(message, Resume())
        elif request.action == "close":
            await self._order(message, ClosePosition(position_id=shown[0]))
        else:
            await self._close_group(message, request, shown)

    async def _close_group(self, message: ChatMessage, request: PhoneRequest, shown: tuple[int, ...]) -> None:
        async with self._line(message) as client:
            desk = (await fresh_snapshot(client)).desk
        positions: tuple[PositionView, ...] = positions_of(desk, request)
        if {position.position_id for position in positions} != set(shown):
            self._reply(message, "Nothing was done: other positions match now than the preview showed. A new preview follows.")
            await self._preview(message, request)
            return
        await self._order(message, CloseGroup(which="losers" if request.action == "losers" else "winners"))

    async def _order(self, message: ChatMessage, command: Command) -> None:
        """Give one order, once, and answer with what became of it."""
        async with self._line(message, watch=False) as client:
            if not self._still_wanted(message):
                return
            try:
                result = await client.send(command, timeout_s=_ORDER_S)
            except EngineNotRunningError as error:
                self._reply(
                    message,
                    f"It is UNKNOWN whether the order was carried out ({error}). It is not sent again: ask for the status.",
                )
                return
        self._say(f"{type(command).__name__} of {origin_of(message)}: {result.text}")
        self._reply(message, result.text if result.ok else f"REFUSED: {result.text}")

    def _start_flatten(self, message: ChatMessage) -> None:
        """Flatten beside the loop, so that other chats are heard while positions close."""
        if len(self._flattens) >= _FLATTENS_MAX:
            self._reply(message, "A flatten is under way already.")
            return
        task = asyncio.create_task(self._flatten(message), name="phone flatten")
        self._flattens.add(task)
        task.add_done_callback(self._flattens.discard)

    async def _flatten(self, message: ChatMessage) -> None:
        try:
            async with self._line(message) as client:
                if not self._still_wanted(message):
                    return
                self._say(f"Flatten of {origin_of(message)}")
                self._reply(message, "Flatten ordered: positions close now.")
                end = await flatten_and_watch(client, "ours", _FLATTEN_S, lambda _: None)
            self._reply(message, flatten_text(end))
        except QuarterdeckError as error:
            self._reply(message, f"The end of the flatten is UNKNOWN: {error.one_line()}. Ask for the status.")

    def _still_wanted(self, message: ChatMessage) -> bool:
        """Whether the message is fresh at the last moment, and recorded as handled, so that a restart does not obey it again."""
        if too_old := staleness(message, self._clock.utc_ns()):
            self._reply(message, too_old)
            return False
        try:
            self._handled.save()
        except OSError as error:
            self._reply(message, f"Not carried out: {HANDLED_NAME} cannot be written ({error.strerror}). Use a screen.")
            return False
        return True

    @asynccontextmanager
    async def _line(self, message: ChatMessage, *, watch: bool = True) -> AsyncIterator[SocketClient]:
        """A line that the engine has just answered. Raises EngineNotRunningError."""
        client = SocketClient(self._home.root, client=origin_of(message), watch=watch, brief=True)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    def _reply(self, message: ChatMessage, text: str) -> None:
        self.outbox.put(message.chat_id, text)


def origin_of(message: ChatMessage) -> str:
    """Who gives an order, as the journal records it."""
    name = plain_text(" ".join(message.sender_name.split()))[:_NAME_LETTERS_MAX]
    chat = "" if message.chat_id == message.sender_id else f" in chat {message.chat_id}"
    return f"telegram {message.sender_id}{f' ({name})' if name else ''}{chat}"


def _stop_for(error: BotApiError) -> None:
    if error.status in (401, 404):
        raise SettingsError(
            f"Telegram does not accept the bot's token ({error})", what_to_do="copy the token from BotFather into secrets.toml"
        ) from None
