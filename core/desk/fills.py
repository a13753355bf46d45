"""A fill may cost more risk than was asked for: the stop stays at its price, and the operator's choice says what happens.

Promises: judged once per position, when its order's outcome is proven. Does not: move the stop.
"""

from __future__ import annotations

from quarterdeck.core.desk import position_closing
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import ManagedPosition
from quarterdeck.core.desk.equity import amount
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.risk.rounding import floor_lots


def check_fill_risk(ctx: Context, position: ManagedPosition) -> None:
    """Report, or trim, what puts more at risk than the operator's share of the asked."""
    if position.fill_judged:
        return
    position.fill_judged = True
    own = ctx.policy(position.symbol).settings.risk
    asked = position.asked_risk_money
    if asked <= 0.0 or position.risk_money <= asked * own.fill_risk_max_pct / 100.0:
        return
    share = position.risk_money / asked
    spec = ctx.spec(position.symbol)
    keep, cut = 0.0, 0.0
    if own.fill_risk_action == "trim" and spec is not None:
        keep = floor_lots(spec, position.lots / share)
        cut = floor_lots(spec, position.lots - keep)
    trims = keep > 0.0 and cut > 0.0
    what_now = (
        f"The desk closes {cut:g} lots of it. Nothing to do."
        if trims
        else "The desk keeps it and its stop. Reduce it if you wish."
    )
    text = (
        f"#{position.ticket} {position.symbol} {position.side.word} {position.lots:g} lots filled at {position.open_price}, "
        f"worse than planned: it risks {amount(ctx, position.risk_money)} instead of {amount(ctx, asked)} ({share:.0%}). "
        f"{what_now}"
    )
    ctx.emit(Alert(kind="risk", level="warning", text=text, symbol=position.symbol, ticket=position.ticket))
    if trims:
        position_closing.start_close(ctx, position.position_id, "trim", lots=cut)
