"""What every number the terminal can answer means for an order, in one table.

Why: whether a call was carried out decides between trying again, telling the desk "no", and asking after it; a second opinion on
that anywhere else would be an order sent twice.
Promises: each return code and each `last_error` has one row; a number that is not here counts as unconfirmed order.
Source: MQL5 reference "Trade Server Return Codes", `last_error` of the Python module; the classes are this project's judgement.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

SendOutcome = Literal["filled", "accepted", "partial", "unchanged", "refused", "unknown"]
"""What an answer to `order_send` proves: executed, taken, executed in part, was so already, surely not executed, nothing."""
RejectKind = Literal["retry", "refused", "market_closed", "frozen", "no_money", "not_found", "operator", "internal_error"]
ReadOutcome = Literal["ok", "again", "connect", "stop", "internal_error"]
"""What a failed read calls for: nothing, read again later, initialise again, give up and tell, repair our code."""


class ReturnCode(Struct, frozen=True, kw_only=True):
    """A return code of `order_send` or `order_check`."""

    number: int
    name: str
    on_send: SendOutcome
    kind: RejectKind = "refused"
    """For `refused`: what may happen next."""
    meaning: str
    what_to_do: str = ""
    retry_filling: bool = False
    """The filling mode is not allowed here: the next one may be tried, once each."""
    wait_s: float = 0.0
    """Earliest sensible new try, 0 where at once or never."""


class LastErrorCode(Struct, frozen=True, kw_only=True):
    """A code of `last_error`."""

    number: int
    name: str
    on_send: Literal["not_sent", "unknown", "ok"]
    kind: RejectKind = "retry"
    """For a send that was not sent."""
    on_read: ReadOutcome
    on_start: ReadOutcome | None = None
    """What it calls for as the answer to `initialize`, where that is something else than after a read."""
    meaning: str
    what_to_do: str = ""


def _row(
    number: int,
    name: str,
    on_send: SendOutcome,
    meaning: str,
    *,
    kind: RejectKind = "refused",
    what_to_do: str = "",
    refill: bool = False,
    wait_s: float = 0.0,
) -> ReturnCode:
    return ReturnCode(
        number=number,
        name=name,
        on_send=on_send,
        meaning=meaning,
        kind=kind,
        what_to_do=what_to_do,
        retry_filling=refill,
        wait_s=wait_s,
    )


_ALGO_BUTTON = "switch the terminal's Algo Trading button on"
RETCODES: dict[int, ReturnCode] = {
    code.number: code
    for code in (
        _row(0, "EMPTY", "unknown", "the reply is empty"),
        _row(10004, "REQUOTE", "refused", "the price moved; a new one is offered", kind="retry"),
        _row(10006, "REJECT", "refused", "the broker refused"),
        _row(10007, "CANCEL", "refused", "the request was cancelled by the dealer"),
        _row(10008, "PLACED", "accepted", "accepted, not executed yet"),
        _row(10009, "DONE", "filled", "executed"),
        _row(10010, "DONE_PARTIAL", "partial", "executed in part"),
        _row(10011, "ERROR", "unknown", "the server failed while processing"),
        _row(10012, "TIMEOUT", "unknown", "the request ran out of time"),
        _row(10013, "INVALID", "refused", "the request is malformed", kind="internal_error"),
        _row(10014, "INVALID_VOLUME", "refused", "volume under the minimum, over the maximum, or off the grid"),
        _row(10015, "INVALID_PRICE", "refused", "the price is stale or on the wrong side", kind="retry"),
        _row(10016, "INVALID_STOPS", "refused", "stop or target is too near the price, or on its wrong side"),
        _row(
            10017,
            "TRADE_DISABLED",
            "refused",
            "trading is disabled for the symbol or the account",
            kind="operator",
            what_to_do="log in with the trading password, not the investor's; ask the broker whether the symbol may be traded",
            wait_s=60.0,
        ),
        _row(10018, "MARKET_CLOSED", "refused", "the market is closed", kind="market_closed"),
        _row(10019, "NO_MONEY", "refused", "free margin is too small", kind="no_money"),
        _row(10020, "PRICE_CHANGED", "refused", "the price moved beyond the deviation", kind="retry"),
        _row(10021, "PRICE_OFF", "refused", "there is no price", kind="retry", wait_s=1.0),
        _row(10022, "INVALID_EXPIRATION", "refused", "the expiry is not allowed", kind="internal_error"),
        _row(10023, "ORDER_CHANGED", "refused", "the order changed meanwhile", kind="retry"),
        _row(10024, "TOO_MANY_REQUESTS", "refused", "too many requests", kind="retry", wait_s=2.0),
        _row(10025, "NO_CHANGES", "unchanged", "nothing to change, it is so already"),
        _row(
            10026,
            "SERVER_DISABLES_AT",
            "refused",
            "the server allows no automated trading on this account",
            kind="operator",
            what_to_do="ask the broker to allow automated trading on the account",
            wait_s=60.0,
        ),
        _row(
            10027,
            "CLIENT_DISABLES_AT",
            "refused",
            "the terminal allows no automated trading",
            kind="operator",
            what_to_do=_ALGO_BUTTON,
            wait_s=10.0,
        ),
        _row(10028, "LOCKED", "refused", "the order is locked while it is processed", kind="retry", wait_s=1.0),
        _row(10029, "FROZEN", "refused", "inside the freeze level", kind="frozen", wait_s=1.0),
        _row(10030, "INVALID_FILL", "refused", "the filling mode is not allowed", refill=True),
        _row(10031, "CONNECTION", "unknown", "the terminal has no connection to the trade server"),
        _row(10032, "ONLY_REAL", "refused", "allowed on real accounts only"),
        _row(10033, "LIMIT_ORDERS", "refused", "too many pending orders"),
        _row(10034, "LIMIT_VOLUME", "refused", "the symbol's volume limit is reached"),
        _row(10035, "INVALID_ORDER", "refused", "the order's type is not allowed", kind="internal_error"),
        _row(10036, "POSITION_CLOSED", "refused", "the position no longer exists", kind="not_found"),
        _row(10038, "INVALID_CLOSE_VOLUME", "refused", "more than the position holds", kind="retry"),
        _row(10039, "CLOSE_ORDER_EXIST", "refused", "a close of this position is already working", kind="retry", wait_s=1.0),
        _row(10040, "LIMIT_POSITIONS", "refused", "too many positions"),
        _row(10041, "REJECT_CANCEL", "refused", "the order was refused on activation and cancelled"),
        _row(10042, "LONG_ONLY", "refused", "only buying is allowed"),
        _row(10043, "SHORT_ONLY", "refused", "only selling is allowed"),
        _row(10044, "CLOSE_ONLY", "refused", "only closing is allowed"),
        _row(10045, "FIFO_CLOSE", "refused", "the oldest position must be closed first", kind="retry", wait_s=1.0),
        _row(10046, "HEDGE_PROHIBITED", "refused", "opposite positions are not allowed"),
    )
}

SPECIFICATION_CODES = frozenset((10014, 10016, 10017, 10029, 10030, 10034, 10035, 10042, 10043, 10044, 10045, 10046))
"""Refusals that name a symbol's volumes, levels, modes or directions: its specification is read again."""

