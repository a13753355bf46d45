"""The story of one trade, from the signal that asked for it to its last deal, put together from the journal's rows.

Promises: every step says when, and with which prices; votes, filters, sizing steps and caps come with the verdict that weighed
them; what the journal does not hold (a position opened manually, a pruned tape) is left out, never made up.
Does not: judge anew, or format for a screen. Units: prices in quote currency, money in account currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quarterdeck.core.journal.tape_format import decode_effect, decode_input, decode_outcome, tags_of
from quarterdeck.core.journal.tape_reader import Run, TapeReader
from quarterdeck.core.link.trade_queries import TimelineStep
from quarterdeck.core.model.effects import LogEvent, Verdict
from quarterdeck.core.model.inputs import Accepted, Filled, NotExecuted, OrderOutcome, OrderRejected, RequestDone, Unconfirmed
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Signal
from quarterdeck.core.model.units import NS_PER_S

_ORDER = ("signal", "verdict", "order", "stop", "close", "cancel", "filled", "opened", "deal", "done", "care")
"""What comes first of things that happened at one instant: as decided, ordered, done."""
_NOTES_MAX = 200


def timeline_of_trade(reader: TapeReader, runs: Sequence[Run], position_id: int) -> tuple[TimelineStep, ...]:
    """What happened to a position of these runs, in order of time; empty where the journal knows nothing of it.

    Raises:
        StorageError: the journal cannot be read.
    """
    numbers = ", ".join(str(run.run) for run in runs)
    steps: list[TimelineStep] = []
    sql = f"SELECT client_id, signal_id FROM positions WHERE position_id = ? AND run IN ({numbers}) ORDER BY run, seq LIMIT 1"
    for client_id, signal_id in reader.rows(sql, position_id):
        steps += _signal(reader, numbers, str(signal_id))
        steps += _orders(reader, f"client_id = ? AND run IN ({numbers})", str(client_id))
    steps += _opened(reader, numbers, position_id)
    steps += _orders(reader, f"position_id = ? AND kind != 'submit' AND run IN ({numbers})", position_id)
    steps += _deals(reader, numbers, position_id)
    steps += _notes(reader, numbers, position_id)
    steps += _closed(reader, numbers, position_id)
    return tuple(sorted(steps, key=lambda step: (step.at_utc_ns, _place(step.what))))


def _place(what: str) -> int:
    """Within one instant, a trade's end last."""
    return len(_ORDER) + 1 if what == "closed" else _ORDER.index(what) if what in _ORDER else len(_ORDER)


def _signal(reader: TapeReader, numbers: str, signal_id: str) -> Iterator[TimelineStep]:
    """What the strategy said with its votes, and every judgement of it."""
    sql = f"""SELECT s.at_utc_ns, t.body FROM signals AS s LEFT JOIN tape AS t ON t.run = s.run AND t.seq = s.seq
        WHERE s.signal_id = ? AND s.symbol = ? AND s.bar_open_utc_ns = ? AND s.run IN ({numbers})
        ORDER BY s.run, s.seq LIMIT 1"""
    symbol, bar_open_utc_ns = _bar_of(signal_id)
    for at, body in reader.rows(sql, signal_id, symbol, bar_open_utc_ns):
        said = decode_input(body) if body is not None else None
        if isinstance(said, Signal):
            prices = f"entry {said.entry_price:.10g}, stop {said.stop_price:.10g}, target {said.target_price:.10g} (bid)"
            text = f"{said.side.word} {said.symbol}, confidence {said.confidence:.2f}: {prices}"
            yield TimelineStep(at_utc_ns=at, what="signal", text=text, checks=said.votes)
    sql = f"""SELECT v.at_utc_ns, e.body FROM verdicts AS v JOIN effects AS e ON e.run = v.run AND e.seq = v.seq AND e.n = v.n
        WHERE v.symbol = ? AND v.bar_open_utc_ns = ? AND v.run IN ({numbers}) ORDER BY v.run, v.seq, v.n"""
    for at, body in reader.rows(sql, symbol, bar_open_utc_ns):
        verdict = decode_effect(body)
        if isinstance(verdict, Verdict) and verdict.outcome != "none" and signal_id.startswith(f"{verdict.strategy}:"):
            size = f", {verdict.lots:g} lots at risk {verdict.risk_money:,.2f}" if verdict.lots else ""
            reason = f": {verdict.reason}" if verdict.reason else ""
            yield TimelineStep(at_utc_ns=at, what="verdict", text=f"{verdict.outcome}{reason}{size}", checks=verdict.checks)


