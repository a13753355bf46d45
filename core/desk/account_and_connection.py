"""The account, the connection to the broker, the calendar, and the shell's own troubles: what is behind every entry.

Promises: an account that is not the one of the start halts the desk; a line that is down stops entries, never care.
"""

from __future__ import annotations

from quarterdeck.core.desk import breaker_watch, silent_pairs
from quarterdeck.core.desk.balance_changes import account_money_read
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.equity import revalue_all
from quarterdeck.core.desk.margin import account_margin_read
from quarterdeck.core.desk.memory_limits import EVENTS_MAX
from quarterdeck.core.desk.trading_state import CLOCK_REASONS, OPERATORS, add_reason, drop_reason, sentence
from quarterdeck.core.filters.news_window import update_schedule
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import AccountRead, Calendar, ConnectionState, EngineFault, ServerClockRule


def on_account(ctx: Context, read: AccountRead) -> None:
    """Take the account as read."""
    state, new = ctx.state, read.account
    old = state.account
    if old is not None and "starting" in state.reasons:
        breaker_watch.roll_days(ctx, ctx.now)
    state.account = new
    if old is None or old.currency != new.currency or old.currency_digits != new.currency_digits:
        ctx.forget_valuers()
        ctx.valuation_changed = True
    account_money_read(ctx, old, new)
    revalue_all(ctx)
    account_margin_read(ctx, read)
    if old is not None and _who(old) != _who(new):
        text = f"The terminal is logged in to another account: {new.login} on {new.server} instead of {old.login} on {old.server}"
        add_reason(ctx, "account_changed", text, alert="critical")
    if new.trade_allowed and new.experts_allowed:
        drop_reason(ctx, "not_allowed", f"The broker allows trading on account {new.login} again")
    else:
        what = "trading" if not new.trade_allowed else "automated trading"
        add_reason(ctx, "not_allowed", f"The broker does not allow {what} on account {new.login}")
    if not state.breakers.day_started_utc_ns:
        breaker_watch.begin_account(ctx)
    breaker_watch.check_equity(ctx, broker_equity_money=new.equity_money or None)
    ctx.wake_changed = True


def _who(account: Account) -> tuple[int, str, str, bool]:
    return account.login, account.server, account.currency, account.hedging


def on_connection(ctx: Context, told: ConnectionState) -> None:
    """The connection to the broker, or to one symbol, went down or came back."""
    ctx.wake_changed = True
    if told.symbol:
        silent_pairs.told(ctx, told)
    elif told.is_connected:
        if drop_reason(ctx, "feed", "The broker connection is back"):
            ctx.query_book("the connection came back")
    else:
        if "feed" not in ctx.state.reasons:
            text = (
                f"Broker connection lost: {sentence(told.why)} Open positions are protected only by their stops at the broker. "
                "The engine keeps reconnecting; no new entries until then. Check the terminal and the network."
            )
            ctx.emit(Alert(kind="connection", level="critical", text=text))
        add_reason(ctx, "feed", f"Broker connection lost: {told.why}", alert="", told="critical")


def on_calendar(ctx: Context, told: Calendar) -> None:
    """The calendar as known now."""
    state = ctx.state
    state.calendar_received = True
    state.news = update_schedule(state.news, told, ctx.now)
    if len(state.news.planned) > EVENTS_MAX:
        ctx.note("calendar_long", f"{len(state.news.planned)} events; all are kept", level="warning")
    update_calendar_reason(ctx)
    ctx.wake_changed = True


def update_calendar_reason(ctx: Context) -> None:
    """Without a calendar the desk follows `news.no_calendar_action`."""
    state = ctx.state
    if state.news.available or ctx.settings.news.no_calendar_action == "trade":
        drop_reason(ctx, "calendar", "The economic calendar can be read again")
    else:
        add_reason(ctx, "calendar", f"No economic calendar: {state.news.why}")


def on_engine_fault(ctx: Context, told: EngineFault) -> None:
    """The shell's own health changed; a halt it reports stays until it is over and the operator resumes."""
    ctx.wake_changed = True
    if told.active:
        ctx.state.engine_faults[told.kind] = True
        add_reason(ctx, told.kind, told.why or told.kind, alert="critical")
        return
    ctx.state.engine_faults.pop(told.kind, None)
    if told.kind in OPERATORS:
        ctx.note(told.kind, f"{told.why or 'The fault is over'}; no entries until you run `quarterdeck resume`", level="warning")
        return
    drop_reason(ctx, told.kind, told.why or f"The fault is over ({told.kind})")


def on_server_clock(ctx: Context, told: ServerClockRule) -> None:
    """The rule of the server's clock, for showing broker time; entries stop while this machine's clock is in question."""
    state = ctx.state
    state.broker_offset_s, state.clock_text = told.offset_s, told.why
    if told.judgement == "contradicted":
        drop_reason(ctx, "clock_unconfirmed", "This machine's clock was compared with the broker's")
        add_reason(ctx, "clock_contradicted", f"This machine's clock is wrong, or the broker's is: {told.why}", alert="critical")
        return
    drop_reason(ctx, "clock_contradicted", "The broker's clock confirms this machine's")
    if told.judgement == "unconfirmed":
        add_reason(ctx, "clock_unconfirmed", f"This machine's clock is not confirmed: {told.why}")
    else:
        drop_reason(ctx, "clock_unconfirmed", "The broker's clock confirms this machine's")


def trust_machine_clock(ctx: Context) -> tuple[bool, str]:
    """The operator says that this machine's clock is right."""
    gone = [code for code in CLOCK_REASONS if code in ctx.state.reasons]
    for code in gone:
        drop_reason(ctx, code, "This machine's clock is right, as you decided")
    if not gone:
        return False, "This machine's clock is not in question"
    return True, "This machine's clock counts as right; the server's offset is measured by it and stored"
