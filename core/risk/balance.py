"""The balance of an account as its deals explain it, and the money that no deal explains yet.

Why: a balance is read before, after or without the deal that moved it. Judged at once, a deposit is a profit, then a drawdown.
Guarantees: explained = first balance + all deals that moved it, to the broker's cent; unexplained = balance read - explained,
none within half a unit per deal. Money booked without its deal (the operator's decision, a trade whose deals never came) is not
booked again when the deal comes. Does not: judge whether money is a result or a transfer (`core.model.deal_kinds`).
Units: money in account currency, instants UTC ns.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.units import Money, UtcNs

_NOISE_MONEY = 1e-6
"""Of floats, not of money."""
_PENDING_MAX = 16


class Pending(Struct, frozen=True):
    """Money that may or may not be part of the balance read; the next reading that differs by exactly it decides."""

    money: Money
    booked: bool
    """True: booked without a deal, and taken out once a deal brings it. False: booked once the balance shows it."""
    transfer: bool = False
    """It is no result."""


class BalanceState(Struct, frozen=True, kw_only=True):
    """All that must survive a restart. Made empty; `first_read` begins it."""

    account: str = ""
    """Whose balance this is; readings of another account are none of ours. Empty before the first."""
    explained_money: Money = 0.0
    unexplained_money: Money = 0.0
    since_utc_ns: UtcNs = 0
    """When unexplained money was first seen, or last grew; 0 while there is none."""
    told_money: Money = 0.0
    """Unexplained money that the operator was alerted to."""
    deals: int = 0
    """Deals since balance and deals agreed last; each may be rounded by half a unit."""
    pending: tuple[Pending, ...] = ()


def first_read(account: str, balance_money: Money) -> BalanceState:
    """The account's first balance, which needs no explanation."""
    return BalanceState(account=account, explained_money=balance_money)


class Read(NamedTuple):
    """A balance compared with its deals."""

    state: BalanceState
    decided: Pending | None
    """What this reading proved to be part of the balance, or to be booked twice."""


def balance_read(state: BalanceState, balance_money: Money, *, unit_money: Money, at_utc_ns: UtcNs) -> Read:
    """Compare a balance as read with the deals; `unit_money` is the smallest unit of the account's currency."""
    tolerance = _tolerance_money(state, unit_money)
    gap = balance_money - state.explained_money
    decided = None
    for pending in state.pending if abs(gap) > tolerance else ():
        change = -pending.money if pending.booked else pending.money
        if abs(gap - change) <= tolerance:
            decided = pending
            state = replace(state, explained_money=state.explained_money + change, pending=_without(state.pending, pending))
            gap = balance_money - state.explained_money
            break
    if abs(gap) > tolerance:
        return Read(_unexplained(state, gap, at_utc_ns), decided)
    agreed = replace(state, explained_money=balance_money, unexplained_money=0.0, since_utc_ns=0, told_money=0.0, deals=0)
    return Read(agreed, decided)


def _tolerance_money(state: BalanceState, unit_money: Money) -> Money:
    return 0.5 * unit_money * max(state.deals, 1) + _NOISE_MONEY


def _without(pending: tuple[Pending, ...], one: Pending) -> tuple[Pending, ...]:
    rest = list(pending)
    rest.remove(one)
    return tuple(rest)


def _unexplained(state: BalanceState, gap: Money, at_utc_ns: UtcNs) -> BalanceState:
    """The part that waits; it counts anew from the moment it begins, grows or changes its sign."""
    before = state.unexplained_money
    grew = before * gap <= 0.0 or abs(gap) > abs(before) + _NOISE_MONEY
    since = at_utc_ns if grew else state.since_utc_ns
    return replace(state, unexplained_money=gap, since_utc_ns=since)


def deal_booked(state: BalanceState, money: Money) -> BalanceState:
    """A deal moved the balance by `money`; where the balance read held it already, so much less is unexplained."""
    waiting = state.unexplained_money
    if abs(waiting) > _NOISE_MONEY and abs(waiting - money) < abs(waiting):
        rest = waiting - money
        waiting = rest if abs(rest) > _NOISE_MONEY else 0.0
    return replace(
        state,
        explained_money=state.explained_money + money,
        unexplained_money=waiting,
        since_utc_ns=state.since_utc_ns if waiting else 0,
        deals=state.deals + 1,
    )


def known_before(state: BalanceState, money: Money, *, unit_money: Money) -> BalanceState | None:
    """The state after a deal of `money` that was booked before it came, by the operator's decision; None where it was not."""
    for pending in state.pending:
        if pending.booked and abs(pending.money - money) <= 0.5 * unit_money + _NOISE_MONEY:
            return replace(
                state,
                explained_money=state.explained_money + money - pending.money,
                pending=_without(state.pending, pending),
                deals=state.deals + 1,
            )
    return None


def booked_without_deal(state: BalanceState, money: Money, *, transfer: bool) -> BalanceState:
    """Book unexplained money as explained; a deal that brings it later is known before."""
    return _remembered(deal_booked(state, money), Pending(money, booked=True, transfer=transfer))


def perhaps(state: BalanceState, money: Money, *, transfer: bool = False) -> BalanceState:
    """A deal that the first balance may hold already, or a change of one that is booked: a later reading decides."""
    return _remembered(state, Pending(money, booked=False, transfer=transfer)) if money else state


def _remembered(state: BalanceState, pending: Pending) -> BalanceState:
    return replace(state, pending=(*state.pending, pending)[-_PENDING_MAX:])


def untold(state: BalanceState, unit_money: Money) -> bool:
    """Whether the operator does not know of what is unexplained now."""
    return abs(state.unexplained_money - state.told_money) > 0.5 * unit_money


def told(state: BalanceState) -> BalanceState:
    """The operator knows of what is unexplained now."""
    return replace(state, told_money=state.unexplained_money)
