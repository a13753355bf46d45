"""From candidate to verdict: each thing that can stand against an entry, by its word, with number and threshold."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.core.model.broker_account import BrokerPosition
from quarterdeck.core.model.effects import Close, PositionOpened, Submit, Verdict
from quarterdeck.core.model.inputs import BarClosed, Calendar, Instruments, NewsEvent
from quarterdeck.core.model.market_data import Bar, Side
from quarterdeck.core.model.signals import Features
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import BID, MONDAY, NOON, Play, only, spec


def judged(play: Play, symbol: str = "EURUSD", side: Side = Side.BUY, **more: object) -> Verdict:
    return only(play.round(play.signal(symbol, side, **more)), Verdict)


def test_a_good_candidate_is_entered_at_executable_prices() -> None:
    play = Play().start()
    buy = judged(play)
    assert (buy.outcome, buy.reason) == ("entered", "")
    sent = play.last(Submit)
    assert (sent.quoted_price, sent.stop_price, sent.target_price) == (1.0851, 1.082, 1.094)
    assert sent.client_id == "r1-1"
    assert sent.lots == 0.31
    sell = judged(Play().start(), side=Side.SELL)
    assert sell.outcome == "entered"


def test_short_stop_and_target_move_up_by_the_assumed_spread() -> None:
    play = Play().start()
    play.quote("EURUSD", spread=0.00004)
    judged(play, side=Side.SELL)
    sent = play.last(Submit)
    assert sent.quoted_price == 1.085
    assert (sent.stop_price, sent.target_price) == (1.0881, 1.0761), "the usual pip, not the 0.4 of now"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"confidence": 0.7}, "confidence"),
        ({"target_pips": 35.0}, "reward_risk"),
        ({"features": Features(atr_m15_price=0.004, atr_percentile_pct=50.0)}, "atr_price"),
        ({"features": Features(atr_m15_price=0.001, atr_percentile_pct=2.0)}, "atr_calm"),
        ({"features": Features(atr_m15_price=0.001, atr_percentile_pct=99.5)}, "atr_wild"),
        ({"stop_pips": -30.0}, "spread_stop"),
        ({"entry_price": 1.0860}, "price_moved"),
    ],
)
def test_refusals_name_their_reason(more: dict[str, object], reason: str) -> None:
    verdict = judged(Play().start(), **more)
    failed = [check.name for check in verdict.checks if not check.passed]
    assert verdict.reason == reason, failed
    assert not verdict.client_id


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (MONDAY + 5 * 3600 * NS_PER_S, "hours"),
        (MONDAY + 21 * 3600 * NS_PER_S, "hours"),
        (MONDAY + (4 * 24 + 17) * 3600 * NS_PER_S, "weekend"),
    ],
)
def test_hours_and_the_weekend(at: int, reason: str) -> None:
    assert judged(Play(at=at).start()).reason == reason


def test_no_entry_without_a_fresh_quote() -> None:
    play = Play().start()
    play.at += 61 * NS_PER_S
    play.bars()
    assert only(play.give(play.signal("EURUSD")) + play.wait(2), Verdict).reason == "quote_age"


def test_fridays_last_signal_does_not_fill_on_sunday() -> None:
    friday = MONDAY + (4 * 24 + 20) * 3600 * NS_PER_S + 45 * 60 * NS_PER_S
    play = Play(
        shipped_settings(("filters.entry_hours", []), ("position.weekend_no_entries_from", "Sat 00:00")), at=friday
    ).start()
    found = play.signal("EURUSD")
    play.at += 49 * 3600 * NS_PER_S
    play.quote("EURUSD")
    verdict = only(play.give(found) + play.wait(2), Verdict)
    assert verdict.reason == "signal_age"


def test_nothing_is_entered_on_the_bar_after_a_hole() -> None:
    play = Play().start()
    play.bars()
    play.at += 4 * M15_NS
    for symbol in BID:
        play.quote(symbol)
    assert judged(play).reason == "hole"
    play.next_bar()
    assert judged(play, "GBPUSD").outcome == "entered"


def test_a_bar_recognised_late_yields_no_entry() -> None:
    play = Play().start()
    bar = Bar(open_utc_ns=play.bar_open(), open=1.085, high=1.085, low=1.085, close=1.085)
    play.give(BarClosed(symbol="EURUSD", timeframe="M15", bar=bar, late=True))
    found = play.give(play.signal("EURUSD")) + play.wait(3)
    assert only(found, Verdict).reason == "late_bar"


def test_news_closes_a_window_around_both_currencies() -> None:
    event = NewsEvent(at_utc_ns=NOON + 20 * 60 * NS_PER_S, currency="USD", impact="high", title="CPI")
    play = Play().start()
    play.give(Calendar(available=True, events=(event,)))
    verdict = judged(play)
    assert verdict.reason == "news"
    assert next(check.value for check in verdict.checks if check.name == "news") == pytest.approx(20.0)
    assert play.desk.view().next_news == event


def test_without_a_calendar_the_desk_follows_its_setting() -> None:
    play = Play(shipped_settings(("news.no_calendar_action", "hold"))).start()
    play.give(Calendar(available=False, why="no answer"))
    assert judged(play).reason == "calendar"
    play.give(Calendar(available=True))
    play.next_bar()
    assert judged(play).outcome == "entered"


def test_zero_or_implausible_tick_value_is_refused() -> None:
    for value, reason in ((0.0, "tick_value"), (1.1, "tick_value"), (1.04, "")):
        play = Play().start()
        play.give(Instruments(instruments=(spec("EURUSD", tick_value_loss_money=value),)))
        assert judged(play).reason == reason


def test_second_position_is_refused_and_opposite_signal_ignored() -> None:
    play = Play().start()
    play.enter("EURUSD")
    play.next_bar()
    assert judged(play).reason == "pair_positions"
    play.next_bar()
    assert judged(play, side=Side.SELL).reason == "own_position"
    assert not play.all(Close)


def test_close_and_reverse_waits_until_the_close_is_proven() -> None:
    play = Play(shipped_settings(("filters.opposite_signal_action", "reverse"))).start()
    position = play.enter("EURUSD")
    play.next_bar()
    verdict = judged(play, side=Side.SELL)
    assert (verdict.outcome, verdict.reason) == ("waiting", "reverse")
    close = play.last(Close)
    assert (close.position_id, close.why) == (position, "reverse")
    effects = play.close(close, 1.0850, -3.1)
    assert only(effects, Submit).side is Side.SELL
    assert [one.outcome for one in effects if isinstance(one, Verdict)] == ["entered"]


def test_a_netting_pair_with_volume_of_others_is_not_entered() -> None:
    play = Play(shipped_settings(("breakers.positions_per_pair_max", 3))).start(hedging=False)
    play.held[9] = foreign("EURUSD")
    play.book()
    assert judged(play).reason == "netting_foreign"


def foreign(symbol: str, **more: object) -> BrokerPosition:
    held = BrokerPosition(
        ticket=9,
        position_id=9,
        symbol=symbol,
        side=Side.BUY,
        lots=0.1,
        open_price=BID[symbol],
        stop_price=round(BID[symbol] * 0.997, 5),
        target_price=None,
        opened_utc_ns=NOON,
        magic=0,
    )
    return msgspec.structs.replace(held, **more)


def test_every_step_stands_in_the_verdict_with_number_and_threshold() -> None:
    verdict = judged(Play().start())
    names = [check.name for check in verdict.checks]
    for name in ("confidence", "spread_stop", "spread_usual", "hours", "news", "day_loss", "positions", "lots_by_risk",
                 "correlation", "reward_risk", "budget", "day_room", "margin", "all_stops"):  # fmt: skip
        assert name in names
    assert verdict.lots == 0.31
    assert verdict.risk_money <= 100.0


def test_size_is_shrunk_to_leverage_and_says_so() -> None:
    play = Play(shipped_settings(("exposure.position_max_x_equity", 1.0))).start()
    verdict = judged(play)
    assert verdict.lots == 0.09
    assert "shrunk from 0.31 to 0.09" in next(check.note for check in verdict.checks if check.name == "leverage_position")


def test_correlated_pairs_are_one_risk_and_policy_decides() -> None:
    limits = (("correlation.risk_max_pct", 1.5),)
    play = Play(shipped_settings(*limits)).start()
    play.enter("EURUSD")
    play.next_bar()
    assert judged(play, "GBPUSD").reason == "correlation"
    play = Play(shipped_settings(*limits, ("correlation.over_limit_action", "shrink"))).start()
    play.enter("EURUSD")
    play.next_bar()
    verdict = judged(play, "GBPUSD")
    assert verdict.outcome == "entered"
    assert 0.0 < verdict.risk_money < 60.0


def test_kelly_needs_trades_and_never_risks_more_than_fixed() -> None:
    play = Play(shipped_settings(("kelly.enabled", True))).start()
    play.enter()
    assert play.last(Submit).lots == 0.31
    state = play.desk._ctx.state
    state.results_r = [-1.0, 1.02] * 20
    play.next_bar()
    small = judged(play, "GBPUSD")
    assert 0.0 < small.risk_money < 60.0
    assert play.desk.view().risk.kelly == "0.250% (floor, 40 trades)"


def test_candidate_counts_fully_in_correlated_risk() -> None:
    """Slippage and the cost to close included: the book is not over its limit in the moment after the entry that fitted it."""
    wide = tuple((f"exposure.{name}_max_x_equity", 1000.0) for name in ("position", "currency", "total"))
    play = Play(shipped_settings(*wide, ("correlation.risk_max_pct", 100.0), ("exposure.gap_risk_max_pct", 100.0))).start()
    for symbol in ("EURUSD", "GBPUSD"):
        play.enter(symbol)
        verdict = play.last(Verdict)
        counted = next(check for check in verdict.checks if check.name == "correlation").value
        # nothing is known of how they move, and they share the dollar: what each may lose adds up
        stands = play.desk.view().risk.open_money
        assert stands <= counted <= stands + 4.0, "the spread of the entry is lost once it stands, and no risk any more"
        assert counted > 1.05 * sum(told.risk_money for told in play.all(PositionOpened))
