"""A comparison of two runs of the same days as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quarterdeck.core.backtest.decision_diff import PositionEffect, PositionOutcome, ReasonChange
from quarterdeck.core.backtest.whatif import BaselineDeviation, WhatIf
from quarterdeck.core.clock.wall import iso

_FIGURES = {
    "trades": ("trades", "{:,.0f}"),
    "result_money": ("result, {currency}", "{:+,.2f}"),
    "result_r": ("result, R", "{:+.2f}"),
    "expectancy_r": ("mean, R", "{:+.3f}"),
    "won_pct": ("won, %", "{:.0f}"),
    "drawdown_pct": ("drawdown, %", "{:.2f}"),
    "costs_r": ("costs, R", "{:+.2f}"),
    "refused": ("refused", "{:,.0f}"),
}
_MOVED_SHOWN = 6
_POSITIONS_SHOWN = 12


def lines(found: WhatIf) -> list[str]:
    """What was asked, both runs side by side, what was decided differently, and how near the run as is came to what happened."""
    first, spent = found.as_is, found.as_is.elapsed_s + found.changed.elapsed_s
    told = [f"{first.label}: {_when(first.from_utc_ns)} to {_when(first.to_utc_ns)} UTC, {first.bars:,} bars, {spent:.1f} s"]
    told += [f"changed   {change.key}: {change.old} -> {change.new}" for change in found.changes]
    if not (first.complete and found.changed.complete):
        told.append("partial   stopped manually: the two runs did not see the same days")
    told += [f"note      {note}" for note in found.notes]
    flat = f"flat, with {first.start_money:,.2f} {first.currency}"
    told.append(f"begins    {flat if found.begin is None else f'with {_book(found)}'}")
    told += ["", *_figures(found), ""]
    if found.difference.same_trades and not found.decisions.changed:
        told.append("decisions all the same")
    else:
        told += _decisions(found)
    told += _positions(found)
    if found.reality is not None:
        told += _reality(found.reality, first.currency)
    return told


def _book(found: WhatIf) -> str:
    begin = found.begin
    if begin is None:
        return "nothing open"
    equity = "unknown equity" if begin.equity_money is None else f"equity {begin.equity_money:,.2f} {found.as_is.currency}"
    others = f" and {begin.foreign} of others" if begin.foreign else ""
    reasons = f"; {', '.join(begin.reasons)}" if begin.reasons else ""
    return f"{equity}, {begin.positions} positions{others}{reasons}"


def _figures(found: WhatIf) -> list[str]:
    rows = [("", "as is", "changed", "difference")]
    for name, (title, form) in _FIGURES.items():
        one, other = found.difference.figures[name]
        rows.append(
            (title.format(currency=found.as_is.currency), _shown(one, form), _shown(other, form), _apart(one, other, form))
        )
    one, other = found.equity_end_money
    title = f"equity at the end, {found.as_is.currency}"
    rows.append((title, _shown(one, "{:,.2f}"), _shown(other, "{:,.2f}"), _apart(one, other, "{:,.2f}")))
    return _columns(rows)


def _decisions(found: WhatIf) -> list[str]:
    judged, ended = found.decisions, found.exits
    told = [f"decisions {judged.changed} of {judged.candidates} candidates judged differently{_moved(judged.by)}"]
    if ended.both:
        money = f", {ended.difference_money:+,.2f} {found.as_is.currency}" if ended.changed else ""
        told.append(f"exits     {ended.changed} of {ended.both} trades that both made ended differently{money}{_moved(ended.by)}")
    return told


def _moved(by: Sequence[ReasonChange]) -> str:
    parts = [f"{one.count} x {one.was} -> {one.now}" for one in by[:_MOVED_SHOWN]]
    if len(by) > _MOVED_SHOWN:
        parts.append(f"{sum(one.count for one in by[_MOVED_SHOWN:])} x others")
    return f": {', '.join(parts)}" if parts else ""


def _positions(found: WhatIf) -> list[str]:
    if not found.positions:
        return []
    real = found.reality is not None
    head = ("position", "as is", "changed", "difference", *(("really",) if real else ()))
    rows = [head]
    for row in found.positions[-_POSITIONS_SHOWN:]:
        difference = "-" if row.difference_money is None else f"{row.difference_money:+,.2f}"
        cells = (_name(row), _fate(row.as_is), _fate(row.changed), difference)
        rows.append((*cells, *((_fate(row.really),) if real else ())))
    left = len(found.positions) - _POSITIONS_SHOWN
    more = [f"... and {left} older ones"] if left > 0 else []
    return ["", "open at the beginning or at the end:", *_columns(rows, left=(0, 1, 2, 4)), *more]


def _name(row: PositionEffect) -> str:
    return f"{row.symbol} {row.side.word} {_when(row.opened_utc_ns)}{'' if row.real else ' (not really)'}"


def _fate(fate: PositionOutcome | None) -> str:
    if fate is None:
        return "never opened"
    money = "?" if fate.net_money is None else f"{fate.net_money:+,.2f}"
    if not fate.open:
        return f"{fate.reason} {_when(fate.closed_utc_ns)[5:]} {money}"
    stop = "no stop" if fate.stop_price is None else f"stop {fate.stop_price:g}"
    return f"open {fate.lots:g}, {stop}, {money}"


def _reality(seen: BaselineDeviation, currency: str) -> list[str]:
    head = f"really    {seen.trades} trades closed, {seen.net_money:+,.2f} {currency}"
    near = f"the run as is made {seen.same} of them exactly and {seen.same_signals} of the same signals"
    told = ["", f"{head}; {near}, {seen.replayed_net_money:+,.2f}"]
    if seen.equity_end_money is not None and seen.replayed_equity_end_money is not None:
        apart = seen.replayed_equity_end_money - seen.equity_end_money
        told.append(f"          equity at the end was {seen.equity_end_money:,.2f}, {abs(apart):,.2f} from the run as is")
    return told


def _columns(rows: Sequence[Sequence[str]], left: Iterable[int] = (0,)) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    flush = set(left)
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if place in flush else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _apart(one: float | None, other: float | None, form: str) -> str:
    if one is None or other is None:
        return "-"
    signed = form if "+" in form else form.replace("{:", "{:+")
    return "" if one == other else signed.format(other - one)


def _when(utc_ns: int) -> str:
    return iso(utc_ns)[:16].replace("T", " ")
