"""Telling people away from the screen, through apprise: each address has a box of its own, and what is in it is not lost.

Promises: sending never delays the engine (tasks of their own, bounded boxes); an alert leaves its box once its service took it,
is tried again with back-off until then, and waits through a restart in the home; a service that fails is counted and reported
in the log by its kind and place in the list (an address is a secret), never raised, and holds up no other; what is folded fits
a short message, the worst first. The library is imported at the first alert, for it weighs more than the engine's own start.
Does not: decide what deserves an alert; or keep an alert that costs money for the end of the quiet hours.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.wall import Clock, iso
from quarterdeck.core.engine.alert_rules import LEVELS, is_quiet, places_for
from quarterdeck.core.journal.heartbeat import write_whole
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.errors import UNREADABLE
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from quarterdeck.core.pipes.blocking_calls import BlockingCalls
from quarterdeck.core.settings.safe_files import read_small
from quarterdeck.core.settings.schema import AlertsSection

Severity = Literal["info", "warning", "critical", "resolved"]
SendAlert = Callable[[str, str, Severity], str]
"""(title, body, the worst that is not over in it) -> who did not take it, in words; empty where it was taken. Takes its time."""
Delivery = Callable[[str, str, Severity], Awaitable[str]]
"""A `SendAlert` that leaves the loop alone, and raises nothing."""
_ALWAYS = ("summary",)
"""What has a switch of its own in the settings, whatever the least level."""
_BOX_MAX = 200
_WINDOW_S = 60.0
_QUIET_LOOK_S = 30.0
_RETRY_S = (5.0, 300.0)
SEND_S = 30.0
"""How long a service may take for a message."""
_LATE_NS = 90 * NS_PER_S
"""An alert that leaves so much later than it was given says from when it is."""
_BODY_LETTERS_MAX = 1_500
"""Fits a message of every chat service there is."""
KEPT_NAME = "alerts-waiting.json"


class Waiting(Struct, frozen=True, kw_only=True):
    """An alert on its way to one address; the address is named by a digest."""

    alert: Alert
    given_utc_ns: UtcNs
    address: str = ""


class Mailbox:
    """What waits for one address, and the loop that sends it."""

    def __init__(self, name: str, send: Delivery, settings: Callable[[], AlertsSection], clock: Clock) -> None:
        """`name` is the address's digest."""
        self.name = name
        self.failed = self.folded = self.dropped = 0
        self.on_change: Callable[[], None] = lambda: None
        self.on_failure: Callable[[str], None] | None = None
        self.taken_s: float | None = None
        """When the service took one last, monotonic; None before the first."""
        self.failing_since_s: float | None = None
        self._send, self._settings, self._clock = send, settings, clock
        self._box: deque[Waiting] = deque()  # bounded: `put` lets the least important go
        self._arrived = asyncio.Event()
        self._sent_s: deque[float] = deque()  # bounded: `_room` keeps a minute's allowance
        self._sending: asyncio.Task[bool] | None = None

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """What no service took yet, oldest first."""
        return tuple(self._box)

    def put(self, item: Waiting) -> None:
        """Add one; where the box is full the oldest of the least level makes room, and that is counted."""
        self._box.append(msgspec.structs.replace(item, address=self.name))
        if len(self._box) > _BOX_MAX:
            self._box.remove(min(self._box, key=lambda held: LEVELS.index(held.alert.level)))
            self.dropped += 1
        self._arrived.set()
        self.on_change()

    async def run(self) -> None:
        """Send what comes, for ever."""
        wait_s = _RETRY_S[0]
        while True:
            batch = self._batch()
            if not batch:
                self._arrived.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_QUIET_LOOK_S if self._box else None):
                        await self._arrived.wait()
                continue
            await self._room()
            if await self._sent(self._batch() or batch):
                wait_s = _RETRY_S[0]
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2.0, _RETRY_S[1])

    async def drain(self) -> None:
        """Wait for what is being sent, then send all that may go now, folded, once."""
        if self._sending is not None:
            await asyncio.shield(self._sending)
        rest = self._ready()
        if rest:
            await self._sent(rest)

    def _ready(self) -> list[Waiting]:
        now, settings = self._clock.utc_ns(), self._settings()
        return [item for item in self._box if not is_quiet(item.alert, now, settings)]

    def _batch(self) -> list[Waiting]:
        """One alert, or all that may go when there are more than the minute still allows."""
        ready = self._ready()
        left = self._settings().per_minute_max - len(self._sent_s)
        return ready if len(ready) > max(left, 1) else ready[:1]

    async def _room(self) -> None:
        """Wait until the minute allows one more message."""
        while True:
            now = self._clock.monotonic_s()
            while self._sent_s and now - self._sent_s[0] >= _WINDOW_S:
                self._sent_s.popleft()
            if len(self._sent_s) < self._settings().per_minute_max:
                return
            await asyncio.sleep(_WINDOW_S - (now - self._sent_s[0]))

    async def _sent(self, batch: list[Waiting]) -> bool:
        """Send, to the end even where whoever waits is asked to stop: else what was taken would be sent again."""
        self._sending = asyncio.create_task(self._deliver(batch), name="deliver alerts")
        return await asyncio.shield(self._sending)

    async def _deliver(self, batch: list[Waiting]) -> bool:
        worst = max((item.alert for item in batch), key=lambda alert: LEVELS.index(alert.level))
        over = ", resolved" if worst.resolved else ""
        title = f"Quarterdeck: {worst.kind}{over}" if len(batch) == 1 else f"Quarterdeck: {len(batch)} alerts"
        self._sent_s.append(self._clock.monotonic_s())
        open_worst = [item.alert.level for item in batch if not item.alert.resolved]
        severity: Severity = max(open_worst, key=LEVELS.index, default="resolved")
        refused = await self._send(title, _body(batch, self._clock.utc_ns()), severity)
        if refused:
            self._refused(refused)
            return False
        for item in batch:
            with contextlib.suppress(ValueError):  # one that made room meanwhile
                self._box.remove(item)
        self.folded += len(batch) - 1
        self.taken_s, self.failing_since_s = self._clock.monotonic_s(), None
        self.on_change()
        return True

    def _refused(self, who: str) -> None:
        self.failed += 1
        if self.failing_since_s is None:
            self.failing_since_s = self._clock.monotonic_s()
        if self.on_failure is not None:
            again = f"{len(self._box)} waiting to be sent again, {self.failed} failures so far"
            self.on_failure(f"Alert not delivered: {who} did not accept it ({again})")


