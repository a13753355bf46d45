"""Telling people away from the screen, through apprise: filtered by level, bounded a minute, the rest folded into one line.

Promises: sending never delays the engine (its own task, a bounded box); a service that fails is counted and told in the log by
its kind and place in the list (an address is a secret), never raised; what is folded fits a short message, the worst first. The
library is imported at the first alert, for it weighs more than the engine's own start.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.settings.schema import AlertsSection

SendAlert = Callable[[str, str], Sequence[str]]
"""(title, body) -> the services that did not take it, in words."""
_LEVELS: tuple[Literal["info", "warning", "critical"], ...] = ("info", "warning", "critical")
_ALWAYS = ("summary",)
"""What has a switch of its own in the settings, whatever the least level."""
_BOX_MAX = 200
_WINDOW_S = 60.0
_BODY_LETTERS_MAX = 1_500
"""Fits a message of every chat service there is."""


class AlertSender:
    """Sends alerts to the services that settings and secrets name."""

    def __init__(
        self, urls: Sequence[str], settings: Callable[[], AlertsSection], clock: Clock, send: SendAlert | None = None
    ) -> None:
        """Nobody is told without `urls`; `send` takes the library's place in tests."""
        self.failed = 0
        self.folded = 0
        self.on_failure: Callable[[str], None] | None = None
        """Told, in words, of each message that no service took."""
        self._urls = tuple(urls)
        self._settings = settings
        self._clock = clock
        self._send = send
        self._box: deque[Alert] = deque(maxlen=_BOX_MAX)
        self._arrived = asyncio.Event()
        self._sent_s: deque[float] = deque()  # bounded: `_room` keeps a minute's allowance

    @property
    def active(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._urls) or self._send is not None

    def take(self, alert: Alert) -> None:
        """Note an alert for sending, if its level is wanted."""
        if self.active and (alert.kind in _ALWAYS or _LEVELS.index(alert.level) >= _LEVELS.index(self._settings().level_min)):
            self._box.append(alert)
            self._arrived.set()

    async def run(self) -> None:
        """Send what comes, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._box:
                await self._room()
                await self._deliver(self._batch())

    async def drain(self, limit_s: float) -> None:
        """Send what still waits, folded, within a time."""
        if self._box:
            try:
                await asyncio.wait_for(self._deliver(list(self._box)), limit_s)
            except TimeoutError:
                self._lost(f"no service took it within {limit_s:g} s")
            self._box.clear()

    def _batch(self) -> list[Alert]:
        """One alert, or all that wait when there are more than the minute still allows."""
        left = self._settings().per_minute_max - len(self._sent_s)
        if len(self._box) <= left or len(self._box) == 1:
            return [self._box.popleft()]
        batch = list(self._box)
        self._box.clear()
        self.folded += len(batch) - 1
        return batch

    async def _room(self) -> None:
        """Wait until the minute allows one more message."""
        while True:
            now = self._clock.monotonic_s()
            while self._sent_s and now - self._sent_s[0] >= _WINDOW_S:
                self._sent_s.popleft()
            if len(self._sent_s) < self._settings().per_minute_max:
                self._sent_s.append(now)
                return
            await asyncio.sleep(_WINDOW_S - (now - self._sent_s[0]))

    async def _deliver(self, batch: Sequence[Alert]) -> None:
        worst = max(batch, key=lambda alert: _LEVELS.index(alert.level))
        title = f"Quarterdeck: {worst.kind}" if len(batch) == 1 else f"Quarterdeck: {len(batch)} alerts"
        body = _body(batch)
        send = self._send
        if send is None:
            send = self._send = await asyncio.to_thread(apprise_sender, self._urls)
        refused = await asyncio.to_thread(send, title, body)
        if refused:
            self._lost(f"not taken by {', '.join(refused)}")

    def _lost(self, why: str) -> None:
        self.failed += 1
        if self.on_failure is not None:
            self.on_failure(f"an alert was not delivered: {why} ({self.failed} so far)")


def _body(batch: Sequence[Alert]) -> str:
    """One line an alert, the worst first where they do not all fit."""
    lines = [_line(alert) for alert in batch]
    if sum(len(line) + 1 for line in lines) <= _BODY_LETTERS_MAX:
        return "\n".join(lines)
    worst_first = sorted(batch, key=lambda alert: -_LEVELS.index(alert.level))
    kept, room = list[str](), _BODY_LETTERS_MAX
    for alert in worst_first:
        line = _line(alert)[:_BODY_LETTERS_MAX]
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    left = len(batch) - len(kept)
    return "\n".join([*kept, f"and {left} more, see the log"] if left else kept)


def _line(alert: Alert) -> str:
    about = f"{alert.symbol} " if alert.symbol and not alert.text.startswith(alert.symbol) else ""
    return f"[{alert.level}] {about}{alert.text}"


def apprise_sender(urls: Sequence[str]) -> SendAlert:
    """Whoever the addresses name, as one way of sending; imports the library, so not in the loop that trades."""
    import apprise

    made = [apprise.Apprise.instantiate(url) for url in urls]

    def send(title: str, body: str) -> list[str]:
        refused = []
        for number, service in enumerate(made, 1):
            place = f"{number} of {len(made)}"
            if service is None:
                refused.append(f"address {place} (it cannot be understood)")
            elif not service.notify(title=title, body=body):
                refused.append(f"{service.service_name} ({place})")
        return refused

    return send
