"""A server that speaks the Bot API, a desk behind a real link, and a clock that a test turns."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.core.bot.bot_api import BotApi
from quarterdeck.core.bot.phone_bot import BotOptions, PhoneBot
from quarterdeck.core.link.link_server import LinkServer
from quarterdeck.core.link.messages import (
    LINK_VERSION,
    CommandResult,
    EquityQuery,
    EquityReply,
    LinkWelcome,
    QueryBody,
    QueryFailed,
    ReplayControl,
    ReplyBody,
    VerdictRow,
    VerdictsQuery,
    VerdictsReply,
)
from quarterdeck.core.link.trade_queries import AccountReport, AccountReportQuery
from quarterdeck.core.model.commands import Command, Flatten
from quarterdeck.core.model.effects import Verdict
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.snapshot import FlattenView, PositionView, Snapshot
from quarterdeck.core.settings.home import Home
from tests.cli.fake_engine import NS, snapshot
from tests.core.journal.tapes import example

TOKEN = "123456:test-token"
OWNER = 7
START_S = 1_780_000_000


class TestClock:
    """Wall and monotonic time, turned by the test."""

    __test__ = False

    def __init__(self) -> None:
        self.now_s = float(START_S)

    def utc_ns(self) -> int:
        return round(self.now_s * NS)

    def monotonic_s(self) -> float:
        return self.now_s


class TelegramServer:
    """Delivers updates until they are confirmed, as the Bot API does; `fault` spoils the answer of a request."""

    def __init__(self) -> None:
        self.updates: list[Any] = []
        self.sent: list[dict[str, Any]] = []
        """Texts and captions that the bot sent, with `chat_id`; `photo` holds a picture."""
        self.polls: list[dict[str, Any]] = []
        self.fault: Callable[[str], str] = lambda _method: ""
        """`lost` answers nothing, `lost after` does the work first; a number is an HTTP status."""
        self.delivered: set[int] = set()
        self.base_url = ""
        self.arrived = threading.Event()

    def poll(self, asked: dict[str, Any]) -> list[Any]:
        self.polls.append(asked)
        offset = asked.get("offset")
        if offset is not None:
            confirmed = {number for number in self.delivered if number < offset}
            self.updates = [one for one in self.updates if not (isinstance(one, dict) and one.get("update_id") in confirmed)]
            self.delivered -= confirmed
        batch = self.updates[: asked["limit"]]
        self.delivered |= {one["update_id"] for one in batch if isinstance(one, dict) and isinstance(one.get("update_id"), int)}
        return batch

    def texts(self) -> list[str]:
        return [str(one.get("text") or one.get("caption")) for one in self.sent]


@contextmanager
def telegram() -> Iterator[TelegramServer]:
    """A running stand-in on a free port of this machine."""
    api = TelegramServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            root, token, method = self.path.split("/")
            assert (root, token) == ("", f"bot{TOKEN}")
            fault = api.fault(method)
            if fault == "lost":
                self.close_connection = True
                return
            status, answer = self.answer(method, body) if not fault.isdigit() else (int(fault), None)
            if fault == "lost after":
                self.close_connection = True
                return
            found = (
                {"ok": True, "result": answer}
                if status == 200
                else {"ok": False, "description": "no", "parameters": {"retry_after": 3}}
            )
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def answer(self, method: str, body: bytes) -> tuple[int, Any]:
            if method == "getMe":
                return 200, {"username": "desk_bot"}
            if method == "getUpdates":
                asked = json.loads(body)
                found = api.poll(asked)
                if not found and asked["timeout"]:
                    api.arrived.clear()
                    api.arrived.wait(0.05)
                return 200, found
            if method == "sendPhoto":
                caption = body.split(b'name="caption"\r\n\r\n')[1].split(b"\r\n--")[0].decode()
                chat = int(body.split(b'name="chat_id"\r\n\r\n')[1].split(b"\r\n")[0])
                photo = body.split(b"image/png\r\n\r\n")[1].rsplit(b"\r\n--", 1)[0]
                api.sent.append({"chat_id": chat, "caption": caption, "photo": photo})
            else:
                api.sent.append(json.loads(body))
            return 200, {}

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


def message(
    number: int, text: str, sent_s: float, *, chat: int = OWNER, sender: int = OWNER, name: str = "", **more: Any
) -> dict[str, Any]:
    """A message of a person as Telegram writes it."""
    who = {"id": sender, "is_bot": False, "first_name": "Ann", "username": name or "ann"}
    return {"message_id": number, "date": int(sent_s), "chat": {"id": chat, "type": "private"}, "from": who, "text": text, **more}


def position(number: int, profit_money: float, *, ours: bool = True) -> PositionView:
    found: PositionView = example(PositionView)
    changes = {
        "position_id": number,
        "ticket": number,
        "symbol": "EURUSD",
        "side": Side.BUY,
        "ours": ours,
        "profit_money": profit_money,
    }
    return msgspec.structs.replace(found, **changes)


class PhoneDesk:
    """An engine that obeys, remembers who ordered what, and shows `positions`."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, Command]] = []
        self.positions: tuple[PositionView, ...] = ()
        self.reply = (True, "done")
        self.flatten: FlattenView | None = None
        self.equity: tuple[tuple[int, float], ...] = ()
        self.server: LinkServer | None = None

    def snapshot(self) -> Snapshot:
        found = snapshot(flatten=self.flatten)
        return msgspec.structs.replace(found, desk=msgspec.structs.replace(found.desk, positions=self.positions))

    def publish(self) -> None:
        assert self.server is not None
        self.server.publish(self.snapshot())

    def welcome(self) -> LinkWelcome:
        return LinkWelcome(version=LINK_VERSION, run_id="r1", pid=42, mode="replay")

    async def command(self, command: Command, origin: str, command_id: str) -> CommandResult:
        self.orders.append((origin, command))
        if isinstance(command, Flatten):
            self.positions = tuple(one for one in self.positions if not one.ours)
            self.flatten = FlattenView(
                scope="ours", since_utc_ns=len(self.orders), done=True, text="flat, verified", left_open=()
            )
            self.publish()
        return CommandResult(command_id=command_id, ok=self.reply[0], text=self.reply[1])

    async def answer(self, question: QueryBody) -> ReplyBody:
        if isinstance(question, AccountReportQuery):
            report: AccountReport = example(AccountReport)
            return msgspec.structs.replace(report, trades=4, won=3, net_money=12.5, refusals=(("spread", 2),))
        if isinstance(question, EquityQuery):
            return EquityReply(
                at_utc_ns=tuple(at for at, _ in self.equity), equity_money=tuple(money for _, money in self.equity)
            )
        if isinstance(question, VerdictsQuery):
            checks = (Check("spread", 3.0, 1.5, False),)
            found = Verdict(
                symbol=question.symbol or "EURUSD",
                bar_open_utc_ns=NS,
                strategy="trend",
                outcome="refused",
                reason="spread",
                checks=checks,
            )
            return VerdictsReply(rows=(VerdictRow(at_utc_ns=1, verdict=found),), counts={"spread": 1})
        return QueryFailed(why="not here")

    def replay_control(self, control: ReplayControl) -> None:
        del control

    async def listen(self, home: Path) -> None:
        self.server = LinkServer(home, self, on_watcher=self.publish)
        await self.server.start()


