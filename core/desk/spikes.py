"""One quote is not enough: a spread or a jump that is out of all proportion waits for the pair's next quote.

Why: one bad tick at rollover must not close a book, nor set a peak that a healthy price then falls from.
Guarantees: a suspect quote trips no breaker, raises no peak and starts no exit by price until the pair's next quote confirms
it, or none comes for `breakers.spike_wait_s`; entries stop meanwhile. The operator's decision, a missing stop, exits by the clock
and floors of a funded account by the broker's own equity never wait. Does not: change the quote, or delay it where nothing
depends on it.
"""

from __future__ import annotations

from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.desk_state import SuspectQuote
from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.units import UtcNs

_WIDER_X = 2.0
"""A spread that is not even so many times the one before it is no spike."""
_NOISE_X = 1.0 + 1e-9
"""Three times that floats hold as 3.0000000000000004 is three times."""


def is_spike(ctx: Context, before: Quote | None, new: Quote) -> bool:
    """Whether a quote is out of proportion to the one before it: its spread, or the jump of its middle."""
    if before is None:
        return False
    pair, own = ctx.state.pairs.get(new.symbol), ctx.settings.breakers
    if pair is None:
        return False
    atr = pair.features.atr_m15_price
    jumped = abs(new.bid + new.ask - before.bid - before.ask) / 2.0
    if atr > 0.0 and jumped > own.spike_atr_x * atr * _NOISE_X:
        return True
    spread = new.ask - new.bid
    if spread <= _WIDER_X * (before.ask - before.bid):
        return False
    usual = ctx.typical_spread(new.symbol)
    return usual is not None and usual > 0.0 and spread > own.spike_spread_x * usual


def believed(ctx: Context, before: Quote | None, new: Quote) -> bool:
    """Whether what depends on a new quote is judged by it now; `before` is the pair's quote before it."""
    suspects = ctx.state.suspects
    known = suspects.pop(new.symbol, None)
    if known is not None:
        if _confirms(ctx, known, new):
            return True
        ctx.note(
            "spike_denied", f"Quote {known.bid}/{known.ask} was a spike: the next one is {new.bid}/{new.ask}", symbol=new.symbol
        )
        before = known.before
    if not is_spike(ctx, before, new) or before is None:
        return True
    suspects[new.symbol] = SuspectQuote(before=before, bid=new.bid, ask=new.ask, since_utc_ns=ctx.now)
    ctx.wake_changed = True
    ctx.note(
        "spike", f"Possible spike: {new.bid}/{new.ask} after {before.bid}/{before.ask}; the next quote decides", symbol=new.symbol
    )
    return False


def _confirms(ctx: Context, known: SuspectQuote, new: Quote) -> bool:
    """The next quote lies nearer to the suspect one than to the one before, in its middle and in its spread."""
    middle, was, suspect = new.bid + new.ask, known.before.bid + known.before.ask, known.bid + known.ask
    spread, spread_was, spread_suspect = new.ask - new.bid, known.before.ask - known.before.bid, known.ask - known.bid
    if spread_suspect > _WIDER_X * spread_was and abs(spread - spread_was) < abs(spread - spread_suspect):
        return False
    atr = ctx.pair(new.symbol).features.atr_m15_price
    jumped = atr > 0.0 and abs(suspect - was) / 2.0 > ctx.settings.breakers.spike_atr_x * atr * _NOISE_X
    return not jumped or abs(middle - suspect) <= abs(middle - was)


def confirmed_by_silence(ctx: Context) -> list[str]:
    """Symbols whose suspect quote no other followed in time: they are believed from now on."""
    wait = ns(ctx.settings.breakers.spike_wait_s)
    over = [symbol for symbol, known in ctx.state.suspects.items() if ctx.now - known.since_utc_ns >= wait]
    for symbol in over:
        del ctx.state.suspects[symbol]
    return over


def next_due(ctx: Context) -> UtcNs:
    """When silence confirms the next suspect quote; 0 where there is none."""
    wait = ns(ctx.settings.breakers.spike_wait_s)
    return min((known.since_utc_ns + wait for known in ctx.state.suspects.values()), default=0)
