"""The quarter hours of a recording: when each counts as closed, and at which step of the market that is.

Promises: the instants at which the lockstep driver closes bars (`core.engine.lockstep`): the first step of the next quarter hour
that has one, or the end plus the wait, whichever comes first.
"""

from __future__ import annotations

import numpy as np

from quarterdeck.core.engine.lockstep import bar_closing_at_start
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.units import M15_NS, UtcNs


class Slots:
    """Quarter hours with at least one tick, in order of time; the first may be one that ends as the run begins."""

    def __init__(self, start_utc_ns: UtcNs, steps_utc_ns: IntArray, wait_ns: int) -> None:
        """`steps_utc_ns`: instants at which the market moves; `wait_ns`: `scan.bar_close_wait_s`."""
        quarters, first_steps = np.unique(steps_utc_ns // M15_NS, return_index=True)
        ending = bar_closing_at_start(start_utc_ns)
        if ending is not None:
            quarters = np.append(np.int64(ending), quarters)
            first_steps = np.append(np.int64(0), first_steps)
        self.opens: IntArray = quarters * M15_NS
        due = self.opens + M15_NS + wait_ns
        following = np.append(steps_utc_ns[first_steps[1:]], np.int64(2**62))
        self.closes: IntArray = np.minimum(due, following)
        """When the bars of each count as closed."""
        self.closing_steps: IntArray = np.append(first_steps[1:], len(steps_utc_ns)).astype(np.int64)
        """First step of the next quarter hour."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.opens)

    @property
    def first_open_utc_ns(self) -> UtcNs:
        """Begin of the first."""
        return int(self.opens[0]) if len(self.opens) else 2**62

    @property
    def end_open_utc_ns(self) -> UtcNs:
        """The instant after the begin of the last."""
        return int(self.opens[-1]) + 1 if len(self.opens) else 0

    def closed_at(self, open_utc_ns: IntArray) -> IntArray:
        """When the bars that open then count as closed."""
        return self.closes[self.opens.searchsorted(open_utc_ns)]

    def place_closing_after(self, utc_ns: UtcNs) -> int:
        """The first one that closes after an instant."""
        return int(self.closes.searchsorted(utc_ns, side="right"))
