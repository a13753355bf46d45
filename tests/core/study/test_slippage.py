"""What a broker's fills cost beyond their quotes, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.effects import PositionOpened
from quarterdeck.core.model.inputs import SequencedInput, TimerFired
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.study.slippage import measured_slippage
from tests.core.journal.tapes import MONDAY_NS, Watch, journal_settings, new_run


def opened(symbol: str, side: Side, quoted: float, filled: float, signal_id: str = "s") -> PositionOpened:
    return PositionOpened(
        position_id=1, client_id="r1-1", signal_id=signal_id, symbol=symbol, side=side, lots=0.1, open_price=filled,
        quoted_price=quoted, stop_price=1.0, target_price=None, risk_money=10.0, asked_risk_money=10.0, spread_price=0.0001,
        confidence=0.9,
    )  # fmt: skip


def journal(path: Path, mode: str, *fills: PositionOpened) -> None:
    writer = JournalWriter(path / "journal.sqlite", journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(msgspec.structs.replace(new_run(), mode=mode))
    for seq, fill in enumerate(fills, 1):
        writer.append(SequencedInput(seq=seq, at_utc_ns=MONDAY_NS + seq, input=TimerFired()), (fill,))
    writer.end_run("test")
    writer.close()


def test_slippage_is_adverse_on_both_sides_in_each_pairs_pips(tmp_path: Path) -> None:
    journal(
        tmp_path,
        "demo",
        opened("EURUSD", Side.BUY, 1.08500, 1.08503),
        opened("EURUSD", Side.SELL, 1.08500, 1.08498),
        opened("USDJPY", Side.BUY, 150.000, 150.010),
        opened("EURUSD", Side.BUY, 1.08500, 1.08499),
        opened("EURUSD", Side.BUY, 1.08500, 1.09500, signal_id="adopted:7"),
    )
    journal(tmp_path, "simulated", opened("EURUSD", Side.BUY, 1.08500, 1.08900))
    with TapeReader(tmp_path / "journal.sqlite") as reader:
        found = measured_slippage(reader, {})
        assert found is not None
        assert (found.mode, found.fills) == ("demo", 4)
        assert found.mean_pips == pytest.approx((0.3 + 0.2 + 1.0 - 0.1) / 4, abs=0.001)
        assert found.worst_tenth_pips == 1.0
        own = measured_slippage(reader, {"USDJPY": 0.1})
        assert own is not None
        assert own.worst_tenth_pips == pytest.approx(0.3)


def test_a_market_of_our_own_tells_nothing_of_a_broker(tmp_path: Path) -> None:
    journal(tmp_path, "replay", opened("EURUSD", Side.BUY, 1.08500, 1.08900))
    with TapeReader(tmp_path / "journal.sqlite") as reader:
        assert measured_slippage(reader, {}) is None
