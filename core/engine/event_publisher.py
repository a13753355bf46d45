"""What a run says, and to whom: the log file, the alerts, the link, and whoever listens in this process.

Promises: one line reaches all of them in the same order; what libraries complain of is in the log too; a run over recorded days
alerts nobody. Does not: decide what is worth a line (`core.engine.loglines`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

import msgspec

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine.alerting import AlertSender
from quarterdeck.core.engine.loglines import is_duplicate_line, log_line
from quarterdeck.core.journal.log_file import LibraryLog, LogFile
from quarterdeck.core.link.messages import LinkBye
from quarterdeck.core.model.effects import Alert, Effect
from quarterdeck.core.model.snapshot import LogLine, Snapshot
from quarterdeck.core.model.units import UtcNs

EventLevel = Literal["info", "warning", "error", "critical"]
PublishedEvent = Snapshot | LogLine | LinkBye
EventListener = Callable[[PublishedEvent], None]


class EventPublisher:
    """See the module."""

    def __init__(self, log: LogFile, alerts: AlertSender, clock: Clock, on_line: Callable[[LogLine], None] | None) -> None:
        """Speaks into `log` from here on, and takes over what libraries log."""
        self.alerts = alerts
        self.watchers: list[EventListener] = []
        self.keep: Callable[[UtcNs, Alert], None] | None = None
        """Where the engine's own alerts are recorded."""
        self._log = log
        self._on_line = on_line
        self._library = LibraryLog(log, clock)
        logging.getLogger().addHandler(self._library)

    @property
    def log_failures(self) -> int:
        """Lines that could not be written to the log."""
        return self._log.failures

    def publish_effect(self, at_utc_ns: UtcNs, effect: Effect, beside: tuple[Effect, ...] = ()) -> None:
        """What the desk decided, where it is worth a line or an alert; `beside` is the whole decision that it is a part of."""
        line = None if is_duplicate_line(effect, beside) else log_line(at_utc_ns, effect)
        if line is not None:
            self.publish_line(line)
        if isinstance(effect, Alert):
            self.alerts.take(msgspec.structs.replace(effect, text=self._log.cleaned(effect.text)))

    def publish_line(self, line: LogLine) -> None:
        """One line to everybody, as the log file may have it: no secret and no endless text reaches a screen either."""
        line = self._log.write(line)
        if self._on_line is not None:
            self._on_line(line)
        self.publish_event(line)

    def publish_text(self, at_utc_ns: UtcNs, level: EventLevel, kind: str, text: str) -> None:
        """One line of the engine's own."""
        self.publish_line(LogLine(at_utc_ns=at_utc_ns, level=level, kind=kind, text=text))

    def cleaned(self, text: str) -> str:
        """A text of any origin as it may be written and shown."""
        return self._log.cleaned(text)

    def publish_alert(self, at_utc_ns: UtcNs, alert: Alert) -> None:
        """An alert of the engine's own: kept in the journal as those of the desk are."""
        alert = msgspec.structs.replace(alert, text=self.cleaned(alert.text))
        if self.keep is not None:
            self.keep(at_utc_ns, alert)
        self.publish_effect(at_utc_ns, alert)

    def publish_event(self, told: PublishedEvent) -> None:
        """To those who watch, in this process and over the link."""
        for watcher in self.watchers:
            watcher(told)

    def close(self) -> None:
        """Let go of the libraries and the file."""
        logging.getLogger().removeHandler(self._library)
        self._log.close()
