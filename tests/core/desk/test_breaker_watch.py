"""Breakers: they trip before it is too late, stay tripped, and come back their own way."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from quarterdeck.core.desk import breaker_watch
from quarterdeck.core.model.commands import ResetDrawdown, Resume
from quarterdeck.core.model.effects import Alert, Close, CommandDone, Effect, EquityMarked, Verdict
from quarterdeck.core.model.inputs import ConnectionState
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.risk import prop_firm
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, only

BIG = (("risk.risk_per_trade_pct", 4.0), ("exposure.position_max_x_equity", 90.0), ("exposure.currency_max_x_equity", 90.0),
       ("exposure.total_max_x_equity", 90.0), ("exposure.gap_risk_max_pct", 90.0), ("correlation.risk_max_pct", 50.0))  # fmt: skip


def move(play: Play, bid: float) -> list[Effect]:
    """The euro at a price that a second quote confirms."""
    return play.quote("EURUSD", bid) + play.quote("EURUSD", bid)


def lose(play: Play, money: float, symbol: str = "EURUSD") -> None:
    position = play.enter(symbol)
    play.out(position, 1.08, -money)


def test_daily_loss_includes_floating_pnl_and_holds_until_next_day() -> None:
    play = Play(shipped_settings(*BIG, ("breakers.day_loss_max_pct", 3.0), ("position.time_exit_hours", 0.0), ("risk.open_risk_max_pct", 20.0),
                                 ("breakers.drawdown_max_pct", 50.0), ("risk.risk_per_trade_pct", 2.0)))  # fmt: skip
    play.start()
    position = play.enter()
    effects = move(play, 1.0800)
    assert [e.kind for e in effects if isinstance(e, Alert)] == ["breaker"]
    assert play.desk.view().reasons[0].code == "day_loss"
    assert not [e for e in effects if isinstance(e, Close)], "the position keeps its stop"
    play.out(position, 1.08, -300.0)
    play.next_bar()
    assert only(play.round(play.signal("GBPUSD")), Verdict).reason == "day_loss"
    play.command(Resume())
    assert play.desk.view().state == "REDUCE_ONLY", "resume takes nothing from a breaker"
    view = next(one for one in play.desk.view().risk.limits if one.name == "day_loss")
    assert (view.tripped, view.resets_when) == (True, "day")
    play.wait(9 * 3600)
    assert play.desk.view().state == "ACTIVE"
    assert play.desk.view().day_result_money == 0.0


def test_an_entry_must_fit_the_day_before_the_fact() -> None:
    play = Play(shipped_settings(("breakers.day_loss_max_pct", 2.0))).start()
    lose(play, 120.0)
    play.next_bar()
    assert only(play.round(play.signal("GBPUSD")), Verdict).reason == "day_room"


def test_drawdown_breaker_needs_the_operator_even_after_restart() -> None:
    play = Play(shipped_settings(*BIG, ("breakers.drawdown_max_pct", 3.0), ("breakers.day_loss_max_pct", 50.0))).start()
    lose(play, 400.0)
    assert [reason.code for reason in play.desk.view().reasons] == ["drawdown"]
    play.wait(24 * 3600)
    again = Play(play.settings, run_id="r2", at=play.at)
    again.balance = play.balance
    again.start(restored=play.desk.checkpoint())
    assert [reason.code for reason in again.desk.view().reasons] == ["drawdown"]
    again.command(ResetDrawdown())
    assert again.desk.view().state == "ACTIVE"
    assert again.desk.view().drawdown_fraction == 0.0


def test_losses_in_a_row_count_but_scratches_do_not() -> None:
    play = Play(shipped_settings(("breakers.consecutive_losses_max", 2))).start()
    lose(play, 50.0)
    play.next_bar()
    lose(play, 2.0)
    play.next_bar()
    assert play.desk.view().state == "ACTIVE"
    lose(play, 50.0, "GBPUSD")
    assert [reason.code for reason in play.desk.view().reasons] == ["losses_in_row"]


def test_entries_a_day() -> None:
    play = Play(shipped_settings(("breakers.entries_per_day_max", 1))).start()
    lose(play, 5.0)
    assert [reason.code for reason in play.desk.view().reasons] == ["entries"]
    assert play.desk.view().entries_today == 1


def test_tripping_may_flatten() -> None:
    play = Play(shipped_settings(*BIG, ("breakers.day_loss_max_pct", 3.0), ("breakers.drawdown_max_pct", 50.0),
                                 ("risk.open_risk_max_pct", 20.0), ("risk.risk_per_trade_pct", 2.0),
                                 ("breakers.trip_action", "flatten"))).start()  # fmt: skip
    position = play.enter()
    effects = move(play, 1.0800)
    close = only(effects, Close)
    assert (close.position_id, close.why) == (position, "breaker")
    play.close(close, 1.08, -310.0)
    play.book()
    play.book()
    assert [reason.code for reason in play.desk.view().reasons] == ["day_loss"], "flat again, not halted"


def test_day_starts_1700_new_york_from_greater_balance_or_equity() -> None:
    play = Play(
        shipped_settings(("position.time_exit_hours", 0.0), ("position.trail_x_atr", 0.0), ("position.profit_retrace_pct", 100.0))
    ).start()
    play.enter()
    move(play, 1.0890)
    at = play.at + 9 * 3600 * NS_PER_S
    assert play.desk.wake_at() == at
    effects = play.wait(9 * 3600)
    assert only(effects, EquityMarked)
    assert [e.kind for e in effects if isinstance(e, Alert)] == ["summary"]
    view = play.desk.view()
    assert view.day_base_money == view.equity_money
    assert (view.equity_money or 0.0) > 10_100.0
    assert view.day_result_money == 0.0


def test_prop_firm_rules_stop_entries_then_close_before_the_limit() -> None:
    rules = (("prop_firm.enabled", True), ("prop_firm.day_loss_pct", 1.5), ("prop_firm.reduce_only_buffer_pct", 50.0),
             ("prop_firm.close_buffer_pct", 20.0), ("exposure.position_max_x_equity", 1.0))  # fmt: skip
    play = Play(shipped_settings(*rules)).start()
    position = play.enter()
    move(play, 1.0760)
    assert [reason.code for reason in play.desk.view().reasons] == ["funded"]
    effects = move(play, 1.0700)
    assert only(effects, Close).why == "funded_rule"
    assert next(iter(play.desk.view().reasons)).code == "funded_close", "its way back is the one that holds now"
    assert only(effects, Close).position_id == position


@pytest.mark.parametrize("base", ["static", "trailing_balance", "trailing_equity"])
def test_equity_that_is_not_judged_is_far_from_every_limit(base: str) -> None:
    rules = (
        ("prop_firm.enabled", True),
        ("prop_firm.overall_base", base),
        ("prop_firm.day_loss_pct", 4.0),
        ("prop_firm.overall_loss_pct", 9.0),
    )
    play = Play(shipped_settings(*rules, ("breakers.day_loss_max_pct", 3.0))).start()
    play.enter()
    ctx = play.desk._ctx
    assert ctx is not None
    state, passed = ctx.state, 0
    before, peak = (state.breakers, state.prop_firm), state.breakers.peak_money
    for step in range(-1200, 200):
        equity = peak * (1.0 + step / 10_000.0)
        if breaker_watch.equity_in_quiet_band(ctx, equity):
            passed += 1
            assert equity <= peak
            assert not breaker_watch.floor_reached(ctx, equity)
            assert breaker_watch.funded_calm(ctx, equity)
            assert (state.breakers, state.prop_firm) == before
    assert passed > 100
    assert breaker_watch.equity_in_quiet_band(ctx, peak)
    state.breakers = replace(state.breakers, day_base_money=2.0 * peak)
    assert not breaker_watch.equity_in_quiet_band(ctx, peak), "the day begins elsewhere"


@pytest.mark.parametrize("base", ["greater", "balance", "equity"])
def test_prop_firm_money_loss_counts_from_the_configured_base(base: str) -> None:
    rules = (("prop_firm.enabled", True), ("prop_firm.day_loss_money", 150.0), ("prop_firm.day_base", base))
    play = Play(shipped_settings(*rules, ("risk.risk_per_trade_pct", 0.5))).start()
    play.enter(stop_pips=100.0, target_pips=300.0)
    play.quote("EURUSD", 1.08400)
    play.timer(after_s=9 * 3600)
    state = play.desk._ctx.state
    equity, balance = state.equity_money, state.balance_money
    assert equity is not None
    assert equity < balance
    assert state.prop_firm.day_base_money == (equity if base == "equity" else balance)
    limit = prop_firm.limits(state.prop_firm, play.desk._ctx.account_policy.prop_firm, equity_money=equity)[0]
    assert limit.floor_money == state.prop_firm.day_base_money - 150.0


def test_a_funded_account_has_a_day_of_its_own() -> None:
    rules = (("prop_firm.enabled", True), ("prop_firm.day_loss_pct", 1.5), ("prop_firm.day_zone", "Europe/Prague"),
             ("prop_firm.day_start", "00:00"), ("prop_firm.day_base", "equity"), ("prop_firm.reduce_only_buffer_pct", 50.0), ("position.time_exit_hours", 0.0),
             ("position.trail_x_atr", 0.0), ("position.profit_retrace_pct", 100.0), ("exposure.position_max_x_equity", 1.0))  # fmt: skip
    play = Play(shipped_settings(*rules)).start()
    play.enter()
    move(play, 1.0760)
    assert [reason.code for reason in play.desk.view().reasons] == ["funded"]
    # noon in UTC is 14:00 in Prague in August: midnight there is ten hours ahead, the account's own day an hour nearer
    assert play.desk.wake_at() == play.at + 9 * 3600 * NS_PER_S
    play.wait(9 * 3600)
    assert [reason.code for reason in play.desk.view().reasons] == ["funded"]
    base = play.desk._ctx.state.prop_firm.day_base_money
    assert play.desk.wake_at() == play.at + 3600 * NS_PER_S
    play.wait(3600)
    state = play.desk._ctx.state
    assert play.desk.view().reasons == ()
    assert state.prop_firm.day_base_money != base
    assert state.breakers.day_started_utc_ns == play.at - 3600 * NS_PER_S
    again = Play(shipped_settings(*rules), run_id="r2", at=play.at).start(restored=play.desk.checkpoint())
    assert again.desk._ctx.state.prop_firm_day_end_utc_ns == state.prop_firm_day_end_utc_ns > play.at


def test_prop_firm_day_defaults_to_the_account_day() -> None:
    play = Play(shipped_settings(("prop_firm.enabled", True))).start()
    state = play.desk._ctx.state
    assert state.prop_firm_day_end_utc_ns == state.day_end_utc_ns
    assert state.prop_firm.day_started_utc_ns == state.breakers.day_started_utc_ns


def test_reset_drawdown_needs_a_trip_and_shows_both_peaks() -> None:
    play = Play(shipped_settings(*BIG, ("breakers.drawdown_max_pct", 3.0), ("breakers.day_loss_max_pct", 50.0))).start()
    lose(play, 100.0)
    refused = only(play.command(ResetDrawdown()), CommandDone)
    before = play.desk.view()
    assert not refused.ok
    assert f"equity is {before.drawdown_fraction:.2%} below its peak of {before.peak_money:,.2f} USD, limit 3.00%" in refused.text
    lose(play, 300.0, "GBPUSD")
    done = only(play.command(ResetDrawdown()), CommandDone)
    assert done.ok
    assert (
        done.text
        == f"Drawdown accepted: peak equity was {before.peak_money:,.2f} USD, now {play.desk.view().equity_money:,.2f} USD"
    )


def test_an_end_is_told_at_the_level_of_its_beginning() -> None:
    play = Play(shipped_settings(*BIG, ("breakers.drawdown_max_pct", 3.0), ("breakers.day_loss_max_pct", 50.0))).start()
    lose(play, 400.0)
    told = [one for one in play.command(ResetDrawdown()) if isinstance(one, Alert)]
    assert [(one.kind, one.level) for one in told] == [("breaker", "critical")]
    play.give(ConnectionState(is_connected=False, why="gone"))
    back = only(play.give(ConnectionState(is_connected=True)), Alert)
    assert (back.kind, back.level, back.resolved, "back" in back.text) == ("connection", "critical", True, True)


@pytest.mark.parametrize(
    ("code", "key", "value", "money"),
    [("day_loss", "day_loss_max_pct", 5.0, 540.0), ("losses_in_row", "consecutive_losses_max", 1, 60.0)],
)
def test_trip_names_the_hour_at_which_entries_resume(code: str, key: str, value: float, money: float) -> None:
    play = Play(shipped_settings(*BIG, ("breakers.drawdown_max_pct", 50.0), (f"breakers.{key}", value))).start()
    lose(play, money)
    (reason,) = play.desk.view().reasons
    assert (reason.code, reason.clears_when) == (
        code,
        "the next trading day starts: Mon 2024-08-05 17:00 America/New_York (Mon 21:00 UTC)",
    )
    told = next(one for one in play.all(Alert) if one.kind == "breaker")
    assert told.text.endswith(f"Entries resume when {reason.clears_when}.")


def test_a_full_day_is_information() -> None:
    play = Play(shipped_settings(("breakers.entries_per_day_max", 1))).start()
    play.enter()
    (told,) = [one for one in play.said if isinstance(one, Alert) and one.kind == "breaker"]
    assert told.level == "info"


def test_a_stated_starting_balance_holds_at_once() -> None:
    rules = (("prop_firm.enabled", True), ("prop_firm.overall_loss_pct", 10.0), ("breakers.drawdown_max_pct", 90.0))
    play = Play(shipped_settings(*rules)).start()
    play.change(*rules, ("prop_firm.starting_balance_money", 11_000.0))
    state = play.desk._ctx.state
    assert prop_firm.limits(state.prop_firm, play.desk._ctx.account_policy.prop_firm, equity_money=10_000.0)[
        1
    ].floor_money == pytest.approx(9_900.0)
    assert [reason.code for reason in play.desk.view().reasons] == ["funded"]
    later = Play(shipped_settings(*rules, ("prop_firm.starting_balance_money", 10_500.0)), run_id="r2", at=play.at)
    later.start(restored=play.desk.checkpoint())
    assert later.desk._ctx.state.prop_firm.starting_balance_money == 10_500.0
