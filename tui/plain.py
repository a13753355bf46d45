"""The desk in plain lines, one per change: for screen readers, pipes, and lines too thin for a screen.

Promises: never imports Textual; a line says what changed, with words and signs only; ends when the engine ends. Does not: steer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from quarterdeck.core.link.link_client import LinkClient
from quarterdeck.core.link.messages import LinkBye, LinkState
from quarterdeck.core.model.snapshot import DeskView, LogLine, PositionView, SignalView, Snapshot
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import clean
from quarterdeck.tui.view.log_panel import plain as plain_log
from quarterdeck.tui.view.positions_panel import digits_of, in_order
from quarterdeck.tui.view.signals_panel import verdict_words
from quarterdeck.tui.view.status_lines import MODE_WORDS, STATE_WORDS

QUIET_MONEY_FRACTION = 0.001
"""Equity is reported again when it moved by so much of itself."""


async def follow_engine(client: LinkClient, write: Callable[[str], None], *, log: bool = True) -> int:
    """Tell what happens until the engine ends the conversation; returns 0."""
    told: Snapshot | None = None
    while True:
        event = await client.next()
        match event:
            case Snapshot():
                lines = list(changes(told.desk if told is not None else None, event.desk))
                told = last_reported(told, event, moved=bool(lines))
                for line in lines:
                    write(line)
            case LogLine() if log:
                write(plain_log(event))
            case LinkState():
                write(f"link {'up' if event.up else 'LOST: ' + clean(event.why)}")
            case LinkBye():
                write(f"engine ended: {clean(event.why)}")
                return 0
            case _:
                pass


def last_reported(told: Snapshot | None, now: Snapshot, *, moved: bool) -> Snapshot:
    """What counts as reported: the newest snapshot once something of it was said, else the one before."""
    return now if moved or told is None else told


def changes(before: DeskView | None, now: DeskView) -> Iterator[str]:
    """A line for each thing that changed between two views of the desk."""
    stamp = number_format.moment(now.at_utc_ns)
    if before is None:
        mode = MODE_WORDS.get(now.mode, now.mode)
        yield f"{stamp} {mode}, {STATE_WORDS[now.state]}, {_equity(now)}"
        for view in in_order(now):
            yield f"{stamp} open: {_position(view, now)}"
        return
    if before.state != now.state or [reason.code for reason in before.reasons] != [reason.code for reason in now.reasons]:
        why = "; ".join(f"{clean(reason.text)} (ends when {clean(reason.clears_when)})" for reason in now.reasons)
        yield f"{stamp} state {STATE_WORDS[now.state]}{': ' + why if why else ''}"
    yield from (f"{stamp} {text}" for text in _position_changes(before, now))
    yield from (f"{stamp} {text}" for text in _signal_changes(before, now))
    if (before.positions_without_stop, before.unconfirmed_orders, before.positions_match) != (
        now.positions_without_stop,
        now.unconfirmed_orders,
        now.positions_match,
    ):
        agrees = {None: "positions unknown", True: "positions match broker", False: "POSITION MISMATCH"}[now.positions_match]
        yield f"{stamp} {agrees}, {now.positions_without_stop} without a stop, {now.unconfirmed_orders} unconfirmed orders"
    if now.flatten is not None and now.flatten != before.flatten:
        left = f"; left: {', '.join(clean(text) for text in now.flatten.left_open)}" if now.flatten.left_open else ""
        yield f"{stamp} flatten: {clean(now.flatten.text)}{left}"
    if _moved(before.equity_money, now.equity_money):
        yield f"{stamp} {_equity(now)}"


def _position_changes(before: DeskView, now: DeskView) -> Iterator[str]:
    old = {view.position_id: view for view in before.positions}
    new = {view.position_id: view for view in now.positions}
    for view in in_order(now):
        was = old.get(view.position_id)
        if was is None:
            yield f"opened: {_position(view, now)}"
        elif was.lots != view.lots:
            yield f"{number_format.lots(was.lots)} to {number_format.lots(view.lots)} lots: {_position(view, now)}"
        elif was.stop_price != view.stop_price:
            yield f"stop moved: {_position(view, now)}"
    for position_id, view in old.items():
        if position_id not in new:
            yield f"closed: {_position(view, before)}"


def _signal_changes(before: DeskView, now: DeskView) -> Iterator[str]:
    seen = {(view.symbol, view.bar_open_utc_ns, view.outcome) for view in before.signals}
    for view in reversed(now.signals):
        if (view.symbol, view.bar_open_utc_ns, view.outcome) not in seen:
            yield _signal(view)


def _signal(view: SignalView) -> str:
    return f"signal {view.side.word} {clean(view.symbol)} {view.confidence:.2f} {view.outcome}: {clean(verdict_words(view))}"


def _position(view: PositionView, desk: DeskView) -> str:
    digits = digits_of(desk, view.symbol)
    stop = "NO STOP" if view.stop_price is None else f"stop {number_format.price(view.stop_price, digits)}"
    owner = "" if view.ours else ", external"
    result = f"{number_format.r_multiple(view.result_r)} {number_format.money(view.profit_money, sign=True)}"
    entry = number_format.price(view.open_price, digits)
    return f"{view.side.word} {number_format.lots(view.lots)} {clean(view.symbol)} from {entry}, {stop}, {result}{owner}"


def _equity(desk: DeskView) -> str:
    share = number_format.pct(number_format.share(desk.day_result_money, desk.day_base_money), sign=True)
    day = f"{number_format.money(desk.day_result_money, sign=True)} {share}"
    count = number_format.plural(len(desk.positions), "position")
    return f"equity {number_format.money(desk.equity_money)}, day {day}, {count}"


def _moved(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is not now
    return abs(now - before) >= QUIET_MONEY_FRACTION * max(abs(before), 1.0)
