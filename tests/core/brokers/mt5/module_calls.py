"""The table of calls: every function of the `MetaTrader5` module with right, wrong and odd arguments, as source text.

An entry is the text of a call, so that a difference prints as something that can be typed. The table holds a right call of each
function and its variants: each argument replaced by each odd value, two wrong at once, one too few or too many, keywords.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import pickle
import sys
from collections import UserDict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

KINDS = {
    "text": ("None", "5", "1.5", "True", "b'EURUSD'", "''", "'x' * 29", "'x' * 30", "'x' * 31", "'x' * 2000", "'\\U0001f600' * 14",
             "'\\U0001f600' * 15", "'EUR\\0USD'", "'\\ud800'", "'Łódź'", "np.str_('EURUSD')", "['EURUSD']", "SubText('EURUSD')"),
    "whole": ("None", "'1'", "1.5", "1.0", "True", "0", "-1", "2**31 - 1", "2**31", "-(2**31)", "-(2**31) - 1", "2**32 - 1", "2**32",
              "2**63 - 1", "2**63", "2**64 - 1", "2**64", "np.int64(5)", "np.int32(5)", "np.uint64(5)", "np.float64(5.0)",
              "np.float32(5.0)", "np.bool_(True)", "Decimal(5)", "SubWhole(5)", "[5]", "b'5'", "(5,)"),
    "number": ("None", "'1'", "1", "0", "-1", "0.0", "-1.0", "True", "float('nan')", "float('inf')", "1e308", "2**63", "2**64",
               "10**400", "np.int64(5)", "np.float64(1.5)", "np.float32(1.5)", "np.bool_(True)", "Decimal('1.5')", "[1.5]",
               "SubNumber(1.5)"),
    "instant": ("None", "'2024-07-03'", "0", "1", "-1", "1.5", "0.5", "True", "1720000800", "1720000800.75", "2**31 - 1", "2**31",
                "2**31 - 0.5", "-(2**31)", "-(2**31) - 1", "2**32", "2**63", "2**64", "1720000800000", "float('nan')", "float('inf')",
                "1e300", "datetime(2024, 7, 3)", "datetime(2024, 7, 3, tzinfo=UTC)", "datetime(2024, 7, 3, tzinfo=EAST)",
                "datetime(2040, 1, 1, tzinfo=UTC)", "datetime(1969, 12, 31, tzinfo=UTC)", "datetime(1, 1, 1, tzinfo=UTC)",
                "date(2024, 7, 3)", "np.datetime64('2024-07-03')", "np.int64(1720000800)", "np.int32(1720000800)",
                "np.float64(1720000800.0)", "np.float32(1720000800.0)", "np.uint64(1720000800)", "Decimal(1720000800)",
                "Stamp()", "SubInstant(2024, 7, 3, tzinfo=UTC)", "[1720000800]"),
    "truth": ("None", "0", "1", "'x'", "''", "[]", "2**64", "np.bool_(True)", "Untrue()"),
}  # fmt: skip
"""Odd values of each kind of argument."""

_ARROW = "  ->  "
RECORDS = (
    "{0}()", "{0}(5)", "{0}([1])", "{0}(range({0}.n_fields + 1))", "{0}(range({0}.n_fields), {{}})", "{0}(range({0}.n_fields), 5)",
    "{0}(sequence=range({0}.n_fields))", "repr({0}(range({0}.n_fields)))", "{0}(range({0}.n_fields))._asdict()", "{0}.__module__",
    "{0}.__qualname__", "{0}.n_fields", "{0}.n_sequence_fields", "{0}.n_unnamed_fields", "{0}.__match_args__", "{0}._fields",
    "{0}(range({0}.n_fields)) == tuple(range({0}.n_fields))", "hash({0}(range({0}.n_fields))) == hash(tuple(range({0}.n_fields)))",
    "pickle.dumps({0}(range({0}.n_fields)))", "copy.deepcopy({0}(range({0}.n_fields))) == tuple(range({0}.n_fields))",
    "type(copy.copy({0}(range({0}.n_fields)))) is {0}", "setattr({0}(range({0}.n_fields)), {0}.__match_args__[0], 5)",
    "setattr({0}(range({0}.n_fields)), 'other', 5)", "{0}(range({0}.n_fields)).other", "{0}(range({0}.n_fields))[1:3]",
    "type({0}(range({0}.n_fields)) + ())", "isinstance({0}(range({0}.n_fields)), tuple)", "{0}(range({0}.n_fields))[{0}.n_fields]",
    "{0}(range({0}.n_fields))._replace()", "len({0}(range({0}.n_fields)))", "type('Sub', ({0},), {{}})",
)  # fmt: skip
"""What is asked of each record type."""
RECORD_TYPES = (
    "AccountInfo", "BookInfo", "OrderCheckResult", "OrderSendResult", "SymbolInfo", "TerminalInfo", "Tick", "TradeDeal", "TradeOrder",
    "TradePosition", "TradeRequest",
)  # fmt: skip

SEQUENCES = (
    "(initialize(NOWHERE), last_error(), version(), last_error(), account_info(), last_error())",
    "(initialize(NOWHERE, login='x'), last_error(), positions_get(), last_error(), symbols_total(), last_error())",
    "(shutdown(), last_error(), positions_total(), last_error(), login(1), last_error(), shutdown(), last_error())",
    "(symbol_info(5), last_error(), last_error(), market_book_add('EURUSD'), last_error())",
)
"""Several calls in a row: after a failed `initialize`, after `shutdown`, and what resets the error pair."""

TEXTS = (*KINDS["text"], "'x' * 253", "'x' * 254", "'x' * 257", "'x' * 258", "'x' * 1997", "'x' * 1998")
"""Of arguments that may be longer than a symbol."""

POSITIONAL = {
    "symbol_info": "text",
    "symbol_info_tick": "text",
    "symbol_select": "text truth",
    "market_book_add": "text",
    "market_book_release": "text",
    "market_book_get": "text",
    "copy_rates_from": "text whole instant whole",
    "copy_rates_from_pos": "text whole whole whole",
    "copy_rates_range": "text whole instant instant",
    "copy_ticks_from": "text instant whole whole",
    "copy_ticks_range": "text instant instant whole",
    "history_orders_total": "instant instant",
    "history_deals_total": "instant instant",
    "history_orders_get": "instant instant",
    "history_deals_get": "instant instant",
    "order_calc_margin": "whole text number number",
    "order_calc_profit": "whole text number number number",
}
"""Functions whose arguments have places, and the kind of each."""

BY_KEYWORD = {
    "positions_get": "ticket:whole symbol:text group:text",
    "orders_get": "ticket:whole symbol:text group:text",
    "history_orders_get": "ticket:whole position:whole group:text",
    "history_deals_get": "ticket:whole position:whole group:text",
    "symbols_get": "group:text",
    "login": "login:whole password:text server:text timeout:whole",
}

REQUEST = {
    "action": ("1", "whole"),
    "magic": ("7", "whole"),
    "order": ("0", "whole"),
    "symbol": ("'EURUSD'", "text"),
    "volume": ("0.1", "number"),
    "price": ("1.08515", "number"),
    "stoplimit": ("0.0", "number"),
    "sl": ("1.08", "number"),
    "tp": ("1.09", "number"),
    "deviation": ("10", "whole"),
    "type": ("0", "whole"),
    "type_filling": ("1", "whole"),
    "type_time": ("0", "whole"),
    "expiration": ("0", "whole"),
    "comment": ("'note'", "text"),
    "position": ("0", "whole"),
    "position_by": ("0", "whole"),
}

PLAIN = ("shutdown", "version", "last_error", "terminal_info", "account_info", "symbols_total", "positions_total", "orders_total")

WRONG = {"text": ("5",), "whole": ("'x'",), "number": ("None",), "instant": ("'x'", "2**31"), "truth": ("Untrue()",)}
"""What is wrong with each kind, for calls that are wrong in two places: which one is seen first."""

RIGHT = {"text": "'EURUSD'", "whole": "1", "number": "1.0", "instant": "1720000800", "truth": "True"}

ODD = (
    "initialize(1)", "initialize(None)", "initialize('x' * 258)", "initialize(b'x')", "initialize('a', 'b')", "initialize(path=1)",
    "initialize('a', path='b')", "initialize(NOWHERE)", "initialize(path=NOWHERE)", "initialize(NOWHERE, login=1, password='p', server='s')",
    "initialize(NOWHERE, portable=True)", "initialize(NOWHERE, portable=Untrue())", "initialize(NOWHERE, allow_trade=True)",
    "initialize(path=5, server=5)", "initialize(path=5, password=5)", "initialize(path=5, timeout='x')", "initialize(path=5, portable=Untrue())",
    "initialize(LONG_PATH)", "initialize(5, login='x')", "initialize(path=5, login='x')", "initialize('x' * 258, server=5)", "login('x', password=5)",
    "login('x', 5, 5)", "login(1, 5, 5)", "login('x', login='y')", "login(1, password=5, server=5)", "initialize(5, 5)", "initialize('a', 'b', login='x')",
    "login(1, 'p', 's', 5, timeout='x')", "login(0)", "login(password=5)", "login(1, 'p', password=5)", "login(1, None)", "login(1, 'x' * 254)", "initialize('C:\\\\Łódź\\\\terminal64.exe')",
    *(f"initialize(NOWHERE, login={value})" for value in KINDS["whole"]),
    *(f"initialize(NOWHERE, timeout={value})" for value in KINDS["whole"]),
    *(f"initialize(NOWHERE, password={value})" for value in TEXTS),
    *(f"initialize(NOWHERE, server={value})" for value in TEXTS),
    *(f"initialize({value})" for value in KINDS["text"] if value != "''"),
    "login()", "login(1)", "login(1, 'p')", "login(1, 'p', 's')", "login(1, 'p', 's', 5)", "login('1')", "login(1, 2)", "login(1, 'p', 3)",
    "login(login=1, password=None)", "login(1, login=2)", "login(password='p')", "login(1, server='s', timeout=1000)", "login(-1)",
    "symbols_get()", "symbols_get('*')", "symbols_get('*', '*')", "symbols_get(1)", "symbols_get(None)", "symbols_get('*', group='*')",
    "symbols_get(symbol='EURUSD')", "symbols_get(**{})", "symbols_get(5, group='*')", "symbols_get('*', group=5)",
    "positions_get()", "positions_get('EURUSD')", "positions_get(None)", "positions_get(magic=7)", "positions_get(ticket=5, symbol=5)",
    "positions_get(symbol='EURUSD', group=5)", "positions_get(symbol=5, ticket=5)", "positions_get('EURUSD', ticket=5)",
    "orders_get()", "orders_get('EURUSD')", "orders_get(magic=7)", "orders_get(ticket=5, symbol=5)",
    *(f"history_{what}_get{tail}" for what in ("orders", "deals") for tail in (
        "()", "(1)", "(1, 2, 3)", "(date_from=1, date_to=2)", "(1, 2, group='*')", "(1, 2, group=5)", "(1, 2, ticket='x')",
        "(1, ticket=5)", "(1, group='*')", "(ticket=5, position='x')", "(position=5, ticket='x')", "(group='*')", "(magic=5)",
        "(1, 2, position=-1)", "(1, 2, group=None)", "('x', ticket=5)", "('x', 2, group=5)", "(1, 2, 3, ticket=5)", "(2**31, 2, group=5)", "(1, 2, ticket=5, group=5)",
        "(ticket='x', group=5)")),
    *(f"{name}{tail}" for name in ("order_check", "order_send") for tail in (
        "()", "({})", "(None)", "([1])", "('x')", "(1)", "({}, {})", "({}, **{})", "({}, comment='x')", "({'action': 1}, 5)",
        "(request={})", "(request={'action': 1}, action='x')", "({'actoin': 'x'})", "({'comment': None, 'sl': 1})",
        "({5: 6})", "({'request': 5})", "(magic=7)", "(**REQUEST)", "(**{**REQUEST, 'volume': 1})", "(SubDict(REQUEST))",
        "(Mapping(REQUEST))", "({}, {}, comment='x')", "(5, comment='x')", "({'action': 'x', 'magic': -1})", "({'magic': -1, 'sl': 1})")),
    *(f"{name}{tail}" for name in ("Buy", "Sell") for tail in (
        "()", "('EURUSD')", "('EURUSD', 1)", "('EURUSD', 0.1)", "('EURUSD', 0.1, 1.1)", "('EURUSD', 0.1, 1)", "('EURUSD', 0.1, 1.1, 'c')",
        "('EURUSD', 0.1, 1.1, comment='c')", "('EURUSD', 0.1, 1.1, ticket=5)", "('EURUSD', 0.1, 1.1, comment=5)", "('EURUSD', 0.1, magic=5)",
        "(5, 0.1, 1.1)", "('EURUSD', 0.1, comment='c', ticket=5)")),
    *(f"Close{tail}" for tail in ("()", "('EURUSD')", "(5)", "('EURUSD', ticket=5)", "('EURUSD', comment='c')", "('EURUSD', 'c')")),
)  # fmt: skip
"""Calls of a kind that no rule above makes."""


class SubText(str):
    __slots__ = ()


class SubWhole(int):
    __slots__ = ()


class SubNumber(float):
    __slots__ = ()


class SubInstant(datetime):
    pass


class SubDict(dict[str, Any]):
    pass


class Stamp:
    """Something with `timestamp`, which is no datetime."""

    def timestamp(self) -> float:
        return 1_720_000_800.0


class Untrue:
    def __bool__(self) -> bool:
        raise ValueError("no truth value")


def table() -> list[str]:
    """All calls, each once."""
    return list(dict.fromkeys(_calls()))


def _calls() -> Iterator[str]:
    yield "last_error()"
    for name in RECORD_TYPES:
        yield from (question.format(name) for question in RECORDS)
    for name in PLAIN:
        yield from (f"{name}()", f"{name}(1)", f"{name}(a=1)")
    for name, kinds in POSITIONAL.items():
        places = kinds.split()
        right = [RIGHT[kind] for kind in places]
        for count in range(len(right)):
            yield f"{name}({', '.join(right[:count])})"
        yield f"{name}({', '.join([*right, '1'])})"
        yield f"{name}({', '.join(right)})"
        yield f"{name}({', '.join(right)}, **{{}})"
        if name not in BY_KEYWORD:
            yield f"{name}({', '.join(right[:-1])}{', ' if right[:-1] else ''}symbol='EURUSD')"
        for place, kind in enumerate(places):
            for value in KINDS[kind]:
                yield f"{name}({', '.join([*right[:place], value, *right[place + 1 :]])})"
        for first, second in itertools.combinations(range(len(places)), 2):
            for one, two in itertools.product(WRONG[places[first]], WRONG[places[second]]):
                yield f"{name}({', '.join([*right[:first], one, *right[first + 1 : second], two, *right[second + 1 :]])})"
    yield "copy_rates_from_pos('EURUSD', 9999, 0, 5)"
    for keys in ("login password", "login server", "login timeout", "password server", "password timeout", "server timeout"):
        one, two = keys.split()
        for wrong in ("'x'", "-1", "5"):
            for other in ("None", "-1"):
                yield f"initialize(NOWHERE, {one}={wrong if one in {'login', 'timeout'} else '5'}, {two}={other})"
                yield f"login({one}={wrong if one in {'login', 'timeout'} else '5'}, {two}={other})"
    for one, two in itertools.combinations(REQUEST, 2):
        yield f"order_send({{**REQUEST, {one!r}: b'', {two!r}: b''}})"
    for name, words in BY_KEYWORD.items():
        for word in words.split():
            key, _, kind = word.partition(":")
            first = "login=1, " if name == "login" and key != "login" else ""
            for value in TEXTS if key in ("group", "password", "server") else KINDS[kind]:
                yield f"{name}({first}{key}={value})"
    for key, (_, kind) in REQUEST.items():
        for value in KINDS[kind]:
            yield f"order_send({{**REQUEST, {key!r}: {value}}})"
        yield f"order_check({{**REQUEST, {key!r}: None}})"
    yield from ODD
    yield from SEQUENCES


def namespace(module: Any) -> dict[str, Any]:
    """What the texts may name: the module's functions and types, and the odd values."""
    names = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {
        **{name: value for name, value in names.items() if callable(value)},
        "np": np,
        "copy": copy,
        "pickle": pickle,
        "Decimal": Decimal,
        "datetime": datetime,
        "date": date,
        "UTC": UTC,
        "EAST": timezone(timedelta(hours=9)),
        "REQUEST": {key: eval(text) for key, (text, _) in REQUEST.items()},
        "NOWHERE": "C:\\no such folder\\terminal64.exe",
        "LONG_PATH": "C:\\" + "x" * 240 + ".exe",
        "SubText": SubText,
        "SubWhole": SubWhole,
        "SubNumber": SubNumber,
        "SubInstant": SubInstant,
        "SubDict": SubDict,
        "Mapping": UserDict,
        "Stamp": Stamp,
        "Untrue": Untrue,
    }


