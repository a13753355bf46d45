"""Law 11: only what carries our magic number is ours to touch, unless settings adopt more or the operator chose the whole account."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.commands import CloseGroup, ClosePosition, Flatten, MoveStop, StopEngine
from quarterdeck.core.model.effects import Cancel, Close, Effect, Modify
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.chaos import Chaos
from tests.core.desk.playbook import Play
from tests.core.desk.test_entry_evaluation import foreign

WORDS = (
    Flatten(),
    ClosePosition(position_id=9),
    CloseGroup(which="losers"),
    CloseGroup(which="symbol", name="GBPUSD"),
    CloseGroup(which="currency", name="USD"),
    MoveStop(position_id=9, stop_price=1.2),
    StopEngine(policy="flatten"),
)


@pytest.mark.parametrize("word", WORDS, ids=[type(word).__name__ + str(index) for index, word in enumerate(WORDS)])
def test_external_items_are_touched_only_with_whole_account_scope(word: object) -> None:
    play = Play(shipped_settings(("breakers.trip_action", "flatten"))).start()
    play.held[9] = foreign("GBPUSD", stop_price=None)
    play.book()
    play.command(word)  # type: ignore[arg-type]
    play.quote("GBPUSD", 1.2000)
    play.wait(6 * 3600)
    assert not play.all(Close)
    assert not play.all(Modify)
    assert not play.all(Cancel)


def test_the_whole_account_does() -> None:
    play = Play().start()
    play.held[9] = foreign("GBPUSD")
    play.book()
    play.command(Flatten(scope="account"))
    assert [one.position_id for one in play.all(Close)] == [9]


class Ours:
    """Every request names a position that carries our number."""

    def __init__(self, chaos: Chaos) -> None:
        self.chaos = chaos
        chaos.watchers.append(self.see)

    def see(self, effect: Effect) -> None:
        if isinstance(effect, Close | Modify):
            held = self.chaos.truth.get(effect.position_id)
            assert held is None or held.magic == self.chaos.play.settings.account.magic


@pytest.mark.parametrize("seed", range(600, 606))
def test_on_a_bad_day_others_are_left_alone(seed: int) -> None:
    chaos = Chaos(Play(run_id="law11"), seed)
    Ours(chaos)
    chaos.truth[9] = foreign("GBPUSD", stop_price=1.2000)
    chaos.truth[10] = foreign("USDJPY", ticket=10, position_id=10, stop_price=140.0)
    chaos.play.start()
    chaos.day(8)
    chaos.feed_command(Flatten())
    chaos.calm()
    assert sorted(chaos.truth) == [9, 10]
