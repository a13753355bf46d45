"""Management of what is open: peaks, profit retracement, trail, age, weekend, stops that must stand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.core.filters.trading_hours import early_close
from quarterdeck.core.model.effects import (
    Alert,
    Close,
    Effect,
    Modify,
    PositionOpened,
    StateChanged,
    Submit,
    TradeClosed,
    Verdict,
)
from quarterdeck.core.model.inputs import Calendar, NewsEvent, OrderRejected, RequestDone
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import MONDAY, NOON, Play, kinds, only, spec

NO_TRAIL = ("position.trail_x_atr", 0.0)


def opened(*changes: tuple[str, object], side: Side = Side.BUY, at: int = NOON, symbol: str = "EURUSD") -> tuple[Play, int]:
    play = Play(shipped_settings(*changes), at=at).start()
    position = play.enter(symbol, side)
    play.book()
    return play, position


def walk(play: Play, *bids: float, step_s: float = 30.0) -> list[Effect]:
    found: list[Effect] = []
    for bid in bids:
        found += play.quote("EURUSD", bid, after_s=step_s)
    return found


def test_a_give_back_closes_half_once() -> None:
    play, position = opened(NO_TRAIL)
    assert not [e for e in walk(play, 1.0865, 1.0880, 1.0875) if isinstance(e, Close)], "peak 90, a sixth given back"
    close = only(walk(play, 1.0870), Close)
    assert (close.why, close.lots) == ("give_back", 0.15)
    play.close(close, 1.0870, 28.5)
    assert not [e for e in walk(play, 1.0900, 1.0860, 1.0900, 1.0855) if isinstance(e, Close)], "once per position"
    effects = play.out(position, 1.0855, 6.4, reason="client")
    trade = only(effects, TradeClosed)
    assert trade.reason == "manual"
    assert trade.lots == 0.31
    assert trade.net_money == pytest.approx(28.5 + 6.4 - 1.08 * 1 - round(3.5 * 0.15, 2) - round(3.5 * 0.16, 2), abs=0.02)


def test_under_the_three_floors_nothing_is_given_back() -> None:
    play, _ = opened(NO_TRAIL)
    assert not [e for e in walk(play, 1.0864, 1.0855) if isinstance(e, Close)], "a peak of 38 is under half an R"


def test_half_below_minimum_volume_is_skipped_or_fully_closed() -> None:
    for choice, lots in (("leave", None), ("close", 0.01)):
        tiny = (("risk.risk_per_trade_pct", 0.05), ("kelly.risk_min_pct", 0.01), ("position.profit_retrace_from_equity_pct", 0.0))
        play, _ = opened(NO_TRAIL, *tiny, ("position.profit_retrace_below_min_lot", choice))
        assert play.desk.view().positions[0].lots == 0.01
        closes = [e for e in walk(play, 1.0870, 1.0890, 1.0865) if isinstance(e, Close)]
        assert [e.lots for e in closes] == ([] if lots is None else [lots])


def test_trailing_stop_locks_then_follows_and_never_loosens() -> None:
    play, _ = opened(("position.profit_retrace_pct", 100.0))
    first = only(walk(play, 1.0870), Modify)
    assert first.why == "trail"
    assert first.stop_price == pytest.approx(1.08548, abs=2e-5), "entry and a fifth of the peak"
    play.modified(first)
    play.report(first.client_id, RequestDone())
    assert not [e for e in walk(play, 1.0860) if isinstance(e, Modify)], "never looser"
    second = only(walk(play, 1.0890), Modify)
    assert second.stop_price == pytest.approx(1.0870, abs=2e-5), "two ATR under the best"
    play.modified(second)
    play.report(second.client_id, RequestDone())
    assert not [e for e in walk(play, 1.0891) if isinstance(e, Modify)], "in steps of a quarter ATR"
    trade = only(play.out(1001, 1.0870, 58.9), TradeClosed)
    assert (trade.reason, trade.stop_price) == ("trail", second.stop_price)
    assert trade.result_r > 0.5


@settings(max_examples=60)
@given(st.lists(st.integers(-40, 40), min_size=5, max_size=60), st.sampled_from([Side.BUY, Side.SELL]))
def test_care_never_loosens_a_stop(moves: list[int], side: Side) -> None:
    play, position = opened(side=side)
    bid, gave = 1.085, 0
    stop = play.desk.view().positions[0].stop_price
    for move in moves:
        bid = round(bid + move / 10_000, 5)
        for effect in play.quote("EURUSD", bid, after_s=10):
            if isinstance(effect, Modify):
                assert (effect.stop_price - stop) * side > 0
                stop = effect.stop_price
                play.modified(effect)
                play.report(effect.client_id, RequestDone())
            elif isinstance(effect, Close):
                gave += effect.why == "give_back"
                play.close(effect, bid, 0.0)
        if position not in play.held:
            return
    assert gave <= 1


def test_age_acts_at_four_hours_on_a_fresh_quote_only() -> None:
    play, position = opened(NO_TRAIL)
    assert play.desk.wake_at() == play.at + 4 * 3600 * NS_PER_S
    assert not [e for e in play.wait(4 * 3600) if isinstance(e, Close)], "the last quote is four hours old"
    close = only(play.quote("EURUSD", 1.0849), Close)
    assert (close.position_id, close.why, close.lots) == (position, "age", 0.31)
    trade = only(play.close(close, 1.0849, -6.2), TradeClosed)
    assert trade.reason == "age"


def test_lowered_time_limit_acts_on_the_next_quote() -> None:
    play, position = opened(NO_TRAIL)
    play.wait(2 * 3600)
    play.change(("position.time_exit_hours", 1.0))
    close = only(play.quote("EURUSD", 1.0855, after_s=1.0), Close)
    assert (close.position_id, close.why) == (position, "age")


def test_time_limit_passed_while_down_acts_on_the_next_quote() -> None:
    play, position = opened(NO_TRAIL)
    later = Play(shipped_settings(NO_TRAIL), run_id="r2", at=play.at + 5 * 3600 * NS_PER_S)
    later.held = play.held
    later.start(restored=play.desk.checkpoint())
    walk(later, 1.0855, step_s=1.0)
    close = only(later.all(Close), Close)
    assert (close.position_id, close.why) == (position, "age")


def test_age_waits_out_the_rollover_unless_open_risk_grows() -> None:
    at = MONDAY + (17 * 3600 + 15 * 60) * NS_PER_S
    anyway = ("filters.entry_hours", [])
    for bid, leaves in ((1.0850, False), (1.0849, False)):
        play, _ = opened(NO_TRAIL, anyway, at=at)
        play.at = MONDAY + (21 * 3600 + 20 * 60) * NS_PER_S
        found = play.quote("EURUSD", bid)
        assert bool([e for e in found if isinstance(e, Close)]) is leaves
        assert play.desk.wake_at() == MONDAY + (22 * 3600 + 5 * 60) * NS_PER_S
        play.at = play.desk.wake_at() or 0
        assert only(play.quote("EURUSD", bid), Close).why == "age"


def due_in_the_rollover(*changes: tuple[str, object]) -> tuple[Play, int]:
    """A position whose age is over at 17:15 New York."""
    play, position = opened(NO_TRAIL, ("filters.entry_hours", []), *changes, at=MONDAY + (17 * 3600 + 15 * 60) * NS_PER_S)
    play.at = MONDAY + (21 * 3600 + 16 * 60) * NS_PER_S
    assert not [e for e in play.quote("EURUSD", 1.0850) if isinstance(e, Close)]
    return play, position


def with_stop(play: Play, position: int, stop_price: float | None) -> list[Effect]:
    held = play.held[position]
    play.held[position] = type(held)(**{**{f: getattr(held, f) for f in held.__struct_fields__}, "stop_price": stop_price})
    return [*play.book(), *play.quote("EURUSD", 1.0850, after_s=30.0)]


@pytest.mark.parametrize(("bid", "spread"), [(1.0850, 0.0020), (1.0860, 0.0001), (1.0825, 0.0001), (1.0821, 0.0030)])
def test_no_price_or_spread_hurries_an_exit_in_the_rollover(bid: float, spread: float) -> None:
    play, _ = due_in_the_rollover()
    for _again in range(3):
        assert not [e for e in play.quote("EURUSD", bid, spread=spread, after_s=60.0) if isinstance(e, Close)]


def test_a_farther_stop_ends_the_wait_for_the_rollover() -> None:
    play, position = due_in_the_rollover()
    assert only(with_stop(play, position, 1.0810), Close).why == "age"


def test_a_nearer_stop_keeps_an_exit_waiting() -> None:
    play, position = due_in_the_rollover()
    assert not [e for e in with_stop(play, position, 1.0830) if isinstance(e, Close)]


def test_a_missing_stop_ends_the_wait_for_the_rollover() -> None:
    play, position = due_in_the_rollover()
    assert [e for e in with_stop(play, position, None) if isinstance(e, Close)]


def test_positions_leave_before_the_weekend() -> None:
    friday = MONDAY + (4 * 24 + 14) * 3600 * NS_PER_S
    play, _ = opened(NO_TRAIL, ("position.time_exit_hours", 0.0), at=friday)
    assert play.desk.wake_at() == MONDAY + (4 * 24 + 19) * 3600 * NS_PER_S + 1800 * NS_PER_S
    play.at = play.desk.wake_at() or 0
    assert only(play.quote("EURUSD"), Close).why == "weekend"


def test_manually_removed_stop_is_restored_and_blocks_entries() -> None:
    play, position = opened(NO_TRAIL)
    held = play.held[position]
    play.held[position] = type(held)(**{**{f: getattr(held, f) for f in held.__struct_fields__}, "stop_price": None})
    effects = play.book()
    restore = only(effects, Modify)
    assert (restore.why, restore.stop_price) == ("restore", 1.082)
    assert "no_stop" in only(effects, StateChanged).reasons
    assert play.desk.view().positions_without_stop == 1
    play.report(restore.client_id, OrderRejected(kind="retry", code=10004, reason="requote"))
    again = only(play.quote("EURUSD", after_s=5), Modify)
    play.modified(again)
    effects = play.report(again.client_id, RequestDone())
    assert only(effects, StateChanged).state == "ACTIVE"
    assert play.desk.view().positions_without_stop == 0


def test_manually_moved_stop_is_respected_with_its_new_risk() -> None:
    play, position = opened(NO_TRAIL)
    before = play.desk.view().positions[0].open_risk_money
    held = play.held[position]
    play.held[position] = type(held)(**{**{f: getattr(held, f) for f in held.__struct_fields__}, "stop_price": 1.0800})
    assert kinds(play.book()) == ["LogEvent"]
    view = play.desk.view().positions[0]
    assert view.stop_price == 1.0800
    assert view.open_risk_money == pytest.approx((before or 0.0) + 62.0, abs=1.0)


def test_ahead_of_red_news_a_winner_keeps_a_share() -> None:
    play, _ = opened(("position.trail_from_r", 20.0), ("news.tighten_stops", True))
    event = NewsEvent(at_utc_ns=play.at + 1200 * NS_PER_S, currency="USD", impact="high", title="CPI")
    play.give(Calendar(available=True, events=(event,)))
    assert only(walk(play, 1.0861), Modify).stop_price == pytest.approx(1.0853, abs=2e-5)


def test_excess_risk_after_fill_is_reported_or_trimmed() -> None:
    for action in ("report", "trim"):
        play = Play(shipped_settings(("risk.fill_risk_action", action))).start()
        sent = only(play.round(play.signal("EURUSD")), Submit)
        position = play.fill(sent, price=1.0862)
        told = play.last(PositionOpened)
        assert told.risk_money > 1.25 * told.asked_risk_money
        assert [e for e in play.all(Alert) if e.kind == "risk"]
        closes = play.all(Close)
        assert [(c.why, c.position_id) for c in closes] == ([("trim", position)] if action == "trim" else [])
        if closes:
            assert closes[0].lots == 0.08


def test_positions_close_and_entries_stop_before_early_close() -> None:
    # noon in UTC is 8:00 in New York in August
    closes = ("position.early_closes", ["2024-08-05 13:00 EURUSD", "2024-08-07"])
    play, _ = opened(NO_TRAIL, ("position.time_exit_hours", 0.0), closes)
    assert play.desk.wake_at() == NOON + (4 * 3600 + 45 * 60) * NS_PER_S
    play.at = play.desk.wake_at() or 0
    assert only(play.quote("EURUSD"), Close).why == "weekend"


@pytest.mark.parametrize(
    ("closes", "symbol", "refused"),
    [
        (["2024-08-05 11:00"], "EURUSD", "early_close"),
        (["2024-08-05 11:00 EURUSD"], "EURUSD", "early_close"),
        (["2024-08-05 11:00 EURUSD"], "GBPUSD", ""),
        (["2024-08-05 12:00"], "EURUSD", ""),
        (["2024-08-05"], "EURUSD", "session"),
        (["2024-08-06"], "EURUSD", ""),
        (["2024-08-04 12:00"], "EURUSD", ""),
    ],
)
def test_no_entry_before_early_close_or_on_holiday(closes: list[str], symbol: str, refused: str) -> None:
    play = Play(shipped_settings(("position.early_closes", closes))).start()
    effects = play.round(play.signal(symbol))
    verdict = next(effect for effect in effects if isinstance(effect, Verdict) and effect.symbol == symbol)
    assert (verdict.outcome, verdict.reason) == ("refused" if refused else "entered", refused)


def test_after_early_close_no_quote_is_stale_and_exits_wait() -> None:
    # 9:00 in New York is 13:00 in UTC in August; the bank day ends at 21:00
    closes = ("position.early_closes", ["2024-08-05 09:00 EURUSD"])
    no_minutes = (("position.early_close_minutes", 0.0), ("position.early_close_no_entries_minutes", 0.0))
    play, position = opened(NO_TRAIL, ("position.time_exit_hours", 2.0), *no_minutes, closes)
    play.at = NOON + 3 * 3600 * NS_PER_S
    assert Close not in map(type, play.timer())
    euro, pound = (next(pair for pair in play.desk.view().pairs if pair.symbol == name) for name in ("EURUSD", "GBPUSD"))
    assert (euro.session_open, euro.stale) == (False, False)
    assert (pound.session_open, pound.stale) == (True, True)
    play.at = NOON + 9 * 3600 * NS_PER_S - NS_PER_S
    assert Close not in map(type, play.timer())
    play.at = NOON + (10 * 3600 + 6 * 60) * NS_PER_S  # open again at 17:00 in New York, and the rollover is waited out
    assert only(play.quote("EURUSD"), Close).position_id == position


def test_late_quotes_after_early_close_allow_due_exits() -> None:
    closes = ("position.early_closes", ["2024-08-05 09:00 EURUSD"])
    no_minutes = (("position.early_close_minutes", 0.0), ("position.early_close_no_entries_minutes", 0.0))
    play, position = opened(NO_TRAIL, ("position.time_exit_hours", 2.0), *no_minutes, closes)
    play.at = NOON + 3 * 3600 * NS_PER_S
    assert only(play.quote("EURUSD"), Close).position_id == position


def test_session_ending_before_the_week_is_an_early_close() -> None:
    monday_13 = 86_400 + 13 * 3600
    short = ((17 * 3600, monday_13), (monday_13 + 13 * 3600, 5 * 86_400 + 17 * 3600))
    whole_day = 3.0 * 3600 * NS_PER_S
    for at, passed in ((NOON, True), (NOON + 3 * 3600 * NS_PER_S, False)):
        ruling = early_close(at, spec("EURUSD", sessions=short), (), no_entries_ns=round(whole_day))
        assert ruling is not None
        assert ruling.check.passed is passed
        assert ruling.check.value == 5.0 - (at - NOON) / (3600 * NS_PER_S)
    assert early_close(NOON, spec("EURUSD"), (), no_entries_ns=round(whole_day)) is None


def test_stop_is_not_moved_while_its_position_is_closing() -> None:
    play, _ = opened(("position.profit_retrace_pct", 100.0))
    play.at = (play.desk.wake_at() or 0) - NS_PER_S
    assert kinds(play.quote("EURUSD", 1.0852)) == []
    # four hours are over, and the same quote is one that the trail would follow
    effects = play.quote("EURUSD", 1.0890, after_s=1.0)
    assert only(effects, Close).why == "age"
    assert not [effect for effect in effects if isinstance(effect, Modify)]
    assert {order.kind for order in play.desk._ctx.state.orders.values()} == {"close"}