def answer(module: Any, names: dict[str, Any], call: str) -> str:
    """What a call gives, on one line: its value or exception, then the error pair."""
    try:
        said = _shown(eval(call, dict(names)))
    except SystemError as error:
        usual = f"<built-in function {call.partition('(')[0]}> returned a result with an exception set"
        said = "SystemError" if str(error) == usual else f"SystemError: {error}"
    except Exception as error:  # noqa: BLE001 - whatever the module raises is its answer
        said = f"{type(error).__name__}: {error}"
    try:
        pair = str(module.last_error())
    except UnicodeDecodeError as error:
        pair = f"last_error: {type(error).__name__}"
    return f"{said} | {pair}"


def _shown(value: Any) -> str:
    """A value as text: records and arrays by their type alone."""
    if isinstance(value, np.ndarray):
        return f"array of {value.dtype}"
    if isinstance(value, tuple) and hasattr(value, "n_fields"):
        return type(value).__name__
    if isinstance(value, tuple) and value and hasattr(value[0], "n_fields"):
        return f"tuple of {type(value[0]).__name__}"
    return repr(value)


def answers(module: Any) -> dict[str, str]:
    """The whole table's answers in order, without a connection."""
    names = namespace(module)
    return {call: answer(module, names, call) for call in table()}


def read_golden(path: Path) -> dict[str, str]:
    """The vendor's answers as they were recorded."""
    rows = [line.split(_ARROW, 1) for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return dict(rows)


def golden_text(found: dict[str, str], version: str) -> str:
    """The answers as a golden file."""
    head = f"# What MetaTrader5 {version} for Windows answers without a terminal; `make windows` compares and writes it.\n"
    return head + "".join(f"{call}{_ARROW}{said}\n" for call, said in found.items())


def main(target: Path) -> None:
    """Write the answers of the vendor's and of the simulated module, asked in this one process.

    The process ends without clean-up: some of these calls leave the vendor's module with damaged memory.
    """
    import MetaTrader5

    from tests.core.brokers.simulator.kit import bare_module

    found = {"version": MetaTrader5.__version__, "vendor": answers(MetaTrader5), "simulated": answers(bare_module())}
    target.write_text(json.dumps(found), encoding="utf-8")
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
