"""Law 6: a reserved budget is released only by a proven fate, or by the operator's word; an unknown fate stops entries."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.core.desk.exposed import open_risk, reserved_risk
from quarterdeck.core.model.commands import Flatten, Pause, RearmDrawdown, Resume
from quarterdeck.core.model.effects import Effect, Released, Submit
from quarterdeck.core.model.inputs import Absent, Accepted, Fate, FeedState, Filled, Refused, UnknownFate
from quarterdeck.core.settings.load import shipped_settings
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
    assert [maker.rsplit("/", 2)[-2:] for maker in makers] == [["desk", "gate.py"]]


def test_only_a_proven_fate_or_the_operators_word_calls_release() -> None:
    callers = [
        (module.name, ast.unparse(node))
        for module in modules("quarterdeck.core.desk")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"release", "gate.release"}
    ]
    assert {name for name, _ in callers} == {
        "quarterdeck.core.desk.gate",
        "quarterdeck.core.desk.orders",
        "quarterdeck.core.desk.commands",
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
            play.report(sent.client_id, UnknownFate(why="?"))
        elif one == "wait":
            play.wait(700)
        elif one == "book":
            play.book()
        elif one == "lost":
            play.book(known=False)
        elif one == "pause":
            play.command(Pause())
            play.command(Resume())
            play.command(RearmDrawdown())
        elif one == "flatten":
            play.command(Flatten())
        else:
            play.give(FeedState(up=False, why="?"))
            play.give(FeedState(up=True))
        assert play.desk.view().risk.reserved_money == reserved
        assert not play.all(Released)
    play.report(sent.client_id, Absent(why="surely not"))
    assert play.desk.view().risk.reserved_money == 0.0
    assert len(play.all(Released)) == 1


@pytest.mark.parametrize("fate", [Refused(kind="refused", code=10006, reason="no"), Absent(why="no")])
def test_a_proven_fate_gives_it_back_once(fate: Fate) -> None:
    play = Play().start()
    sent = [e for e in play.round(play.signal("EURUSD")) if isinstance(e, Submit)][-1]
    for _ in range(3):
        play.report(sent.client_id, fate)
    assert len(play.all(Released)) == 1


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
    loose = (("correlation.book_risk_max_pct", 50.0), ("exposure.all_stops_max_pct", 99.0), ("breakers.entries_per_day_max", 99),
             ("exposure.currency_max_x_equity", 90.0), ("exposure.total_max_x_equity", 90.0), ("risk.open_risk_max_pct", 2.5))  # fmt: skip
    chaos = Chaos(Play(shipped_settings(*loose), run_id="law6"), seed)
    chaos.faults = 0.5
    cap = Cap(chaos, 0.025)
    chaos.play.start()
    chaos.day(10)
    assert cap.seen


def test_a_part_seen_in_the_book_proves_that_part_and_no_more() -> None:
    """The broker filled half, lost the reply and the comment: the book shows the half, and the rest is asked after."""
    play = Play().start()
    order = only(play.round(play.signal("EURUSD")), Submit)
    play.report(order.client_id, UnknownFate(why="timed out"))
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
