"""Which alert goes to which address, and which one may wait for the morning. Pure functions of the settings.

Promises: a kind that no route names goes to every address; a route to an address that is not there does not silence its kind;
what may cost money (see `URGENT`) never waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quarterdeck.core.filters.trading_hours import parse_hours
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.alert_routes import alert_route
from quarterdeck.core.settings.schema import AlertsSection

LEVELS: Final = ("info", "warning", "critical")
"""From the least to the worst."""
URGENT: Final = ("breaker", "state", "unknown_fate", "connection", "risk", "flatten", "crash", "money", "calendar")
"""Kinds that the quiet hours never hold back, from a warning up; what is critical they never hold back at all."""


def is_quiet(alert: Alert, at_utc_ns: UtcNs, settings: AlertsSection) -> bool:
    """Whether an alert waits until the quiet hours are over."""
    if alert.level == "critical" or (alert.kind in URGENT and alert.level == "warning"):
        return False
    return bool(settings.quiet_hours) and parse_hours(settings.quiet_hours).contain(at_utc_ns)


def places_for(alert: Alert, settings: AlertsSection, count: int) -> Sequence[int]:
    """Which of `count` addresses get an alert, from 0."""
    for text in settings.routes:
        kinds, places = alert_route(text)
        if alert.kind in kinds:
            return [place - 1 for place in places if place <= count] or range(count)
    return range(count)
