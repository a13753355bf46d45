"""Money that comes and goes: deals into the balance, transfers out of the limits, and money that no deal explains.

Guarantees: the balance that limits are judged by is the explained one, so a balance read before its deal is no result; a transfer
scales the day's base and the peak, so it changes no percentage; every movement without a trade is alerted. Unexplained money
closes nothing: a shortfall counts as lost for new entries, and after `account.unexplained_wait_s` stops them.
Does not: hold the formulas (`core.risk.balance`, `core.risk.breakers`), or decide kinds (`core.model.deal_kinds`).
Units: money in account currency.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from quarterdeck.core.desk import breaker_watch, external_volume
from quarterdeck.core.desk.breaker_watch import BalanceOperation
from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.equity import amount, shortfall_money, signed_amount, sum_equity, unexplained_money
from quarterdeck.core.desk.memory_limits import DEAL_MONEY_MAX, GONE_MAX, trim
from quarterdeck.core.desk.trading_state import add_reason, drop_reason
from quarterdeck.core.model.broker_account import Account, Deal
from quarterdeck.core.model.deal_kinds import DealKind, balance_change, deal_type, kind_of, type_name
from quarterdeck.core.model.effects import Alert, MoneyMoved
from quarterdeck.core.model.units import Money, UtcNs
from quarterdeck.core.risk import balance

REASON = "unexplained_money"
UNCLEAR = "payout_unclear"
_WORDS = {"transfer": ("Deposit", "Withdrawal"), "credit": ("Credit added", "Credit removed")}
_FUNDED_TAILS = {
    "payout": "It counts as a payout: the prop firm's loss limits stay where they are, or rise as `prop_firm.floor_after_payout` "
    "says. Nothing to do.",
    "withdrawal": "The prop firm's loss limits stay where they are. No new entries until you say what it is: "
    "`quarterdeck resolve {ticket} --payout` if the firm paid you, `quarterdeck resolve {ticket} --transfer` if it made the "
    "account smaller.",
}


def account_key(account: Account) -> str:
    """Whose money a balance is."""
    return f"{account.login} {account.server} {account.currency}"


def account_money_read(ctx: Context, old: Account | None, new: Account) -> None:
    """Compare balance and credit as read with what is explained; `old` is the account as read before."""
    state, key = ctx.state, account_key(new)
    if not state.balance.account:
        state.balance_read_utc_ns = ctx.now
        _take(ctx, balance.first_read(key, new.balance_money))
    elif state.balance.account != key:
        return
    if old is not None and old.credit_money != new.credit_money:
        change = new.credit_money - old.credit_money
        state.credit_ahead_money += change
        _transferred(ctx, "credit", change, text="credit as the broker reports it")
    for position in state.positions.values():
        position.left_read = position.left_read or position.left_lots > 0.0
    external_volume.balance_read(ctx)
    _compare(ctx, new.balance_money)
    unaccounted(ctx, external_volume.without_deal(ctx))


def _compare(ctx: Context, balance_money: Money) -> None:
    state = ctx.state
    read = balance.balance_read(state.balance, balance_money, unit_money=unit_money(ctx), at_utc_ns=ctx.now)
    decided, before = read.decided, _worth(ctx)
    change = read.state.explained_money - state.balance.explained_money
    if decided is not None and decided.transfer:
        _scale(ctx, change, _meaning(ctx, change, payout=True))
    _take(ctx, read.state)
    _settle(ctx)
    if decided is not None and decided.transfer and not decided.booked:
        _tell(ctx, "transfer", change, before, "dated before the first balance was read", 0)


def _take(ctx: Context, new: balance.BalanceState) -> None:
    ctx.state.balance = new
    ctx.state.balance_money = new.explained_money
    breaker_watch.balance_seen(ctx)


def unit_money(ctx: Context) -> Money:
    """The smallest unit of the account's currency."""
    account = ctx.state.account
    return 0.01 if account is None else float(10.0**-account.currency_digits)


def balance_moved(ctx: Context, deal: Deal, *, seen_money: Money = 0.0) -> None:
    """The money of a trade's deal enters the balance, unless it is part of the first one, or was booked before it came.

    `seen_money` is what the closed volume was worth when the day began.
    """
    state, money = ctx.state, balance_change(deal)
    if state.account is None:
        return
    if deal.at_utc_ns < state.balance_read_utc_ns:
        _early(ctx, money, transfer=False)
        return
    _keep_money(ctx, deal.deal_ticket, money)
    _book(ctx, money)
    breaker_watch.deal_dated(ctx, money, deal.at_utc_ns, seen_money)


