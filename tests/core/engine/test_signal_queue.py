"""The queue between scanners and desk: bounded, one a strategy and pair, the newer bar wins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.engine.signal_queue import SignalQueue
from quarterdeck.core.model.signals import NoSignal


def scanned(symbol: str, bar: int, strategy: str = "trend") -> NoSignal:
    return NoSignal(symbol=symbol, strategy=strategy, strategy_hash="h", bar_open_utc_ns=bar)


def test_a_newer_bars_answer_takes_the_place_at_the_end() -> None:
    queue = SignalQueue(10)
    for item in (scanned("EURUSD", 1), scanned("GBPUSD", 1), scanned("EURUSD", 2)):
        queue.offer(item)
    assert [(item.symbol, item.bar_open_utc_ns) for item in queue.take_all()] == [("GBPUSD", 1), ("EURUSD", 2)]
    assert len(queue) == 0


def test_late_answer_for_older_bar_does_not_replace_newer() -> None:
    queue = SignalQueue(10)
    queue.offer(scanned("EURUSD", 2))
    queue.offer(scanned("EURUSD", 1))
    assert [item.bar_open_utc_ns for item in queue.take_all()] == [2]


def test_two_strategies_on_one_pair_do_not_replace_each_other() -> None:
    queue = SignalQueue(10)
    queue.offer(scanned("EURUSD", 1, "trend"))
    queue.offer(scanned("EURUSD", 1, "mine"))
    assert [item.strategy for item in queue.take_all()] == ["trend", "mine"]


@given(st.lists(st.tuples(st.sampled_from("ABCDEFG"), st.integers(0, 5)), max_size=60), st.integers(1, 4))
def test_queue_keeps_its_limit_and_counts_dropped_answers(offers: list[tuple[str, int]], bound: int) -> None:
    queue = SignalQueue(bound)
    for symbol, bar in offers:
        queue.offer(scanned(symbol, bar))
    assert queue.peak <= bound
    pairs = len({symbol for symbol, _ in offers})
    assert len(queue) == min(pairs, bound) or queue.dropped > 0
