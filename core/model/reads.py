"""What a read of the broker returns: a value that is known, or the fact that it is not (law 4)."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

from quarterdeck.core.model.units import UtcNs

T = TypeVar("T")


class Known(Struct, Generic[T], frozen=True):
    """The broker answered; `value` was true at `at_utc_ns`."""

    value: T
    at_utc_ns: UtcNs


class Unknown(Struct, frozen=True):
    """The broker did not answer, or answered `None`: nothing may be concluded, least of all "empty"."""

    since_utc_ns: UtcNs
    why: str
