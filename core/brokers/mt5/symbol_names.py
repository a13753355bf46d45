"""From the names of settings to the names of the broker: "EURUSD" may be "EURUSD.a", "EURUSDm" or "#EURUSD".

Promises: the exact name wins; then the configured suffix; then the only symbol, or the shortest tradable one, with both
currencies right. Case is kept. Does not: guess between two equally good ones silently; `resolve` says what it chose between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

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
    names = {str(record["name"]) for record in offered}
    for exact in (plain + suffix, plain):
        if exact in names:
            return ResolvedSymbol(plain, exact)
    fitting = [record for record in offered if _fits(plain, record)]
    if not fitting:
        return None
    ranked = sorted(fitting, key=_rank)
    return ResolvedSymbol(plain, str(ranked[0]["name"]), tuple(str(record["name"]) for record in ranked[1:]))


def plain_name(record: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """The plain name of a broker's symbol: the one it was resolved from, else its own name."""
    name = str(record["name"])
    return known.get(name, name)


def _fits(plain: str, record: Mapping[str, Any]) -> bool:
    name = str(record["name"])
    if len(plain) == _CURRENCIES:
        pair = (str(record["currency_base"]).upper(), str(record["currency_profit"]).upper())
        return pair == (plain[:3].upper(), plain[3:].upper()) and plain.upper() in name.upper()
    return name.upper().startswith(plain.upper())


def _rank(record: Mapping[str, Any]) -> tuple[bool, bool, int, str]:
    name = str(record["name"])
    return (int(record["trade_mode"]) == 0, bool(record["custom"]), len(name), name)
