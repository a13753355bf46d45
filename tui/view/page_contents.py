"""The pages beside the desk: the ledger of verdicts, closed trades with their story, the calendar, and the machine's health."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from quarterdeck.core.link.messages import CalendarReply, VerdictRow
from quarterdeck.core.link.trade_queries import TimelineStep, TradeFilter
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.snapshot import EngineHealth, PartView
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from quarterdeck.tui.screen_state import SentCommand
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Column, Glyphs, Line, PanelContent, Span, clean, clip, fit, table, wrapped
from quarterdeck.tui.view.signals_panel import check_lines

LEDGER: Final = (
    Column("bar", 12),
    Column("pair", 7, rank=1),
    Column("side", 4, rank=2),
    Column("outcome", 8),
    Column("why", 20, stretch=True),
)
TRADES: Final = (
    Column("closed", 12),
    Column("pair", 7),
    Column("side", 4),
    Column("lots", 6, right=True, rank=2),
    Column("R", 7, right=True),
    Column("money", 10, right=True),
    Column("reason", 10, rank=1, stretch=True),
    Column("held", 7, right=True, rank=3),
)
NEWS: Final = (
    Column("at", 12),
    Column("in", 8, right=True),
    Column("cur", 4),
    Column("impact", 8),
    Column("what", 20, stretch=True),
)
_MARGIN: Final = 18
_STEP_ROLES: Final = {"closed": "strong", "UNKNOWN": "alarm", "refused": "bad", "deal": "muted", "done": "muted"}


def ledger(rows: Sequence[VerdictRow], counts: Mapping[str, int], width: int, glyphs: Glyphs) -> PanelContent:
    """Verdicts, newest first."""
    head, lines = table(LEDGER, (_ledger_row(row) for row in rows), width, glyphs)
    common = ", ".join(
        f"{clean(reason)} {count}" for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:4]
    )
    if not rows:
        return PanelContent((head,), [(Span("No verdict yet: the first closed bar brings one.", "muted"),)], ["nothing"], common)
    return PanelContent((head,), lines, ledger_keys(rows), f"refused most for {common}" if common else "")


def ledger_keys(rows: Sequence[VerdictRow]) -> list[str]:
    """Identities of verdicts, newest first, that stay when newer ones come: of one bar's, the oldest is the first."""
    seen: Counter[tuple[str, UtcNs]] = Counter()
    keys = []
    for row in reversed(rows):
        of_bar = (row.verdict.symbol, row.verdict.bar_open_utc_ns)
        keys.append(f"verdict:{of_bar[0]}:{of_bar[1]}:{seen[of_bar]}")
        seen[of_bar] += 1
    return keys[::-1]


def verdict_lines(row: VerdictRow, width: int, glyphs: Glyphs, *, whole: bool = False) -> tuple[Line, ...]:
    """One verdict with all its checks, what refused it first: below the list there is not always room for all."""
    verdict = row.verdict
    at = number_format.moment(verdict.bar_open_utc_ns, "%a %d %b %H:%M")
    sized = f", {number_format.lots(verdict.lots)} lots at risk {number_format.money(verdict.risk_money)}" if verdict.lots else ""
    title = clip((Span(f"{verdict.symbol} bar of {at}Z: ", "strong"), Span(f"{_outcome(row)}{sized}")), width, glyphs)
    checks = sorted(verdict.checks, key=lambda check: check.passed)
    return (title, *check_lines(checks, width, glyphs, whole=whole))


def trades(rows: Sequence[TradeClosed], only: TradeFilter, width: int, glyphs: Glyphs) -> PanelContent:
    """Closed trades, newest first, with the figures of those that pass the filter."""
    shown = [row for row in rows if only.passes(row)]
    head, lines = table(TRADES, (_trade_row(row) for row in shown), width, glyphs)
    if not shown:
        nothing = "No closed trade." if only == TradeFilter() else "Nothing passes the filter."
        return PanelContent((head,), [(Span(nothing, "muted"),)], ["nothing"], "none")
    return PanelContent((head,), lines, [f"trade:{row.position_id}" for row in shown], trade_figures(shown))


def trade_figures(rows: Sequence[TradeClosed]) -> str:
    """Count, win rate, expectancy and profit factor, in one line."""
    won = [row.net_money for row in rows if row.net_money > 0]
    lost = -sum(row.net_money for row in rows if row.net_money < 0)
    factor = f"{sum(won) / lost:.2f}" if lost > 0 else "n/a (no losses)"
    mean_r = sum(row.result_r for row in rows) / len(rows)
    total = number_format.money(sum(row.net_money for row in rows), sign=True)
    rate = number_format.pct(len(won) / len(rows), 0)
    return f"{len(rows)}, {total}, won {rate}, mean {number_format.r_multiple(mean_r)}, profit factor {factor}"