def _bar_of(signal_id: str) -> tuple[str, int]:
    """Pair and bar that a signal's id names (`core.model.signals.Signal.id`); nothing for an id of another making."""
    parts = signal_id.split(":")
    return (parts[-3], int(parts[-1]) * NS_PER_S) if len(parts) >= 4 and parts[-1].isdigit() else ("", 0)


def _orders(reader: TapeReader, where: str, value: str | int) -> Iterator[TimelineStep]:
    """Intents, and what became of each."""
    sql = f"""SELECT at_utc_ns, client_id, kind, side, lots, price, stop_price, target_price, risk_money, why,
        fate_utc_ns, fate_body FROM intents WHERE {where} ORDER BY run, seq, n"""
    for at, client_id, kind, side, lots, price, stop, target, risk, why, fate_at, fate_body in reader.rows(sql, value):
        stops = f"stop {_price(stop)}, target {_price(target)}"
        if kind == "submit":
            text = f"{Side(side).word} {lots:g} at {_price(price)}, {stops}, risk {risk:,.2f}"
            step = TimelineStep(at_utc_ns=at, what="order", text=f"{client_id}: {text}")
        elif kind == "modify":
            step = TimelineStep(at_utc_ns=at, what="stop", text=f"{client_id}: {stops} ({_words(why)})")
        else:
            step = TimelineStep(at_utc_ns=at, what=str(kind), text=f"{client_id}: {lots:g} at {_price(price)} ({_words(why)})")
        yield step
        if fate_body is not None:
            word, text = _fate(decode_outcome(fate_body))
            yield TimelineStep(at_utc_ns=max(fate_at or at, at), what=word, text=f"{client_id}: {text}")


def _fate(fate: OrderOutcome) -> tuple[str, str]:
    match fate:
        case Filled():
            market = f", market {fate.bid:.10g}/{fate.ask:.10g}" if fate.ask else ""
            took = f", {fate.latency_ms:.0f} ms (check {fate.check_ms:.0f}, send {fate.send_ms:.0f})" if fate.latency_ms else ""
            return "filled", f"{fate.lots:g} at {fate.price:.10g}{market}{took}"
        case OrderRejected():
            return "refused", f"{fate.kind}, {fate.reason} ({fate.code})"
        case NotExecuted():
            return "absent", f"surely not executed: {fate.why}"
        case Unconfirmed():
            return "UNKNOWN", f"outcome unknown: {fate.why}"
        case Accepted():
            return "accepted", f"order {fate.order_ticket}, no deal yet"
        case RequestDone():
            return "done", fate.note or "as asked"


def _opened(reader: TapeReader, numbers: str, position_id: int) -> Iterator[TimelineStep]:
    sql = f"""SELECT at_utc_ns, side, lots, open_price, quoted_price, stop_price, risk_money, asked_risk_money, spread_price
        FROM positions WHERE position_id = ? AND run IN ({numbers}) ORDER BY run, seq LIMIT 1"""
    for at, side, lots, price, quoted, stop, risk, asked, spread in reader.rows(sql, position_id):
        slipped = _distance((price - quoted) * side)
        text = (
            f"{Side(side).word} {lots:g} at {price:.10g} (quoted {quoted:.10g}, slipped {slipped}, spread {_distance(spread)}), "
            f"stop {stop:.10g}, at risk {risk:,.2f} of {asked:,.2f} asked"
        )
        yield TimelineStep(at_utc_ns=at, what="opened", text=text)


