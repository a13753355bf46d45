"""Requests that change something at the broker: counted a minute and a day, and how long a refused one waits.

Why: servers punish floods (funded accounts end by them), and what one request cannot have, the same request a second later cannot
have either. Guarantees: closes, flatten and a missing stop are counted and never held back; past the share of the counts that is
kept for them, entries, adds and trail steps wait. Does not: send.
"""

from __future__ import annotations

from typing import Final

from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.desk_state import ManagedPosition
from quarterdeck.core.model.inputs import OrderRejected
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import NS_PER_S

KEPT_FRACTION: Final = 0.8
"""Of the counts; the rest is for what may not wait."""
_FIFO_CLOSE: Final = 10045
"""An older position has to be closed first: no fresh price cures that."""
_MINUTE_NS: Final = 60 * NS_PER_S


def refusal(fate: OrderRejected) -> str:
    """Why the broker refused, in words, with its own code to look up."""
    words = fate.reason or fate.kind.replace("_", " ")
    return f"{words} (broker's code {fate.code})" if fate.code else words


def count(ctx: Context, position: ManagedPosition | None) -> None:
    """One more request leaves."""
    ctx.state.requests_today += 1
    ctx.state.prop_firm_requests_today += 1
    if position is None:
        return
    if ctx.now - position.requests_from_utc_ns >= _MINUTE_NS:
        position.requests_from_utc_ns, position.requests_minute = ctx.now, 0
    position.requests_minute += 1


def day_check(ctx: Context) -> Check:
    """Whether the day's count still leaves room for an entry."""
    most = KEPT_FRACTION * ctx.settings.execution.requests_per_day_max
    sent = float(ctx.state.requests_today)
    return Check("requests_day", sent, most, sent < most, "requests sent today; the rest is kept for closes and stops")


def funded_day_check(ctx: Context) -> Check | None:
    """The same by the funded account's own rule and day; None where it has none."""
    rules = ctx.settings.prop_firm
    if not rules.enabled or not rules.requests_per_day_max:
        return None
    most, sent = KEPT_FRACTION * rules.requests_per_day_max, float(ctx.state.prop_firm_requests_today)
    return Check("funded_requests", sent, most, sent < most, "requests of the funded account's day; the rest is kept for closes")


def may_trail(ctx: Context, position: ManagedPosition) -> bool:
    """Whether a trail step of a position may leave now."""
    own = ctx.settings.execution
    funded = funded_day_check(ctx)
    if ctx.state.requests_today >= KEPT_FRACTION * own.requests_per_day_max or (funded is not None and not funded.passed):
        return False
    fresh = ctx.now - position.requests_from_utc_ns < _MINUTE_NS
    return not fresh or position.requests_minute < KEPT_FRACTION * own.requests_per_minute_max


def wait_ns(ctx: Context, fate: OrderRejected, tries: int) -> int:
    """How long a request waits that was refused `tries` times in a row (1 is the first).

    What the market cures goes again with a fresh price, at once and then at most `execution.close_retry_max_s` apart; what the
    same request cannot cure waits longer each time.
    """
    own = ctx.settings.execution
    if fate.kind == "retry" and fate.code != _FIFO_CLOSE:
        return 0 if tries <= 1 else ns(min(own.close_retry_s * 2.0 ** (tries - 2), own.close_retry_max_s))
    waits = own.refused_waits_s
    return ns(waits[min(tries, len(waits)) - 1]) if waits else 0
