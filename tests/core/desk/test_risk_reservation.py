"""The gate: the budget is taken before the order leaves and given back for a proven outcome alone."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.commands import Resolve
from quarterdeck.core.model.effects import CommandDone, ReservationReleased, StateChanged, Submit, Verdict
from quarterdeck.core.model.inputs import Accepted, Filled, NotExecuted, OrderRejected, Unconfirmed
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, kinds, only


def two_at_once(play: Play) -> tuple[list[Submit], list[Verdict]]:
    effects = play.round(play.signal("EURUSD"), play.signal("GBPUSD", confidence=0.85))
    return [e for e in effects if isinstance(e, Submit)], [e for e in effects if isinstance(e, Verdict)]


def small_cap(**more: object) -> Play:
    changes = {"risk.open_risk_max_pct": 1.5, **more}
    return Play(shipped_settings(*changes.items())).start()


def test_two_signals_never_share_the_last_risk_budget() -> None:
    play = small_cap()
    sent, verdicts = two_at_once(play)
    assert [one.symbol for one in sent] == ["EURUSD"]
    assert [(one.symbol, one.outcome, one.reason) for one in verdicts] == [
        ("EURUSD", "entered", ""),
        ("GBPUSD", "refused", "budget"),
    ]
    check = next(check for check in verdicts[1].checks if check.name == "budget")
    assert check.value == pytest.approx(213.5, abs=3.0)
    assert check.threshold == pytest.approx(150.0)


def test_a_refusal_gives_the_budget_back() -> None:
    play = small_cap()
    sent, _ = two_at_once(play)
    effects = play.report(sent[0].client_id, OrderRejected(kind="refused", code=10006, reason="rejected"))
    assert only(effects, ReservationReleased) == ReservationReleased(
        reservation_id="Rr1-1", client_id="r1-1", release_cause="refused"
    )
    play.next_bar()
    assert [e.symbol for e in play.round(play.signal("GBPUSD")) if isinstance(e, Submit)] == ["GBPUSD"]


def test_neither_acceptance_nor_an_unknown_fate_gives_it_back() -> None:
    play = small_cap()
    sent, _ = two_at_once(play)
    play.report(sent[0].client_id, Accepted(order_ticket=7))
    play.report(sent[0].client_id, Unconfirmed(why="timed out"))
    assert play.desk.view().risk.reserved_money > 100.0
    assert not play.all(ReservationReleased)
    assert only(play.report(sent[0].client_id, NotExecuted(why="not in history")), ReservationReleased).release_cause == "absent"
    assert play.desk.view().risk.reserved_money == 0.0


def test_the_operators_word_settles_what_the_broker_never_tells() -> None:
    play = small_cap()
    sent, _ = two_at_once(play)
    refused = play.command(Resolve(client_id=sent[0].client_id, outcome="absent"))
    assert not only(refused, CommandDone).ok, "its outcome is not unknown yet"
    play.report(sent[0].client_id, Unconfirmed(why="timed out"))
    effects = play.command(Resolve(client_id=sent[0].client_id, outcome="absent"))
    assert only(effects, ReservationReleased).release_cause == "operator"
    assert only(effects, CommandDone).ok
    assert play.last(StateChanged).state == "ACTIVE"


def test_a_partial_fill_keeps_its_share_as_open_risk() -> None:
    play = small_cap()
    sent, _ = two_at_once(play)
    before = play.desk.view().risk.reserved_money
    play.fill(sent[0], lots=round(sent[0].lots / 2, 2))
    risk = play.desk.view().risk
    assert risk.reserved_money == 0.0
    assert risk.open_money == pytest.approx(before * play.desk.view().positions[0].lots / sent[0].lots, rel=0.05)


def test_duplicate_or_early_fill_report_creates_one_position() -> None:
    play = Play().start()
    sent = only(play.round(play.signal("EURUSD")), Submit)
    play.hold(sent, 77, sent.lots, sent.quoted_price)
    play.deal_in(sent, 77, sent.lots, sent.quoted_price)
    assert play.desk.view().risk.reserved_money == 0.0
    fate = Filled(order_ticket=77, position_id=77, deal_ticket=50_077, lots=sent.lots, price=sent.quoted_price)
    for _ in range(2):
        play.report(sent.client_id, fate)
    assert [(one.position_id, one.lots) for one in play.desk.view().positions] == [(77, sent.lots)]
    assert kinds(play.said).count("PositionOpened") == 1
    assert kinds(play.said).count("ReservationReleased") == 1
    assert play.desk.view().entries_today == 1


def test_a_signal_becomes_an_order_once_also_after_a_restart() -> None:
    play = Play().start()
    found = play.signal("EURUSD")
    play.enter()
    assert not play.give(found) or kinds(play.give(found)) == ["LogEvent"]
    again = Play(run_id="r2", at=play.at)
    again.held, again.balance = play.held, play.balance
    again.start(restored=play.desk.checkpoint())
    again.give(found)
    assert not again.all(Submit)
    assert not again.all(Verdict)


def test_reservations_count_as_positions_and_as_entries_of_the_day() -> None:
    play = Play(shipped_settings(("breakers.positions_max", 1), ("breakers.positions_per_pair_max", 1))).start()
    _, verdicts = two_at_once(play)
    assert verdicts[1].reason == "positions"
    play = Play(shipped_settings(("breakers.entries_per_day_max", 1))).start()
    _, verdicts = two_at_once(play)
    assert verdicts[1].reason == "entries"
