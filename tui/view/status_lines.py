"""The lines that are always in sight: where the money is, what the desk may do and why, and everything that must not be missed.

Promises: at 80 columns all of it fits in three lines without scrolling; each figure carries its word, and nothing is reported by
colour alone. Does not: format panels.
"""

from __future__ import annotations

from typing import Final

from quarterdeck.core.model.snapshot import DeskView, EngineHealth, ReasonView, Snapshot
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.tui.screen_state import ViewModel
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Chip, Glyphs, Line, Span, chip_lines, chips, clean, clip, fit, plain_of, spread, width_of

HEADER_LINES: Final = 3
WIDTH_MIN: Final = 60
HEIGHT_MIN: Final = 14
MODE_WORDS: Final = {"real": "REAL MONEY", "demo": "DEMO", "paper": "PAPER", "replay": "REPLAY", "simulated": "SIMULATED"}
STATE_WORDS: Final = {"STARTING": "STARTING", "ACTIVE": "ACTIVE", "REDUCE_ONLY": "REDUCE ONLY", "HALTED": "HALTED"}
SIMULATED_MODES: Final = ("replay", "simulated")
_LABEL_MIN: Final = 12
QUOTE_FRESH_NS: Final = 10 * NS_PER_S
QUOTE_OLD_NS: Final = 60 * NS_PER_S


