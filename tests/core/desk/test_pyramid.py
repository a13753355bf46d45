"""Adding to a winner: never more at risk than the first entry risked."""

from __future__ import annotations

import pytest

from quarterdeck.core.desk.position_management import group_net_money
from quarterdeck.core.model.effects import Close, Effect, Modify, Submit, Verdict
from quarterdeck.core.model.inputs import RequestDone
from quarterdeck.core.model.signals import Signal
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, only

ON = (
    ("position.pyramid", True),
    ("position.trail_x_atr", 0.0),
    ("position.profit_retrace_pct", 100.0),
    ("position.time_exit_hours", 0.0),
    ("exposure.position_max_x_equity", 90.0),
    ("exposure.currency_max_x_equity", 90.0),
    ("exposure.gap_risk_max_pct", 90.0),
    ("breakers.positions_per_pair_max", 1),
)


def winner(*changes: tuple[str, object], peak: float = 1.0900, now: float = 1.0890, **account: object) -> tuple[Play, int]:
    play = Play(shipped_settings(*ON, *changes)).start(**account)
    position = play.enter()
    play.book()
    play.quote("EURUSD", peak, after_s=5)
    play.quote("EURUSD", peak)
    play.next_bar(EURUSD=now)
    return play, position


def again(play: Play, price: float = 1.0890, stop_pips: float = 30.0) -> Signal:
    return play.signal(
        "EURUSD", entry_price=price, stop_price=round(price - stop_pips / 10_000, 5), target_price=round(price + 0.009, 5)
    )


def confirm(play: Play, effects: list[Effect]) -> list[Effect]:
    moved = only(effects, Modify)
    play.modified(moved)
    play.report(moved.client_id, RequestDone())
    return play.wait(31)


def test_stops_are_tightened_and_confirmed_before_the_add() -> None:
    play, position = winner(("filters.quote_age_max_s", 600.0))
    effects = play.round(again(play))
    assert only(effects, Verdict).reason == "pyramid_stops"
    assert only(effects, Modify).stop_price == 1.086
    assert not [one for one in effects if isinstance(one, Submit)]
    effects = confirm(play, effects)
    add = only(effects, Submit)
    assert add.adds_to_position_id == position
    checks = {check.name: check for check in only(effects, Verdict).checks}
    assert checks["pyramid_risk"].passed
    play.fill(add)
    group = [one for one in play.desk._ctx.state.positions.values() if one.group_id == position]
    assert len(group) == 2
    first_risk = group[0].risk_money
    lost = sum((one.open_price - one.stop_price) * 100_000 * one.lots + 7.0 * one.lots for one in group)
    assert lost <= first_risk


@pytest.mark.parametrize(
    ("changes", "kwargs", "reason"),
    [
        ((("position.pyramid_from_r", 2.0),), {}, "pyramid_peak"),
        ((("position.pyramid_pullback_x_atr", 5.0),), {}, "pyramid_pullback"),
        ((("position.pyramid_adds_max", 0),), {}, "pyramid_adds"),
        ((), {"now": 1.0840}, "pyramid_winner"),
    ],
)
def test_conditions(changes: tuple[tuple[str, object], ...], kwargs: dict[str, float], reason: str) -> None:
    play, _ = winner(*changes, **kwargs)
    assert only(play.round(again(play, kwargs.get("now", 1.0890))), Verdict).reason == reason


def test_none_after_a_partial_close() -> None:
    play, position = winner()
    play.out(position, 1.089, 30.0, reason="client", lots=0.1)
    assert only(play.round(again(play)), Verdict).reason == "pyramid_whole"


def test_a_group_has_one_peak_and_gives_back_together() -> None:
    play, position = winner(("filters.quote_age_max_s", 600.0))
    play.fill(only(confirm(play, play.round(again(play))), Submit))
    play.book()
    play.change(*ON[:2], ("position.profit_retrace_pct", 25.0), ("filters.quote_age_max_s", 600.0), ("position.pyramid", True))
    play.quote("EURUSD", 1.0910, after_s=5)
    state = play.desk._ctx.state
    peak = state.groups[position].peak_money
    assert peak == pytest.approx(group_net_money(list(state.positions.values())))
    effects = play.quote("EURUSD", 1.0884, after_s=5)
    assert len([one for one in effects if isinstance(one, Close)]) == 2
    assert state.groups[position].retrace_done or all(one.retrace_done for one in state.positions.values())


def test_on_netting_the_add_never_loosens_the_whole() -> None:
    play, position = winner(("filters.quote_age_max_s", 600.0), hedging=False)
    effects = confirm(play, play.round(again(play, stop_pips=30.0)))
    add = only(effects, Submit)
    assert add.stop_price >= play.desk.view().positions[0].stop_price
    assert add.adds_to_position_id == position
