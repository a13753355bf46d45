"""What an order would do, before it is given: previews of flatten and closes, reasons of the state, and the flatten as it goes.

Promises: the preview names each position, its result, what the spread costs, and what cannot be closed now and why; both scopes
are always counted; nothing is called done before the desk says so. Does not: send anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from quarterdeck.core.model.snapshot import DeskView, FlattenView, PositionView
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Glyphs, Line, Span, clean, clip, fit, wrapped
from quarterdeck.tui.view.positions_panel import in_order, pair_of

Scope = Literal["ours", "account"]
_LEFT_MAX: Final = 6


def in_scope(desk: DeskView, scope: Scope) -> list[PositionView]:
    """Positions that a flatten of `scope` would close."""
    return [view for view in in_order(desk) if view.ours or scope == "account"]


def by_risk(views: Iterable[PositionView]) -> list[PositionView]:
    """The largest open risk first, the order in which they are closed; without a stop counts as largest."""
    return sorted(views, key=lambda view: (view.stop_price is not None, -(view.open_risk_money or 0.0), view.position_id))


def spread_cost(view: PositionView, desk: DeskView) -> tuple[float | None, bool]:
    """Money the spread takes at a close, and whether that is the screen's own estimate."""
    if view.spread_cost_money is not None:
        return view.spread_cost_money, False
    pair = pair_of(desk, view.symbol)
    if pair is None or pair.spread_pips is None or view.pips is None or view.profit_money is None or abs(view.pips) < 1:
        return None, True
    return abs(view.profit_money / view.pips) * pair.spread_pips, True


def order_preview_totals(views: Sequence[PositionView], desk: DeskView) -> str:
    """Result, cost of the spread and margin of some positions, in one line."""
    result = _sum(view.profit_money for view in views)
    costs = [spread_cost(view, desk) for view in views]
    cost = _sum(amount for amount, _ in costs)
    about = "~" if any(estimated and amount is not None for amount, estimated in costs) else ""
    margin = _sum(view.margin_money for view in views)
    freed = f", frees {number_format.money(margin)} margin" if margin is not None else ""
    return f"result {number_format.money(result, sign=True)}, including spread {about}{number_format.money(cost)}{freed}"


