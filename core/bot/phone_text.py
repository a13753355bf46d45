"""What a phone shows: short texts made of a snapshot, verdicts and the day's report.

Promises: every figure is the engine's own; one that is not known is said to be unknown, never zero. Does not: ask, or send.
Money in account currency.
"""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.core.bot.confirmation import CONFIRM_S, PhoneRequest
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.journal.heartbeat import problems_of
from quarterdeck.core.link.messages import VerdictRow
from quarterdeck.core.link.trade_queries import AccountReport
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.snapshot import DeskView, FlattenView, PositionView, Snapshot
from quarterdeck.core.model.units import Money

HELP = """status - state, equity, open risk, what is wrong
positions - each open position
why [PAIR] - the last decision and its checks
report - the day with a picture
pause - no new entries, at once
resume, close N, close losers, close winners, flatten - preview first, then a word to confirm
cancel - forget an order that waits for its word"""
_ROWS_MAX = 25
_REFUSALS_MAX = 8


def status_text(snapshot: Snapshot) -> str:
    """State, money and what is wrong."""
    desk = snapshot.desk
    reasons = "".join(f"\n  {reason.text or reason.code} (until {reason.clears_when})" for reason in desk.reasons)
    wrong = [problem.line for problem in problems_of(snapshot)]
    risk = desk.risk
    lines = [
        f"{desk.mode.upper()} {desk.state}{reasons}",
        f"equity {_money(desk.equity_money)}{_currency(desk)}, day {_money(desk.day_result_money, sign=True)}",
        f"open risk {_money(risk.open_money)} + pending {_money(risk.reserved_money)} (max {_money(risk.cap_money)})",
        f"{len(_ours(desk))} positions of the desk, {desk.external_count} of others",
    ]
    if desk.positions_without_stop:
        lines.append(f"{desk.positions_without_stop} WITHOUT STOP")
    if desk.unconfirmed_orders:
        lines.append(f"{desk.unconfirmed_orders} ORDER UNCONFIRMED")
    return "\n".join((*lines, *(f"wrong: {line}" for line in wrong))) + ("" if wrong else "\nall is well")


def positions_text(desk: DeskView) -> str:
    """Each open position; those of others are marked."""
    if not desk.positions:
        return "No open positions."
    lines = [_position(position) for position in desk.positions[:_ROWS_MAX]]
    return "\n".join((*lines, *_more(len(desk.positions))))


def why_text(rows: Sequence[VerdictRow], symbol: str) -> str:
    """The newest decision that found a candidate, with each check."""
    if not rows:
        return f"No decision is recorded for {symbol or 'any pair'}."
    row = next((one for one in rows if one.verdict.outcome != "none"), rows[0])
    verdict = row.verdict
    side = f" {verdict.side.word}" if verdict.side is not None else ""
    reason = f": {verdict.reason}" if verdict.reason else ""
    size = f", {verdict.lots:.2f} lots, risk {verdict.risk_money:,.2f}" if verdict.lots else ""
    head = f"{verdict.symbol}, bar of {iso(verdict.bar_open_utc_ns)[:16]}:{side} {verdict.outcome}{reason}{size}"
    return "\n".join((head, *(_check(check) for check in verdict.checks)))


def report_text(desk: DeskView, report: AccountReport) -> str:
    """The day so far: result, trades, and which checks refused how many candidates."""
    lines = [
        f"Report of {iso(desk.at_utc_ns)[:16]} UTC, {desk.mode}",
        f"equity {_money(desk.equity_money)}{_currency(desk)}, day {_money(desk.day_result_money, sign=True)}",
        f"{report.trades} trades closed today, {report.won} won, net {_money(report.net_money, sign=True)}",
    ]
    if report.best_r is not None and report.worst_r is not None:
        lines.append(f"best {report.best_r:+.2f} R, worst {report.worst_r:+.2f} R")
    lines += [f"  {group.name} {group.net_money:+,.2f} in {group.trades}" for group in report.by_pair[:_REFUSALS_MAX]]
    lines.append(f"{len(_ours(desk))} positions open")
    refused = ", ".join(f"{reason} {count}" for reason, count in report.refusals[:_REFUSALS_MAX])
    return "\n".join((*lines, f"refused candidates: {refused or 'none'}"))


