"""Law 8: halts are states with a reason, a beginning and a way back; in REDUCE_ONLY nothing that adds risk passes."""

from __future__ import annotations

import pytest

from quarterdeck.core.desk.desk_state import EntryTerms
from quarterdeck.core.desk.risk_reservation import EntryOrder, submit
from quarterdeck.core.desk.trading_state import OPERATORS, WAYS_BACK, add_reason
from quarterdeck.core.model.commands import MoveStop, Resume
from quarterdeck.core.model.effects import Close, Modify, Submit, Verdict
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.inputs import AccountRead, EngineFault
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import Play, account, only


def in_reason(code: str) -> Play:
    play = Play().start()
    add_reason(play.desk._ctx, code, f"because of {code}")
    play.desk._ctx.pending_effects.clear()
    return play


@pytest.mark.parametrize("code", WAYS_BACK)
def test_no_reason_lets_an_entry_pass(code: str) -> None:
    play = in_reason(code)
    if code == "starting":
        play.desk._ctx.state.book_known = False
    verdict = only(play.round(play.signal("EURUSD")), Verdict)
    assert verdict.outcome == "refused"
    if code != "calendar":
        assert verdict.reason == code
    assert not play.all(Submit)


@pytest.mark.parametrize("code", WAYS_BACK)
def test_the_gate_itself_refuses_in_any_reason(code: str) -> None:
    play = in_reason(code)
    entry = EntryTerms(signal_id="s", strategy="t", bar_open_utc_ns=0, quoted_price=1.0851, stop_price=1.08, target_price=None,
                  risk_money=1.0, spread_price=0.0, confidence=1.0)  # fmt: skip
    ticket = EntryOrder(symbol="EURUSD", side=Side.BUY, lots=0.01, entry_price=1.0851, stop_price=1.08, target_price=None,
                    budget_money=1.0, risk_money=1.0, margin_money=1.0, entry=entry)  # fmt: skip
    with pytest.raises(InvariantError, match="adds risk"):
        submit(play.desk._ctx, ticket)


@pytest.mark.parametrize("code", WAYS_BACK)
def test_every_reason_shows_its_start_and_way_back(code: str) -> None:
    play = in_reason(code)
    reason = next(one for one in play.desk.view().reasons if one.code == code)
    assert reason.since_utc_ns == play.at
    assert reason.text
    assert reason.clears_when
    play.wait(60)
    add_reason(play.desk._ctx, code, "again")
    assert next(one for one in play.desk.view().reasons if one.code == code).since_utc_ns == reason.since_utc_ns


@pytest.mark.parametrize("code", WAYS_BACK)
def test_resume_takes_away_only_what_is_the_operators(code: str) -> None:
    play = in_reason(code)
    if code == "starting":
        play.desk._ctx.state.book_known = False
    play.command(Resume())
    assert (code in play.desk._ctx.state.reasons) is (code not in OPERATORS)


def test_halted_moves_nothing_but_what_the_operator_orders() -> None:
    play = Play(shipped_settings(("position.time_exit_hours", 1.0))).start()
    position = play.enter()
    play.book()
    play.give(AccountRead(account=account(login=2, balance_money=play.balance)))
    assert play.desk.view().state == "HALTED"
    play.quote("EURUSD", 1.0890, after_s=60)
    play.quote("EURUSD", 1.0860, after_s=3600)
    assert not play.all(Close)
    assert not play.all(Modify)
    play.command(MoveStop(position_id=position, stop_price=1.0830))
    assert len(play.all(Modify)) == 1
    play.command(Resume())
    play.quote("EURUSD", 1.0861, after_s=1)
    assert play.all(Close)


def test_shell_reported_halt_survives_resume_while_it_lasts() -> None:
    play = Play().start()
    play.give(EngineFault(kind="law_broken", active=True, why="twice"))
    play.command(Resume())
    assert play.desk.view().state == "HALTED"
    play.give(EngineFault(kind="law_broken", active=False))
    assert play.desk.view().state == "HALTED", "over, but not yet seen by the operator"
    play.command(Resume())
    assert play.desk.view().state == "ACTIVE"


def test_a_halt_survives_a_restart() -> None:
    play = in_reason("flat")
    again = Play(run_id="r2", at=play.at)
    again.start(restored=play.desk.checkpoint())
    assert again.desk.view().state == "HALTED"
