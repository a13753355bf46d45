"""A search of a thousand trials holds no more at its end than at its beginning, but for the trials themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.scaling import remembered

_TRIALS = 1_000
_MIB_A_TRIAL = 0.01
"""A trial that is kept: its values, eleven figures, its digest, and what the sampler remembers of it."""


@pytest.mark.soak
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says what a process holds")
def test_memory_is_flat_over_a_thousand_trials(tmp_path: Path) -> None:
    seen = remembered(tmp_path, _TRIALS)
    assert len(seen) == 10
    (first_trials, first_mib), (last_trials, last_mib) = seen[1], seen[-1]
    assert last_mib - first_mib <= _MIB_A_TRIAL * (last_trials - first_trials), seen
