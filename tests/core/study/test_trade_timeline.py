"""A trade's story is complete: what was seen, weighed, ordered, done, managed, and what it came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.effects import Close, LogEvent, Modify, PositionOpened, Submit, Verdict
from quarterdeck.core.model.inputs import ExecutionReport, Filled, NewDeal, RequestDone, SequencedInput, TimerFired, Unconfirmed
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.study.trade_timeline import timeline_of_trade
from tests.core.journal.tapes import MONDAY_NS, Watch, journal_settings, new_run, signal
from tests.core.study.test_summary import trade

POSITION = 900
ENTRY = MONDAY_NS + M15_NS
EXIT = ENTRY + 4 * M15_NS


def written(path: Path, *rows: tuple[int, Any, tuple[Any, ...]]) -> TapeReader:
    writer = JournalWriter(path / "journal.sqlite", journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(new_run())
    for seq, (at, told, effects) in enumerate(rows, 1):
        writer.append(SequencedInput(seq=seq, at_utc_ns=at, input=told), effects)
    writer.end_run("test")
    writer.close()
    return TapeReader(path / "journal.sqlite")


def deal(ticket: int, at: int, entry: Any, lots: float, price: float, profit: float = 0.0) -> NewDeal:
    side = Side.BUY if entry == "in" else Side.SELL
    return NewDeal(
        deal=Deal(
            deal_ticket=ticket, order_ticket=ticket, position_id=POSITION, symbol="EURUSD", side=side, entry=entry,
            reason="expert", lots=lots, price=price, at_utc_ns=at, profit_money=profit, commission_money=-1.75,
        )
    )  # fmt: skip


def filled(price: float, lots: float) -> Filled:
    return Filled(
        order_ticket=1, position_id=POSITION, deal_ticket=1, lots=lots, price=price, bid=price, ask=price, latency_ms=8.0
    )


def whole_trade() -> tuple[tuple[int, Any, tuple[Any, ...]], ...]:
    said = signal("EURUSD", MONDAY_NS)
    verdict = Verdict(
        symbol="EURUSD", bar_open_utc_ns=MONDAY_NS, strategy=said.strategy, outcome="entered", reason="", side=Side.BUY,
        checks=(Check("lots_by_risk", 0.5, 0.01, passed=True, note="100 / 200 a lot"),), lots=0.5, risk_money=100.0, client_id="r1-1",
    )  # fmt: skip
    submit = Submit(
        client_id="r1-1", reservation_id="r1-1", signal_id=said.id, symbol="EURUSD", side=Side.BUY, lots=0.5, quoted_price=1.07,
        stop_price=1.068, target_price=1.074, deviation_points=5, risk_money=100.0,
    )  # fmt: skip
    opened = PositionOpened(
        position_id=POSITION, client_id="r1-1", signal_id=said.id, symbol="EURUSD", side=Side.BUY, lots=0.5, open_price=1.07002,
        quoted_price=1.07, stop_price=1.068, target_price=1.074, risk_money=101.0, asked_risk_money=100.0, spread_price=0.0001,
        confidence=0.8,
    )  # fmt: skip
    facts: dict[str, Any] = {"position_id": POSITION, "ticket": POSITION, "symbol": "EURUSD"}
    trail = Modify(client_id="r1-2", stop_price=1.0705, target_price=1.074, why="trail", **facts)
    aged = Close(client_id="r1-3", side=Side.BUY, lots=0.5, quoted_price=1.0715, deviation_points=5, why="age", **facts)
    other = LogEvent(kind="stop_moved", text="of another", symbol="EURUSD", ticket=POSITION + 1)
    moved = LogEvent(kind="stop_moved", text="trail: stop 1.0705", symbol="EURUSD", ticket=POSITION)
    ended = trade(position_id=POSITION, signal_id=said.id, opened_utc_ns=ENTRY, closed_utc_ns=EXIT, reason="age", rule="market")
    return (
        (ENTRY, said, ()),
        (ENTRY, TimerFired(), (verdict, submit)),
        (ENTRY, ExecutionReport(client_id="r1-1", order_outcome=Unconfirmed(why="no reply in 5 s")), ()),
        (ENTRY + 9 * NS_PER_S, ExecutionReport(client_id="r1-1", order_outcome=filled(1.07002, 0.5)), (opened,)),
        (ENTRY + 9 * NS_PER_S, deal(1, ENTRY + 9 * NS_PER_S, "in", 0.5, 1.07002), ()),
        (ENTRY + M15_NS, TimerFired(), (trail,)),
        (ENTRY + M15_NS, ExecutionReport(client_id="r1-2", order_outcome=RequestDone()), (moved, other)),
        (EXIT, TimerFired(), (aged,)),
        (EXIT, ExecutionReport(client_id="r1-3", order_outcome=filled(1.0715, 0.5)), ()),
        (EXIT, deal(2, EXIT, "out", 0.5, 1.0715, 74.0), (ended,)),
    )


def test_a_trade_is_told_from_its_signal_to_its_close(tmp_path: Path) -> None:
    with written(tmp_path, *whole_trade()) as reader:
        steps = timeline_of_trade(reader, reader.runs(), POSITION)
    told = [step.what for step in steps]
    assert told == [
        "signal", "verdict", "order", "filled", "opened", "deal", "stop", "done", "care", "close", "filled", "deal", "closed",
    ]  # fmt: skip
    assert [step.at_utc_ns for step in steps] == sorted(step.at_utc_ns for step in steps)
    text = "\n".join(step.text for step in steps)
    for price in (
        "1.07002",
        "1.068",
        "1.0705",
        "1.0715",
        "slipped 0.00002, spread 0.0001",
        "at risk 101.00 of 100.00 asked",
        "profit +74.00",
        "(age)",
        "8 ms",
    ):
        assert price in text, price
    assert "of another" not in text
    votes, sizing = steps[0].checks, steps[1].checks
    assert votes
    assert sizing[0].name == "lots_by_risk"


def test_manual_trade_has_a_timeline_without_a_signal(tmp_path: Path) -> None:
    ended = trade(position_id=POSITION, signal_id="", closed_utc_ns=EXIT, reason="manual")
    rows = ((ENTRY, deal(1, ENTRY, "in", 0.1, 1.07), ()), (EXIT, deal(2, EXIT, "out", 0.1, 1.071, 10.0), (ended,)))
    with written(tmp_path, *rows) as reader:
        assert [step.what for step in timeline_of_trade(reader, reader.runs(), POSITION)] == ["deal", "deal", "closed"]


def test_a_position_that_the_journal_does_not_know_has_none(tmp_path: Path) -> None:
    with written(tmp_path, *whole_trade()) as reader:
        assert timeline_of_trade(reader, reader.runs(), 1) == ()
