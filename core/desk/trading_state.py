"""The trading state: the worst of a set of reasons, each with its beginning and its way back (law 8).

    ACTIVE -> REDUCE_ONLY -> HALTED: as bad as the worst reason; back when the last such reason is gone.

Promises: a reason keeps its first beginning while it holds; every change of the set is told once; *resume* takes away only what
is the operator's. Does not: judge what deserves a reason.
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
    "starting": ("REDUCE_ONLY", "account, instruments and book are read"),
    "paused": ("REDUCE_ONLY", "resume"),
    "feed": ("REDUCE_ONLY", "the line to the broker comes back"),
    "book_unknown": ("REDUCE_ONLY", "the broker's book is read again"),
    "unknown_fate": ("REDUCE_ONLY", "the order's fate is proven, or `resolve ID`"),
    "flatten": ("REDUCE_ONLY", "all in scope is closed, verified twice"),
    "flat": ("HALTED", "resume"),
    "day_loss": ("REDUCE_ONLY", "the day's start"),
    "drawdown": ("REDUCE_ONLY", "the operator accepts it (rearm drawdown)"),
    "losses_in_row": ("REDUCE_ONLY", "the day's start"),
    "entries": ("REDUCE_ONLY", "the day's start"),
    "funded": ("REDUCE_ONLY", "equity is outside the buffer again, or the next day"),
    "funded_close": ("REDUCE_ONLY", "the next day, or the operator changes the rules"),
    "kelly": ("REDUCE_ONLY", "newer trades give a positive optimum, or Kelly is switched off"),
    "no_stop": ("REDUCE_ONLY", "the stop stands at the broker again"),
    "foreign_no_stop": ("REDUCE_ONLY", "it has a stop, is gone, or `acknowledge foreign_no_stop`"),
    "quotes_silent": ("REDUCE_ONLY", "its quotes come again"),
    "payout_unclear": ("REDUCE_ONLY", "`resolve TICKET --payout`, or `--transfer`"),
    "unexplained_money": ("REDUCE_ONLY", "a deal explains it, or `resolve money`"),
    "calendar": ("REDUCE_ONLY", "the calendar is available again"),
    "stopping": ("REDUCE_ONLY", "the next start"),
    "journal": ("REDUCE_ONLY", "the journal can be written again"),
    "journal_damaged": ("REDUCE_ONLY", "the operator has checked positions and orders, then resume"),
    "degraded": ("REDUCE_ONLY", "the engine is whole again"),
    "clock": ("REDUCE_ONLY", "the broker's clock is understood again"),
    "terminal": ("REDUCE_ONLY", "the terminal allows trading again"),
    "backlog": ("REDUCE_ONLY", "the desk has caught up, and what was left out is read again"),
    "not_allowed": ("REDUCE_ONLY", "the account allows trading again"),
    "account_changed": ("HALTED", "the account of the start is back, then resume"),
    "not_owner": ("HALTED", "the other engine is stopped, then resume, which takes the account back"),
    "law_broken": ("HALTED", "the operator has looked, then resume"),
}
"""Every reason there is, how bad it is, and how it ends."""

BREAKERS: Final = ("day_loss", "drawdown", "losses_in_row", "entries")
"""Reasons that a breaker's trip sets."""

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


def add_reason(ctx: Context, code: str, text: str, *, alert: Level = "warning", told: Level = "") -> None:
    """Let `code` hold from now on; while it holds already, only its text changes.

    Its end is told at the level of `alert`, or of `told` where the caller tells the beginning itself.
    """
    reasons = ctx.state.reasons
    if code in reasons:
        reasons[code].text = text
        return
    state, way_back = WAYS_BACK[code]
    reasons[code] = StateReason(code=code, state=state, since_utc_ns=ctx.now, text=text, clears_when=way_back, told=alert or told)
    _tell(ctx, f"{code}: {text}")
    if alert:
        ctx.emit(Alert(kind="state", level=alert, text=f"{trading_state(ctx)}: {text}. Way back: {way_back}."))


def drop_reason(ctx: Context, code: str, text: str = "") -> bool:
    """Let `code` hold no more; whether it did."""
    gone = ctx.state.reasons.pop(code, None)
    if gone is None:
        return False
    said = text or f"{code} is over"
    _tell(ctx, said)
    if gone.told:
        kind: AlertKind = "connection" if code == "feed" else "breaker" if code in BREAKERS else "state"
        ctx.emit(Alert(kind=kind, level=gone.told, text=f"{trading_state(ctx)}: {said}"))
    return True


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
        ctx.note("pair_barred", f"{code}: {text}. Way back: {way_back}", symbol=symbol, level="warning")


def unblock_pair(ctx: Context, symbol: str, code: str) -> None:
    """One reason less against a pair."""
    if ctx.pair(symbol).block_reasons.pop(code, None) is not None:
        ctx.note("pair_freed", f"{code} is over", symbol=symbol)


def _tell(ctx: Context, text: str) -> None:
    ctx.wake_changed = True
    ctx.emit(StateChanged(state=trading_state(ctx), reasons=tuple(ctx.state.reasons), text=text))
