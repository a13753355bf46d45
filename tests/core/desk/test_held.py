"""Quotes that nothing depends on, taken in without an answer: what they leave is what telling them one by one leaves."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.core.desk.desk_state import decoded
from quarterdeck.core.model.effects import Close, Modify
from quarterdeck.core.model.market_data import Quote, Side
from quarterdeck.core.model.signals import NoSignal
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, only

HALF_MINUTE = 30 * NS_PER_S


def holding(*changes: tuple[str, object], side: Side = Side.BUY) -> Play:
    play = Play(shipped_settings(*changes)).start()
    play.enter("EURUSD", side)
    play.book()
    return play


def known(symbol: str) -> None:
    """The desk was reported all that was measured."""


def quote(bid: float, at: int) -> Quote:
    return Quote(symbol="EURUSD", at_utc_ns=at, bid=bid, ask=round(bid + 0.0001, 5))


def standing(play: Play) -> dict[str, object]:
    """The state without the count and the time of inputs, which passing does not touch."""
    tree: dict[str, object] = msgspec.to_builtins(decoded(play.desk.checkpoint()))
    for name in ("seq", "at_utc_ns"):
        tree.pop(name)
    return tree


def test_holding_desk_is_steady_but_order_in_flight_is_not() -> None:
    play = Play().start()
    play.round()
    assert play.desk.quiet()
    assert not play.desk.steady()
    play.enter("EURUSD", Side.BUY)
    play.book()
    assert play.desk.steady()
    assert not play.desk.quiet()
    modify = next(effect for effect in _walked(play, 1.0880, 1.0900) if isinstance(effect, Modify))
    assert modify
    assert not play.desk.steady(), "a modification is in flight"


def _walked(play: Play, *bids: float) -> list[object]:
    return [effect for bid in bids for effect in play.quote("EURUSD", bid, after_s=30.0)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-60, 60), min_size=1, max_size=30), st.sampled_from([Side.BUY, Side.SELL]))
def test_passed_quotes_leave_what_told_ones_leave(steps: list[int], side: Side) -> None:
    passing, telling = holding(side=side), holding(side=side)
    price, at = 1.08500, passing.at
    for step in steps:
        price, at = round(price + step / 100_000, 5), at + HALF_MINUTE
        before = standing(passing)
        passed = passing.desk.pass_quotes(at, [quote(price, at)], known)
        said = telling.quote("EURUSD", price, after_s=30.0)
        if not passed:
            assert standing(passing) == before, "a refused instant leaves no trace"
            passing.at = at - HALF_MINUTE
            assert passing.quote("EURUSD", price, after_s=30.0) == said
            return
        assert not said
        assert standing(passing) == standing(telling)


def test_what_calls_for_a_request_is_refused() -> None:
    play = holding(("position.trail_x_atr", 0.0))
    at = play.at
    for bid in (1.0865, 1.0880, 1.0875):
        at += HALF_MINUTE
        assert play.desk.pass_quotes(at, [quote(bid, at)], known)
    at += HALF_MINUTE
    assert play.desk.pass_quotes(at, [quote(1.0870, at)], known) is False, "a third of the peak is given back"
    play.at = at
    assert only(play.quote("EURUSD", 1.0870), Close).why == "give_back"


def test_answer_depending_on_missing_figures_requests_them() -> None:
    play, asked = holding(("position.profit_retrace_pct", 100.0)), list[str]()

    def figures(symbol: str) -> NoSignal:
        asked.append(symbol)
        return play.none(symbol)

    at = play.at + HALF_MINUTE
    assert play.desk.pass_quotes(at, [quote(1.0855, at)], figures), "no trail yet: ATR decides nothing"
    assert not asked
    at += HALF_MINUTE
    assert not play.desk.pass_quotes(at, [quote(1.0880, at)], figures)
    assert asked == ["EURUSD"]


def test_equity_is_marked_once_a_bar() -> None:
    play = holding()
    mark = play.desk.pass_mark(play.at)
    assert mark is not None
    assert mark.balance_money == play.balance
    assert play.desk.pass_mark(play.at) is None
