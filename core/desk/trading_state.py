"""The trading state: the worst of a set of reasons, each with its beginning and its way back (law 8).

    ACTIVE -> REDUCE_ONLY -> HALTED: as bad as the worst reason; back when the last such reason is gone.

Promises: a reason keeps its first beginning while it holds; every change of the set is reported once; *resume* takes away only
what is the operator's. Does not: judge what deserves a reason.
"""

from __future__ import annotations

from typing import Final, Literal

from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import StateReason
from quarterdeck.core.model.effects import Alert, AlertKind, StateChanged

TradingState = Literal["ACTIVE", "REDUCE_ONLY", "HALTED"]
AlertLevel = Literal["info", "warning", "critical"]
Level = AlertLevel | Literal[""]

WAYS_BACK: Final[dict[str, tuple[Literal["REDUCE_ONLY", "HALTED"], str]]] = {
    "starting": ("REDUCE_ONLY", "account, instruments and positions have been read from the broker"),
    "paused": ("REDUCE_ONLY", "you run `quarterdeck resume`"),
    "feed": ("REDUCE_ONLY", "the broker connection is back"),
    "book_unknown": ("REDUCE_ONLY", "the broker's positions can be read again"),
    "unknown_fate": ("REDUCE_ONLY", "the broker confirms the order, or you say what became of it (`quarterdeck resolve`)"),
    "flatten": ("REDUCE_ONLY", "everything is closed and two reads of the broker confirm it"),
    "flat": ("HALTED", "you run `quarterdeck resume`"),
    "day_loss": ("REDUCE_ONLY", "the next trading day starts"),
    "drawdown": ("REDUCE_ONLY", "you accept the drawdown (`quarterdeck reset-drawdown`)"),
    "losses_in_row": ("REDUCE_ONLY", "the next trading day starts"),
    "entries": ("REDUCE_ONLY", "the next trading day starts"),
    "funded": ("REDUCE_ONLY", "equity is above the warning buffer again, or the prop firm's next day starts"),
    "funded_close": ("REDUCE_ONLY", "you change the prop_firm settings, or the prop firm's next day starts"),
    "kelly": ("REDUCE_ONLY", "newer trades give a positive Kelly fraction, or you set kelly.enabled = false"),
    "no_stop": ("REDUCE_ONLY", "the broker shows the stop again"),
    "foreign_no_stop": (
        "REDUCE_ONLY",
        "they have a stop or are closed, or you accept them without one (`quarterdeck acknowledge foreign_no_stop`)",
    ),
    "quotes_silent": ("REDUCE_ONLY", "quotes arrive again"),
    "payout_unclear": ("REDUCE_ONLY", "you say what it was (`quarterdeck resolve TICKET --payout`, or `--transfer`)"),
    "unexplained_money": ("REDUCE_ONLY", "a deal explains it, or you say what it was (`quarterdeck resolve money`)"),
    "calendar": ("REDUCE_ONLY", "the calendar can be read again"),
    "stopping": ("REDUCE_ONLY", "the engine is started again"),
    "journal": ("REDUCE_ONLY", "the journal can be written again"),
    "journal_damaged": ("REDUCE_ONLY", "you have compared positions and orders with the terminal and run `quarterdeck resume`"),
    "degraded": ("REDUCE_ONLY", "the failed part works again"),
    "clock": ("REDUCE_ONLY", "the clock is right again"),
    "clock_unconfirmed": (
        "REDUCE_ONLY",
        "the broker's history confirms this machine's clock, or you compare it and run `quarterdeck resolve clock --pc-right`",
    ),
    "clock_contradicted": (
        "REDUCE_ONLY",
        "this machine's clock is set right (NTP), or you know that it is right and run `quarterdeck resolve clock --pc-right`",
    ),
    "terminal": ("REDUCE_ONLY", "the terminal allows trading again"),
    "backlog": ("REDUCE_ONLY", "the desk has caught up and has read again what it skipped"),
    "not_allowed": ("REDUCE_ONLY", "the broker allows trading again (check for a read-only investor login)"),
    "account_changed": ("HALTED", "the terminal is logged in to the first account again and you run `quarterdeck resume`"),
    "not_owner": ("HALTED", "the other engine is stopped and you run `quarterdeck resume` here"),
    "law_broken": ("HALTED", "you have checked positions and orders in the terminal and run `quarterdeck resume`"),
}
"""Every reason there is, how bad it is, and how it ends."""

BREAKERS: Final = ("day_loss", "drawdown", "losses_in_row", "entries")
"""Reasons that a breaker's trip sets."""

CLOCK_REASONS: Final = ("clock_unconfirmed", "clock_contradicted")
"""This machine's clock is in question."""

