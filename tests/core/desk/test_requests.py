"""Requests that are refused wait as long as their kind deserves, are reported with what is at stake, and are counted."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from quarterdeck.core.model.commands import ClosePosition
from quarterdeck.core.model.effects import Alert, Close, Modify, Submit, Verdict
from quarterdeck.core.model.inputs import OrderRejected
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import BID, Play, only

STILL = (("position.time_exit_hours", 0.0), ("position.profit_retrace_pct", 100.0))
INCURABLE = OrderRejected(kind="refused", code=10016, reason="invalid stops")
REQUOTE = OrderRejected(kind="retry", code=10004, reason="requote")


def waits(play: Play, kind: type, fate: OrderRejected, count: int) -> list[float]:
    """Seconds between one refusal and the next request, each refused at once."""
    found = []
    for _ in range(count):
        sent = len(play.all(kind))
        play.report(play.last(kind).client_id, fate)
        refused_at = play.at
        while len(play.all(kind)) == sent and play.at - refused_at < 100e9:
            play.quote("EURUSD", play.desk._ctx.state.quotes["EURUSD"].bid, after_s=0.5)
            play.wait(0.0)
        found.append((play.at - refused_at) / 1e9)
    return found


@pytest.mark.parametrize("kind", ["refused", "frozen", "operator"])
def test_an_incurable_close_backs_off_and_alerts_its_risk(kind: str) -> None:
    play = Play(shipped_settings(*STILL, ("position.trail_x_atr", 0.0))).start()
    position = play.enter()
    play.command(ClosePosition(position_id=position))
    fate = OrderRejected(kind=kind, code=10014, reason="no")  # type: ignore[arg-type]
    assert waits(play, Close, fate, 5) == pytest.approx([2.0, 5.0, 15.0, 60.0, 60.0], abs=0.51)
    alerts = [one for one in play.all(Alert) if one.kind == "error"]
    assert len(alerts) == 1
    assert "A price gap of" in alerts[0].text


def test_a_close_refused_as_closed_within_hours_backs_off() -> None:
    play = Play(shipped_settings(*STILL, ("position.trail_x_atr", 0.0))).start()
    position = play.enter()
    play.command(ClosePosition(position_id=position))
    fate = OrderRejected(kind="market_closed", code=10018, reason="market closed")
    assert waits(play, Close, fate, 5) == pytest.approx([2.0, 5.0, 15.0, 60.0, 60.0], abs=0.51)
    (alert,) = (one for one in play.all(Alert) if one.kind == "error")
    assert "the broker says the market is closed, within its hours" in alert.text
    assert "A price gap of" in alert.text


def test_a_close_that_the_market_cures_is_never_far_apart() -> None:
    play = Play(shipped_settings(*STILL, ("position.trail_x_atr", 0.0))).start()
    position = play.enter()
    play.command(ClosePosition(position_id=position))
    found = waits(play, Close, REQUOTE, 8)
    assert found[0] < 0.01
    assert max(found) <= 5.51


def test_a_failed_trail_step_alerts_without_closing() -> None:
    play = Play(shipped_settings(*STILL)).start()
    play.enter()
    play.book()
    play.quote("EURUSD", BID["EURUSD"] + 0.0028)
    assert waits(play, Modify, INCURABLE, 4) == pytest.approx([2.0, 5.0, 15.0, 60.0], abs=0.51)
    alerts = [one for one in play.all(Alert) if one.kind == "error"]
    assert len(alerts) == 1
    assert "still protects the position" in alerts[0].text
    assert not play.all(Close)


def test_a_stop_not_restored_in_time_closes_the_position() -> None:
    play = Play(shipped_settings(*STILL, ("position.trail_x_atr", 0.0))).start()
    position = play.enter()
    play.book()
    play.held[position] = replace(play.held[position], stop_price=None)
    play.book()
    for _ in range(8):
        if any(isinstance(one, Close) for one in play.report(play.last(Modify).client_id, INCURABLE)):
            break
        play.quote("EURUSD", BID["EURUSD"], after_s=2.0)
        play.wait(0.0)
    close = play.last(Close)
    assert (close.why, close.urgent) == ("no_stop", True)
    assert play.at - play.desk._ctx.state.positions[position].stop_missing_utc_ns <= 5e9


def test_past_the_daily_request_count_only_closes_go() -> None:
    play = Play(shipped_settings(*STILL, ("execution.requests_per_day_max", 5))).start()
    position = play.enter()
    play.book()
    play.desk._ctx.state.requests_today = 4
    play.quote("EURUSD", BID["EURUSD"] + 0.0028)
    assert not play.all(Modify)
    play.next_bar(EURUSD=BID["EURUSD"] + 0.0040)
    assert only(play.round(play.signal("GBPUSD")), Verdict).reason == "requests_day"
    play.command(ClosePosition(position_id=position))
    assert play.all(Close)
    play.wait(9.5 * 3600)
    assert play.desk._ctx.state.requests_today == 0, "a new day"


def test_requests_of_a_position_are_counted_a_minute() -> None:
    play = Play(shipped_settings(*STILL, ("execution.requests_per_minute_max", 1))).start()
    position = play.enter()
    play.book()
    held = play.desk._ctx.state.positions[position]
    held.requests_from_utc_ns, held.requests_minute = play.at, 1
    play.quote("EURUSD", BID["EURUSD"] + 0.0028, after_s=1.0)
    assert not play.all(Modify)
    play.quote("EURUSD", BID["EURUSD"] + 0.0028, after_s=60.0)
    assert play.all(Modify)
    assert play.desk._ctx.state.requests_today == len(play.all(Submit)) + len(play.all(Modify))
