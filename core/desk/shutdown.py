"""The end of a run: no new entries, then the policy (close everything, or keep it), then `EndRun`.

Promises: bounded; what could not be closed in time keeps its stop at the broker and is alerted. Does not: end the process.
"""

from __future__ import annotations

from quarterdeck.core.desk import entry_evaluation, flatten, stops
from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.desk_state import ShutdownRequest
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.desk.trading_state import add_reason
from quarterdeck.core.model.commands import StopEngine
from quarterdeck.core.model.effects import Alert, CommandDone, EndRun
from quarterdeck.core.model.units import UtcNs

_POLICY_WORDS = {"flatten": "closing all positions", "keep": "positions are kept with their stops"}


def begin(ctx: Context, command: StopEngine, command_id: str) -> None:
    """The run is to end by the operator's policy, or another one; a second word can only end it sooner."""
    state = ctx.state
    policy = ctx.settings.engine.shutdown_action if command.policy == "settings" else command.policy
    if state.stop is not None:
        if policy == "keep":
            state.stop.policy = "keep"
        ctx.emit(CommandDone(command_id=command_id, ok=True, text="The engine is stopping already"))
        watch(ctx)
        return
    state.stop = ShutdownRequest(policy=policy, why=command.why or "stopped", since_utc_ns=ctx.now, command_id=command_id)
    add_reason(ctx, "stopping", f"The engine is stopping ({_POLICY_WORDS[policy]}): {state.stop.why}", alert="info")
    entry_evaluation.reject_all_waiting(ctx, "stopping")
    if policy == "flatten":
        flatten.start(ctx, "shutdown", halt=False)
    watch(ctx)


def watch(ctx: Context) -> None:
    """End the run once its policy is carried out, or its time is over."""
    state = ctx.state
    stop = state.stop
    if stop is None or stop.ended:
        return
    done = not flatten.running(ctx) if stop.policy == "flatten" else not state.orders
    late = ctx.now >= deadline(ctx, stop)
    if not done and not late:
        return
    stop.ended = True
    left = [one for one in state.positions.values() if one.lots > LOTS_NOISE]
    clean = done
    text = f"{stop.why}: {stop.policy}"
    if left:
        names = ", ".join(stops.named(one) for one in left)
        text = f"{text}; positions left open, with their stops at the broker: {names}"
        if stop.policy == "flatten":
            text_now = (
                f"The engine stops with positions open: {names}. Only their stops at the broker protect them; nothing manages "
                "them until the engine runs again. Start it again (`quarterdeck run`), or close them in the terminal."
            )
            ctx.emit(Alert(kind="flatten", level="critical", text=text_now))
    if state.orders:
        clean = False
        text = f"{text}; unconfirmed orders: {', '.join(state.orders)}"
    ctx.emit(CommandDone(command_id=stop.command_id, ok=clean, text=text))
    ctx.emit(EndRun(why=text, clean=clean))


def deadline(ctx: Context, stop: ShutdownRequest) -> UtcNs:
    """When a shutdown has taken long enough."""
    return stop.since_utc_ns + ns(ctx.settings.engine.shutdown_timeout_s)
