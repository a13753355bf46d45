"""Signals on their way from the scanners to the desk: bounded, one per strategy and pair, the newer replaces the older.

In memory: one engine scans and decides in one process.
"""

from __future__ import annotations

from quarterdeck.core.model.signals import NoSignal, Signal

ScanAnswer = Signal | NoSignal


class SignalQueue:
    """In order of arrival; a newer bar's answer takes the place at the end."""

    def __init__(self, length_max: int) -> None:
        """Keep at most `length_max` answers; the oldest leaves for a newcomer."""
        self._length_max = length_max
        self._waiting: dict[tuple[str, str], ScanAnswer] = {}
        self.dropped = 0
        self.peak = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def offer(self, scanned: ScanAnswer) -> None:
        """Add an answer; an older bar's never replaces a newer one's."""
        key = (scanned.strategy, scanned.symbol)
        old = self._waiting.pop(key, None)
        if old is not None and old.bar_open_utc_ns > scanned.bar_open_utc_ns:
            scanned = old
        if len(self._waiting) >= self._length_max:
            self._waiting.pop(next(iter(self._waiting)))
            self.dropped += 1
        self._waiting[key] = scanned
        self.peak = max(self.peak, len(self._waiting))

    def take_all(self) -> tuple[ScanAnswer, ...]:
        """Everything that waits, oldest first; the queue is empty afterwards."""
        taken = tuple(self._waiting.values())
        self._waiting.clear()
        return taken
