"""The newest quotes laid over what the desk shows: screens want every tick, the desk gets only what it decides on.

Promises: changes nothing but prices, spreads and ages of pairs; figures of positions and risk stay the desk's own. "Flat,
verified" is shown only when the journal holds it: whoever reads it may act on it, and a crash must not take it back (law 15).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.snapshot import DeskView, PairView
from quarterdeck.core.model.units import NS_PER_S, UtcNs


class FlatOnRecord:
    """Holds back that a flatten is done until the journal holds the input that proved it."""

    def __init__(self) -> None:
        """Nothing was shown yet."""
        self._since_utc_ns = 0
        self._seq = 0

    def shown(self, view: DeskView, holds: Callable[[int], bool]) -> DeskView:
        """`view`, with a flatten that is done but not recorded as still under way; `holds` tells whether an input is recorded."""
        flatten = view.flatten
        if flatten is None or not flatten.done:
            return view
        if flatten.since_utc_ns != self._since_utc_ns:
            self._since_utc_ns, self._seq = flatten.since_utc_ns, view.seq
        if holds(self._seq):
            return view
        pending = msgspec.structs.replace(flatten, done=False, text="flat; writing the journal")
        return msgspec.structs.replace(view, flatten=pending)


def with_latest_quotes(view: DeskView, quotes: Mapping[str, Quote], at_utc_ns: UtcNs, quote_age_max_s: float) -> DeskView:
    """`view` at `at_utc_ns` with `quotes` where they are newer; a quote older than the limit in an open session is stale."""
    at = max(at_utc_ns, view.at_utc_ns)
    age_max_ns = round(quote_age_max_s * NS_PER_S)
    pairs = tuple(_newest(pair, quotes.get(pair.symbol), at, age_max_ns) for pair in view.pairs)
    known = [pair.quote_utc_ns for pair in pairs if pair.quote_utc_ns and pair.session_open]
    oldest = min(known, default=view.oldest_quote_utc_ns)
    return msgspec.structs.replace(view, at_utc_ns=at, pairs=pairs, oldest_quote_utc_ns=oldest)


def _newest(pair: PairView, quote: Quote | None, at_utc_ns: UtcNs, age_max_ns: int) -> PairView:
    newest = max(pair.quote_utc_ns, quote.at_utc_ns if quote is not None else 0)
    stale = pair.session_open and at_utc_ns - newest > age_max_ns
    if quote is None or quote.at_utc_ns < pair.quote_utc_ns:
        return msgspec.structs.replace(pair, stale=stale)
    return msgspec.structs.replace(
        pair,
        bid=quote.bid,
        ask=quote.ask,
        quote_utc_ns=quote.at_utc_ns,
        spread_pips=quote.spread_price / pair.pip if pair.pip > 0.0 else None,
        stale=stale,
    )
