"""Which effects become log lines, and how they read: signals, fills, states and settings at INFO; refusals at DEBUG."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.core.model.effects import (
    Alert,
    CommandDone,
    Effect,
    EndRun,
    LogEvent,
    MoneyMoved,
    PartialClose,
    PositionOpened,
    SettingApplied,
    StateChanged,
    TradeClosed,
    Verdict,
)
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.model.units import UtcNs


def log_line(at_utc_ns: UtcNs, effect: Effect) -> LogLine | None:
    """The line an operator reads for an effect, or None where it is not worth one."""
    match effect:
        case Alert():
            return LogLine(
                at_utc_ns=at_utc_ns,
                level="info" if effect.resolved else effect.level,
                kind=f"alert.{effect.kind}",
                text=effect.text,
                symbol=effect.symbol,
                ticket=effect.ticket,
                resolved=effect.resolved,
            )
        case LogEvent():
            return LogLine(
                at_utc_ns=at_utc_ns,
                level=effect.level,
                kind=effect.kind,
                text=effect.text,
                symbol=effect.symbol,
                ticket=effect.ticket,
            )
        case Verdict():
            return _verdict_line(at_utc_ns, effect)
        case PositionOpened() | PartialClose() | TradeClosed():
            return _position_line(at_utc_ns, effect)
        case _:
            return _other_line(at_utc_ns, effect)


def is_duplicate_line(effect: Effect, beside: Sequence[Effect]) -> bool:
    """Whether another part of the same decision says this already: one event is one line.

    Between an alert and what the desk says of itself, a warning is said by the alert, and what only informs by the desk, which
    knows the state, the prices and the risk.
    """
    if len(beside) < 2 or not isinstance(effect, Alert | StateChanged | LogEvent | CommandDone):
        return False
    if isinstance(effect, Alert):
        return effect.level == "info" and any(_same_event(effect, other) for other in beside)
    return any(isinstance(other, Alert) and other.level != "info" and _same_event(other, effect) for other in beside)


def _same_event(alert: Alert, other: Effect) -> bool:
    match other:
        case StateChanged():
            code, _, rest = other.text.partition(": ")
            entered = code in other.reasons
            said = rest if entered else other.text
            return (entered and code == alert.kind) or _says(alert, said)
        case LogEvent():
            return other.kind == alert.kind or (other.symbol == alert.symbol and _says(alert, other.text))
        case CommandDone():
            return other.ok and _says(alert, other.text)
        case PositionOpened():
            return alert.kind == "fill" and other.symbol == alert.symbol
        case TradeClosed():
            return alert.kind == "close" and other.symbol == alert.symbol
        case _:
            return False


def _says(alert: Alert, text: str) -> bool:
    """Whether the alert holds a text, which may have become a sentence in it."""
    return bool(text) and text.rstrip(". ").casefold() in alert.text.casefold()


def _verdict_line(at_utc_ns: UtcNs, verdict: Verdict) -> LogLine | None:
    if verdict.side is None:
        return None
    outcome = f"refused: {verdict.reason}" if verdict.outcome == "refused" else verdict.outcome
    size = f" {verdict.lots:.2f} lots" if verdict.outcome == "entered" else ""
    return LogLine(
        at_utc_ns=at_utc_ns,
        level="info" if verdict.outcome == "entered" else "debug",
        kind="signal",
        text=f"{verdict.side.word} signal {outcome}{size}",
        symbol=verdict.symbol,
    )


def _position_line(at_utc_ns: UtcNs, effect: PositionOpened | PartialClose | TradeClosed) -> LogLine:
    if isinstance(effect, PositionOpened):
        kind = "fill"
        text = (
            f"opened {effect.side.word} {effect.lots:.2f} at {effect.open_price:g}, stop {effect.stop_price:g}, "
            f"risk {effect.risk_money:.2f}"
        )
    elif isinstance(effect, PartialClose):
        kind = "fill"
        text = f"closed {effect.lots:.2f} at {effect.price:g} ({effect.reason}), {effect.profit_money:+.2f}"
    else:
        kind = "trade"
        text = (
            f"trade closed: {effect.side.word} {effect.lots:.2f} from {effect.open_price:g} to {effect.close_price:g} "
            f"({effect.reason}), net {effect.net_money:+.2f}, {effect.result_r:+.2f} R"
        )
    return LogLine(at_utc_ns=at_utc_ns, level="info", kind=kind, text=text, symbol=effect.symbol, ticket=effect.position_id)


def _other_line(at_utc_ns: UtcNs, effect: Effect) -> LogLine | None:
    match effect:
        case StateChanged():
            why = f" ({', '.join(effect.reasons)})" if effect.reasons else ""
            return LogLine(at_utc_ns=at_utc_ns, level="info", kind="state", text=f"{effect.state}{why} {effect.text}".rstrip())
        case SettingApplied():
            text = f"{effect.key}: {effect.old} -> {effect.new} ({effect.cause})"
            return LogLine(at_utc_ns=at_utc_ns, level="info", kind="setting", text=text)
        case CommandDone():
            text = effect.text if effect.ok else f"refused: {effect.text}"
            return LogLine(at_utc_ns=at_utc_ns, level="info" if effect.ok else "warning", kind="command", text=text)
        case MoneyMoved():
            text = f"{effect.kind} {effect.money:+.2f}: {effect.text}, equity {effect.equity_after_money:.2f}"
            return LogLine(at_utc_ns=at_utc_ns, level="info", kind="money", text=text)
        case EndRun():
            return LogLine(at_utc_ns=at_utc_ns, level="info", kind="run", text=f"run ends: {effect.why}")
        case _:
            return None
