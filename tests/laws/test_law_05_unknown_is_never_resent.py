"""Law 5: an unconfirmed order is queried, never re-sent; no close is repeated before the book is known again."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.commands import Flatten, Pause, Resume
from quarterdeck.core.model.effects import Close, Effect, Submit
from quarterdeck.core.model.inputs import NotExecuted, Unconfirmed
from quarterdeck.core.model.market_data import Side
from tests.core.desk.chaos import Chaos
from tests.core.desk.playbook import Play, only


def test_hours_of_not_knowing_send_nothing_twice() -> None:
    play = Play().start()
    order = only(play.round(play.signal("EURUSD")), Submit)
    play.report(order.client_id, Unconfirmed(why="timed out"))
    for _ in range(10):
        play.wait(900)
        for symbol in play.settings.desk.pairs:
            play.quote(symbol)
        play.round(play.signal("EURUSD"), play.signal("GBPUSD", Side.SELL))
        play.command(Pause())
        play.command(Resume())
        play.report(order.client_id, Unconfirmed(why="still nothing"))
    assert len(play.all(Submit)) == 1


def test_unconfirmed_close_waits_for_the_book_however_often_requested() -> None:
    play = Play().start()
    play.enter()
    play.book()
    first = only(play.command(Flatten()), Close)
    play.report(first.client_id, Unconfirmed(why="timed out"))
    for _ in range(5):
        play.command(Flatten())
        play.book(known=False)
        play.wait(20)
        play.quote("EURUSD")
    assert len(play.all(Close)) == 1
    play.report(first.client_id, NotExecuted(why="never seen"))
    assert len(play.all(Close)) == 1, "the position is read before anything else leaves"
    play.book()
    assert len(play.all(Close)) == 2


class OneAtATime:
    """At most one close of a position is on its way, and none follows an unconfirmed order before a known book."""

    def __init__(self, chaos: Chaos) -> None:
        self.chaos = chaos
        self.sent: list[str] = []
        chaos.watchers.append(self.see)

    def see(self, effect: Effect) -> None:
        if isinstance(effect, Close):
            in_flight = [
                order
                for order in self.chaos.play.desk._ctx.state.orders.values()
                if order.kind == "close" and order.position_id == effect.position_id and order.order_status != "unknown"
            ]
            assert [order.client_id for order in in_flight] == [effect.client_id]
        if isinstance(effect, Submit | Close):
            assert effect.client_id not in self.sent
            self.sent.append(effect.client_id)


@pytest.mark.parametrize("seed", range(300, 312))
def test_no_position_is_closed_by_two_simultaneous_requests(seed: int) -> None:
    chaos = Chaos(Play(run_id="law5"), seed)
    chaos.faults = 0.7
    OneAtATime(chaos)
    chaos.play.start()
    chaos.day(10)
