"""Where a demo begins: the same market, entered shortly before a signal and a refusal."""

from __future__ import annotations

import pytest

from quarterdeck.core.brokers.simulator.demo_start import demo_start, demo_terminal
from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS, seeded_market, seeded_terminal, terminal_over
from quarterdeck.core.model.signals import Signal
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.scan.plan import scan_plan_for
from quarterdeck.core.scan.vectorized_scan import VectorizedScan
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy

WINDOW_NS = 120 * 60 * NS_PER_S


@pytest.mark.parametrize("seed", [7, 1, 4])
def test_a_signal_and_a_refusal_come_within_two_hours(seed):
    settings = shipped_settings(("simulation.seed", seed))
    strategy = load_strategy(settings)
    start = demo_start(settings, strategy, seeded_market(settings))
    terminal = demo_terminal(settings, strategy)
    assert terminal.now_utc_ns < start <= terminal.next_ns()
    assert start > SEEDED_START_UTC_NS
    terminal.advance_to(start + WINDOW_NS)
    heard = []
    for symbol in settings.desk.pairs:
        columns = VectorizedScan(
            scan_plan_for(strategy, settings, symbol), terminal.ledger.instruments[symbol], terminal.market.columns(symbol, "M15")
        )
        rows = ((columns.m15.open_utc_ns + M15_NS > start) & (columns.m15.open_utc_ns + M15_NS <= start + WINDOW_NS)).nonzero()[0]
        heard.extend(answer.confidence for row in rows.tolist() if isinstance(answer := columns.answer(row), Signal))
    assert max(heard) >= settings.strategy.confidence_min > min(heard)


def test_a_later_start_enters_the_same_market():
    settings = shipped_settings()
    later = SEEDED_START_UTC_NS + 3 * 86_400 * NS_PER_S
    first = seeded_terminal(settings)
    first.advance_to(later)
    second = seeded_terminal(settings, start_utc_ns=later)
    second.advance_to(later)
    one, other = (terminal.market.columns("EURUSD", "M15") for terminal in (first, second))
    assert one.open_utc_ns[0] == other.open_utc_ns[0]
    assert (one.close[-900:] == other.close[-900:]).all()
    assert first.ledger.quotes["USDJPY"][:2] == second.ledger.quotes["USDJPY"][:2]


def test_later_market_start_is_identical_and_leaves_the_first_unchanged():
    settings = shipped_settings()
    later = SEEDED_START_UTC_NS + 5 * 86_400 * NS_PER_S
    first, untouched = seeded_market(settings), seeded_market(settings)
    entered, made = (
        terminal_over(settings, market) for market in (first.entered(later), seeded_market(settings, start_utc_ns=later))
    )
    for terminal in (entered, made):
        terminal.advance_to(later + 86_400 * NS_PER_S)
    assert entered.ledger.quotes == made.ledger.quotes
    for timeframe in ("M1", "M15", "H1"):
        one, other = (terminal.market.columns("USDCHF", timeframe) for terminal in (entered, made))
        assert all((getattr(one, name) == getattr(other, name)).all() for name in ("open_utc_ns", "open", "high", "low", "close"))
    assert [first.step() for _ in range(9)] == [untouched.step() for _ in range(9)]
    assert (first.columns("USDCHF", "M15").close == untouched.columns("USDCHF", "M15").close).all()
