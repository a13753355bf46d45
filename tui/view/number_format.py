"""Numbers as an operator reads them: fixed, signed, with their unit; what is unknown is `?`, never zero.

Units: money in account currency, shares as fractions in and percent out, instants and spans in nanoseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, UtcNs

UNKNOWN: Final = "?"


def money(amount: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """`1,234.50`, with a sign where it is a result."""
    if amount is None:
        return UNKNOWN
    amount = amount if round(amount, digits) else 0.0
    return f"{amount:+,.{digits}f}" if sign and amount else f"{amount:,.{digits}f}"


def pct(fraction: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction as percent: 0.0123 is `1.23%`."""
    if fraction is None:
        return UNKNOWN
    share = round(fraction * 100, digits) or 0.0
    return f"{share:+.{digits}f}%" if sign and share else f"{share:.{digits}f}%"


def share(part: float | None, whole: float | None) -> float | None:
    """`part` of `whole` as a fraction, unknown where it has no meaning."""
    if part is None or not whole:
        return None
    return part / whole


def r_multiple(value: float | None) -> str:
    """A result in multiples of the initial risk."""
    return UNKNOWN if value is None else f"{round(value, 2) or 0.0:+.2f}R"


def pips(value: float | None, *, sign: bool = False) -> str:
    """A distance in pips, one decimal."""
    if value is None:
        return UNKNOWN
    return f"{round(value, 1) or 0.0:+.1f}" if sign else f"{value:.1f}"


def price(value: float | None, digits: int) -> str:
    """A price with the symbol's digits; `-` where none is set is the caller's word."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def lots(value: float) -> str:
    """Lots with two decimals, more only where they matter."""
    short = f"{value:.2f}"
    return short if abs(float(short) - value) < 1e-9 else f"{value:g}"


def times(value: float | None) -> str:
    """A multiple: `1.2x`."""
    return UNKNOWN if value is None else f"{value:.1f}x"


def span(nanoseconds: int) -> str:
    """How long, in one unit: `12s`, `4m`, `3h`, `2d`; negative is zero."""
    seconds = max(nanoseconds, 0) // NS_PER_S
    if seconds < 2 * S_PER_MINUTE:
        return f"{seconds}s"
    if seconds < 2 * S_PER_HOUR:
        return f"{seconds // S_PER_MINUTE}m"
    if seconds < 2 * S_PER_DAY:
        return f"{seconds // S_PER_HOUR}h"
    return f"{seconds // S_PER_DAY}d"


def long_span(nanoseconds: int) -> str:
    """How long, in two units: `3h05`, `2d04h`; short ones as `span`."""
    seconds = max(nanoseconds, 0) // NS_PER_S
    if seconds < S_PER_HOUR:
        return span(nanoseconds)
    if seconds < S_PER_DAY:
        return f"{seconds // S_PER_HOUR}h{seconds % S_PER_HOUR // S_PER_MINUTE:02d}"
    return f"{seconds // S_PER_DAY}d{seconds % S_PER_DAY // S_PER_HOUR:02d}h"


def countdown(nanoseconds: int) -> str:
    """Time left to the second, `7m12`; above an hour as `long_span`. Never with a colon: `07:12` would be a time of the day."""
    seconds = max(nanoseconds, 0) // NS_PER_S
    if seconds >= S_PER_HOUR:
        return long_span(nanoseconds)
    minutes, left = divmod(seconds, S_PER_MINUTE)
    return f"{minutes}m{left:02d}"


def moment(at_utc_ns: UtcNs, pattern: str = "%H:%M:%S", offset_s: int = 0) -> str:
    """An instant by a pattern of strftime, in UTC or shifted by `offset_s`; 0 and nonsense are unknown."""
    if at_utc_ns <= 0:
        return UNKNOWN
    try:
        return datetime.fromtimestamp(at_utc_ns // NS_PER_S + offset_s, tz=UTC).strftime(pattern)
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def same_day(one_utc_ns: UtcNs, other_utc_ns: UtcNs) -> bool:
    """Whether two instants lie on one day of UTC."""
    day_ns = S_PER_DAY * NS_PER_S
    return one_utc_ns // day_ns == other_utc_ns // day_ns


def role_of(amount: float | None) -> str:
    """`good` above zero, `bad` below; the sign in the text says the same."""
    if amount is None or not round(amount, 2):
        return ""
    return "good" if amount > 0 else "bad"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 position`, `2 positions`."""
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"
