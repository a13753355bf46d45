"""Promises that no order of events may break: a part is closed at most once, and a breaker that tripped stays tripped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.core.model.commands import Resume
from quarterdeck.core.model.effects import Close, Effect, LogEvent, Submit
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.inputs import ConnectionState, EngineFault, NotExecuted, SequencedInput, TimerFired
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.chaos import Chaos
from tests.core.desk.playbook import Play


@pytest.mark.slow
def test_on_bad_days_a_part_is_closed_at_most_once() -> None:
    decided: Counter[tuple[int, int]] = Counter()
    for seed in range(100, 108):
        play = Play(
            shipped_settings(
                ("position.profit_retrace_from_r", 0.1),
                ("position.profit_retrace_from_costs_x", 0.0),
                ("position.trail_x_atr", 0.0),
            )
        )
        chaos = Chaos(play, seed)
        chaos.watchers.append(_parts(seed, decided, {}))
        play.start()
        chaos.day(14)
        chaos.calm()
    assert set(decided.values()) == {1}, "once each, and it did happen"


def _parts(seed: int, decided: Counter[tuple[int, int]], asked: dict[int, float]) -> Callable[[Effect], None]:
    def see(effect: Effect) -> None:
        if isinstance(effect, LogEvent) and effect.kind == "give_back":
            decided[seed, effect.ticket] += 1
        elif isinstance(effect, Close) and effect.why == "give_back":
            # what is sent again after a refusal is never more than what was asked first
            assert effect.lots <= asked.setdefault(effect.position_id, effect.lots) + 1e-9

    return see


def _restarted(play: Play, state: bytes | None = None) -> Play:
    again = Play(play.settings, run_id=f"r{play.seq}", at=play.at)
    again.balance, again.held, again.tickets = play.balance, play.held, play.tickets
    return again.start(restored=state or play.desk.checkpoint())


def _exception(play: Play) -> Play:
    """A promise breaks: that desk stops for good, and the next one begins where the last checkpoint was."""
    state = play.desk.checkpoint()
    for _ in range(2):
        with pytest.raises(InvariantError):
            play.desk.on(SequencedInput(seq=play.seq, at_utc_ns=play.at, input=TimerFired()))
    return _restarted(play, state)


def _told(play: Play, act: Callable[[], object]) -> Play:
    act()
    return play


ACTS: dict[str, Callable[[Play], Play]] = {
    "restart": _restarted,
    "exception": _exception,
    "resume": lambda play: _told(play, lambda: play.command(Resume())),
    "recovery": lambda play: _told(play, lambda: play.quote("EURUSD", 1.0900, after_s=1)),
    "wider": lambda play: _told(
        play, lambda: play.change(("breakers.day_loss_max_pct", 50.0), ("breakers.drawdown_max_pct", 60.0))
    ),
    "trouble": lambda play: _told(play, lambda: play.give(EngineFault(kind="journal", active=True, why="full"))),
    "over": lambda play: _told(play, lambda: play.give(EngineFault(kind="journal", active=False, why=""))),
    "line": lambda play: _told(
        play, lambda: (play.give(ConnectionState(is_connected=False, why="lost")), play.give(ConnectionState(is_connected=True)))
    ),
    "stranger": lambda play: _told(play, lambda: play.report("nobody-1", NotExecuted(why="never seen"))),
    "unknown book": lambda play: _told(play, lambda: (play.book(known=False), play.book())),
    "time": lambda play: _told(play, lambda: play.wait(120)),
}


@settings(max_examples=60)
@given(acts=st.lists(st.sampled_from(sorted(ACTS)), max_size=8), why=st.sampled_from(["day_loss", "drawdown"]))
def test_a_tripped_breaker_stays_tripped_through_whatever_follows(acts: list[str], why: str) -> None:
    play = Play(shipped_settings(("breakers.day_loss_max_pct", 5.0), ("breakers.drawdown_max_pct", 5.0))).start()
    play.enter("EURUSD")
    play.quote("EURUSD", 1.0650)
    play.quote("EURUSD", 1.0650)  # one quote so far away is not believed alone
    assert {"day_loss", "drawdown"} <= play.desk._ctx.state.reasons.keys()
    for name in acts:
        play = ACTS[name](play)
        assert why in play.desk._ctx.state.reasons, f"{name} took it away"
    sent = len(play.all(Submit))
    play.next_bar()
    play.round(play.signal("GBPUSD", Side.SELL))
    assert len(play.all(Submit)) == sent
