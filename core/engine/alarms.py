"""Problems from their beginning to their end: reported where the desk does not, repeated while they last, acknowledged.

Promises: what a part of the engine fails at is alerted when it begins and, at the same level, when it is over; whatever is wrong
and lasts is alerted again every `alerts.remind_minutes`, until someone acknowledges it; what is over is not acknowledged for the
next time. Does not: judge what is wrong (`core.journal.heartbeat`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.journal.heartbeat import Problem
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.snapshot import AlarmView
from quarterdeck.core.model.units import S_PER_HOUR, S_PER_MINUTE
from quarterdeck.core.settings.schema import AlertsSection

_ALARMS_MAX = 100


class _Alarm(Struct, kw_only=True):
    problem: Problem
    since_s: float
    told_s: float
    own: bool
    """Its beginning and end are reported here, and by nobody else."""
    acknowledged: bool = False


class Alarms:
    """See the module."""

    def __init__(self, tell: Callable[[Alert], None], settings: Callable[[], AlertsSection], clock: Clock) -> None:
        """`tell` sends an alert of the engine's own."""
        self._tell, self._settings, self._clock = tell, settings, clock
        self._held: dict[str, _Alarm] = {}

    @property
    def view(self) -> tuple[AlarmView, ...]:
        """What is wrong now, the oldest first."""
        now_s = self._clock.monotonic_s()
        return tuple(
            AlarmView(kind=kind, text=alarm.problem.text, age_s=now_s - alarm.since_s, acknowledged=alarm.acknowledged)
            for kind, alarm in self._held.items()
        )

    def look(self, problems: Sequence[Problem]) -> None:
        """Compare with what was wrong before, and tell what began, lasts, or is over."""
        now_s = self._clock.monotonic_s()
        wrong = {problem.kind: problem for problem in problems[:_ALARMS_MAX]}
        for kind in [kind for kind in self._held if kind not in wrong]:
            gone = self._held.pop(kind)
            if gone.own:
                text = f"{kind.capitalize()} works again, after {_span(now_s - gone.since_s)}. Nothing to do."
                self._say(gone, text, resolved=True)
        every_s = self._settings().remind_minutes * S_PER_MINUTE
        for kind, problem in wrong.items():
            alarm = self._held.get(kind)
            if alarm is None:
                alarm = self._held[kind] = _Alarm(problem=problem, since_s=now_s, told_s=now_s, own=problem.of_part)
                if alarm.own:
                    self._say(
                        alarm, f"{problem.text}. Reminder every {_span(every_s)} until you run `quarterdeck acknowledge alerts`."
                    )
                continue
            alarm.problem = problem
            if not alarm.acknowledged and now_s - alarm.told_s >= every_s:
                alarm.told_s = now_s
                self._say(alarm, f"Still wrong after {_span(now_s - alarm.since_s)}: {problem.text}")

    def acknowledge(self) -> int:
        """Remind nobody of what is wrong now; returns how many were not acknowledged before."""
        fresh = [alarm for alarm in self._held.values() if not alarm.acknowledged]
        for alarm in fresh:
            alarm.acknowledged = True
        return len(fresh)

    def _say(self, alarm: _Alarm, text: str, *, resolved: bool = False) -> None:
        self._tell(Alert(kind="error" if alarm.own else "state", level="critical", text=text, resolved=resolved))


def _span(seconds: float) -> str:
    if seconds < S_PER_HOUR:
        return f"{max(seconds / S_PER_MINUTE, 1):.0f} min"
    return f"{seconds / S_PER_HOUR:.1f} h"