def _book(ctx: Context, money: Money) -> bool:
    """Whether `money` is news to the balance."""
    state = ctx.state
    known = balance.known_before(state.balance, money, unit_money=unit_money(ctx))
    _take(ctx, known if known is not None else balance.deal_booked(state.balance, money))
    _settle(ctx)
    return known is None


def _early(ctx: Context, money: Money, *, transfer: bool) -> None:
    """A deal dated before the first balance was read is part of it, unless the balance shows otherwise: clocks may differ."""
    state = ctx.state
    state.balance = balance.perhaps(state.balance, money, transfer=transfer)
    _compare(ctx, state.balance.explained_money + state.balance.unexplained_money)


def _keep_money(ctx: Context, ticket: int, money: Money) -> None:
    """What a deal brought, in case the broker changes it later."""
    ctx.state.deal_money[ticket] = money
    trim(ctx.state.deal_money, DEAL_MONEY_MAX)


def deal_changed(ctx: Context, deal: Deal) -> None:
    """A deal that is booked is reported again with other money: the difference is a result once the balance shows it."""
    state = ctx.state
    before = state.deal_money.get(deal.deal_ticket)
    change = 0.0 if before is None else balance_change(deal) - before
    if before is None or abs(change) <= 0.5 * unit_money(ctx):
        return
    state.deal_money[deal.deal_ticket] = balance_change(deal)
    state.balance = balance.perhaps(state.balance, change)
    text = f"The broker changed deal {deal.deal_ticket} ({type_name(deal_type(deal))}) by {signed_amount(ctx, change)}"
    ctx.emit(
        Alert(
            kind="money",
            level="warning",
            text=f"{text}. It counts as a result once the balance shows it. Compare with the terminal's history.",
            ticket=deal.position_id,
        )
    )
    _compare(ctx, state.balance.explained_money + state.balance.unexplained_money)
    sum_equity(ctx)
    ctx.wake_changed = True


def kind(ctx: Context, deal: Deal) -> DealKind:
    """What a deal means to this desk."""
    state = ctx.state

    def known(number: int) -> bool:
        return (
            number in state.deals
            or number in state.positions
            or number in state.recently_closed
            or number in state.external_positions
        )

    return kind_of(deal, ctx.settings.account.result_words, known)


def no_trade(ctx: Context, deal: Deal, meaning: DealKind) -> None:
    """A deal that is no trade: a transfer, a result such as a charge, income, or a change of credit."""
    state, money = ctx.state, balance_change(deal)
    if state.account is None:
        return
    words = f"{type_name(deal_type(deal))}, deal {deal.deal_ticket} {deal.comment}".strip()
    if meaning == "credit":
        _credit(ctx, deal, state.account, words)
        return
    if deal.at_utc_ns < state.balance_read_utc_ns:
        _early(ctx, money, transfer=meaning == "transfer")
        return
    _keep_money(ctx, deal.deal_ticket, money)
    if meaning == "transfer":
        known = balance.known_before(state.balance, money, unit_money=unit_money(ctx))
        if known is None:
            payout = any(word.lower() in deal.comment.lower() for word in ctx.settings.prop_firm.payout_words)
            what = _meaning(ctx, money, payout=payout)
            _transferred(ctx, what, money, text=words, ticket=deal.deal_ticket, dated_utc_ns=deal.at_utc_ns)
        else:
            _take(ctx, known)
            _settle(ctx)
        return
    before = _worth(ctx)
    if _book(ctx, money) and money:
        breaker_watch.deal_dated(ctx, money, deal.at_utc_ns)
        if money > 0.0 and deal.at_utc_ns >= state.breakers.day_started_utc_ns:
            breaker_watch.income(ctx, money, before)
        if meaning == "result":
            state.results_without_trade[deal.deal_ticket] = money
            state.results_dated_utc_ns[deal.deal_ticket] = deal.at_utc_ns
            trim(state.results_without_trade, GONE_MAX)
            trim(state.results_dated_utc_ns, GONE_MAX)
        sum_equity(ctx)
        _tell(ctx, "income" if money > 0.0 else "result", money, before, words, deal.deal_ticket)


def _credit(ctx: Context, deal: Deal, account: Account, words: str) -> None:
    """A change of credit belongs to the date of its deal, unless the account as read showed it first."""
    state, change = ctx.state, deal.credit_money
    ctx.note("credit", f"{change:+.2f} ({words})")
    if deal.at_utc_ns < state.balance_read_utc_ns or not change:
        return
    ahead = state.credit_ahead_money
    if ahead * change > 0.0 and abs(change) <= abs(ahead) + 0.5 * unit_money(ctx):
        rest = ahead - change
        state.credit_ahead_money = rest if abs(rest) > 0.5 * unit_money(ctx) else 0.0
        return
    _transferred(ctx, "credit", change, text=words, ticket=deal.deal_ticket, dated_utc_ns=deal.at_utc_ns)
    state.account = replace(account, credit_money=account.credit_money + change)
    sum_equity(ctx)


