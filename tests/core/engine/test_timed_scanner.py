"""A strategy of the operator's own that is too slow beside a live market is not traded on; the shipped one is not measured."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from core.engine.scanning import TimedScanner, make_scanner
from core.model.market import Bar
from core.model.signals import NoSignal
from core.model.units import NS_PER_S
from core.settings.load import shipped_settings
from core.strategy.load import load_strategy
from tests.core.desk.playbook import MONDAY, spec

SETTINGS = shipped_settings()


class Watch:
    """A clock on which each reading takes so long."""

    def __init__(self, step_s: float) -> None:
        self.now_s, self.step_s = 0.0, step_s

    def utc_ns(self) -> int:
        return round(self.now_s * NS_PER_S)

    def monotonic_s(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@pytest.mark.parametrize(("own", "step_s", "late"), [(True, 0.25, True), (True, 0.15, False), (False, 9.0, False)])
def test_an_answer_over_the_limit_is_withheld_and_says_so(own: bool, step_s: float, late: bool) -> None:
    loaded: Any = replace(load_strategy(SETTINGS.strategy), own=own)
    scanner = TimedScanner(make_scanner(loaded, [spec("EURUSD")], SETTINGS), SETTINGS, Watch(step_s))
    bar = Bar(open_utc_ns=MONDAY, open=1.1, high=1.1, low=1.1, close=1.1)
    found = scanner.on_bar("EURUSD", bar)
    assert isinstance(found, NoSignal)
    assert (found.withheld == "the strategy took 250 ms; strategy.time_limit_ms allows 200") is late