def header(sight: ViewModel, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The status lines: three where the width has room for all that must be said, else as many as it needs.

    A reason that does not fit beside the state has a line of its own, and feed or journal one while they are down.
    """
    snapshot = sight.snapshot
    if snapshot is None:
        return _without_snapshot(sight, width, glyphs)
    desk, engine = snapshot.desk, snapshot.engine
    gap = Span(f" {glyphs.divider} ", "muted")
    account = _account(desk, width)
    state: tuple[Line, ...]
    if sight.stale:
        state = (_lost_line(sight, desk, width, glyphs),)
    else:
        first, *more = _state_lines(sight, snapshot, width - width_of(account) - 1, width, glyphs)
        state = (spread(first, account, width, glyphs), *more)
    if desk.mode == "real":
        state = (_band(state[0], width), *state[1:])
    money = next(
        (row for form in _MONEY_FORMS if width_of(chips(row := _money_chips(desk, *form), width, gap)) <= width),
        _money_chips(desk, *_MONEY_FORMS[-1]),
    )
    alarm = () if sight.finished else _alarm_line(engine)
    return (
        *state,
        *chip_lines(money, width, gap, glyphs),
        *chip_lines(_care_chips(desk, engine), width, gap, glyphs),
        *((clip(alarm, width, glyphs),) if alarm else ()),
    )


def too_small(sight: ViewModel, width: int, height: int, glyphs: Glyphs, flatten_key: str) -> tuple[Line, ...]:
    """What a terminal that cannot hold the desk shows on the rows it has: the most vital words first, each of them whole."""
    pieces: list[Span] = []
    if sight.snapshot is not None:
        desk = sight.snapshot.desk
        day = number_format.pct(number_format.share(desk.day_result_money, desk.day_base_money), 1, sign=True)
        if desk.mode == "real":
            pieces.append(Span("REAL MONEY" if width > _LABEL_MIN else "REAL", "real"))
        pieces.append(Span(over_word(sight, "LOST") if sight.stale else STATE_WORDS[desk.state]))
        if desk.positions_without_stop:
            pieces.append(Span(f"{desk.positions_without_stop} NO STOP", "alarm"))
        if desk.unconfirmed_orders:
            pieces.append(Span(f"{desk.unconfirmed_orders} UNCONFIRMED", "alarm"))
        pieces += [Span(f"{len(desk.positions)}pos"), Span(day), Span(f"{flatten_key} FLATTEN")]
    pieces += [Span(f"needs {WIDTH_MIN}x{HEIGHT_MIN},"), Span(f"has {width}x{height}")]
    return chip_lines([Chip((piece,)) for piece in pieces], width, Span(" "), glyphs)[:height] if width > 0 else ()


def _band(line: Line, width: int) -> Line:
    """`line` as a band of the whole width in the look of real money, seen without reading it."""
    gaps = tuple(Span(span.text, "real") if not span.text.strip() else span for span in line)
    return (*gaps, Span(" " * (width - width_of(line)), "real"))


def mode_span(mode: str) -> Span:
    """Where the money is, as a block that cannot be overlooked."""
    return Span(f" {MODE_WORDS.get(mode, mode.upper())} ", "real" if mode == "real" else "unreal")


def state_span(desk: DeskView) -> Span:
    """The trading state as a word."""
    return Span(f" {STATE_WORDS[desk.state]} ", {"ACTIVE": "good", "STARTING": "accent"}.get(desk.state, "alarm"))


def most_severe_reason(reasons: tuple[ReasonView, ...]) -> ReasonView | None:
    """The reason that holds most: halts before restrictions, the oldest first."""
    return min(reasons, key=lambda reason: (reason.state != "HALTED", reason.since_utc_ns), default=None)


def _state_lines(sight: ViewModel, snapshot: Snapshot, width: int, whole: int, glyphs: Glyphs) -> list[Line]:
    """Mode, state and equity in `width`; what must be said of the state beside it, else in the `whole` width below it."""
    desk, engine = snapshot.desk, snapshot.engine
    spans = [mode_span(desk.mode), Span(" "), state_span(desk), Span(" "), *_equity(desk)]
    if engine.replay_fraction is not None:
        spans.insert(1, Span(f" {number_format.pct(engine.replay_fraction, 0)}{speed_words(engine)}", "accent"))
    if sight.frozen:
        spans.insert(0, Span(" FROZEN VIEW ", "warn"))
    said: list[Span] = []
    if desk.flatten is not None and not desk.flatten.done:
        said += [Span(" FLATTENING ", "alarm"), Span(f" {clean(desk.flatten.text)} ")]
    reason = most_severe_reason(desk.reasons)
    if reason is not None:
        more = f" (+{len(desk.reasons) - 1})" if len(desk.reasons) > 1 else ""
        ending = f" since {number_format.moment(reason.since_utc_ns, '%H:%M')}{more}"
        text = clean(reason.text)
        room = max(whole - width_of(tuple(said)) - len(ending), 8)
        said.append(Span((fit(text, room, glyphs).rstrip() if len(text) > room else text) + ending, "warn"))
    below = width_of((*spans, *said)) > width
    if not below:
        spans += said
    if sight.flash:
        spans.append(Span(f"  {clean(sight.flash)}", "accent"))
    room = width - width_of(tuple(spans)) - 2
    if reason is None and not sight.flash and engine.market and desk.mode in SIMULATED_MODES and room > _LABEL_MIN:
        label = clean(engine.market)  # its end is its name: `... the sterling crash of 2016-10-06`
        spans.append(Span(f" {label if len(label) <= room else glyphs.ellipsis + label[1 - room :]}", "muted"))
    return [tuple(spans), clip(tuple(said), whole, glyphs)] if below else [tuple(spans)]


def over_word(sight: ViewModel, lost: str) -> str:
    """Why the figures continue no more: the replay is over, the engine has ended, or, in the word given, the line is lost."""
    return "FINISHED" if sight.finished else "ENGINE ENDED" if sight.link.ended else lost


def _lost_line(sight: ViewModel, desk: DeskView, width: int, glyphs: Glyphs) -> Line:
    """What is lost and since when, the last state and equity known; why it is lost gives way before they do."""
    since = number_format.span(sight.silent_s * NS_PER_S)
    if sight.link.ended:
        return _over_line(sight, desk, width, glyphs)
    what = f" ENGINE SILENT for {since}" if sight.link.up else f" LINK LOST, figures {since} old"
    known = (Span(f" last {STATE_WORDS[desk.state]} ", "warn"), *_equity(desk))
    why = "" if sight.link.up else clean(sight.link.why)
    room = width - width_of((mode_span(desk.mode), *known)) - len(what) - 4
    if why and room > 3:
        what = f"{what}: {why if len(why) <= room else fit(why, room, glyphs)}"
    return clip((mode_span(desk.mode), Span(" "), Span(f"{what} ", "alarm"), *known), width, glyphs)


def _over_line(sight: ViewModel, desk: DeskView, width: int, glyphs: Glyphs) -> Line:
    """The run is over: of a replay that is shown as something done, of a live engine as of an alarm."""
    known = (
        (Span(" last ", "muted"), *_equity(desk)) if sight.finished else (Span(f" last {desk.state} ", "warn"), *_equity(desk))
    )
    word = f" {over_word(sight, '')} "
    why = clean(sight.link.why).removeprefix("engine ended: ")
    room = max(width - width_of((mode_span(desk.mode), *known)) - len(word) - 3, 0)
    spans = (mode_span(desk.mode), Span(" "), Span(word, "good" if sight.finished else "alarm"), *known)
    return clip((*spans, Span(fit(why, room, glyphs) if len(why) > room else why, "muted")), width, glyphs)


def _equity(desk: DeskView) -> Line:
    account = desk.account
    currency, digits = (account.currency, account.currency_digits) if account is not None else ("", 2)
    return (Span("eq ", "muted"), Span(f"{number_format.money(desk.equity_money, digits)} {currency} ".rstrip() + " ", "strong"))


def _account(desk: DeskView, width: int) -> Line:
    if desk.account is None or width < 110:
        return ()
    return (Span(f"{desk.account.login}@{clean(desk.account.server)}", "muted"),)


def _alarm_line(engine: EngineHealth) -> Line:
    words = [] if engine.connection_up else [f" FEED DOWN {clean(engine.connection_reason)} "]
    words += [] if engine.journal_writable else [" JOURNAL NOT WRITABLE: no entries "]
    said = {"data": not engine.connection_up, "journal": not engine.journal_writable}
    words += [f" {part.name.upper()}: {clean(part.text)} " for part in engine.parts if not part.ok and not said.get(part.name)]
    return tuple(Span(text, "alarm") for text in words)


_MONEY_FORMS: Final = ((False, False), (True, False), (False, True), (True, True))
"""How figures of money are written, the first that fits: without decimals, with fewer words, both."""


def _money_chips(desk: DeskView, whole: bool, short: bool) -> list[Chip]:
    """Figures of money and risk; `whole` leaves decimals out, `short` words, where the line has no room for them."""
    digits = 0 if whole else desk.account.currency_digits if desk.account is not None else 2
    day = desk.day_result_money
    fraction = number_format.share(day, desk.day_base_money)
    loss = desk.day_loss_money if desk.day_loss_money is not None else None if day is None else -day
    room = None if loss is None or desk.day_limit_money is None else desk.day_limit_money - loss
    tight = room is not None and desk.day_limit_money is not None and room < 0.2 * desk.day_limit_money
    risk = desk.risk
    equity = desk.equity_money
    used = None if risk.open_money is None else risk.open_money + risk.reserved_money
    full = used is not None and risk.cap_money is not None and used >= 0.9 * risk.cap_money
    return [
        Chip(
            (
                Span("day ", "muted"),
                Span(
                    f"{number_format.money(day, digits, sign=True)} {number_format.pct(fraction, sign=True)}",
                    number_format.role_of(day),
                ),
                Span(" left " if short else " ", "muted"),
                Span(number_format.money(room, digits), "alarm" if room is not None and room <= 0 else "warn" if tight else ""),
                Span("" if short else " to limit", "muted"),
            )
        ),
        Chip(
            (
                Span("risk " if short else "open risk ", "muted"),
                Span(
                    f"{number_format.pct(number_format.share(risk.open_money, equity), 1)} + "
                    f"{number_format.pct(number_format.share(risk.reserved_money, equity), 1)}{'' if short else ' pending'}",
                    "warn" if full else "",
                ),
                Span(
                    f" {'of ' if short else '(max '}{number_format.pct(number_format.share(risk.cap_money, equity), 1)}", "muted"
                ),
                Span("" if short else ")", "muted"),
            )
        ),
        Chip((Span("drawdown ", "muted"), Span(number_format.pct(desk.drawdown_fraction, 1))), 2),
        Chip((Span("balance ", "muted"), Span(number_format.money(desk.balance_money, digits))), 3),
        Chip(
            (
                Span("today ", "muted"),
                Span(f"{number_format.plural(desk.entries_today, 'entry', 'entries')}, {desk.trades_today} closed"),
            ),
            4,
        ),
    ]


def _agreement(desk: DeskView) -> Span:
    if desk.positions_match is None:
        return Span(" not read from broker", "warn")
    if not desk.positions_match:
        return Span(" MISMATCH", "alarm")
    return Span(" match broker", "muted")


def _care_chips(desk: DeskView, engine: EngineHealth) -> list[Chip]:
    count = len(desk.positions)
    age_ns = desk.at_utc_ns - desk.oldest_quote_utc_ns if desk.oldest_quote_utc_ns > 0 else None
    shut = all(not pair.session_open for pair in desk.pairs) and bool(desk.pairs)
    old = age_ns is not None and age_ns > QUOTE_OLD_NS and not shut
    clock = number_format.moment(desk.at_utc_ns)
    row = [
        Chip(
            (
                Span("bar ", "muted"),
                Span(number_format.countdown(desk.next_bar_utc_ns - desk.at_utc_ns) if desk.next_bar_utc_ns else "?"),
            )
        ),
        Chip(_quote_age(age_ns, shut=shut, old=old)),
        Chip((Span(f"{clock}Z", "muted"),), 1),
        Chip(
            (
                Span(f"{count} pos"),
                _agreement(desk),
                *((Span(f" {desk.positions_without_stop} NO STOP", "alarm"),) if desk.positions_without_stop else ()),
                *((Span(f" {desk.unconfirmed_orders} UNCONFIRMED", "alarm"),) if desk.unconfirmed_orders else ()),
            )
        ),
        Chip(_news(desk, engine)),
    ]
    if desk.pending_orders_ours:
        row.append(Chip((Span(number_format.plural(desk.pending_orders_ours, "order"), "warn"),), 1))
    row.append(Chip((Span(number_format.moment(desk.at_utc_ns, "%a %d %b"), "muted"),), 4))
    if desk.server_offset_s:
        row.append(Chip((Span(f"broker {number_format.moment(desk.at_utc_ns, '%H:%M', desk.server_offset_s)}", "muted"),), 5))
    if engine.broker_round_trip_ms is not None:
        row.append(Chip((Span(f"round trip {engine.broker_round_trip_ms:.0f} ms", "muted"),), 6))
    if desk.external_count:
        row.append(Chip((Span(f"{desk.external_count} external", "warn"),), 4))
    return row


def speed_words(engine: EngineHealth) -> str:
    """How fast a replay runs, in words."""
    if engine.replay_speed is None:
        return ""
    return " paused" if engine.replay_speed == 0 else f" x{engine.replay_speed:g}"


def _quote_age(age_ns: int | None, *, shut: bool, old: bool) -> Line:
    if age_ns is None:
        return (Span("no quote", "warn"),)
    if shut:
        return (Span("market closed", "muted"),)
    age = "<10s" if age_ns < QUOTE_FRESH_NS else number_format.span(age_ns)
    return (Span("quote ", "muted"), Span(f"{age}{' STALE' if old else ''}", "alarm" if old else ""))


def _news(desk: DeskView, engine: EngineHealth) -> Line:
    if engine.news_off:
        return (Span("news rules off", "muted"),)
    if engine.calendar_why and desk.calendar_available:
        return (Span("CALENDAR INCOMPLETE", "warn"),)
    if not desk.calendar_available:
        return (Span("NO CALENDAR", "warn"),)
    event = desk.next_news
    if event is None:
        return (Span("no high-impact news", "muted"),)
    left = event.at_utc_ns - desk.at_utc_ns
    near = left < 30 * 60 * NS_PER_S
    return (
        Span("news ", "muted"),
        Span(f"{clean(event.currency)} {number_format.long_span(left) if left > 0 else 'now'}", "warn" if near else ""),
    )


def _without_snapshot(sight: ViewModel, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    what = "waiting for the engine" if sight.link.up else clean(sight.link.why)
    waited = f", {number_format.span(sight.silent_s * NS_PER_S)}" if sight.silent_s else ""
    word = Span(" ATTACHED ", "accent") if sight.link.up else Span(" NO ENGINE ", "alarm")
    return (clip((word, Span(f" {what}{waited}")), width, glyphs), (), ())


def title_words(sight: ViewModel) -> str:
    """What the terminal's own title shows, so that a window in the background is noticed."""
    if sight.snapshot is None:
        return "Quarterdeck"
    desk = sight.snapshot.desk
    state = over_word(sight, "LINK LOST") if sight.stale else STATE_WORDS[desk.state]
    return (
        f"{MODE_WORDS.get(desk.mode, desk.mode)} {state} {number_format.money(desk.day_result_money, 0, sign=True)} Quarterdeck"
    )


def vital_words(sight: ViewModel) -> str:
    """The three lines as one text: what `monitor --plain` and tests compare."""
    return " / ".join(plain_of(line) for line in header(sight, 400, _WORDS) if width_of(line))


_WORDS: Final = Glyphs("^", "v", "-", "~", "#", ".", "|", "-", "-", ">", "*", True)
