"""Settings keys that version 0.1 knew by another name, and how they are understood: in files, on the command line, on tapes.

Only what reads uses it. An old key in an operator's file or option still works for one release, with a line that names the new
one.
"""

from __future__ import annotations

from typing import Any

RENAMED_KEYS = {
    "account.adopt_foreign": "account.manage_external_positions",
    "account.balance_warn_usd": "account.low_balance_warn_usd",
    "breakers.losses_in_row_max": "breakers.consecutive_losses_max",
    "breakers.on_trip": "breakers.trip_action",
    "care.age_max_hours": "position.time_exit_hours",
    "care.early_close_minutes": "position.early_close_minutes",
    "care.early_close_no_entries_minutes": "position.early_close_no_entries_minutes",
    "care.early_closes": "position.early_closes",
    "care.exit_rollover_hours": "position.exit_rollover_hours",
    "care.give_back_close_pct": "position.profit_retrace_close_pct",
    "care.give_back_from_costs_x": "position.profit_retrace_from_costs_x",
    "care.give_back_from_equity_pct": "position.profit_retrace_from_equity_pct",
    "care.give_back_from_r": "position.profit_retrace_from_r",
    "care.give_back_pct": "position.profit_retrace_pct",
    "care.give_back_under_min": "position.profit_retrace_below_min_lot",
    "care.pyramid": "position.pyramid",
    "care.pyramid_adds_max": "position.pyramid_adds_max",
    "care.pyramid_from_r": "position.pyramid_from_r",
    "care.pyramid_pullback_x_atr": "position.pyramid_pullback_x_atr",
    "care.stop_restore_s": "position.stop_restore_s",
    "care.trail_first_lock_pct": "position.trail_initial_lock_pct",
    "care.trail_from_r": "position.trail_from_r",
    "care.trail_step_x_atr": "position.trail_step_x_atr",
    "care.trail_x_atr": "position.trail_x_atr",
    "care.weekend_close_from": "position.weekend_close_from",
    "care.weekend_no_entries_from": "position.weekend_no_entries_from",
    "correlation.bars": "correlation.lookback_bars",
    "correlation.bars_min": "correlation.lookback_bars_min",
    "correlation.book_risk_max_pct": "correlation.risk_max_pct",
    "correlation.policy": "correlation.over_limit_action",
    "costs.path": "costs.intrabar_order",
    "costs.spread_inside_x": "costs.spread_intrabar_x",
    "costs.spread_pips": "costs.default_spread_pips",
    "costs.spread_usual_percentile": "costs.spread_typical_percentile",
    "engine.shutdown": "engine.shutdown_action",
    "execution.alert_again_minutes": "execution.alert_repeat_minutes",
    "execution.ask_again_s": "execution.order_query_s",
    "execution.book_check_s": "execution.reconcile_s",
    "execution.unknown_stops": "execution.unknown_order_scope",
    "exposure.all_stops_max_pct": "exposure.gap_risk_max_pct",
    "filters.own_position": "filters.opposite_signal_action",
    "filters.spread_usual_max_x": "filters.spread_typical_max_x",
    "flatten.at_open": "flatten.reopen_action",
    "flatten.open_spread_max_x": "flatten.reopen_spread_max_x",
    "flatten.open_wait_max_minutes": "flatten.reopen_wait_max_minutes",
    "funded.best_day_max_pct": "prop_firm.best_day_max_pct",
    "funded.close_buffer_pct": "prop_firm.close_buffer_pct",
    "funded.day_base": "prop_firm.day_base",
    "funded.day_loss_money": "prop_firm.day_loss_money",
    "funded.day_loss_pct": "prop_firm.day_loss_pct",
    "funded.day_start": "prop_firm.day_start",
    "funded.day_zone": "prop_firm.day_zone",
    "funded.enabled": "prop_firm.enabled",
    "funded.lock_at_start": "prop_firm.trailing_locks_at_starting_balance",
    "funded.lots_max": "prop_firm.lots_max",
    "funded.news_minutes": "prop_firm.news_minutes",
    "funded.overall_base": "prop_firm.overall_base",
    "funded.overall_loss_money": "prop_firm.overall_loss_money",
    "funded.overall_loss_pct": "prop_firm.overall_loss_pct",
    "funded.reduce_only_buffer_pct": "prop_firm.reduce_only_buffer_pct",
    "funded.starting_balance_money": "prop_firm.starting_balance_money",
    "funded.weekend_flat": "prop_firm.weekend_flat",
    "kelly.trades": "kelly.lookback_trades",
    "kelly.trades_min": "kelly.lookback_trades_min",
    "kelly.when_negative": "kelly.negative_action",
    "news.tighten_before": "news.tighten_stops",
    "news.when_unavailable": "news.no_calendar_action",
    "risk.cost_stop_max_pct": "risk.round_trip_cost_max_pct",
    "risk.effective_warn_pct": "risk.effective_risk_warn_pct",
    "risk.foreign_stop_x_atr": "risk.external_stop_x_atr",
    "risk.tick_value_gap_max_pct": "risk.tick_value_deviation_max_pct",
    "scan.answer_wait_s": "scan.response_timeout_s",
    "scan.rejudge_calm_s": "scan.reevaluate_calm_s",
    "scan.rejudge_volatile_s": "scan.reevaluate_volatile_s",
    "scan.takeover_s": "scan.worker_timeout_s",
    "scan.without_machines": "scan.no_worker_action",
    "strategy.give_up_s": "strategy.load_timeout_s",
    "ui.paint_per_s": "ui.max_fps",
}
"""Old dotted key -> new dotted key."""


def current_key(key: str) -> str:
    """A dotted key by its name of today, also behind `pair.XAUUSD.`; a key that was never renamed is returned as it is."""
    if key.startswith("pair.") and key.count(".") > 2:
        pair, symbol, rest = key.split(".", 2)
        return f"{pair}.{symbol}.{current_key(rest)}"
    return RENAMED_KEYS.get(key, key)


def current_tree(tree: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A tree of settings with today's keys, and a line for each key that was renamed. Where both stand, today's key holds."""
    found = {section: dict(values) if isinstance(values, dict) else values for section, values in tree.items()}
    notes: list[str] = []
    for old, new in RENAMED_KEYS.items():
        section, _, name = old.partition(".")
        values = found.get(section)
        if isinstance(values, dict) and name in values:
            value = values.pop(name)
            into, _, today = new.partition(".")
            place = found.setdefault(into, {})
            if isinstance(place, dict):
                place.setdefault(today, value)
            notes.append(f"{old} is called {new} now")
            if not values:
                del found[section]
    pairs = found.get("pair")
    if isinstance(pairs, dict):
        for symbol, parts in pairs.items():
            if isinstance(parts, dict):
                pairs[symbol], more = current_tree(parts)
                notes += [f"pair.{symbol}.{line}" for line in more]
    return found, tuple(notes)