_RESTART = "see docs/metatrader5.md, When it does not work"
LAST_ERRORS: dict[int, LastErrorCode] = {
    row.number: row
    for row in (
        LastErrorCode(number=1, name="OK", on_send="ok", on_read="ok", meaning="success"),
        LastErrorCode(number=-1, name="FAIL", on_send="unknown", on_read="again", meaning="the terminal could not do it"),
        LastErrorCode(
            number=-2,
            name="INVALID_PARAMS",
            on_send="not_sent",
            kind="internal_error",
            on_read="internal_error",
            meaning="bad argument",
        ),
        LastErrorCode(number=-3, name="NO_MEMORY", on_send="not_sent", on_read="again", meaning="the terminal is out of memory"),
        LastErrorCode(
            number=-4, name="NOT_FOUND", on_send="not_sent", on_read="again", meaning="symbol or history is not there (yet)"
        ),
        LastErrorCode(
            number=-5,
            name="INVALID_VERSION",
            on_send="not_sent",
            kind="operator",
            # without a connection the module knows no build of the terminal, and answers `symbols_get` as to one that is too old
            on_read="connect",
            on_start="stop",
            meaning="terminal and Python package do not fit",
            what_to_do="update the terminal and the MetaTrader5 package",
        ),
        LastErrorCode(
            number=-6,
            name="AUTH_FAILED",
            on_send="not_sent",
            kind="operator",
            on_read="stop",
            meaning="the login was refused",
            what_to_do="check login, password and server; trying again may lock the account",
        ),
        LastErrorCode(
            number=-7,
            name="UNSUPPORTED",
            on_send="not_sent",
            kind="operator",
            on_read="stop",
            meaning="the account asks for a one-time password or a certificate, or the call is not supported",
            what_to_do="log in manually in the terminal once",
        ),
        LastErrorCode(
            number=-8,
            name="AUTO_TRADING_DISABLED",
            on_send="not_sent",
            kind="operator",
            on_read="again",
            meaning="the terminal blocks trading by Python programs",
            what_to_do="Tools > Options > Expert Advisors: clear 'Disable algorithmic trading via external Python API'",
        ),
        LastErrorCode(
            number=-10000, name="IPC_FAIL", on_send="unknown", on_read="connect", meaning="the reply did not fit the call"
        ),
        LastErrorCode(
            number=-10001, name="IPC_SEND", on_send="unknown", on_read="connect", meaning="the connection broke while asking"
        ),
        LastErrorCode(
            number=-10002, name="IPC_RECV", on_send="unknown", on_read="connect", meaning="the connection broke while waiting"
        ),
        LastErrorCode(
            number=-10003,
            name="IPC_INIT",
            on_send="not_sent",
            on_read="connect",
            meaning="the terminal could not be started or reached",
            what_to_do=f"check account.terminal_path and that the terminal runs for this user; {_RESTART}",
        ),
        LastErrorCode(
            number=-10004, name="NO_IPC", on_send="not_sent", on_read="connect", meaning="there is no connection to the terminal"
        ),
        LastErrorCode(
            number=-10005,
            name="IPC_TIMEOUT",
            on_send="unknown",
            on_read="connect",
            meaning="the terminal did not report a connection to the broker in time",
            what_to_do=f"look at the terminal for a login or update dialog; {_RESTART}",
        ),
    )
}


def retcode(number: int) -> ReturnCode:
    """The row of a return code; one that nobody described unconfirmed is."""
    known = RETCODES.get(number)
    return known or ReturnCode(
        number=number, name="UNLISTED", on_send="unknown", meaning=f"return code {number} is not described"
    )


def last_error(number: int) -> LastErrorCode:
    """The row of a `last_error` code; one that nobody described leaves a send unknown and a read to be repeated."""
    known = LAST_ERRORS.get(number)
    return known or LastErrorCode(
        number=number, name="UNLISTED", on_send="unknown", on_read="again", meaning=f"error {number} is not described"
    )
