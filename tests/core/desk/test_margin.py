"""Margin on the desk: the broker's figure once it is newer than the last deal, else the worse of both; never zero for unknown."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.core.desk.margin import margin_level_pct, used_margin_money
from quarterdeck.core.model.broker_account import BrokerPosition
from quarterdeck.core.model.effects import Alert, Submit, Verdict
from quarterdeck.core.model.inputs import AccountRead, Instruments
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from tests.core.desk.playbook import Play, account, spec

DAY_S = 86_400.0


def read(play: Play, margin: float, *, ago_s: float = 0.0, timed: bool = True) -> list[Alert]:
    """The account as read `ago_s` ago; returns what is alerted of margins."""
    told = AccountRead(
        account=account(balance_money=play.balance, margin_money=margin),
        read_utc_ns=play.at - round(ago_s * NS_PER_S) if timed else 0,
    )
    return [one for one in play.give(told) if isinstance(one, Alert) and "margin of" in one.text]


def used(play: Play) -> float | None:
    return used_margin_money(play.desk._ctx)


def by_hand(lots: float, price: float) -> float:
    """A dollar account of 1:100 with a contract of 100,000."""
    return round(lots * 1_000.0 * price, 2)


def other(play: Play, side: Side, lots: float, *, symbol: str = "EURUSD", price: float = 1.085) -> None:
    """Somebody else holds a position."""
    ticket = 70_000 + len(play.held)
    play.held[ticket] = BrokerPosition(
        ticket=ticket,
        position_id=ticket,
        symbol=symbol,
        side=side,
        lots=lots,
        open_price=price,
        stop_price=price * (1.0 - 0.01 * side),
        target_price=None,
        opened_utc_ns=play.at,
        magic=0,
    )
    play.book()


def level(play: Play) -> float | None:
    return margin_level_pct(play.desk._ctx)


def test_no_margin_in_use_is_no_margin_level() -> None:
    play = Play().start(margin_money=0.0)
    assert level(play) is None
    play.round(play.signal("EURUSD"))
    assert play.all(Submit)


def test_the_brokers_margin_counts_once_newer_than_the_last_deal() -> None:
    play = Play().start()
    ticket = play.enter()
    ours = by_hand(play.held[ticket].lots, play.held[ticket].open_price)
    assert used(play) == pytest.approx(ours)
    read(play, ours * 2.0, ago_s=30.0)  # it was asked before the deal: the worse of both
    assert used(play) == pytest.approx(ours * 2.0)
    read(play, ours / 4.0, ago_s=30.0)
    assert used(play) == pytest.approx(ours)
    read(play, ours / 4.0)
    assert used(play) == pytest.approx(ours / 4.0)
    read(play, ours / 5.0, timed=False)
    assert used(play) == pytest.approx(ours / 5.0)
    read(play, 0.0)
    assert used(play) == pytest.approx(ours), "a margin of zero beside a position is no figure"


def test_a_deal_makes_the_brokers_margin_old() -> None:
    play = Play().start()
    first = play.enter("EURUSD")
    read(play, 100.0)
    assert used(play) == 100.0
    play.next_bar()
    second = play.enter("GBPUSD")
    both = sum(by_hand(play.held[one].lots, play.held[one].open_price) for one in (first, second))
    assert used(play) == pytest.approx(both)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [({}, 2_170.0), ({"margin_hedged": 100_000.0}, 3_255.0), ({"margin_hedged_use_leg": True}, 3_255.0)],
    ids=["covered volume is free", "half of it pays", "the larger leg"],
)
def test_hedged_volume_counts_as_the_instrument_says(terms: dict[str, object], expected: float) -> None:
    """Buys of 3 and sells of 1 lot at 1.085, 1:100: 2 uncovered lots, 1 covered; the larger leg is 3 lots."""
    play = Play().start()
    play.give(Instruments(instruments=(spec("EURUSD", **terms),)))
    other(play, Side.BUY, 3.0)
    other(play, Side.SELL, 1.0)
    assert used(play) == pytest.approx(expected, rel=1e-4)


def test_an_entry_needs_the_margin_that_the_broker_asks() -> None:
    play = Play().start()
    play.give(Instruments(instruments=(spec("EURUSD", order_margin_buy_money=90_000.0),)))
    play.round(play.signal("EURUSD"))
    verdict = play.last(Verdict)
    assert isinstance(verdict, Verdict)
    refused = {check.name: check for check in verdict.checks}["margin"]
    assert not refused.passed
    lots = {check.name: check for check in verdict.checks}["lots_by_risk"].value
    assert lots is not None
    assert refused.value == pytest.approx(90_000.0 * lots)
    assert not play.all(Submit)


def test_a_margin_that_differs_is_told_once_a_day() -> None:
    play = Play().start()
    ticket = play.enter()
    ours = by_hand(play.held[ticket].lots, play.held[ticket].open_price)
    assert not read(play, ours * 1.04)
    told = read(play, ours * 1.2)
    assert len(told) == 1
    assert f"{ours * 1.2:.2f} USD" in told[0].text
    assert f"{ours:.2f}" in told[0].text
    assert not read(play, ours * 1.3)
    play.wait(DAY_S)
    assert len(read(play, ours * 1.3)) == 1


def test_a_checkpoint_of_before_asks_for_the_worse_margin() -> None:
    play = Play().start()
    ticket = play.enter()
    read(play, 50.0)
    past = msgspec.msgpack.decode(play.desk.checkpoint())
    for name in ("margin_read", "traded_utc_ns", "margin_gap_day_utc_ns"):
        del past[name]
    again = Play(at=play.at)
    again.balance, again.held = play.balance, play.held
    again.start(restored=msgspec.msgpack.encode(past))
    assert used(again) == pytest.approx(by_hand(play.held[ticket].lots, play.held[ticket].open_price))


@pytest.mark.parametrize(
    ("changed", "alerted"),
    [({"contract_size": 1_000.0}, True), ({"trade_mode": "close_only"}, True), ({"swap_long": -9.0}, False)],
)
def test_a_changed_specification_is_told_and_followed(changed: dict[str, object], alerted: bool) -> None:
    play = Play().start()
    effects = play.give(Instruments(instruments=(spec("EURUSD", **changed),)))
    name = next(iter(changed))
    assert any(isinstance(one, Alert) and name in one.text for one in effects) is alerted
    assert any(name in getattr(one, "text", "") for one in effects)
    play.round(play.signal("EURUSD"))
    verdict = play.last(Verdict)
    assert isinstance(verdict, Verdict)
    assert (verdict.reason == "trade_mode") is ("trade_mode" in changed)
