"""Quotes that fall silent: what the clock or the operator demands is sent, what a price decides waits, and entries stop."""

from __future__ import annotations

from msgspec.structs import replace

from quarterdeck.core.desk.entry_evaluation import EntryChecks, _conversion_rates
from quarterdeck.core.model.effects import Alert, Close, Modify, Submit, Verdict
from quarterdeck.core.model.inputs import ConnectionState, Quote
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import BID, Play, only
from tests.core.desk.test_balance_changes import reasons

HOUR_S = 3600.0
STILL = (("position.trail_x_atr", 0.0), ("position.profit_retrace_pct", 100.0))


def silent(play: Play, symbol: str = "EURUSD") -> list[object]:
    return list(
        play.give(ConnectionState(is_connected=False, symbol=symbol, why="No new quote for 200 s during its trading hours"))
    )


def test_an_exit_by_age_is_sent_on_a_silent_quote() -> None:
    play = Play(shipped_settings(*STILL, ("position.time_exit_hours", 2.0))).start()
    position = play.enter()
    play.wait(2.0 * HOUR_S + 1.0)
    assert not play.all(Close), "a quote may still come"
    close = only(silent(play), Close)
    assert (close.position_id, close.why) == (position, "age")


def test_an_exit_that_falls_due_in_silence_waits_for_nothing() -> None:
    play = Play(shipped_settings(*STILL, ("position.time_exit_hours", 2.0))).start()
    play.enter()
    play.wait(1.5 * HOUR_S)
    assert not [one for one in silent(play) if isinstance(one, Close)]
    assert only(play.wait(0.5 * HOUR_S + 1.0), Close).why == "age"


def test_an_exit_by_price_waits_for_a_fresh_quote() -> None:
    play = Play(shipped_settings(("position.profit_retrace_from_costs_x", 0.0))).start()
    play.enter()
    play.quote("EURUSD", BID["EURUSD"] + 0.0040)
    play.wait(120.0)
    silent(play)
    play.give(Quote(symbol="EURUSD", at_utc_ns=play.at - 100 * 10**9, bid=BID["EURUSD"] + 0.0001, ask=BID["EURUSD"] + 0.0002))
    assert not play.all(Close)
    assert only(play.quote("EURUSD", BID["EURUSD"] + 0.0001), Close).why == "give_back"


def test_silence_with_an_open_position_ends_all_entries() -> None:
    play = Play(shipped_settings(*STILL, ("position.time_exit_hours", 0.0))).start()
    play.enter()
    alerts = [one for one in silent(play) if isinstance(one, Alert)]
    assert [(one.kind, one.symbol) for one in alerts] == [("connection", "EURUSD")]
    silent(play)
    assert len([one for one in play.all(Alert) if one.kind == "connection"]) == 1, "once an episode"
    play.wait(299.0)
    assert reasons(play) == []
    play.wait(2.0)
    assert reasons(play) == ["quotes_silent"]
    play.give(ConnectionState(is_connected=True, symbol="EURUSD", why="Quotes are back after 301 s"))
    assert reasons(play) == []
    assert play.desk.view().pairs[0].entries_blocked == ""


def test_silence_of_a_pair_without_risk_stops_no_other() -> None:
    play = Play(shipped_settings(*STILL)).start()
    silent(play, "GBPUSD")
    play.wait(900.0)
    assert reasons(play) == []
    play.next_bar()
    assert only(play.round(play.signal("GBPUSD")), Verdict).reason == "barred_feed"
    play.next_bar()
    play.round(play.signal("EURUSD"))
    assert play.all(Submit)


def test_an_old_conversion_rate_refuses_by_name() -> None:
    play = Play(shipped_settings(("desk.pairs", ["EURUSD", "USDJPY", "EURJPY"]))).start(
        pairs=("EURUSD", "USDJPY"), currency="USD"
    )
    silent(play, "USDJPY")
    ctx = play.desk._ctx
    found = EntryChecks()
    ctx._movers["EURJPY"] = ("EURJPY", "USDJPY")
    _conversion_rates(ctx, "EURJPY", found)
    assert [(check.name, check.note) for check in found.checks] == [
        ("conversion_rate", "USDJPY values EURJPY in account currency")
    ]


def test_a_stop_is_set_again_although_quotes_are_silent() -> None:
    play = Play(shipped_settings(*STILL)).start()
    position = play.enter()
    play.book()
    play.wait(100.0)
    silent(play)
    play.held[position] = replace(play.held[position], stop_price=None)
    assert only(play.book(), Modify).why == "restore"


def test_a_close_in_a_shut_market_alerts_gap_risk() -> None:
    # 9:00 in New York is 13:00 in UTC in August, an hour after the entry
    early = (("position.early_closes", ["2024-08-05 09:00 EURUSD"]), ("position.early_close_minutes", 0.0))
    rules = (*STILL, ("position.time_exit_hours", 2.0), ("position.early_close_no_entries_minutes", 0.0), *early)
    play = Play(shipped_settings(*rules)).start()
    position = play.enter()
    play.wait(0.9 * HOUR_S)
    assert not [one for one in play.all(Alert) if one.kind == "risk"]
    told = [one for one in play.wait(0.2 * HOUR_S) if isinstance(one, Alert)]
    assert [(one.level, one.ticket) for one in told] == [("critical", position)]
    assert "closed until Mon 21:00 UTC" in told[0].text
    assert "A price gap of 1.0% beyond its stop would cost" in told[0].text
    play.wait(HOUR_S)
    assert len([one for one in play.all(Alert) if one.kind == "risk"]) == 1, "once"
