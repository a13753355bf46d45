"""The operator's decision: carried out, or refused with the reason."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.commands import (
    Acknowledge,
    CloseGroup,
    ClosePosition,
    Command,
    MoveStop,
    Pause,
    ResetDrawdown,
    Resolve,
    Resume,
    SetSettings,
)
from quarterdeck.core.model.effects import Close, CommandDone, LogEvent, Modify, SettingApplied, StateChanged, Verdict
from quarterdeck.core.model.inputs import RequestDone
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, only
from tests.core.desk.test_entry_evaluation import foreign
from tests.core.desk.test_flatten import FREE


def done(play: Play, command: Command) -> tuple[bool, str]:
    answer = only(play.command(command), CommandDone)
    return answer.ok, answer.text


def test_pause_stops_entries_and_resume_removes_only_operator_reasons() -> None:
    play = Play().start()
    assert done(play, Pause()) == (True, "Paused: no new entries; existing positions are still managed")
    assert only(play.round(play.signal("EURUSD")), Verdict).reason == "paused"
    play.book(known=False)
    assert done(play, Resume())[1].startswith(
        "Resumed, but entries stay stopped until the broker's positions can be read again (book_unknown)"
    )
    play.book()
    assert done(play, Resume()) == (True, "Active: entries are allowed")


def test_care_goes_on_while_paused() -> None:
    play = Play(shipped_settings(("position.trail_x_atr", 0.0))).start()
    play.enter()
    play.book()
    play.command(Pause())
    play.quote("EURUSD", 1.0880, after_s=5)
    assert only(play.quote("EURUSD", 1.0860, after_s=5), Close).why == "give_back"


def test_close_position_wholly_or_in_part_and_only_ours() -> None:
    play = Play().start()
    position = play.enter()
    play.held[9] = foreign("GBPUSD")
    play.book()
    effects = play.command(ClosePosition(position_id=position, lots=0.1))
    assert (only(effects, Close).lots, only(effects, Close).why) == (0.1, "command")
    play.close(only(effects, Close), 1.085, -1.0)
    assert play.desk.view().positions[0].lots == 0.21
    assert done(play, ClosePosition(position_id=9)) == (False, "Position 9 was not opened by this desk; close it in the terminal")
    assert done(play, ClosePosition(position_id=10)) == (False, "Position 10 is not open")


@pytest.mark.parametrize(
    ("command", "symbols"),
    [
        (CloseGroup(which="losers"), ["EURUSD"]),
        (CloseGroup(which="winners"), ["USDJPY"]),
        (CloseGroup(which="currency", name="jpy"), ["USDJPY"]),
        (CloseGroup(which="currency", name="USD"), ["EURUSD", "USDJPY"]),
        (CloseGroup(which="symbol", name="EURUSD"), ["EURUSD"]),
        (CloseGroup(which="symbol", name="AUDUSD"), []),
    ],
)
def test_close_groups(command: CloseGroup, symbols: list[str]) -> None:
    play = Play(shipped_settings(*FREE)).start()
    play.enter("EURUSD")
    play.next_bar()
    play.enter("USDJPY", Side.SELL)
    play.quote("EURUSD", 1.0845)
    play.quote("USDJPY", 150.70)
    effects = play.command(command)
    assert [one.symbol for one in effects if isinstance(one, Close)] == symbols
    assert only(effects, CommandDone).ok is bool(symbols)


def test_move_stop_may_loosen_and_says_so() -> None:
    play = Play().start()
    position = play.enter()
    play.book()
    effects = play.command(MoveStop(position_id=position, stop_price=1.0800))
    assert only(effects, Modify).stop_price == 1.08
    assert only(effects, CommandDone).text.endswith("looser")
    assert only(effects, LogEvent).level == "warning"
    play.report(only(effects, Modify).client_id, RequestDone())
    assert play.desk.view().positions[0].stop_price == 1.08
    ok, text = done(play, MoveStop(position_id=position, stop_price=1.0851))
    assert not ok
    assert "too close" in text
    assert not done(play, MoveStop(position_id=4, stop_price=1.0))[0]


@pytest.mark.parametrize(
    ("command", "ok"),
    [
        (Resolve(client_id="r1-9", outcome="absent"), False),
        (Acknowledge(what="nothing"), False),
        (Acknowledge(what="foreign_no_stop"), False),
        (ResetDrawdown(), False),
        (SetSettings(changes=(("risk.risk_per_trade_pct", "0.5"),)), True),
    ],
)
def test_every_command_is_answered_once(command: Command, ok: bool) -> None:
    assert done(Play().start(), command)[0] is ok


def test_changed_setting_applies_from_next_entry_and_is_reported() -> None:
    play = Play().start()
    effects = play.change(("risk.risk_per_trade_pct", 0.5), ("desk.pairs", ["EURUSD"]))
    assert [(one.key, one.new) for one in effects if isinstance(one, SettingApplied)] == [
        ("risk.risk_per_trade_pct", "0.5"),
        ("desk.pairs", "['EURUSD']"),
    ]
    assert [one.kind for one in effects if isinstance(one, LogEvent)] == ["next_start"]
    play.settings = shipped_settings()
    assert only(play.round(play.signal("GBPUSD")), Verdict).risk_money < 50.0


def test_a_pairs_own_setting_counts_for_that_pair_alone() -> None:
    play = Play(shipped_settings(("pair.EURUSD.strategy.confidence_min", 0.95))).start()
    found = play.round(play.signal("EURUSD"), play.signal("GBPUSD"))
    assert {one.symbol: one.reason for one in found if isinstance(one, Verdict)} == {"EURUSD": "confidence", "GBPUSD": ""}


def test_a_tightened_limit_trips_at_once() -> None:
    play = Play(shipped_settings(("position.time_exit_hours", 0.0))).start()
    play.out(play.enter(), 1.082, -96.0)
    effects = play.change(("breakers.day_loss_max_pct", 0.5))
    assert "day_loss" in only(effects, StateChanged).reasons
    play.change(("breakers.day_loss_max_pct", 50.0))
    assert play.desk.view().state == "REDUCE_ONLY", "a trip is not taken back by a wider limit"
