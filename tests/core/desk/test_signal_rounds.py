"""Rounds: together and best first, late ones after, waiting ones again while fresh."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from quarterdeck.core.model.effects import Submit, Verdict
from quarterdeck.core.model.inputs import BarMissing, OrderRejected
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, only


def verdicts(effects: list) -> list[tuple[str, str, str]]:
    return [(one.symbol, one.outcome, one.reason) for one in effects if isinstance(one, Verdict)]


def test_the_best_of_a_round_goes_first_whatever_came_first() -> None:
    play = Play(shipped_settings(("breakers.positions_max", 1))).start()
    effects = play.round(play.signal("GBPUSD", confidence=0.80), play.signal("EURUSD", confidence=0.95))
    assert verdicts(effects) == [("EURUSD", "entered", ""), ("GBPUSD", "refused", "positions")]


def test_equals_go_by_the_pairs_name() -> None:
    play = Play(shipped_settings(("breakers.positions_max", 1))).start()
    good = {"stop_pips": 30.0, "target_pips": 90.0}
    effects = play.round(play.signal("GBPUSD", **good), play.signal("EURUSD", **good))
    assert verdicts(effects)[0] == ("EURUSD", "entered", "")


def test_the_round_is_judged_when_every_pair_has_reported() -> None:
    play = Play().start()
    play.bars()
    assert not verdicts(play.give(play.signal("EURUSD")))
    for symbol in ("GBPUSD", "USDJPY"):
        assert not verdicts(play.give(play.none(symbol)))
    absent = BarMissing(symbol="USDCHF", timeframe="M15", bar_open_utc_ns=play.bar_open())
    assert verdicts(play.give(absent)) == [("EURUSD", "entered", "")]


def test_or_after_two_seconds_and_late_ones_come_after() -> None:
    play = Play().start()
    play.bars()
    play.give(play.signal("GBPUSD"))
    assert play.desk.wake_at() == play.at + 2 * NS_PER_S
    assert verdicts(play.timer(after_s=2)) == [("GBPUSD", "entered", "")]
    assert verdicts(play.give(play.signal("USDJPY"))) == [("USDJPY", "entered", "")]


def test_a_wide_spread_passes_and_the_candidate_is_judged_again() -> None:
    play = Play().start()
    play.quote("EURUSD", spread=0.0005)
    effects = play.round(play.signal("EURUSD"))
    assert verdicts(effects) == [("EURUSD", "waiting", "spread_stop")]
    assert play.desk.wake_at() == play.at + 30 * NS_PER_S
    assert play.desk.quote_interest()[0] == ("EURUSD",)
    play.quote("EURUSD", after_s=20)
    assert verdicts(play.wait(15)) == [("EURUSD", "entered", "")]


def test_a_screen_shows_the_newest_word_on_each_candidate() -> None:
    play = Play().start()
    play.quote("EURUSD", spread=0.0005)
    play.round(play.signal("EURUSD"), play.signal("GBPUSD", confidence=0.7))
    play.quote("EURUSD", after_s=20)
    play.wait(15)
    play.next_bar()
    play.round(play.signal("GBPUSD", confidence=0.7))
    shown = [(one.symbol, one.outcome, one.bar_open_utc_ns) for one in play.desk._ctx.state.signals]
    first, second = play.bar_open() - M15_NS, play.bar_open()
    assert shown == [("GBPUSD", "refused", first), ("EURUSD", "entered", first), ("GBPUSD", "refused", second)]


@pytest.mark.parametrize(("regime", "every_s"), [("high", 15), ("normal", 30), ("low", 30)])
def test_a_wild_market_is_looked_at_again_sooner(regime: str, every_s: int) -> None:
    play = Play().start()
    play.quote("EURUSD", spread=0.0005)
    found = play.signal("EURUSD")
    found = replace(found, features=replace(found.features, regime=regime))
    assert verdicts(play.round(found)) == [("EURUSD", "waiting", "spread_stop")]
    for _ in range(2):
        assert play.desk.wake_at() == play.at + every_s * NS_PER_S
        assert not play.wait(every_s)
        play.quote("EURUSD", spread=0.0005)
    # nothing new is made between the bars, and with the last that waited the interval is over
    play.quote("EURUSD")
    assert verdicts(play.wait(every_s)) == [("EURUSD", "entered", "")]
    assert play.desk._ctx.state.reevaluate_utc_ns == 0


def test_waiting_candidate_expires_with_its_reason() -> None:
    play = Play().start()
    play.quote("EURUSD", spread=0.0005)
    play.round(play.signal("EURUSD"))
    found = []
    for _ in range(6):
        found += play.wait(25)
        found += play.quote("EURUSD", spread=0.0005)
    assert verdicts(found) == [("EURUSD", "refused", "spread_stop")]
    assert not play.all(Submit)


def test_a_quote_that_grew_old_meanwhile_is_not_the_reason() -> None:
    play = Play().start()
    play.quote("EURUSD", spread=0.0005)
    play.round(play.signal("EURUSD"))
    assert verdicts(play.wait(150)) == [("EURUSD", "refused", "spread_stop")]


def test_a_newer_bar_replaces_what_still_waits() -> None:
    play = Play(shipped_settings(("scan.signal_age_max_s", 900.0), ("filters.quote_age_max_s", 3600.0))).start()
    play.quote("EURUSD", spread=0.0005)
    play.round(play.signal("EURUSD"))
    effects = play.wait(900)
    effects += play.round(play.signal("EURUSD", Side.SELL))
    assert verdicts(effects) == [("EURUSD", "refused", "spread_stop"), ("EURUSD", "waiting", "spread_stop")]


@pytest.mark.parametrize("tries", [3])
def test_requote_is_retried_with_fresh_prices_up_to_a_limit(tries: int) -> None:
    play = Play().start()
    sent = [only(play.round(play.signal("EURUSD")), Submit)]
    for _ in range(5):
        play.report(sent[-1].client_id, OrderRejected(kind="retry", code=10004, reason="requote"))
        effects = play.quote("EURUSD", after_s=1) + play.wait(29)
        sent += [one for one in effects if isinstance(one, Submit)]
    assert len(sent) == tries
    assert len({one.client_id for one in sent}) == tries
    assert {one.signal_id for one in sent} == {sent[0].signal_id}


@pytest.mark.parametrize(("held", "wish"), [(Side.BUY, Side.SELL), (Side.SELL, Side.BUY), (Side.BUY, Side.BUY)])
def test_exit_now_signal_closes_opposite_position_without_a_candidate(held: Side, wish: Side) -> None:
    play = Play().start()
    play.enter("EURUSD", held)
    play.next_bar()
    effects = play.round(play.signal("EURUSD", wish, exit_now=True))
    closed = [(one.why, one.symbol) for one in effects if type(one).__name__ == "Close"]
    assert closed == ([("strategy", "EURUSD")] if held is not wish else [])
    assert not verdicts(effects)


@pytest.mark.parametrize(("pips", "outcome"), [(0.0, "entered"), (1.0, "entered"), (0.9, "waiting")])
def test_a_spread_may_have_a_cap_of_its_own(pips: float, outcome: str) -> None:
    play = Play(shipped_settings(("filters.spread_pips_max", pips))).start()
    play.quote("EURUSD", spread=0.0001)
    assert verdicts(play.round(play.signal("EURUSD"))) == [("EURUSD", outcome, "spread_cap" if outcome == "waiting" else "")]
