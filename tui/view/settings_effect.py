"""What a change set would do: to each open position now, to the budget, and to the last days' decisions. Pure.

Promises: what was computed by the desk itself (now) and what was computed by running days again (past) are never mixed.
Does not: ask anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from quarterdeck.core.link.messages import PreviewAction, PreviewReply
from quarterdeck.core.model.snapshot import DeskView, LimitView, PositionView
from quarterdeck.tui.command_process import CommandProgress
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Glyphs, Line, Span, clean, clip, meter, wrapped
from quarterdeck.tui.view.positions_panel import digits_of

PREVIEW_ROWS_MAX: Final = 12
"""Of one list; what is left is counted."""
_BAR: Final = 20
_FIGURES: Final = (
    ("trades", "trades", "{:,.0f}"),
    ("result_money", "result", "{:+,.2f}"),
    ("result_r", "R", "{:+.2f}"),
    ("drawdown_pct", "drawdown %", "{:.2f}"),
    ("refused", "refused", "{:,.0f}"),
)


class SettingsEffect(NamedTuple):
    """What is known of the effect so far."""

    now: PreviewReply | None = None
    now_why: str = ""
    """Why it cannot be determined."""
    past: Mapping[str, Any] | None = None
    past_why: str = ""
    told: CommandProgress | None = None
    days: float = 7.0


def effect_lines(known: SettingsEffect, width: int, glyphs: Glyphs) -> list[Line]:
    """Everything."""
    lines: list[Line] = [(Span("At once, at the prices of now", "title"),), *_now(known, width, glyphs)]
    lines += [(), (Span(f"The last {known.days:g} days, run again as is and changed", "title"),)]
    return [*lines, *_past(known, width, glyphs)]


def effect_summary(known: SettingsEffect, width: int, glyphs: Glyphs) -> list[Line]:
    """Two lines for a question: what happens at once, and what the last days would have been."""
    if known.now is None:
        now = Span(f"now: {clean(known.now_why) or 'asking the desk'}", "warn" if known.now_why else "muted")
    else:
        count = len({act.position_id for act in known.now.acts})
        held = len(known.now.after.positions)
        moved = (
            f"acts on {count} of {held} open positions at once" if count else f"nothing is sent at once, {held} open positions"
        )
        tripped = _newly_tripped(known.now)
        now = Span(f"now: {moved}{'; TRIPS ' + ', '.join(tripped) if tripped else ''}", "warn" if count or tripped else "")
    return [clip((now,), width, glyphs), clip((_brief_past(known),), width, glyphs)]


def _brief_past(known: SettingsEffect) -> Span:
    title = f"last {known.days:g} days: "
    if known.past_why:
        return Span(title + clean(known.past_why), "warn")
    if known.past is None:
        return Span(title + (f"{known.told.fraction:.0%} run" if known.told else "starting"), "muted")
    apart, judged = known.past["difference_money"], known.past["decisions"]
    money = "?" if apart is None else f"{apart:+,.2f} {clean(known.past['currency'])}"
    return Span(f"{title}{money}, {judged['changed']} of {judged['candidates']} candidates judged otherwise")


# ------------------------------------------------------------------------------------------------------------- at once
def _now(known: SettingsEffect, width: int, glyphs: Glyphs) -> list[Line]:
    tried = known.now
    if tried is None:
        return [(Span(clean(known.now_why) or "asking the desk", "warn" if known.now_why else "muted"),)]
    lines: list[Line] = []
    if tried.before.state != tried.after.state:
        lines.append((Span(f"state {tried.before.state} {glyphs.level} {tried.after.state}", "warn"),))
    lines += _positions(tried, width, glyphs)
    lines += _limits(tried, width, glyphs)
    return lines


def _positions(tried: PreviewReply, width: int, glyphs: Glyphs) -> list[Line]:
    before = {view.position_id: view for view in tried.before.positions}
    acts: dict[int, list[PreviewAction]] = {}
    for act in tried.acts:
        acts.setdefault(act.position_id, []).append(act)
    lines: list[Line] = []
    for view in tried.after.positions[:PREVIEW_ROWS_MAX]:
        was = before.get(view.position_id, view)
        head = f"{view.symbol} {view.side.word} {view.lots:g}  "
        told = [Span(_act(act, view, tried.after), "warn") for act in acts.get(view.position_id, [])]
        if was.next_action != view.next_action:
            told.append(Span(f"next: {clean(was.next_action)} {glyphs.level} {clean(view.next_action)}", "accent"))
        if not told:
            why = "not ours, left alone" if not view.ours else f"as before ({clean(view.next_action) or 'nothing due'})"
            told = [Span(why, "muted")]
        rows = [Span(text, span.role) for span in told for text in wrapped(span.text, max(width - len(head), 1))]
        for number, span in enumerate(rows):
            lines.append(clip((Span(head if number == 0 else " " * len(head), "strong"), span), width, glyphs))
    left = len(tried.after.positions) - PREVIEW_ROWS_MAX
    if left > 0:
        lines.append((Span(f"and {left} positions more", "muted"),))
    return lines or [(Span("no position is open", "muted"),)]


def _act(act: PreviewAction, view: PositionView, desk: DeskView) -> str:
    if act.close_lots:
        part = "closes all of it" if act.close_lots >= view.lots else f"closes {act.close_lots:g} lots of it"
        money = "" if view.profit_money is None else f", {number_format.money(view.profit_money, sign=True)} now on the whole"
        return f"{part}: {clean(act.why).replace('_', ' ')}{money}"
    if act.stop_price is None:
        return f"changes its target: {clean(act.why)}"
    digits = digits_of(desk, view.symbol)
    old = "none" if view.stop_price is None else f"{view.stop_price:.{digits}f}"
    return f"moves its stop {old} to {act.stop_price:.{digits}f}: {clean(act.why).replace('_', ' ')}"


def _limits(tried: PreviewReply, width: int, glyphs: Glyphs) -> list[Line]:
    risk, old = tried.after.risk, tried.before.risk
    lines: list[Line] = []
    if risk.cap_money != old.cap_money:
        used = None if risk.open_money is None else risk.open_money + risk.reserved_money
        over = used is not None and risk.cap_money is not None and used > risk.cap_money
        caps = f"{number_format.money(old.cap_money)} {glyphs.level} {number_format.money(risk.cap_money)}"
        text = f"open and reserved risk {number_format.money(used)} of {caps}"
        lines.append(clip((Span(text, "warn" if over else "accent"), Span(", ABOVE the new cap" if over else "")), width, glyphs))
    was = {limit.name: limit for limit in old.limits}
    for limit in risk.limits:
        before = was.get(limit.name)
        if before is None or (before.limit, before.tripped) != (limit.limit, limit.tripped):
            lines.append(clip(_limit(before, limit, glyphs), width, glyphs))
    return lines or [(Span("caps and breakers stay where they are", "muted"),)]


def _limit(before: LimitView | None, limit: LimitView, glyphs: Glyphs) -> Line:
    old = "new" if before is None else _size(before.limit, limit.unit)
    value, unit = _size(limit.value, limit.unit), "" if limit.unit == "share" else f" {clean(limit.unit)}"
    trips = limit.tripped and (before is None or not before.tripped)
    return (
        Span(f"{clean(limit.name).replace('_', ' ')} is at {value}{unit}, limit "),
        Span(f"{old} {glyphs.level} {_size(limit.limit, limit.unit)}", "accent"),
        Span(" TRIPS AT ONCE" if trips else "", "alarm"),
    )


def _size(value: float | None, unit: str) -> str:
    return number_format.pct(value) if unit == "share" else "?" if value is None else f"{value:.4g}"


def _newly_tripped(tried: PreviewReply) -> list[str]:
    tripped = {limit.name for limit in tried.before.risk.limits if limit.tripped}
    return [
        clean(limit.name).replace("_", " ") for limit in tried.after.risk.limits if limit.tripped and limit.name not in tripped
    ]


# ------------------------------------------------------------------------------------------------------- the days again
def _past(known: SettingsEffect, width: int, glyphs: Glyphs) -> list[Line]:
    if known.past_why:
        return [(Span(text, "warn"),) for text in wrapped(known.past_why, width)]
    if known.past is None:
        if known.told is None:
            return [(Span("starting, in a process of its own", "muted"),)]
        bar = meter(known.told.fraction, _BAR, glyphs)
        return [clip((Span(bar, "accent"), Span(f" {known.told.fraction:4.0%}  {known.told.words}", "muted")), width, glyphs)]
    past = known.past
    begin, end = (number_format.moment(past[name], "%d %b %H:%M") for name in ("from_utc_ns", "to_utc_ns"))
    span = f"{begin}Z to {end}Z"
    lines: list[Line] = [clip((Span(f"{span}, {past['bars']:,} bars, {past['elapsed_s']:.1f} s", "muted"),), width, glyphs)]
    lines += [clip((Span(f"note: {clean(note)}", "muted"),), width, glyphs) for note in past["notes"][:PREVIEW_ROWS_MAX]]
    lines += [clip(_pair(past["figures"], *row, glyphs=glyphs), width, glyphs) for row in _FIGURES]
    apart = past["difference_money"]
    if apart is not None:
        role = "good" if apart > 0 else "bad" if apart < 0 else ""
        lines.append((Span(f"equity at the end {apart:+,.2f} {clean(past['currency'])}", role),))
    lines += _moved("candidates judged otherwise", past["decisions"], past["decisions"]["candidates"], width, glyphs)
    lines += _moved("trades that both made end otherwise", past["exits"], past["exits"]["both"], width, glyphs)
    return [*lines, *_reality(past["reality"], width, glyphs)]


def _pair(rows: Mapping[str, Any], key: str, title: str, form: str, *, glyphs: Glyphs) -> Line:
    one, other = rows.get(key, (None, None))
    old, new = ("-" if value is None else form.format(value) for value in (one, other))
    return (Span(f"{title:<11}"), Span(f"{old} {glyphs.level} {new}", "accent" if old != new else "muted"))


def _moved(title: str, rows: Mapping[str, Any], of: int, width: int, glyphs: Glyphs) -> list[Line]:
    by = rows["by"][:PREVIEW_ROWS_MAX]
    lines: list[Line] = [(Span(f"{rows['changed']} of {of} {title}", "" if rows["changed"] else "muted"),)]
    for one in by:
        was, now = clean(str(one["was"])), clean(str(one["now"]))
        turned = f"{was}, at another time, price or volume" if was == now else f"{was} {glyphs.level} {now}"
        lines.append(clip((Span(f"  {one['count']:>3} x {turned}"),), width, glyphs))
    return lines


def _reality(seen: Mapping[str, Any] | None, width: int, glyphs: Glyphs) -> list[Line]:
    """How far the run as is can be trusted: it, too, is a computation."""
    if seen is None:
        return []
    text = f"the run as is made {seen['same']} of the {seen['trades']} trades that were really made, exactly"
    return [clip((Span(text, "muted" if seen["same"] == seen["trades"] else "warn"),), width, glyphs)]
