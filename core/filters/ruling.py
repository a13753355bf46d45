"""What a filter answers: the check for the ledger, and whether it is worth asking again while the signal lives."""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import UtcNs


class FilterResult(Struct, frozen=True, kw_only=True):
    """A check, and the way out of a refusal."""

    check: Check
    may_pass_later: bool = False
    """The refusal is a passing condition: the candidate may be judged again while it is fresh."""
    passes_from_utc_ns: UtcNs = 0
    """First instant at which it could pass, where that is known; else 0."""

    @property
    def passed(self) -> bool:
        """The filter lets the candidate through."""
        return self.check.passed