OPERATORS: Final = ("paused", "flat", "journal_damaged", "not_owner", "law_broken", "account_changed")
"""What *resume* may take away; the last four only once the shell has reported them over."""


def trading_state(ctx: Context) -> TradingState:
    """The worst of the reasons."""
    worst: TradingState = "ACTIVE"
    for reason in ctx.state.reasons.values():
        if reason.state == "HALTED":
            return "HALTED"
        worst = "REDUCE_ONLY"
    return worst


def worst_reason(ctx: Context) -> StateReason | None:
    """The reason to name first: a halt before the rest, the oldest of its kind."""
    first: StateReason | None = None
    for reason in ctx.state.reasons.values():
        if reason.state == "HALTED":
            return reason
        first = first or reason
    return first


def add_reason(ctx: Context, code: str, text: str, *, alert: Level = "warning", told: Level = "", when: str = "") -> None:
    """Let `code` hold from now on; while it holds already, only its text changes. `when` is the hour it ends at, if it has one.

    Its end is reported at the level of `alert`, or of `told` where the caller tells the beginning itself.
    """
    reasons = ctx.state.reasons
    if code in reasons:
        reasons[code].text = text
        return
    state, way_back = WAYS_BACK[code]
    way_back += when
    reasons[code] = StateReason(code=code, state=state, since_utc_ns=ctx.now, text=text, clears_when=way_back, told=alert or told)
    _tell(ctx, f"{code}: {text}")
    if alert:
        ctx.emit(Alert(kind="state", level=alert, text=f"{sentence(text)} {_effect_and_end(ctx, way_back)}"))


def drop_reason(ctx: Context, code: str, text: str) -> bool:
    """Let `code` hold no more, for what `text` says; whether it did."""
    gone = ctx.state.reasons.pop(code, None)
    if gone is None:
        return False
    _tell(ctx, text)
    if gone.told:
        kind: AlertKind = "connection" if code == "feed" else "breaker" if code in BREAKERS else "state"
        ctx.emit(Alert(kind=kind, level=gone.told, text=f"{sentence(text)} {consequence(ctx)}", resolved=True))
    return True


def consequence(ctx: Context) -> str:
    """What the desk does now, in a sentence: every alert of a change of state ends with it."""
    worst = worst_reason(ctx)
    if worst is None:
        return "Entries are allowed again."
    if worst.state == "HALTED":
        ends = f"It ends when {worst.clears_when}."
        managed = "and the desk closes nothing unless you order it"
        if any(position.lots > 0.0 for position in ctx.state.positions.values()):
            managed = "and open positions are NOT managed; only their stops at the broker protect them"
        return f"Trading is HALTED ({worst.code}): no entries, {managed}. {ends}"
    return f"No new entries (REDUCE_ONLY, {worst.code}); open positions are still managed."


def _effect_and_end(ctx: Context, way_back: str) -> str:
    """What the desk does now and how this reason ends, each once."""
    now, ends = consequence(ctx), f"It ends when {way_back}."
    return now if now.endswith(ends) else f"{now} {ends}"


def sentence(text: str) -> str:
    """`text` with a capital first and one full stop at its end."""
    text = text.rstrip(". ")
    return f"{text[:1].upper()}{text[1:]}."


def is_halted(ctx: Context) -> bool:
    """Nothing moves but what the operator orders."""
    return any(reason.state == "HALTED" for reason in ctx.state.reasons.values())


def entries_allowed(ctx: Context) -> bool:
    """Whether anything that adds risk may pass at all."""
    return not ctx.state.reasons


def block_pair(ctx: Context, symbol: str, code: str, text: str, way_back: str) -> None:
    """No entries in one pair from now on."""
    barred = ctx.pair(symbol).block_reasons
    if code not in barred:
        barred[code] = StateReason(code=code, state="REDUCE_ONLY", since_utc_ns=ctx.now, text=text, clears_when=way_back)
        ctx.note(
            "pair_barred",
            f"No entries in {symbol} ({code}): {sentence(text)} It ends when {way_back}",
            symbol=symbol,
            level="warning",
        )


def unblock_pair(ctx: Context, symbol: str, code: str) -> None:
    """One reason less against a pair."""
    if ctx.pair(symbol).block_reasons.pop(code, None) is not None:
        ctx.note("pair_freed", f"Entries in {symbol} are allowed again ({code} is over)", symbol=symbol)


def _tell(ctx: Context, text: str) -> None:
    ctx.wake_changed = True
    ctx.emit(StateChanged(state=trading_state(ctx), reasons=tuple(ctx.state.reasons), text=text))
