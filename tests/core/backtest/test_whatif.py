"""What another setting would have made: from candles, and from the tape of a run, with how near the run as is comes to it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.backtest.taped import stretch_of
from core.backtest.whatif import over_candles, over_tape
from core.journal.tape import TapeReader
from core.model.errors import SettingsError, UsageError
from core.settings.home import Home
from core.strategy.load import load_strategy
from tests.core.backtest import kit
from tests.parity.test_replay_and_backtest import BUSY, replayed


def test_candles_twice_as_is_and_changed(tmp_path: Path) -> None:
    settings = kit.coin_settings(tmp_path, ("desk.pairs", ["EURUSD", "GBPUSD"]))
    strategy = load_strategy(settings.strategy)
    market = kit.coin_market(settings, strategy, bars=2_200)
    same = over_candles(market, settings, strategy, strategy, [("ui.ascii", True)], None)
    assert same.difference.same_trades
    other = over_candles(market, settings, strategy, strategy, [("care.age_max_hours", 1.0)], None)
    assert not other.difference.same_trades
    assert other.reality is None
    with pytest.raises(SettingsError):
        over_candles(market, settings, strategy, strategy, [("care.age_max_hours", -1.0)], None)


@pytest.mark.slow
def test_a_tape_is_run_again_to_the_ticket_and_then_changed(tmp_path: Path, recorded_data: Path) -> None:
    values = (*BUSY, ("desk.pairs", ["EURUSD"]))
    live = replayed(tmp_path, (recorded_data / "m15",), values, (date(2024, 3, 4), date(2024, 3, 6)))
    home = Home(tmp_path)
    with TapeReader(home.journal) as reader:
        stretch = stretch_of(reader, reader.run(None))
    strategy = load_strategy(stretch.settings.strategy, home.root)
    found = over_tape(stretch, strategy, [("care.age_max_hours", 1.0)], None)
    assert found.reality is not None
    assert found.reality.trades == live.trades > 0
    assert found.reality.same >= live.trades - 1
    assert not found.difference.same_trades
    with pytest.raises(UsageError, match="under the old one"):
        over_tape(stretch, strategy, [("strategy.parameters", {})], None)