def positions_of(desk: DeskView, request: PhoneRequest) -> tuple[PositionView, ...]:
    """The positions that an order concerns, in the order of the snapshot."""
    ours = _ours(desk)
    if request.action == "flatten":
        return ours
    if request.action == "close":
        return tuple(position for position in ours if request.position in (position.position_id, position.ticket))
    sign = {"losers": -1, "winners": 1}.get(request.action, 0)
    return tuple(position for position in ours if sign * (position.profit_money or 0.0) > 0.0)


def preview_text(desk: DeskView, request: PhoneRequest, positions: Sequence[PositionView], word: str) -> str:
    """What an order would do now, and how it is confirmed."""
    if request.action == "resume":
        reasons = ", ".join(reason.text or reason.code for reason in desk.reasons) or "nothing stops entries"
        what = [f"RESUME entries. Now: {desk.state} ({reasons})."]
    else:
        head = (
            "FLATTEN: entries stop until you resume, orders are cancelled, and closed are"
            if request.action == "flatten"
            else "CLOSE"
        )
        what = [f"{head} {len(positions)} positions:", *(_position(position) for position in positions[:_ROWS_MAX])]
        what += [*_more(len(positions)), _totals(positions)]
        if request.action == "flatten" and desk.pending_orders_ours:
            what.append(f"{desk.pending_orders_ours} pending orders are cancelled.")
        if request.action == "flatten" and desk.external_count:
            what.append(f"Positions not opened by this desk stay open: {desk.external_count}.")
    return "\n".join((*what, f"Reply with the word {word} within {CONFIRM_S} s to confirm. Anything else cancels."))


def flatten_text(end: FlattenView) -> str:
    """How a flatten ended, with what is left."""
    left = f"\nleft open: {', '.join(end.left_open)}" if end.left_open else ""
    return f"{'Done' if end.done else 'NOT DONE YET'}: {end.text}{left}"


def _position(position: PositionView) -> str:
    stop = "NO STOP" if position.stop_price is None else f"stop {position.stop_price:g}"
    result = "" if position.result_r is None else f" ({position.result_r:+.2f} R)"
    owner = "" if position.ours else " (of others)"
    side = "buy" if position.side is Side.BUY else "sell"
    return (
        f"#{position.position_id} {position.symbol} {side} {position.lots:g}{owner}: "
        f"{_money(position.profit_money, sign=True)}{result}, {stop}"
    )


def _totals(positions: Sequence[PositionView]) -> str:
    profits = [position.profit_money for position in positions]
    known = [profit for profit in profits if profit is not None]
    total = _money(sum(known), sign=True) if len(known) == len(profits) else "unknown"
    costs = [position.spread_cost_money for position in positions if position.spread_cost_money is not None]
    margins = [position.margin_money for position in positions if position.margin_money is not None]
    text = f"P&L {total}"
    if costs:
        text += f", of which spread {_money(sum(costs))}"
    return f"{text}, frees margin {_money(sum(margins))}" if margins else text


def _check(check: Check) -> str:
    value = "" if check.value is None else f" {check.value:.4g}"
    threshold = "" if check.threshold is None else f", limit {check.threshold:.4g}"
    note = f" ({check.note})" if check.note else ""
    return f"{'ok' if check.passed else 'NO'} {check.name}{value}{threshold}{note}"


def _ours(desk: DeskView) -> tuple[PositionView, ...]:
    return tuple(position for position in desk.positions if position.ours)


def _more(count: int) -> tuple[str, ...]:
    return (f"and {count - _ROWS_MAX} more",) if count > _ROWS_MAX else ()


def _currency(desk: DeskView) -> str:
    return f" {desk.account.currency}" if desk.account is not None else ""


def _money(amount: Money | None, *, sign: bool = False) -> str:
    if amount is None:
        return "unknown"
    return f"{amount:+,.2f}" if sign else f"{amount:,.2f}"