def flatten_preview(desk: DeskView, scope: Scope, width: int, rows_max: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """What a flatten of `scope` would do now."""
    ours, everything = in_scope(desk, "ours"), in_scope(desk, "account")
    views = by_risk(in_scope(desk, scope))
    foreign = len(everything) - len(ours)
    others = (
        f"; {number_format.plural(foreign, 'external position')} {'CLOSED TOO' if scope == 'account' else 'left alone'}"
        if foreign
        else ""
    )
    orders = (
        f", {number_format.plural(desk.pending_orders_ours, 'pending order')} cancelled first" if desk.pending_orders_ours else ""
    )
    lines: list[Line] = [
        _choice_line(
            f"ours: {number_format.plural(len(ours), 'position')}",
            scope == "ours",
            f"whole account: {len(everything)}",
            width,
            glyphs,
        ),
        clip((Span(f"Closes {number_format.plural(len(views), 'position')}{orders}{others}.", "strong"),), width, glyphs),
        clip((Span(order_preview_totals(views, desk)[:1].upper() + order_preview_totals(views, desk)[1:]),), width, glyphs),
        (),
    ]
    if desk.positions_match is None:
        lines.append(
            clip(
                (Span("The broker's positions are unknown: the desk reads them first and closes what it finds.", "warn"),),
                width,
                glyphs,
            )
        )
    lines.extend(position_lines(views, desk, width, rows_max, glyphs))
    if not views:
        lines.append(
            (Span("No position in scope: entries stop, pending orders are cancelled, and positions are read twice.", "muted"),)
        )
    return tuple(lines)


def position_lines(views: Sequence[PositionView], desk: DeskView, width: int, rows_max: int, glyphs: Glyphs) -> list[Line]:
    """One line for each position, a second one where it cannot be closed now."""
    lines: list[Line] = []
    for number, view in enumerate(views):
        left = len(views) - number
        if len(lines) >= rows_max - 1 and left > 1:
            lines.append(clip((Span(f"and {left} more", "warn"),), width, glyphs))
            break
        cost, estimated = spread_cost(view, desk)
        lines.append(
            clip(
                (
                    Span(f"{view.side.word:<4} {number_format.lots(view.lots):>5} "),
                    Span(fit(view.symbol, 8, glyphs), "strong"),
                    Span(f"{number_format.r_multiple(view.result_r):>8} "),
                    Span(f"{number_format.money(view.profit_money, sign=True):>11}", number_format.role_of(view.profit_money)),
                    Span(f"  spread {'~' if estimated and cost is not None else ''}{number_format.money(cost)}", "muted"),
                    Span("" if view.ours else "  external", "warn"),
                ),
                width,
                glyphs,
            )
        )
        if not view.closable:
            lines.append(clip((Span("     cannot be closed now: ", "warn"), Span(clean(view.blocked), "warn")), width, glyphs))
    return lines


def flatten_progress(
    desk: DeskView, asked: Sequence[PositionView], answer: str, width: int, rows_max: int, glyphs: Glyphs
) -> tuple[Line, ...]:
    """How a flatten goes: each position asked for, then the verdict."""
    now = {view.position_id: view for view in desk.positions}
    left = [view for view in asked if view.position_id in now]
    lines: list[Line] = [clip((_verdict(desk.flatten, len(asked) - len(left), len(asked)),), width, glyphs)]
    if answer and (desk.flatten is None or answer != desk.flatten.text):
        lines.extend((Span(text, "muted"),) for text in wrapped(answer, width)[:3])
    lines.append(())
    leftovers = [] if desk.flatten is None else desk.flatten.left_open[:_LEFT_MAX]
    rows_max = max(rows_max - len(leftovers) - len(lines) + 2, 3)  # what is left is said below, and must not be pushed out
    for number, view in enumerate(asked):
        if number >= rows_max and len(asked) > rows_max:
            lines.append((Span(f"and {len(asked) - number} more", "warn"),))
            break
        lines.append(clip(_fate_of(view, now.get(view.position_id)), width, glyphs))
    lines.extend(clip((Span("left: ", "warn"), Span(clean(text))), width, glyphs) for text in leftovers)
    return tuple(lines)


def reason_lines(desk: DeskView, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Each reason of the state, since when, and its way back."""
    lines: list[Line] = []
    for reason in desk.reasons:
        since = number_format.moment(reason.since_utc_ns, "%a %H:%M")
        lines.append(
            clip(
                (Span(f"{reason.state.replace('_', ' '):<12}", "warn"), Span(f" {clean(reason.text)}, since {since}")),
                width,
                glyphs,
            )
        )
        lines.append(clip((Span(f"{'':<13}ends when {clean(reason.clears_when)}", "muted"),), width, glyphs))
    return tuple(lines) or ((Span("Nothing stops entries.", "muted"),),)


def _choice_line(first: str, first_chosen: bool, second: str, width: int, glyphs: Glyphs) -> Line:
    left, right = (f"[{first}]", second) if first_chosen else (first, f"[{second}]")
    spans = (
        Span("Scope  "),
        Span(left, "mark" if first_chosen else "muted"),
        Span("  "),
        Span(right, "muted" if first_chosen else "mark"),
    )
    return clip((*spans, Span("   Tab changes", "muted")), width, glyphs)


def _fate_of(view: PositionView, now: PositionView | None) -> Line:
    name = Span(f"{view.side.word:<4} {number_format.lots(view.lots):>5} {clean(view.symbol):<8} ")
    if now is None:
        return (name, Span("closed", "good"))
    part = f"{number_format.lots(now.lots)} of {number_format.lots(view.lots)} left, " if now.lots < view.lots else ""
    if now.blocked:
        return (name, Span(f"{part}waits: {clean(now.blocked)}", "warn"))
    return (name, Span(f"{part}closing" if now.closing else f"{part}in line", "accent"))


def _verdict(flatten: FlattenView | None, gone: int, count: int) -> Span:
    if flatten is None:
        return Span(f"Sent to the engine; {gone} of {count} closed so far, not verified yet.", "accent")
    if not flatten.done:
        return Span(f"{clean(flatten.text) or 'closing'} ({gone} of {count} closed)", "accent")
    return Span(clean(flatten.text), "warn" if flatten.left_open else "good")


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = list(amounts)
    return None if any(amount is None for amount in known) else sum(amount for amount in known if amount is not None)
