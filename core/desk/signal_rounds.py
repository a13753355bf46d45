"""Candidates of one bar close are judged together, the best first; what a passing condition refused is judged again while fresh.

Promises: a round is judged when every pair has reported or the wait is over; late ones after, in order of arrival; one candidate
per strategy and pair, the newer bar's replaces the older; a signal becomes an order at most once, across restarts; all is
bounded.
Does not: judge (`entry_evaluation`).
"""

from __future__ import annotations

from quarterdeck.core.desk import entry_evaluation, position_closing
from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.desk_state import PendingSignal, SignalRound
from quarterdeck.core.desk.memory_limits import trim_list
from quarterdeck.core.desk.trading_state import block_pair, sentence, unblock_pair
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.signals import INCOMPLETE_HISTORY, NoSignal, Signal
from quarterdeck.core.model.units import UtcNs

_TRIES_MAX = 3
"""Orders sent for one signal at most, when the broker refuses with "try again"."""


def _open(ctx: Context, bar_open_utc_ns: UtcNs) -> SignalRound:
    """The round of a bar; an older one that still waits is judged first."""
    now = ctx.state.round
    if bar_open_utc_ns <= now.bar_open_utc_ns:
        return now
    if not now.judged:
        evaluate_round(ctx)
    fresh = SignalRound(
        bar_open_utc_ns=bar_open_utc_ns, deadline_utc_ns=ctx.now + ns(ctx.settings.scan.round_wait_s), reported={}, judged=False
    )
    ctx.state.round = fresh
    ctx.wake_changed = True
    return fresh


def bar_seen(ctx: Context, bar_open_utc_ns: UtcNs) -> None:
    """A pair's bar closed: its round begins."""
    if bar_open_utc_ns > ctx.state.round.bar_open_utc_ns:
        _open(ctx, bar_open_utc_ns)


def pair_without_bar(ctx: Context, symbol: str, bar_open_utc_ns: UtcNs) -> None:
    """A pair has no bar in this round."""
    _reported(ctx, _open(ctx, bar_open_utc_ns), symbol, bar_open_utc_ns)


def no_signal(ctx: Context, found: NoSignal) -> None:
    """The strategy looked and found nothing."""
    pair = ctx.pair(found.symbol)
    _history_told(ctx, found.symbol, found.withheld)
    if found.bar_open_utc_ns >= pair.features_bar_utc_ns and not found.withheld:
        pair.features, pair.features_bar_utc_ns = found.features, found.bar_open_utc_ns
    pair.outcome, pair.reason = "none", found.withheld
    if ctx.state.waiting:
        _replace(ctx, found.symbol, found.strategy, found.bar_open_utc_ns)
    _reported(ctx, _open(ctx, found.bar_open_utc_ns), found.symbol, found.bar_open_utc_ns)


def _history_told(ctx: Context, symbol: str, withheld: str) -> None:
    """No entries in a pair while bars of its warm-up are missing; one alert when that begins, and one when it is over."""
    blocked = "history" in ctx.pair(symbol).block_reasons
    if withheld.startswith(INCOMPLETE_HISTORY):
        what = withheld.removeprefix(INCOMPLETE_HISTORY)
        if blocked:
            return
        block_pair(ctx, symbol, "history", f"incomplete history, {what}", "the broker has the bars, or the warm-up is past them")
        text = (
            f"{symbol}: the broker's M15 bars of the warm-up are incomplete: {sentence(what)} The strategy is not asked and "
            "there are no new entries or strategy exits in it; stops and other exits are still managed, other pairs trade on. "
            "Let the terminal download the history of that pair (open its M15 chart); the desk reads it again at each bar close."
        )
        ctx.emit(Alert(kind="connection", level="warning", text=text, symbol=symbol))
    elif blocked:
        unblock_pair(ctx, symbol, "history")
        text = f"{symbol}: the bars of the warm-up are complete again. Entries in it may resume."
        ctx.emit(Alert(kind="connection", level="warning", text=text, symbol=symbol))


def _reported(ctx: Context, now: SignalRound, symbol: str, bar_open_utc_ns: UtcNs) -> None:
    if now.judged or bar_open_utc_ns != now.bar_open_utc_ns or symbol not in ctx.pairs:
        return
    now.reported[symbol] = True
    if len(now.reported) >= len(ctx.pairs):
        evaluate_round(ctx)


