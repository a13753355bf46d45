"""What new settings would do to what is open: tried on a copy of the desk, at the prices and the instant of now.

Promises: the copy decides by the same code that will decide when the settings are applied; the desk itself is left as it is, to
the bit. Does not: say what the market does next, nor what becomes of a pair that has no fresh quote (care waits for one).
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.desk import flatten, position_management
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import decoded, encoded
from quarterdeck.core.desk.desk_view import desk_view
from quarterdeck.core.desk.settings_update import settings_changed
from quarterdeck.core.model.effects import Close, Modify
from quarterdeck.core.model.inputs import SettingsChanged
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.core.model.units import UtcNs


class SettingsPreview(Struct, frozen=True, kw_only=True):
    """The desk before and after, and what it would send at once for each position."""

    before: DeskView
    after: DeskView
    acts: tuple[Modify | Close, ...]


def preview_update(ctx: Context, told: SettingsChanged, at_utc_ns: UtcNs) -> SettingsPreview:
    """Try `told` on a copy: first what position management would do anyway, then what it would do under the new settings."""
    at = max(at_utc_ns, ctx.now)
    before, anyway = _tried(ctx, None, at)
    after, acts = _tried(ctx, told, at)
    done = {_mark(act) for act in anyway}
    return SettingsPreview(before=before, after=after, acts=tuple(act for act in acts if _mark(act) not in done))


def _tried(ctx: Context, told: SettingsChanged | None, at_utc_ns: UtcNs) -> tuple[DeskView, tuple[Modify | Close, ...]]:
    copy = Context(decoded(encoded(ctx.state)), ctx.settings)
    copy.now = at_utc_ns
    copy.account_policy = ctx.account_policy
    if told is not None:
        settings_changed(copy, told)
    position_management.due(copy)
    if copy.flatten_requested is not None:
        flatten.start(copy, copy.flatten_requested, halt=False)
    return desk_view(copy, at_utc_ns), tuple(effect for effect in copy.pending_effects if isinstance(effect, Modify | Close))


def _mark(act: Modify | Close) -> tuple[object, ...]:
    """What an act does to which position; the numbers of its request are left out."""
    if isinstance(act, Modify):
        return act.position_id, act.stop_price, act.target_price
    return act.position_id, act.lots, act.why