def _meaning(ctx: Context, money: Money, *, payout: bool) -> BalanceOperation:
    """What a transfer is to a funded account; to another one it is a transfer."""
    if money >= 0.0 or not ctx.settings.prop_firm.enabled:
        return "transfer"
    return "payout" if payout else "withdrawal"


def _transferred(
    ctx: Context, what: BalanceOperation, money: Money, *, text: str, ticket: int = 0, dated_utc_ns: UtcNs = 0
) -> None:
    """Money that is no result: limits are scaled by it."""
    state, before, since = ctx.state, _worth(ctx), ctx.state.balance.since_utc_ns
    breaker_watch.balance_operation(ctx, money, before, dated_utc_ns or ctx.now, what)
    if what == "credit":
        _tell(ctx, what, money, before, text, ticket)
        return
    _take(ctx, balance.deal_booked(state.balance, money))
    _settle(ctx)
    sum_equity(ctx)
    breaker_watch.funded_explained(ctx, since)
    if what == "withdrawal":
        state.unclear_withdrawals[ticket] = money
        trim(state.unclear_withdrawals, GONE_MAX)
        why = f"It is not known whether the withdrawal of {amount(ctx, -money)} (deal {ticket}) is a payout"
        add_reason(ctx, UNCLEAR, why, alert="", told="warning")
    _tell(ctx, "transfer", money, before, text, ticket, _FUNDED_TAILS.get(what, "").format(ticket=ticket))


def _scale(ctx: Context, money: Money, what: BalanceOperation) -> None:
    breaker_watch.balance_operation(ctx, money, _worth(ctx), ctx.now, what)


def _worth(ctx: Context) -> Money:
    """Equity as it is judged; balance and credit while a rate is missing."""
    state = ctx.state
    if state.equity_money is not None:
        return state.equity_money
    return state.balance_money + (state.account.credit_money if state.account is not None else 0.0)


def _tell(
    ctx: Context,
    what: Literal["transfer", "credit", "income", "result"],
    money: Money,
    before: Money,
    text: str,
    ticket: int,
    funded: str = "",
) -> None:
    """Journal and alert a movement; `before` is equity without it, `funded` what it means to a funded account."""
    ctx.wake_changed = True
    after = before + money
    effect = MoneyMoved(
        kind=what,
        money=money,
        equity_before_money=before,
        equity_after_money=after,
        at_utc_ns=ctx.now,
        deal_ticket=ticket,
        text=text,
    )
    ctx.emit(effect)
    if what in _WORDS:
        head = _WORDS[what][0 if money > 0.0 else 1]
        counted = "gain" if money > 0.0 else "loss"
        tail = funded or f"It counts as no {counted}: the daily loss and the drawdown are measured without it. Nothing to do."
    elif what == "income":
        head, tail = "Income", "It does not make up for a loss of the day. Nothing to do."
    else:
        head, tail = "Charge", "It counts as a loss of the day."
        if ticket:
            tail += f" If it was a withdrawal, run `quarterdeck resolve {ticket} --transfer`."
    ctx.emit(
        Alert(
            kind="money",
            level="warning",
            text=f"{head} {signed_amount(ctx, money)} ({text}). Equity is now {amount(ctx, after)}. {tail}",
        )
    )


def _settle(ctx: Context) -> None:
    """Unexplained money asks for its deals; once all is explained, entries continue."""
    state = ctx.state
    ctx.wake_changed = True
    if not state.balance.unexplained_money:
        drop_reason(ctx, REASON, "Deals explain the whole balance again")
        return
    if balance.untold(state.balance, unit_money(ctx)):
        ctx.query_book_later()
    if shortfall_money(ctx) >= 0.0:
        drop_reason(ctx, REASON, "No money is missing from the balance any more")


def next_due(ctx: Context) -> UtcNs:
    """When money that no deal explains has waited long enough; 0 where none waits unreported."""
    known = ctx.state.balance
    if not known.unexplained_money or not balance.untold(known, unit_money(ctx)):
        return 0
    return known.since_utc_ns + ns(ctx.settings.account.unexplained_wait_s)