def signal(ctx: Context, found: Signal) -> None:
    """A candidate, or the strategy's wish to leave."""
    pair = ctx.pair(found.symbol)
    _history_told(ctx, found.symbol, "")
    if found.bar_open_utc_ns >= pair.features_bar_utc_ns:
        pair.features, pair.features_bar_utc_ns = found.features, found.bar_open_utc_ns
    now = _open(ctx, found.bar_open_utc_ns)
    if found.exit_now:
        for position in list(ctx.state.positions.values()):
            if position.symbol == found.symbol and position.side is not found.side:
                position_closing.start_close(ctx, position.position_id, "strategy")
        pair.outcome, pair.reason = "none", "exit"
        _reported(ctx, now, found.symbol, found.bar_open_utc_ns)
        return
    if found.bar_open_utc_ns <= pair.judged_bar_utc_ns or found.id in ctx.state.traded_signals:
        ctx.note("signal_twice", f"{found.id} was judged before", symbol=found.symbol, level="debug")
        return
    _replace(ctx, found.symbol, found.strategy, found.bar_open_utc_ns)
    candidate = PendingSignal(signal=found, arrived_utc_ns=ctx.now)
    if now.judged or found.bar_open_utc_ns != now.bar_open_utc_ns:
        _judge(ctx, candidate)
        return
    now.candidates = [held for held in now.candidates if not _same(held, found.symbol, found.strategy)]
    now.candidates.append(candidate)
    trim_list(now.candidates, ctx.settings.scan.queue_max)
    _reported(ctx, now, found.symbol, found.bar_open_utc_ns)


def _same(held: PendingSignal, symbol: str, strategy: str) -> bool:
    return held.signal.symbol == symbol and held.signal.strategy == strategy


def _replace(ctx: Context, symbol: str, strategy: str, bar_open_utc_ns: UtcNs) -> None:
    """A newer bar was looked at: the older candidate of that strategy and pair is over."""
    for held in list(ctx.state.waiting):
        if _same(held, symbol, strategy) and held.signal.bar_open_utc_ns < bar_open_utc_ns:
            ctx.state.waiting.remove(held)
            entry_evaluation.reject_waiting(ctx, held, held.waiting_reason or "replaced")


def evaluate_round(ctx: Context) -> None:
    """Judge the candidates of the round, the best first."""
    now = ctx.state.round
    now.judged = True
    ctx.wake_changed = True
    candidates, now.candidates = now.candidates, []
    for candidate in _best_first(ctx, candidates):
        _judge(ctx, candidate)


def _best_first(ctx: Context, candidates: list[PendingSignal]) -> list[PendingSignal]:
    if len(candidates) < 2:
        return candidates
    return sorted(candidates, key=lambda held: (-entry_evaluation.signal_score(ctx, held.signal), held.signal.symbol))


def _judge(ctx: Context, candidate: PendingSignal) -> None:
    pair = ctx.pair(candidate.signal.symbol)
    pair.judged_bar_utc_ns = max(pair.judged_bar_utc_ns, candidate.signal.bar_open_utc_ns)
    if entry_evaluation.evaluate_signal(ctx, candidate):
        _wait(ctx, candidate)


def _wait(ctx: Context, candidate: PendingSignal) -> None:
    waiting = ctx.state.waiting
    if candidate not in waiting:
        waiting.append(candidate)
        most = ctx.settings.scan.queue_max
        while len(waiting) > most:
            entry_evaluation.reject_waiting(ctx, waiting.pop(0), "queue_full")
    _next_time(ctx)


def _next_time(ctx: Context) -> None:
    state, scan = ctx.state, ctx.settings.scan
    if not state.waiting:
        state.reevaluate_utc_ns = 0
    else:
        wild = any(ctx.pair(held.signal.symbol).features.regime == "high" for held in state.waiting)
        state.reevaluate_utc_ns = ctx.now + ns(scan.reevaluate_volatile_s if wild else scan.reevaluate_calm_s)
    ctx.wake_changed = True


def retry_signal(ctx: Context, signal_id: str) -> None:
    """The broker refused an order with "try again": its signal waits for another judgement while it is fresh."""
    for held in ctx.state.sent:
        if held.signal.id == signal_id and held.tries < _TRIES_MAX:
            ctx.state.traded_signals.pop(signal_id, None)
            held.waiting_reason = "requote"
            _wait(ctx, held)


def reevaluate(ctx: Context, *, only_after: int = 0) -> None:
    """Judge what waits again; `only_after` names the position whose closing someone waited for."""
    state = ctx.state
    chosen = [held for held in state.waiting if only_after in (0, held.after_close_of)]
    for held in chosen:
        state.waiting.remove(held)
    for candidate in _best_first(ctx, chosen):
        if entry_evaluation.evaluate_signal(ctx, candidate):
            _wait(ctx, candidate)
    _next_time(ctx)


def due(ctx: Context) -> None:
    """What the clock brings: the end of the wait for the round, and the next look at what waits."""
    state = ctx.state
    if not state.round.judged and ctx.now >= state.round.deadline_utc_ns:
        evaluate_round(ctx)
    if state.reevaluate_utc_ns and ctx.now >= state.reevaluate_utc_ns:
        reevaluate(ctx)