class AlertSender:
    """Sends alerts to the services that settings and secrets name."""

    def __init__(
        self,
        urls: Sequence[str],
        settings: Callable[[], AlertsSection],
        clock: Clock,
        *,
        sends: Sequence[Delivery] | None = None,
        kept: Path | None = None,
    ) -> None:
        """No one is alerted without `urls`; `sends` take the library's place in tests. `kept` is the file of what still waits."""
        self.on_failure: Callable[[str], None] | None = None
        """Called, in words, of each message that a service did not take."""
        self._settings = settings
        self._clock = clock
        self._kept = kept
        self._keeping = False
        self._boxes = _boxes(urls, deliveries(urls) if sends is None else sends, settings, clock)
        for box in self._boxes:
            box.on_failure = self._told
        self._take_up()
        for box in self._boxes:
            box.on_change = self._changed

    @property
    def active(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._boxes)

    @property
    def failed(self) -> int:
        """Messages that a service did not take."""
        return sum(box.failed for box in self._boxes)

    @property
    def folded(self) -> int:
        """Alerts that went in one message with others."""
        return sum(box.folded for box in self._boxes)

    @property
    def waiting(self) -> int:
        """Alerts that the slowest service has not taken yet."""
        return max((len(box.waiting) for box in self._boxes), default=0)

    @property
    def taken_s(self) -> float | None:
        """When a service took one last, monotonic; None before the first."""
        return max((box.taken_s for box in self._boxes if box.taken_s is not None), default=None)

    @property
    def failing_s(self) -> float:
        """For how long the longest failing service has taken nothing; 0 where none fails."""
        since = [box.failing_since_s for box in self._boxes if box.failing_since_s is not None]
        return self._clock.monotonic_s() - min(since) if since else 0.0

    def take(self, alert: Alert) -> None:
        """Note an alert for sending, if its level is wanted."""
        settings = self._settings()
        if alert.kind not in _ALWAYS and LEVELS.index(alert.level) < LEVELS.index(settings.level_min):
            return
        item = Waiting(alert=alert, given_utc_ns=self._clock.utc_ns())
        for place in places_for(alert, settings, len(self._boxes)):
            self._boxes[place].put(item)

    async def run(self) -> None:
        """Send what comes, for ever."""
        async with asyncio.TaskGroup() as group:
            for box in self._boxes:
                group.create_task(box.run(), name="alerts")

    async def drain(self, limit_s: float) -> None:
        """Send what still waits, folded, within a time; what no service took is kept for the next start."""
        if not self.waiting:
            return
        try:
            async with asyncio.timeout(limit_s):
                await asyncio.gather(*(box.drain() for box in self._boxes))
        except TimeoutError:
            self._told(f"Alert not delivered: no service accepted it within {limit_s:g} s; it is sent after the next start")
        self._keep()

    def _told(self, text: str) -> None:
        if self.on_failure is not None:
            self.on_failure(text)

    def _changed(self) -> None:
        """Keep what waits; a burst is written once."""
        if self._kept is not None and not self._keeping:
            self._keeping = True
            asyncio.get_running_loop().call_soon(self._keep)

    def _keep(self) -> None:
        self._keeping = False
        if self._kept is None:
            return
        waiting = [item for box in self._boxes for item in box.waiting]
        if waiting:
            write_whole(self._kept, msgspec.json.encode(waiting))
        else:
            with contextlib.suppress(OSError):
                self._kept.unlink(missing_ok=True)

    def _take_up(self) -> None:
        """What an earlier run could not deliver; an address that is named no more is all others' concern."""
        if self._kept is None or not self._boxes:
            return
        try:
            waiting = msgspec.json.decode(read_small(self._kept), type=list[Waiting])
        except (OSError, *UNREADABLE):
            return
        known = {box.name: box for box in self._boxes}
        for item in waiting[: _BOX_MAX * len(self._boxes)]:
            for box in (known[item.address],) if item.address in known else self._boxes:
                box.put(item)


