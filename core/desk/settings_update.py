"""New settings, as a whole and validated: they hold from here on.

Promises: each changed parameter is reported once, with old and new value; limits that hold at once are judged at once; traded
pairs, magic number and the day's zone keep to the start of the run. Does not: validate (the shell did).
"""

from __future__ import annotations

from quarterdeck.core.desk import account_and_connection, breaker_watch
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.startup import settings_of
from quarterdeck.core.desk.trading_state import drop_reason
from quarterdeck.core.model.effects import SettingApplied
from quarterdeck.core.model.inputs import SettingsChanged
from quarterdeck.core.settings.parameters import parameters


def settings_changed(ctx: Context, told: SettingsChanged) -> None:
    """Take over a tree of settings."""
    ctx.use_settings(settings_of(told.settings))
    for key, old, new in told.changes:
        ctx.emit(SettingApplied(key=key, old=old, new=new, cause=told.cause))
        if takes_effect(key) == "next start":
            ctx.note("next_start", f"{key} = {new} takes effect at the next start")
    account_and_connection.update_calendar_reason(ctx)
    if not ctx.settings.kelly.enabled or ctx.settings.kelly.negative_action == "go_on":
        drop_reason(ctx, "kelly", "Kelly sizing no longer stops entries")
    breaker_watch.settings_changed(ctx)


def takes_effect(key: str) -> str:
    """When a parameter takes effect; the same for a pair's own as for all."""
    parts = key.split(".")
    row = parameters().get(".".join(parts[2:]) if parts[0] == "pair" else key)
    return row.takes_effect if row is not None else "next start"