def trade_detail(row: TradeClosed, digits: int, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """A trade from signal to close."""
    opened, closed = (
        number_format.moment(row.opened_utc_ns, "%a %d %b %H:%M"),
        number_format.moment(row.closed_utc_ns, "%a %d %b %H:%M"),
    )
    held = number_format.long_span(row.closed_utc_ns - row.opened_utc_ns)
    stop = "none" if row.stop_price is None else number_format.price(row.stop_price, digits)
    lines = [
        (
            Span(f"{row.side.word} {number_format.lots(row.lots)} {clean(row.symbol)} #{row.position_id}", "strong"),
            Span(f", {clean(row.signal_id)}", "muted"),
        ),
        (Span(f"signal   confidence {row.confidence:.2f}, risked {number_format.money(row.risk_money)}"),),
        (Span(f"opened   {opened}Z at {number_format.price(row.open_price, digits)}, last stop {stop}"),),
        (
            Span(
                f"between  best {number_format.money(row.peak_money, sign=True)}, "
                f"worst {number_format.money(row.worst_money, sign=True)}, held {held}"
            ),
        ),
        (
            Span(
                f"closed   {closed}Z at {number_format.price(row.close_price, digits)} by {clean(row.reason)}: {clean(row.rule)}"
            ),
        ),
        (
            Span("result   "),
            Span(
                f"{number_format.r_multiple(row.result_r)} {number_format.money(row.net_money, sign=True)}",
                number_format.role_of(row.net_money),
            ),
            Span(
                f" = {number_format.money(row.gross_money, sign=True)} gross, "
                f"{number_format.money(row.commission_money, sign=True)} commission, "
                f"{number_format.money(row.swap_money, sign=True)} swap",
                "muted",
            ),
        ),
    ]
    if row.ambiguous:
        lines.append((Span("One bar held both stop and target; the pessimistic one was taken.", "warn"),))
    return tuple(clip(line, width, glyphs) for line in lines)


def timeline_lines(steps: Sequence[TimelineStep], width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Every step of a trade with its instant, then the checks behind each decision, each of them once."""
    lines: list[Line] = []
    behind: list[Line] = []
    told: set[Check] = set()
    day = ""
    for step in steps:
        today, at = number_format.moment(step.at_utc_ns, "%a %d %b %Y"), number_format.moment(step.at_utc_ns)
        if today != day:
            lines += [(), (Span(today, "title"),)]
            day = today
        margin = (Span(f"{at} "), Span(f"{clean(step.what):<9}", _STEP_ROLES.get(step.what, "accent")))
        for number, text in enumerate(wrapped(step.text, max(width - _MARGIN, 20))):
            lines.append(clip((*(margin if number == 0 else (Span(" " * _MARGIN),)), Span(text)), width, glyphs))
        fresh = tuple(check for check in step.checks if check not in told)
        told.update(fresh)
        if fresh:
            behind += [(), (Span(f"Behind the {clean(step.what)} of {at}: number / threshold", "title"),)]
            behind += check_lines(fresh, width, glyphs, whole=True)
    return (*lines, *behind)


def news(answer: CalendarReply, now_utc_ns: UtcNs, width: int, glyphs: Glyphs) -> PanelContent:
    """The calendar, what lies ahead first."""
    ahead = sorted((event for event in answer.events if event.at_utc_ns >= now_utc_ns), key=lambda event: event.at_utc_ns)
    past = sorted((event for event in answer.events if event.at_utc_ns < now_utc_ns), key=lambda event: -event.at_utc_ns)
    roles = {"high": "bad", "medium": "warn", "low": "muted", "holiday": "accent"}
    rows = []
    for event in (*ahead, *past):
        left = event.at_utc_ns - now_utc_ns
        away = (
            "all day" if event.all_day else number_format.long_span(left) if left >= 0 else f"-{number_format.long_span(-left)}"
        )
        role = roles[event.impact] if left >= 0 else "muted"
        sign = {"high": "HIGH", "medium": "medium", "low": "low", "holiday": "holiday"}[event.impact]
        at = Span(number_format.moment(event.at_utc_ns, "%a %d %H:%M"), "muted")
        rows.append(
            (at, Span(away), Span(event.currency, "strong"), Span(sign, role), Span(event.title, role if role == "muted" else ""))
        )
    head, lines = table(NEWS, rows, width, glyphs)
    note = f"available{_holidays(answer)}" if answer.available else f"NO CALENDAR: {clean(answer.why)}"
    if not rows:
        return PanelContent((head,), [(Span("Nothing in the calendar.", "muted"),)], ["nothing"], note)
    return PanelContent((head,), lines, [f"news:{number}" for number in range(len(rows))], note)


def _holidays(answer: CalendarReply) -> str:
    """What the desk makes of the bank holidays that are listed."""
    if not answer.impacts or not any(event.impact == "holiday" for event in answer.events):
        return ""
    return ", bank holidays close their day" if "holiday" in answer.impacts else ", bank holidays close nothing"


def health(engine: EngineHealth, orders: Sequence[SentCommand], width: int, glyphs: Glyphs, over: str = "") -> PanelContent:
    """The machine, then what was ordered from this screen; `over` says that the run has ended, and why."""
    up = engine.wall_utc_ns - engine.started_utc_ns
    trip = "?" if engine.broker_round_trip_ms is None else f"{engine.broker_round_trip_ms:.0f} ms"
    facts = [
        (
            "engine",
            f"run {engine.run_id}, process {engine.pid}, up {number_format.long_span(up)}",
            "" if engine.ready else "warn",
        ),
        ("market", engine.market, ""),
        ("ready", over or ("yes" if engine.ready else "NOT YET"), "" if engine.ready and not over else "warn"),
        ("feed", "up" if engine.connection_up else f"DOWN: {engine.connection_reason}", "" if engine.connection_up else "alarm"),
        ("broker", f"round trip {trip}", ""),
        ("journal", "writable" if engine.journal_writable else "NOT WRITABLE", "" if engine.journal_writable else "alarm"),
        ("journal lag", f"{engine.journal_lag_ms:.0f} ms", "warn" if engine.journal_lag_ms > 1000 else ""),
        ("loop lag", f"{engine.loop_lag_ms:.1f} ms", "warn" if engine.loop_lag_ms > 250 else ""),
        ("tape", f"{engine.tape_seq} inputs, {engine.tape_bytes_day / 1e6:.1f} MB a day", ""),
        ("home", engine.home, ""),
    ]
    if engine.scanning:
        facts.append(("scanning", engine.scanning, "" if engine.scanning_up else "warn"))
    if engine.replay_fraction is not None:
        rate = "" if engine.bars_per_s is None else f", {engine.bars_per_s:,.0f} bars/s"
        facts.append(("replay", f"{number_format.pct(engine.replay_fraction, 1)}{rate}", ""))
    facts += [(part.name, _part(part), "" if part.ok else "alarm") for part in engine.parts]
    facts += [
        (f"alarm: {alarm.kind}", f"{alarm.text}{', seen' if alarm.acknowledged else ''}", "" if alarm.acknowledged else "alarm")
        for alarm in engine.alarms
    ]
    facts += [(f"errors: {name}", str(count), "warn" if count else "") for name, count in engine.errors]
    body: list[Line] = [
        clip((Span(fit(name, 14, glyphs) + " ", "muted"), Span(clean(text), role)), width, glyphs) for name, text, role in facts
    ]
    body += [(), (Span("Ordered from this screen, newest first", "title"),)]
    for order in orders:
        word, role = {None: ("sent    ", "accent"), True: ("done    ", "good"), False: ("REFUSED ", "bad")}[order.ok]
        body.append(clip((Span(word, role), Span(f"{order.text}: "), Span(clean(order.answer), "muted")), width, glyphs))
    if not orders:
        body.append((Span("nothing yet", "muted"),))
    return PanelContent((), body, (), f"run {engine.run_id}")


def _part(part: PartView) -> str:
    """When a part did its work last, and what is wrong with it."""
    age = "" if part.age_s is None else f"{number_format.long_span(round(part.age_s * NS_PER_S))} ago"
    return ", ".join(text for text in ("" if part.ok else "WRONG", age, part.text) if text) or "well"


def _outcome(row: VerdictRow) -> str:
    verdict = row.verdict
    return f"{verdict.outcome}, {verdict.reason}" if verdict.reason else verdict.outcome


def _ledger_row(row: VerdictRow) -> tuple[Span, ...]:
    verdict = row.verdict
    failed = next((check for check in verdict.checks if not check.passed), None)
    why = verdict.reason + (
        f": {failed.name} {failed.value:.4g}, limit {failed.threshold:.4g}"
        if failed is not None and failed.value is not None and failed.threshold is not None
        else ""
    )
    role = {"entered": "good", "waiting": "accent", "none": "muted"}.get(verdict.outcome, "")
    return (
        Span(number_format.moment(verdict.bar_open_utc_ns, "%a %d %H:%M"), "muted"),
        Span(verdict.symbol, "strong"),
        Span(verdict.side.word if verdict.side is not None else ""),
        Span(verdict.outcome, role),
        Span(why if verdict.outcome != "entered" else f"{number_format.lots(verdict.lots)} lots"),
    )


def _trade_row(row: TradeClosed) -> tuple[Span, ...]:
    role = number_format.role_of(row.net_money)
    return (
        Span(number_format.moment(row.closed_utc_ns, "%d %b %H:%M"), "muted"),
        Span(row.symbol, "strong"),
        Span(row.side.word),
        Span(number_format.lots(row.lots)),
        Span(number_format.r_multiple(row.result_r), role),
        Span(number_format.money(row.net_money, sign=True), role),
        Span(row.reason),
        Span(number_format.long_span(row.closed_utc_ns - row.opened_utc_ns), "muted"),
    )