def _boxes(
    urls: Sequence[str], sends: Sequence[Delivery], settings: Callable[[], AlertsSection], clock: Clock
) -> tuple[Mailbox, ...]:
    names = [hashlib.sha256(url.encode()).hexdigest()[:16] for url in urls] or [f"{place}" for place in range(len(sends))]
    return tuple(Mailbox(name, send, settings, clock) for name, send in zip(names, sends, strict=True))


def deliveries(urls: Sequence[str]) -> list[Delivery]:
    """A way to each address; the library is imported in a thread when the first is used."""
    made: list[SendAlert] = []
    loading = threading.Lock()

    def send(place: int, title: str, body: str, level: Severity) -> str:
        with loading:
            if not made:
                made[:] = apprise_sender(tuple(urls))
        return made[place](title, body, level)

    async def deliver(place: int, calls: BlockingCalls, title: str, body: str, level: Severity) -> str:
        try:
            return await calls.run(lambda: send(place, title, body, level), SEND_S)
        except (OSError, ValueError) as error:
            return f"address {place + 1} of {len(urls)} ({str(error) or type(error).__name__})"

    return [functools.partial(deliver, place, BlockingCalls(f"alerts {place + 1}")) for place in range(len(urls))]


def _body(batch: Sequence[Waiting], now_utc_ns: UtcNs) -> str:
    """One line an alert, the worst first where they do not all fit."""
    lines = [_line(item, now_utc_ns) for item in batch]
    if sum(len(line) + 1 for line in lines) <= _BODY_LETTERS_MAX:
        return "\n".join(lines)
    worst_first = sorted(batch, key=lambda item: -LEVELS.index(item.alert.level))
    kept, room = list[str](), _BODY_LETTERS_MAX
    for item in worst_first:
        line = _line(item, now_utc_ns)[:_BODY_LETTERS_MAX]
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    left = len(batch) - len(kept)
    return "\n".join([*kept, f"and {left} more, see the log"] if left else kept)


def _line(item: Waiting, now_utc_ns: UtcNs) -> str:
    alert = item.alert
    about = "" if alert.symbol in alert.text else f"{alert.symbol}: "
    late = now_utc_ns - item.given_utc_ns > _LATE_NS
    when = f"{iso(item.given_utc_ns)[:16].replace('T', ' ')} UTC: " if late else ""
    return f"[{'resolved' if alert.resolved else alert.level}] {when}{about}{alert.text}"


def apprise_sender(urls: Sequence[str]) -> list[SendAlert]:
    """Those whom the addresses name, each as a way of sending; imports the library, so not in the loop that trades."""
    import apprise

    kinds = {
        "info": apprise.NotifyType.INFO,
        "warning": apprise.NotifyType.WARNING,
        "critical": apprise.NotifyType.FAILURE,
        "resolved": apprise.NotifyType.SUCCESS,
    }

    def way(number: int, url: str) -> SendAlert:
        service, place = apprise.Apprise.instantiate(url), f"{number} of {len(urls)}"

        def send(title: str, body: str, level: Severity) -> str:
            if service is None:
                return f"address {place} (not a valid address)"
            taken = service.notify(title=title, body=body, notify_type=kinds[level])
            return "" if taken else f"{service.service_name} ({place})"

        return send

    return [way(number, url) for number, url in enumerate(urls, 1)]
