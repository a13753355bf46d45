"""From the names of settings to the names of the broker: "EURUSD" may be "EURUSD.a", "EURUSDm" or "#EURUSD".

Promises: the configured suffix wins; then the exact name, unless nothing can be opened in it and another symbol of the pair is
open; then the only symbol, or the shortest tradable one, with both currencies right. Case is kept. Two symbols of the broker
never share a name here. Does not: guess between two equally good ones silently; `resolve` says what it chose between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

APART = "broker:"
"""Before the name of a broker's symbol that is not the one traded under that name."""
_CURRENCIES = 6
"""Letters of a pair's plain name."""


class ResolvedSymbol(Struct, frozen=True):
    """A plain name and what the broker calls it; `among` lists other names that would have fitted."""

    plain: str
    broker: str
    among: tuple[str, ...] = ()


def resolve(plain: str, symbols: Iterable[Mapping[str, Any]], suffix: str = "") -> ResolvedSymbol | None:
    """The broker's name for `plain`; None when nothing of that kind is offered. `symbols` are records of `symbols_get`."""
    offered = list(symbols)
    named = {str(record["name"]): record for record in offered}
    if suffix and plain + suffix in named:
        return ResolvedSymbol(plain, plain + suffix)
    exact = named.get(plain)
    if exact is not None and _opens(exact):
        return ResolvedSymbol(plain, plain)
    fitting = [record for record in offered if _fits(plain, record)]
    if exact is not None and not any(_opens(record) for record in fitting):
        return ResolvedSymbol(plain, plain)
    if not fitting:
        return None
    ranked = sorted(fitting, key=_rank)
    return ResolvedSymbol(plain, str(ranked[0]["name"]), tuple(str(record["name"]) for record in ranked[1:]))


def plain_name(broker_name: str, plain_names: Mapping[str, str], broker_names: Mapping[str, str]) -> str:
    """The name here of a broker's symbol: the plain one that was resolved to it, else its own.

    Where its own name means another symbol here ("EURUSD" while EURUSD is traded as "EURUSD.pro"), it gets a name of its own.
    """
    name = plain_names.get(broker_name)
    if name is not None:
        return name
    return APART + broker_name if broker_name in broker_names else broker_name


def _fits(plain: str, record: Mapping[str, Any]) -> bool:
    name = str(record["name"])
    if len(plain) == _CURRENCIES:
        pair = (str(record["currency_base"]).upper(), str(record["currency_profit"]).upper())
        return pair == (plain[:3].upper(), plain[3:].upper()) and plain.upper() in name.upper()
    return name.upper().startswith(plain.upper())


def _opens(record: Mapping[str, Any]) -> bool:
    """Whether positions can be opened in a symbol: it is neither disabled nor for closing only."""
    return int(record["trade_mode"]) not in (0, 3)


def _rank(record: Mapping[str, Any]) -> tuple[bool, bool, bool, int, str]:
    name = str(record["name"])
    return (not _opens(record), int(record["trade_mode"]) == 0, bool(record["custom"]), len(name), name)