class Phone:
    """One person's phone, the bot and the desk: `say` delivers a message and gives the answers."""

    def __init__(
        self, home: Path, api: TelegramServer, *, allowed: frozenset[int] = frozenset({OWNER}), per_minute: int = 1_000
    ) -> None:
        self.api = api
        self.clock = TestClock()
        self.desk = PhoneDesk()
        self.log: list[str] = []
        self._home = home
        self._options = BotOptions(allowed=allowed, commands_per_minute_max=per_minute)
        self._numbers = iter(range(1, 1_000_000))
        self.restart()

    def restart(self) -> None:
        """A new process of the bot: all that it knew is in the home."""
        self.bot = PhoneBot(Home(self._home), BotApi(self.api.base_url, TOKEN), self._options, self.clock, self.log.append)

    def put(self, *messages: dict[str, Any]) -> None:
        self.api.updates += [{"update_id": next(self._numbers), "message": one} for one in messages]

    async def settle(self) -> list[str]:
        """Deliver what waits; the new answers."""
        before = len(self.api.sent)
        await self.bot.poll(0)
        await self.bot.finish_flattens()
        await self.bot.outbox.send_waiting()
        return self.api.texts()[before:]

    async def say(self, text: str, **options: Any) -> str:
        number = next(self._numbers)
        self.put(message(number, text, self.clock.now_s, **options))
        return "\n".join(await self.settle())


def word_in(text: str) -> str:
    """The word that a preview asks for."""
    return text.split("Reply with the word ")[1].split(maxsplit=1)[0]
