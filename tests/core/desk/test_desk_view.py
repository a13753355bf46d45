"""What a screen is fed: known figures, and None for the rest."""

from __future__ import annotations

from quarterdeck.core.model.commands import Flatten
from quarterdeck.core.model.units import M15_NS
from tests.core.desk.playbook import Play


def test_a_desk_that_just_started_knows_little_and_says_so() -> None:
    from tests.core.desk.test_orders_in_flight import sent

    play = Play().start()
    view = play.desk.view()
    assert (view.state, view.equity_money, view.balance_money, view.day_limit_money) == ("ACTIVE", 10_000.0, 10_000.0, 500.0)
    assert view.next_bar_utc_ns == play.at + M15_NS
    assert [pair.symbol for pair in view.pairs] == ["EURUSD", "GBPUSD", "USDJPY", "USDCHF"]
    assert view.pairs[0].spread_pips is not None
    assert round(view.pairs[0].spread_pips, 6) == 1.0
    order = sent(play)
    view = play.desk.view()
    assert [(one.client_id, one.what, one.order_status) for one in view.orders] == [(order.client_id, "open", "in_flight")]
    assert view.signals[0].outcome == "entered"
    assert view.pairs[0].verdict == "entered"
    assert view.risk.reserved_money > 0.0


def test_quotes_become_stale_and_views_leave_state_unchanged() -> None:
    play = Play().start()
    before = play.desk.checkpoint()
    assert not play.desk.view().pairs[0].stale
    assert play.desk.view(play.at + 61_000_000_000).pairs[0].stale
    assert play.desk.checkpoint() == before


def test_a_position_shows_what_care_will_do() -> None:
    play = Play().start()
    play.enter()
    view = play.desk.view().positions[0]
    assert view.next_action == "trail from 0.5R, time exit 16:00"
    assert view.pips is not None
    assert round(view.pips, 3) == -1.0
    assert view.stop_distance_pips is not None
    assert round(view.stop_distance_pips, 3) == 30.0
    assert view.spread_cost_money is not None
    assert round(view.spread_cost_money, 2) == 3.1
    play.command(Flatten())
    assert play.desk.view().positions[0].closing
    assert play.desk.view().flatten is not None


def test_without_a_rate_money_is_unknown_not_zero() -> None:
    play = Play()
    play.start(pairs=("EURUSD", "GBPUSD", "USDJPY", "USDCHF"))
    play.enter("USDJPY")
    state = play.desk._ctx.state
    del state.quotes["USDJPY"]
    play.quote("EURUSD")
    play.book()
    assert play.desk.view().positions[0].current_price is None
    assert play.desk.view().risk.open_money is None
