"""What a deal of the account's history means: a trade, a result without a trade, income, a transfer, or credit.

The numbers are MetaTrader 5's own (`ENUM_DEAL_TYPE`; 18 to 20 from the server's list). Guarantees: negative money whose meaning
is not known is a result; positive money that is no deal of a position is income, which never lessens a day's loss.
Does not: book anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal

from quarterdeck.core.model.broker_account import Deal

DealKind = Literal["trade", "result", "income", "transfer", "credit", "cancelled"]

BALANCE: Final = 2
CREDIT: Final = 3
CORRECTION: Final = 5
BONUS: Final = 6
COMPENSATION_CREDIT: Final = 20
CANCELLED: Final = (13, 14)
TRADES: Final = (0, 1)
MOVES_CREDIT: Final = (CREDIT, COMPENSATION_CREDIT)
_TRANSFERS: Final = (BALANCE, CORRECTION, BONUS)
NAMES: Final[dict[int, str]] = {
    0: "buy", 1: "sell", 2: "balance", 3: "credit", 4: "charge", 5: "correction", 6: "bonus", 7: "commission",
    8: "daily commission", 9: "monthly commission", 10: "daily agent commission", 11: "monthly agent commission",
    12: "interest", 13: "cancelled buy", 14: "cancelled sell", 15: "dividend", 16: "franked dividend", 17: "tax", 18: "agent",
    19: "stop-out compensation", 20: "stop-out compensation of credit",
}  # fmt: skip
_NUMBER = re.compile(r"\d{4,}")


def type_name(deal_type: int) -> str:
    """The type in words; one that is not known by its number."""
    return NAMES.get(deal_type, f"deal type {deal_type}")


def deal_type(deal: Deal) -> int:
    """The type of a deal; one from a tape that did not tell it is a trade or a balance operation."""
    if deal.deal_type >= 0:
        return deal.deal_type
    return (0 if deal.side > 0 else 1) if deal.symbol else BALANCE


def balance_change(deal: Deal) -> float:
    """What a deal moves the balance by: profit, commission, fee and swap of a trade, `balance_money` of everything else."""
    return deal.profit_money + deal.commission_money + deal.fee_money + deal.swap_money + deal.balance_money


def kind_of(deal: Deal, result_words: Iterable[str], known: Callable[[int], bool]) -> DealKind:
    """The kind of a deal. `result_words` begin a word of its comment; `known` says whether a number is a deal or position."""
    number = deal_type(deal)
    if number in TRADES:
        return "trade"
    if number in MOVES_CREDIT:
        return "credit"
    if number in CANCELLED:
        return "cancelled"
    if number in _TRANSFERS and not _is_result(deal.comment, result_words, known):
        return "transfer"
    return "income" if balance_change(deal) > 0.0 else "result"


def _is_result(comment: str, result_words: Iterable[str], known: Callable[[int], bool]) -> bool:
    text = comment.lower()
    if any(re.search(rf"\b{re.escape(word.lower())}", text) for word in result_words):
        return True
    return any(known(int(number)) for number in _NUMBER.findall(comment))