def _deals(reader: TapeReader, numbers: str, position_id: int) -> Iterator[TimelineStep]:
    sql = f"""SELECT DISTINCT deal_ticket, at_utc_ns, side, entry, reason, lots, price, profit_money, commission_money, fee_money,
        swap_money, rule FROM deals WHERE position_id = ? AND run IN ({numbers}) ORDER BY at_utc_ns, deal_ticket"""
    for ticket, at, side, entry, reason, lots, price, profit, commission, fee, swap, rule in reader.rows(sql, position_id):
        costs = (
            f"commission {commission:+,.2f}" + (f", fee {fee:+,.2f}" if fee else "") + (f", swap {swap:+,.2f}" if swap else "")
        )
        result = "" if entry == "in" else f", profit {profit:+,.2f}"
        ruled = f", {rule}" if rule else ""
        text = f"{ticket} {entry}: {Side(side).word} {lots:g} at {price:.10g} ({reason}{ruled}){result}, {costs}"
        yield TimelineStep(at_utc_ns=at, what="deal", text=text)


def _notes(reader: TapeReader, numbers: str, position_id: int) -> Iterator[TimelineStep]:
    """What the desk noted between its first and last row: stops moved manually, profit retracement, peaks read from bars."""
    sql = f"""SELECT run, min(seq), max(seq) FROM (
            SELECT run, seq FROM positions WHERE position_id = ?1 AND run IN ({numbers})
            UNION ALL SELECT run, seq FROM deals WHERE position_id = ?1 AND run IN ({numbers})
            UNION ALL SELECT run, seq FROM trades WHERE position_id = ?1 AND run IN ({numbers})) GROUP BY run"""
    found = 0
    for run, first, last in reader.rows(sql, position_id):
        tags = tags_of(LogEvent)
        noted = f"""SELECT t.at_utc_ns, e.body FROM effects AS e JOIN tape AS t ON t.run = e.run AND t.seq = e.seq
            WHERE e.run = ? AND e.seq BETWEEN ? AND ? AND e.tag IN ({", ".join("?" * len(tags))}) ORDER BY e.seq, e.n"""
        for at, body in reader.rows(noted, run, first, last, *tags):
            note = decode_effect(body)
            if isinstance(note, LogEvent) and note.ticket == position_id and found < _NOTES_MAX:
                found += 1
                yield TimelineStep(at_utc_ns=at, what="care", text=f"{_words(note.kind)}: {note.text}")


def _closed(reader: TapeReader, numbers: str, position_id: int) -> Iterator[TimelineStep]:
    sql = f"""SELECT closed_utc_ns, close_price, reason, rule, result_r, net_money, gross_money, commission_money, swap_money,
        peak_money, worst_money FROM trades WHERE position_id = ? AND run IN ({numbers}) ORDER BY run DESC, seq DESC LIMIT 1"""
    for at, price, reason, rule, result_r, net, gross, commission, swap, peak, worst in reader.rows(sql, position_id):
        money = f"{net:+,.2f} = {gross:+,.2f} gross {commission:+,.2f} commission {swap:+,.2f} swap"
        text = f"at {price:.10g} by {_words(reason)} ({rule}): {result_r:+.2f} R, {money}; best {peak:+,.2f}, worst {worst:+,.2f}"
        yield TimelineStep(at_utc_ns=at, what="closed", text=text)


def _price(price: float | None) -> str:
    return "none" if price is None else f"{price:.10g}"


def _distance(price_distance: float) -> str:
    """A distance in price without an exponent: `0.00002`."""
    return f"{round(price_distance, 6) or 0.0:.6f}".rstrip("0").rstrip(".")


def _words(name: str) -> str:
    return name.replace("_", " ")
