"""What the screen knows: the newest snapshot, the log, the line's state, and what was ordered from here.

Promises: everything is bounded; nothing is drawn here. Time is counted in ticks of the screen's own timer, so the screen reads no
clock. Does not: decide anything about trading.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from quarterdeck.core.link.messages import CommandResult, LinkBye, LinkEvent, LinkState
from quarterdeck.core.model.snapshot import LogLine, Snapshot

LOG_LINES_MAX: Final = 2_000
ORDERS_MAX: Final = 200
SILENT_WARN_S: Final = 5
"""A line that is up and says nothing for so long is shown as silent."""


class ViewModel(NamedTuple):
    """What the views are given of the whole: one moment of the memory."""

    snapshot: Snapshot | None
    link: LinkState
    silent_s: int = 0
    frozen: bool = False
    flash: str = ""

    @property
    def stale(self) -> bool:
        """Whether the figures on the screen are not today's word."""
        return not self.link.up or self.silent_s >= SILENT_WARN_S

    @property
    def finished(self) -> bool:
        """Whether a replay is over: its last figures are its result, and nothing is lost."""
        return self.link.ended and self.snapshot is not None and self.snapshot.engine.replay_fraction is not None


class SentCommand(NamedTuple):
    """A command from this screen and what became of it; `ok` is None while nothing is known."""

    number: int
    text: str
    ok: bool | None
    answer: str


class ScreenState:
    """The screen's state of knowledge; the app writes it, views read `sight`."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.snapshot: Snapshot | None = None
        self.link = LinkState(up=False, why="connecting")
        self.silent_s = 0
        self.frozen = False
        self.flash = ""
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES_MAX)
        self.log_seen = 0
        """Lines ever received: tells how many are new since a reader stopped following."""
        self.orders: deque[SentCommand] = deque(maxlen=ORDERS_MAX)
        self._orders_given = 0
        self._flash_left_s = 0

    @property
    def sight(self) -> ViewModel:
        """The moment as views see it."""
        return ViewModel(self.snapshot, self.link, self.silent_s, self.frozen, self.flash)

    def take(self, event: LinkEvent) -> None:
        """Learn from an event of the link."""
        match event:
            case Snapshot():
                self.snapshot = event
                self.silent_s = 0
            case LogLine():
                self.log.append(event)
                self.log_seen += 1
            case LinkState():
                self.link = event
                self.silent_s = 0 if event.up else self.silent_s
            case LinkBye():
                self.link = LinkState(up=False, why=f"engine ended: {event.why}", mode=self.link.mode, ended=True)

    def fill_log(self, lines: tuple[LogLine, ...]) -> None:
        """Put older lines, fetched when the screen attached, before those that came since."""
        have = set(self.log)
        older = [line for line in lines if line not in have]
        merged = [*older, *self.log][-LOG_LINES_MAX:]
        self.log = deque(merged, maxlen=LOG_LINES_MAX)
        self.log_seen += len(older)

    def tick(self) -> None:
        """A second of the screen's timer went by."""
        self.silent_s += 1
        if self._flash_left_s > 0:
            self._flash_left_s -= 1
            if self._flash_left_s == 0:
                self.flash = ""

    def say(self, text: str, seconds: int = 6) -> None:
        """Show a word about what was just done, for a few seconds."""
        self.flash = text
        self._flash_left_s = seconds

    def order_given(self, text: str) -> int:
        """Note a command on its way; returns its number."""
        self._orders_given += 1
        self.orders.appendleft(SentCommand(self._orders_given, text, None, "sent"))
        return self._orders_given

    def order_answered(self, number: int, result: CommandResult | None, why: str = "") -> None:
        """Note what became of command `number`; None means that nobody knows."""
        ok, answer = (result.ok, result.text) if result is not None else (False, why)
        for index, order in enumerate(self.orders):
            if order.number == number:
                self.orders[index] = order._replace(ok=ok, answer=answer)
                return
