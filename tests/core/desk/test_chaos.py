"""Bad days, drawn from seeds: the promises hold while faults last, and desk and broker agree once they are over."""

from __future__ import annotations

import pytest

from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.model.commands import Flatten, Resume
from quarterdeck.core.model.effects import Close, Effect, Modify, StateChanged, Submit, TradeClosed
from tests.core.desk.chaos import Chaos
from tests.core.desk.playbook import Play

SEEDS = range(24)


class Law:
    """What must hold at every effect, whatever the broker does."""

    def __init__(self, chaos: Chaos) -> None:
        self.desk = chaos.play.desk
        self.state = "ACTIVE"
        self.reasons: tuple[str, ...] = ()
        self.retrace_done: list[int] = []
        self.signals: list[str] = []
        chaos.watchers.append(self.see)

    def see(self, effect: Effect) -> None:
        if isinstance(effect, StateChanged):
            self.state, self.reasons = effect.state, effect.reasons
        elif isinstance(effect, Submit):
            assert self.state == "ACTIVE", f"an entry left in {self.state} ({self.reasons})"
            self.signals.append(effect.signal_id)
        elif isinstance(effect, Modify) and effect.why == "trail":
            held = self.desk._ctx.state.positions.get(effect.position_id)
            assert held is None or (effect.stop_price - held.stop_price) * held.side > 0, "care loosened a stop"
        elif isinstance(effect, Close) and effect.why == "give_back":
            held = self.desk._ctx.state.positions[effect.position_id]
            assert held.retrace_done


def bad_day(seed: int, **changes: object) -> tuple[Chaos, Law]:
    play = Play(run_id=f"s{seed}")
    chaos = Chaos(play, seed)
    law = Law(chaos)
    play.start()
    law.state = "ACTIVE"
    chaos.day(14)
    return chaos, law


@pytest.mark.parametrize("seed", SEEDS)
def test_desk_and_broker_agree_once_a_bad_day_is_over(seed: int) -> None:
    chaos, _ = bad_day(seed)
    chaos.calm()
    state = chaos.play.desk._ctx.state
    ours = {number: held.lots for number, held in chaos.truth.items()}
    assert {number: held.lots for number, held in state.positions.items() if held.lots > 0} == ours
    assert not state.orders, f"still in flight: {state.orders}"
    assert not state.reservations
    assert state.book_known is True
    assert "unknown_fate" not in state.reasons
    assert state.balance_money == pytest.approx(chaos.balance, abs=0.005)
    for number, held in state.positions.items():
        assert chaos.truth[number].stop_price == pytest.approx(held.stop_price)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_deal_is_accounted_for_in_one_trade(seed: int) -> None:
    chaos, _ = bad_day(seed)
    chaos.calm()
    chaos.feed_command(Flatten())
    chaos.calm()
    assert not chaos.truth, "everything of ours is closed"
    state = chaos.play.desk._ctx.state
    assert "flat" in state.reasons
    assert "flatten" not in state.reasons
    assert not state.positions
    trades = [effect for effect in chaos.play.said if isinstance(effect, TradeClosed)]
    assert sum(trade.net_money for trade in trades) == pytest.approx(chaos.balance - 10_000.0, abs=0.01)
    chaos.feed_command(Resume())
    assert "flat" not in state.reasons


@pytest.mark.parametrize("seed", list(SEEDS)[:8])
def test_same_inputs_same_decisions_also_from_a_checkpoint_in_between(seed: int) -> None:
    chaos, _ = bad_day(seed)
    tape = chaos.play.tape
    half = len(tape) // 2
    whole = Desk()
    effects = [whole.on(stamped) for stamped in tape]
    assert [effect for some in effects for effect in some] == chaos.play.said
    first = Desk()
    for stamped in tape[:half]:
        first.on(stamped)
    second = restored(tape, first.checkpoint(), half)
    for stamped, expected in zip(tape[half:], effects[half:], strict=True):
        assert second.on(stamped) == expected
        assert second.wake_at() == first_wake(first, stamped)
    assert second.checkpoint() == whole.checkpoint()


def first_wake(first: Desk, stamped: object) -> int | None:
    first.on(stamped)  # type: ignore[arg-type]
    return first.wake_at()


def restored(tape: list, checkpoint: bytes, half: int) -> Desk:
    import msgspec

    from quarterdeck.core.model.inputs import Restored, SequencedInput

    desk = Desk()
    last = tape[half - 1]
    desk.on(SequencedInput(seq=last.seq - 1, at_utc_ns=tape[0].at_utc_ns, input=tape[0].input))
    desk.on(SequencedInput(seq=last.seq, at_utc_ns=last.at_utc_ns, input=Restored(state=msgspec.Raw(checkpoint))))
    return desk
