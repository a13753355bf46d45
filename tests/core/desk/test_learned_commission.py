"""Commission on the desk: five settled round trips before it refuses, by name and count; old figures ask anew with the least volume."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.effects import Submit, Verdict
from quarterdeck.core.model.inputs import NewDeal
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.risk.commission import LearnedCommission
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play

DEAR = 45.0
"""A lot and side: with 30 pips of stop (300 a lot) a third of it, above `risk.round_trip_cost_max_pct`."""
DAY_S = 86_400.0
LOSSES = (("breakers.consecutive_losses_max", 50), ("breakers.day_loss_max_pct", 50.0))
"""Five dear trades are no matter of the breakers here."""


def new_play(**more: object) -> Play:
    return Play(shipped_settings(*LOSSES), **more)  # type: ignore[arg-type]


def learned(play: Play, symbol: str = "EURUSD") -> LearnedCommission | None:
    return play.desk._ctx.learned_commission(symbol)


def verdict(play: Play) -> Verdict:
    """What became of a candidate now."""
    play.next_bar()
    play.round(play.signal("EURUSD"))
    found = play.last(Verdict)
    assert isinstance(found, Verdict)
    return found


def round_trip(play: Play, opened: float, closed: float) -> Submit:
    """One trade of an account that charges so much a lot at each end."""
    play.next_bar()
    play.round(play.signal("EURUSD"))
    sent = play.last(Submit)
    assert isinstance(sent, Submit)
    ticket = play.fill(sent, deal=False)
    for entry, per_lot in (("in", opened), ("out", closed)):
        deal = Deal(
            deal_ticket=ticket + (50_000 if entry == "in" else 90_000), order_ticket=ticket if entry == "in" else ticket + 7,
            position_id=ticket, symbol="EURUSD", side=sent.side if entry == "in" else sent.side.opposite, entry=entry,
            reason="expert" if entry == "in" else "client", lots=sent.lots, price=sent.quoted_price, at_utc_ns=play.at,
            commission_money=-round(per_lot * sent.lots, 2), magic=play.settings.account.magic, comment=sent.client_id,
        )  # fmt: skip
        play.balance += deal.commission_money
        play.give(NewDeal(deal=deal), after_s=1.0)
    del play.held[ticket]
    play.book()
    return sent


@pytest.mark.parametrize(("opened", "closed"), [(0.0, 0.0), (9.0, 0.0), (0.0, 9.0), (6.0, 6.0)])
def test_either_end_is_learned_from_five_round_trips(opened: float, closed: float) -> None:
    play = new_play().start()
    for _ in range(4):
        round_trip(play, opened, closed)
    assert learned(play) is None
    assert play.desk._ctx.commission_money_per_lot("EURUSD") == 3.5
    round_trip(play, opened, closed)
    found = learned(play)
    assert found is not None
    assert found.round_trips == 5
    assert play.desk._ctx.commission_money_per_lot("EURUSD") == pytest.approx((opened + closed) / 2.0, rel=0.05)
    assert play.desk._ctx.close_commission_money_per_lot("EURUSD") == pytest.approx(closed, rel=0.05)
    assert learned(play, "GBPUSD") is None


def dear(play: Play) -> Play:
    """Five dear round trips are settled."""
    for _ in range(5):
        round_trip(play, DEAR, DEAR)
    return play


def test_a_learned_cost_refuses_by_name_with_its_count() -> None:
    play = dear(new_play().start())
    found = verdict(play)
    assert found.reason == "learned_cost"
    assert "learned from 5 round trips" in {check.name: check for check in found.checks}["learned_cost"].note


@pytest.mark.parametrize("still_dear", [True, False])
def test_an_old_figure_is_asked_anew_of_the_least_volume(still_dear: bool) -> None:
    play = dear(new_play().start())
    past = msgspec.msgpack.decode(play.desk.checkpoint())
    past["pairs"]["EURUSD"]["learned_commission"]["newest_utc_ns"] -= round(31 * DAY_S * 1e9)
    again = new_play(run_id="r2", at=play.at)
    again.balance, again.tickets = play.balance, play.tickets
    again.start(restored=msgspec.msgpack.encode(past))
    per_lot = DEAR if still_dear else 3.5
    sent = round_trip(again, per_lot, per_lot)
    assert sent.lots == 0.01
    assert (verdict(again).reason == "learned_cost") is still_dear
    assert (learned(again) is not None) is still_dear


def test_only_one_trade_at_a_time_asks_anew() -> None:
    play = dear(new_play().start())
    pair = play.desk._ctx.pair("EURUSD")
    pair.learned_commission = msgspec.structs.replace(pair.learned_commission, newest_utc_ns=play.at - round(31 * DAY_S * 1e9))
    play.next_bar()
    play.enter("EURUSD", Side.BUY)
    play.change(*LOSSES, ("breakers.positions_per_pair_max", 3))
    assert verdict(play).reason == "learned_cost"
