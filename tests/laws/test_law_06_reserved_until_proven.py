"""Law 6: a reserved budget is released only by a proven outcome, or by the operator's decision; an unconfirmed order stops entries."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.core.desk.open_exposure import open_risk, reserved_risk
from quarterdeck.core.model.commands import Flatten, Pause, ResetDrawdown, Resume
from quarterdeck.core.model.effects import Effect, ReservationReleased, Submit
from quarterdeck.core.model.inputs import Accepted, ConnectionState, Filled, NotExecuted, OrderOutcome, OrderRejected, Unconfirmed
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.chaos import Chaos
from tests.core.desk.playbook import Play, only
from tests.laws.source import modules


def test_only_the_gate_makes_an_entry() -> None:
    makers = [
        str(module)
        for module in modules("quarterdeck.core")
        # the doctor asks the broker whether it would take one, and never sends it
        if module.name != "quarterdeck.core.brokers.mt5.doctor"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Submit"
    ]
    assert [maker.rsplit("/", 2)[-2:] for maker in makers] == [["desk", "risk_reservation.py"]]


def test_only_a_proven_fate_or_the_operators_word_calls_release() -> None:
    callers = [
        (module.name, ast.unparse(node))
        for module in modules("quarterdeck.core.desk")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"release", "risk_reservation.release"}
    ]
    assert {name for name, _ in callers} == {
        "quarterdeck.core.desk.risk_reservation",
        "quarterdeck.core.desk.orders_in_flight",
        "quarterdeck.core.desk.command_handler",
    }
    assert not [text for _, text in callers if "unknown" in text]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["accepted", "unknown", "wait", "book", "lost", "pause", "flatten", "feed"]), max_size=14))
def test_nothing_but_a_fate_gives_it_back(what: list[str]) -> None:
    play = Play().start()
    sent = [e for e in play.round(play.signal("EURUSD")) if isinstance(e, Submit)][-1]
    reserved = play.desk.view().risk.reserved_money
    for one in what:
        if one == "accepted":
            play.report(sent.client_id, Accepted(order_ticket=5))
        elif one == "unknown":
            play.report(sent.client_id, Unconfirmed(why="?"))
        elif one == "wait":
            play.wait(700)
        elif one == "book":
            play.book()
        elif one == "lost":
            play.book(known=False)
        elif one == "pause":
            play.command(Pause())
            play.command(Resume())
            play.command(ResetDrawdown())
        elif one == "flatten":
            play.command(Flatten())
        else:
            play.give(ConnectionState(is_connected=False, why="?"))
            play.give(ConnectionState(is_connected=True))
        assert play.desk.view().risk.reserved_money == reserved
        assert not play.all(ReservationReleased)
    play.report(sent.client_id, NotExecuted(why="surely not"))
    assert play.desk.view().risk.reserved_money == 0.0
    assert len(play.all(ReservationReleased)) == 1


@pytest.mark.parametrize("fate", [OrderRejected(kind="refused", code=10006, reason="no"), NotExecuted(why="no")])
def test_a_proven_fate_gives_it_back_once(fate: OrderOutcome) -> None:
    play = Play().start()
    sent = [e for e in play.round(play.signal("EURUSD")) if isinstance(e, Submit)][-1]
    for _ in range(3):
        play.report(sent.client_id, fate)
    assert len(play.all(ReservationReleased)) == 1


class Cap:
    """At every reservation, open and reserved risk are within the cap."""

    def __init__(self, chaos: Chaos, most_fraction: float) -> None:
        self.chaos, self.most = chaos, most_fraction
        self.seen = 0
        chaos.watchers.append(self.see)

    def see(self, effect: Effect) -> None:
        if isinstance(effect, Submit):
            ctx = self.chaos.play.desk._ctx
            held, equity = open_risk(ctx), ctx.state.equity_money
            assert held is not None
            assert equity is not None
            assert held + reserved_risk(ctx) <= equity * self.most + 1e-6
            self.seen += 1


@pytest.mark.parametrize("seed", range(400, 416))
def test_open_plus_reserved_never_passes_the_cap_whatever_the_interleaving(seed: int) -> None:
    loose = (("correlation.risk_max_pct", 50.0), ("exposure.gap_risk_max_pct", 99.0), ("breakers.entries_per_day_max", 99),
             ("exposure.currency_max_x_equity", 90.0), ("exposure.total_max_x_equity", 90.0), ("risk.open_risk_max_pct", 2.5))  # fmt: skip
    chaos = Chaos(Play(shipped_settings(*loose), run_id="law6"), seed)
    chaos.faults = 0.5
    cap = Cap(chaos, 0.025)
    chaos.play.start()
    chaos.day(10)
    assert cap.seen


def test_part_seen_in_book_proves_only_that_part() -> None:
    """The broker filled half, lost the reply and the comment: the book shows the half, and the rest is queried."""
    play = Play().start()
    order = only(play.round(play.signal("EURUSD")), Submit)
    play.report(order.client_id, Unconfirmed(why="timed out"))
    half = round(order.lots / 2, 2)
    play.hold(order, 501, half, order.quoted_price)
    play.book()
    state = play.desk._ctx.state
    assert list(state.orders) == [order.client_id]
    assert state.reservations[order.reservation_id].lots == pytest.approx(order.lots - half)
    play.report(order.client_id, Filled(order_ticket=501, position_id=501, deal_ticket=601, lots=half, price=order.quoted_price))
    assert not state.orders
    assert not state.reservations
    assert state.positions[501].lots == pytest.approx(half)