def due(ctx: Context) -> None:
    """Tell of money that stayed without a deal; a shortfall stops entries."""
    state = ctx.state
    at = next_due(ctx)
    if not at or ctx.now < at:
        return
    state.balance = balance.told(state.balance)
    waiting = unexplained_money(ctx)
    if abs(waiting) <= unit_money(ctx):
        return  # a closed trade of ours explains it; its deals are still to come
    text = f"The balance changed by {signed_amount(ctx, waiting)} and no deal explains it"
    what_to_do = (
        "Find it in the terminal's account history and say what it was: `quarterdeck resolve money --transfer` for a deposit or "
        "withdrawal (loss limits are measured without it), `quarterdeck resolve money --result` for a profit or loss (it counts)."
    )
    if waiting < 0.0:
        add_reason(ctx, REASON, text, alert="", told="critical")
        text = f"{text}. No new entries; open positions are still managed."
        ctx.emit(Alert(kind="money", level="critical", text=f"{text} {what_to_do}"))
    else:
        text = f"{text}. Trading continues, and loss limits are computed without it."
        ctx.emit(Alert(kind="money", level="warning", text=f"{text} {what_to_do}"))


def unaccounted(ctx: Context, money: Money) -> None:
    """A trade ends without its deals: what the balance shows of it is booked as its result."""
    if money:
        _take(ctx, balance.booked_without_deal(ctx.state.balance, money, transfer=False))
        _settle(ctx)


def resolve_money(ctx: Context, word: Literal["result", "transfer", "payout"]) -> tuple[bool, str]:
    """The operator's decision on money that no deal explains."""
    waiting, since, transfer = unexplained_money(ctx), ctx.state.balance.since_utc_ns, word != "result"
    if word == "payout" and (waiting > 0.0 or not ctx.settings.prop_firm.enabled):
        return False, "Only money that leaves a prop firm's account can be a payout; say --transfer or --result"
    if abs(waiting) <= unit_money(ctx):
        return False, "Deals explain the whole balance: nothing to resolve"
    before = _worth(ctx)
    if word != "result":
        _scale(ctx, waiting, word)
    elif waiting > 0.0:
        breaker_watch.income(ctx, waiting, before)
    _take(ctx, balance.booked_without_deal(ctx.state.balance, waiting, transfer=transfer))
    _settle(ctx)
    sum_equity(ctx)
    if transfer:
        breaker_watch.funded_explained(ctx, since)
    what: Literal["transfer", "income", "result"] = "transfer" if transfer else "income" if waiting > 0.0 else "result"
    _tell(ctx, what, waiting, before, "as you decided", 0, _FUNDED_TAILS.get(word, ""))
    breaker_watch.check_equity(ctx)
    return True, f"{signed_amount(ctx, waiting)} is booked as a {word}"


def resolve_deal(ctx: Context, ticket: int, word: Literal["transfer", "payout"]) -> tuple[bool, str]:
    """The operator's decision: a deal booked as a result, or a withdrawal, whose meaning is not known, is this."""
    state = ctx.state
    if ticket in state.unclear_withdrawals:
        return _resolve_withdrawal(ctx, ticket, word)
    money = state.results_without_trade.get(ticket)
    if money is None:
        return False, f"Deal {ticket} is neither a charge or an income booked as a result nor an unexplained withdrawal"
    if word == "payout" and (money > 0.0 or not ctx.settings.prop_firm.enabled):
        return False, "Only money that leaves a prop firm's account can be a payout; say --transfer"
    del state.results_without_trade[ticket]
    worth = _worth(ctx)
    breaker_watch.result_was_transfer(ctx, money, worth - money, state.results_dated_utc_ns.pop(ticket, ctx.now), word)
    breaker_watch.judge_again(ctx)
    text = f"deal {ticket}, as you decided"
    _tell(ctx, "transfer", money, worth - money, text, ticket, _FUNDED_TAILS.get(word, ""))
    return True, f"Deal {ticket} of {signed_amount(ctx, money)} is booked as a {word}"


def _resolve_withdrawal(ctx: Context, ticket: int, word: Literal["transfer", "payout"]) -> tuple[bool, str]:
    state = ctx.state
    money = state.unclear_withdrawals.pop(ticket)
    breaker_watch.withdrawal_told(ctx, money, payout=word == "payout")
    if not state.unclear_withdrawals:
        drop_reason(ctx, UNCLEAR, "Each withdrawal is explained")
    ctx.note("resolved", f"withdrawal {ticket} of {money:+.2f} is a {word}, as you decided", level="warning")
    breaker_watch.check_equity(ctx)
    return True, f"Deal {ticket} of {signed_amount(ctx, money)} is booked as a {word}"
