"""A pair's quotes are silent when they are away longer than they ever are at that hour, in its own trading hours."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.core.engine.silence_detection import QuoteSilence, usual_gaps_s
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.units import H1_NS, M15_NS, NS_PER_S

RULES = {"least_s": 60.0, "usual_x": 3.0}
NOON = 12 * H1_NS


def quote(at_utc_ns: int) -> Quote:
    return Quote(symbol="EURUSD", at_utc_ns=at_utc_ns, bid=1.0, ask=1.0001)


def candles(*volumes: int) -> Candles:
    opens = np.arange(len(volumes), dtype=np.int64) * M15_NS
    price = np.ones(len(volumes))
    return Candles(opens, price, price, price, price, np.array(volumes, dtype=np.int64), np.ones(len(volumes), dtype=np.int64))


def test_the_longest_usual_gap_follows_from_the_ticks_of_bars() -> None:
    gaps = usual_gaps_s(candles(900, 900, 900, 900, 9, 9, 9, 9))
    assert gaps[0] == pytest.approx(7.8, abs=0.05), "a tick a second"
    assert gaps[1] == pytest.approx(319.7, abs=0.5), "one in a hundred seconds"
    assert gaps[2] == 0.0


@pytest.mark.parametrize(("usual_s", "limit_s"), [(5.0, 60.0), (100.0, 300.0), (0.0, 2700.0)])
def test_silence_is_told_once_with_its_end(usual_s: float, limit_s: float) -> None:
    watch = QuoteSilence(lambda *_: True, {"EURUSD": [usual_s] * 24})
    told = [watch.look("EURUSD", quote(NOON), float(s), NOON + s * NS_PER_S, **RULES) for s in range(int(limit_s) + 100)]
    assert [(second, one.is_connected) for second, one in enumerate(told) if one is not None] == [(int(limit_s) + 1, False)]
    at = NOON + 4000 * NS_PER_S
    back = watch.look("EURUSD", quote(at), 4000.0, at, **RULES)
    assert back is not None
    assert back.is_connected
    assert watch.look("EURUSD", quote(at), 4001.0, at, **RULES) is None


def test_a_closed_market_is_not_silent() -> None:
    watch = QuoteSilence(lambda _, at: at < NOON + 30 * NS_PER_S, {"EURUSD": [5.0] * 24})
    assert not any(watch.look("EURUSD", quote(NOON), float(s), NOON + s * NS_PER_S, **RULES) for s in range(500))


def test_an_episode_teaches_nothing() -> None:
    watch = QuoteSilence(lambda *_: True, {"EURUSD": [5.0] * 24})
    for second in (0, 1000):
        watch.look("EURUSD", quote(NOON), float(second), NOON + second * NS_PER_S, **RULES)
    watch.look("EURUSD", quote(NOON + 1001 * NS_PER_S), 1001.0, NOON + 1001 * NS_PER_S, **RULES)
    assert watch.limit_s("EURUSD", NOON, **RULES) == 60.0
