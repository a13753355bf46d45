"""Law 7: a position that we open has its stop in the request that opens it; where the broker strips it, it is closed, the pair blocked."""

from __future__ import annotations

import typing

import msgspec
import pytest

from quarterdeck.core.desk.desk_state import ManagedPosition
from quarterdeck.core.model.commands import Acknowledge
from quarterdeck.core.model.effects import Alert, Close, Effect, Submit, Verdict
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import Price
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.chaos import Chaos
from tests.core.desk.playbook import Play, only


def test_types_forbid_entries_and_positions_without_a_stop() -> None:
    assert typing.get_type_hints(Submit)["stop_price"] is Price
    assert typing.get_type_hints(ManagedPosition)["stop_price"] is Price


class Stops:
    """Each entry carries a stop on the losing side of its price."""

    def __init__(self, chaos: Chaos) -> None:
        chaos.watchers.append(self.see)

    def see(self, effect: Effect) -> None:
        if isinstance(effect, Submit):
            assert (effect.quoted_price - effect.stop_price) * effect.side > 0.0


@pytest.mark.parametrize("seed", range(500, 508))
def test_every_entry_of_a_bad_day_carries_its_stop(seed: int) -> None:
    chaos = Chaos(Play(run_id="law7"), seed)
    Stops(chaos)
    chaos.play.start()
    chaos.day(8)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_stripped_stop_closes_the_position_and_bars_the_pair(side: Side) -> None:
    play = Play().start()
    position = play.enter("EURUSD", side)
    play.held[position] = msgspec.structs.replace(play.held[position], stop_price=None)
    effects = play.book()
    assert (only(effects, Close).why, only(effects, Close).urgent) == ("no_stop", True)
    assert only(effects, Alert).level == "critical"
    play.close(only(effects, Close), 1.085, 0.0)
    play.next_bar()
    found = play.round(play.signal("EURUSD"), play.signal("GBPUSD"))
    assert {one.symbol: one.outcome for one in found if isinstance(one, Verdict)} == {"EURUSD": "refused", "GBPUSD": "entered"}
    assert "without the stop" in play.desk.view().pairs[0].entries_blocked
    play.command(Acknowledge(what="EURUSD:no_stop"))
    assert not play.desk.view().pairs[0].entries_blocked


def test_on_netting_the_stop_sent_is_that_of_the_whole() -> None:
    free = (("position.pyramid", True), ("position.pyramid_from_r", 0.0), ("position.pyramid_pullback_x_atr", 0.0), ("position.trail_x_atr", 0.0),
            ("exposure.position_max_x_equity", 90.0), ("exposure.currency_max_x_equity", 90.0), ("filters.quote_age_max_s", 600.0),
            ("exposure.gap_risk_max_pct", 90.0), ("position.profit_retrace_pct", 100.0), ("position.time_exit_hours", 0.0))  # fmt: skip
    play = Play(shipped_settings(*free)).start(hedging=False)
    position = play.enter()
    play.held[position] = msgspec.structs.replace(play.held[position], stop_price=1.0872)
    play.next_bar(EURUSD=1.0900)
    play.book()
    add = play.signal("EURUSD", entry_price=1.0900, stop_price=1.0865, target_price=1.1000)
    sent = only(play.round(add), Submit)
    assert sent.stop_price == 1.0872, "not the add's own 1.0865"
