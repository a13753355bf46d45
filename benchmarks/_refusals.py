"""Every word by which an entry can be refused, and what brings it: a market alone, or something that no backtest has.

Why: "every refusal seen" means something only against a whole list. A test holds this one to the desk's own words; the cap of
each currency's leg is one word here, `leverage_`.
"""

from __future__ import annotations

from collections.abc import Iterable

POSSIBLE = (
    "day_loss", "drawdown", "losses_in_row", "entries", "positions", "pair_positions", "margin_level", "funded",
    "funded_close", "kelly", "calendar", "hole", "confidence", "session", "quote_age", "hours", "rollover",
    "weekend", "early_close", "news", "atr_price", "atr_calm", "atr_wild", "spread_cap", "spread_stop", "spread_usual",
    "price_moved", "own_position", "cost", "minimum_lots", "leverage_position", "leverage_", "leverage_total", "reward_risk",
    "correlation", "correlation_lots", "budget", "day_room", "margin", "all_stops", "funded_day", "funded_overall",
    "funded_lots", "funded_best_day", "pyramid_adds", "pyramid_peak", "pyramid_winner", "pyramid_pullback", "pyramid_whole",
    "pyramid_stops", "pyramid_risk", "pyramid_lots",
)  # fmt: skip
"""What a run without an operator, a fault or another engine can bring."""
ELSEWHERE = {
    "learned_cost": "a backtest charges what settings assume, so nothing else is learned",
    "learned_cost_lots": "a backtest learns no commission that could expire",
    "starting": "a start", "paused": "an operator", "flat": "an operator's flatten", "stopping": "an operator, or the end",
    "flatten": "a flatten that leaves something open", "account_changed": "another account under the engine",
    "law_broken": "a broken promise", "feed": "a line that is down", "barred_": "a pair whose quotes stopped, or a stripped stop",
    "book_unknown": "a book that cannot be read", "unknown_fate": "a lost reply", "no_stop": "a stop removed manually",
    "foreign_no_stop": "a position opened manually", "netting_foreign": "a position opened manually",
    "journal": "a journal that cannot be written", "degraded": "an engine that is not complete", "clock": "a clock that jumps",
    "terminal": "a terminal that forbids trading", "not_allowed": "an account that forbids trading",
    "trade_mode": "a symbol that forbids trading", "instrument": "a symbol that the broker does not describe",
    "traded": "a restart, or another machine", "late_bar": "a start in the middle of a bar", "requote": "a broker that requotes",
    "reverse": "a broker that does not close", "queue_full": "more candidates waiting than the queue holds",
    "replaced": "a candidate that waits for nothing", "rate": "a rate that goes missing; the data of a backtest must have it",
    "leverage": "a rate that goes missing", "equity": "an account with nothing in it", "tick_value": "a broker's wrong figure",
    "signal_age": "a scan that takes too long", "stop": "a stop beyond its entry; the spread against it is refused first",
    "limit_lots": "a broker with a limit of volume", "maximum_lots": "a broker whose largest volume is nothing",
    "conversion_rate": "a conversion rate that is old", "spike": "a quote out of all proportion",
    "requests_day": "a day of very many requests", "quotes_silent": "quotes that stop", "backlog": "more inputs than are taken",
    "clock_unconfirmed": "a clock that nothing confirms", "clock_contradicted": "a machine whose clock is wrong",
    "not_owner": "another engine on the account", "journal_damaged": "a damaged journal",
    "unexplained_money": "a balance that no deal explains", "payout_unclear": "an unexplained withdrawal",
    "funded_requests": "a day of very many requests", "fifo_close": "a broker that closes the oldest position first",
}  # fmt: skip
"""What needs more than a market; tests of the desk, of the engine and of whole days bring it."""


def words(refusals: Iterable[str]) -> set[str]:
    """These reasons as words of the list; a leg's cap counts as `leverage_`."""
    return {"leverage_" if reason.startswith("leverage_") and reason[9:].isupper() else reason for reason in refusals}


def never_refused_by(refusals: Iterable[str]) -> list[str]:
    """What none of these reasons was, in the list's order."""
    seen = words(refusals)
    return [reason for reason in POSSIBLE if reason not in seen]
