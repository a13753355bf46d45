"""Words of tape version 1 and what they are called since version 2: tags, fields and values of inputs, effects and checkpoints.

The one place that knows the old words. A body of version 1 is brought up to date before it is decoded; nothing is written with
them.
Everything not listed has kept its name. Values are plain MessagePack data: maps, lists, texts and numbers.
"""

from __future__ import annotations

from typing import Any

TAGS = {
    "ask_book": "query_book",
    "ask_fate": "query_order",
    "absent": "not_executed",
    "bar_absent": "bar_missing",
    "book": "broker_book",
    "broker_clock": "server_clock_rule",
    "changed": "request_done",
    "deal": "new_deal",
    "engine_trouble": "engine_fault",
    "feed_state": "connection_state",
    "noted": "log_event",
    "part_closed": "partial_close",
    "rearm_drawdown": "reset_drawdown",
    "refused": "rejected",
    "released": "reservation_released",
    "report": "execution_report",
    "unknown_fate": "unconfirmed",
}
"""Old tag -> new tag; no old tag is a tag of version 2."""

_FIELDS = {
    "connection_state": {"up": "is_connected"},
    "execution_report": {"fate": "order_outcome"},
    "reservation_released": {"by": "release_cause"},
}
"""By new tag."""
EXIT_REASONS = {"hand": "manual"}
"""Why a trade was closed."""
_VALUES = {
    "partial_close": {"reason": EXIT_REASONS},
    "rejected": {"kind": {"gone": "not_found", "our_bug": "internal_error"}},
    "trade_closed": {"reason": EXIT_REASONS},
}
"""By new tag and new field."""
_OLD_TAG = {new: old for old, new in TAGS.items()}

_STATE = {
    "book_again_utc_ns": "book_retry_utc_ns",
    "book_asks_at_once": "book_queries_at_instant",
    "book_asks_utc_ns": "book_query_instant_ns",
    "calendar_heard": "calendar_received",
    "foreign": "external_positions",
    "funded": "prop_firm",
    "funded_day_end_utc_ns": "prop_firm_day_end_utc_ns",
    "gone": "recently_closed",
    "loose_costs": "early_deal_costs",
    "loose_lots": "early_deal_lots",
    "money_from_utc_ns": "balance_read_utc_ns",
    "rejudge_utc_ns": "reevaluate_utc_ns",
    "traded": "traded_signals",
    "troubles": "engine_faults",
}
"""Fields of a checkpoint's top level."""
_REASON = {"way_back": "clears_when"}
_CANDIDATE = {"after_position_id": "after_close_of"}
_PARTS = {
    "reasons": _REASON,
    "pairs": {"barred": "block_reasons", "hole_bar_utc_ns": "gap_bar_utc_ns", "usual_spread_price": "typical_spread_price"},
    "positions": {
        "book_ahead_in_lots": "book_opened_early_lots",
        "book_ahead_lots": "book_closed_early_lots",
        "exit_wish": "pending_exit",
        "gave_back": "retrace_done",
        "mismatch": "volume_mismatches",
        "opening_lots": "opened_deal_lots",
        "readings_without": "reads_without_deals",
        "settled_lots": "closed_deal_lots",
        "wish_risk_money": "pending_exit_risk_money",
    },
    "groups": {"gave_back": "retrace_done"},
    "orders": {"ask_utc_ns": "query_utc_ns", "fate": "order_status"},
    "closes": {"needs_book": "needs_book_read"},
    "waiting": _CANDIDATE,
    "sent": _CANDIDATE,
}
"""Fields of the records that a checkpoint holds by key or in a list."""


def every_tag(tag: str) -> tuple[str, ...]:
    """A tag as version 2 writes it and, where it had another word, as version 1 did: a journal may hold both."""
    return (tag, _OLD_TAG[tag]) if tag in _OLD_TAG else (tag,)


def current_body(body: Any) -> Any:
    """A decoded body of version 1 in the words of version 2; one that is up to date is returned equal."""
    if isinstance(body, list):
        return [current_body(item) for item in body]
    if not isinstance(body, dict):
        return body
    old: Any = body.get("type")
    if not isinstance(old, str):
        return {key: current_body(value) for key, value in body.items()}
    tag = TAGS.get(old, old)
    fields: dict[str, str] = _FIELDS.get(tag, {})
    values: dict[str, dict[str, str]] = _VALUES.get(tag, {})
    found: dict[Any, Any] = {"type": tag}
    for key, value in body.items():
        if key != "type" and isinstance(key, str):
            name = fields.get(key, key)
            kept = values.get(name, {})
            found[name] = kept.get(value, value) if isinstance(value, str) else current_body(value)
    return found


def current_checkpoint(state: dict[str, Any]) -> dict[str, Any]:
    """A decoded checkpoint of version 1 with the field names and values of version 2."""
    found = _renamed(state, _STATE)
    for name, words in _PARTS.items():
        found[name] = _each(found.get(name), words)
    for pair in _records(found["pairs"]):
        pair["block_reasons"] = _each(pair.get("block_reasons"), _REASON)
    for position in _records(found["positions"]):
        if position.get("stop_state") == "hand":
            position["stop_state"] = "manual"
    found["round"] = {**found["round"], "candidates": _each(found["round"]["candidates"], _CANDIDATE)}
    breakers = _renamed(found["breakers"], {"losses_in_row": "consecutive_losses"})
    found["breakers"] = {**breakers, "trips": _each(breakers["trips"], {"rearm": "resets_by"})}
    if found.get("flatten") is not None:
        found["flatten"] = _renamed(found["flatten"], {"left": "left_open"})
    return found


def _renamed(record: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    return {words.get(key, key): value for key, value in record.items()}


def _each(records: Any, words: dict[str, str]) -> Any:
    if isinstance(records, dict):
        return {key: _renamed(record, words) for key, record in records.items()}
    return [_renamed(record, words) for record in records or ()]


def _records(records: Any) -> list[dict[str, Any]]:
    return list(records.values()) if isinstance(records, dict) else list(records)
