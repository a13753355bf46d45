"""The integers that the `MetaTrader5` module exports, under its own names.

Why: an adapter tested against invented numbers fails at the first real broker. Values are those of build 5.0.6231.
Promises: exactly the module's constants. What the module lacks (filling, expiration and order-mode masks, hedge-prohibited)
lacks here too, so that an adapter cannot lean on it.
"""

from __future__ import annotations

VERSION = "5.0.6231"
AUTHOR = "MetaQuotes Ltd."

_HOURS = 0x4000
_WEEKS = 0x8000
_MONTHS = 0xC000


def _group(prefix: str, names: str, first: int = 0) -> dict[str, int]:
    return {f"{prefix}_{name}": first + offset for offset, name in enumerate(names.split())}


def _named(prefix: str, **values: int) -> dict[str, int]:
    return {f"{prefix}_{name}": value for name, value in values.items()}


CONSTANTS: dict[str, int] = {
    **{f"TIMEFRAME_M{minutes}": minutes for minutes in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{f"TIMEFRAME_H{hours}": hours | _HOURS for hours in (1, 2, 3, 4, 6, 8, 12)},
    **_named("TIMEFRAME", D1=24 | _HOURS, W1=1 | _WEEKS, MN1=1 | _MONTHS),
    **_named("COPY_TICKS", ALL=-1, INFO=1, TRADE=2),
    **_named("TICK_FLAG", BID=2, ASK=4, LAST=8, VOLUME=16, BUY=32, SELL=64),
    **_group("POSITION_TYPE", "BUY SELL"),
    **_group("POSITION_REASON", "CLIENT MOBILE WEB EXPERT"),
    **_group("ORDER_TYPE", "BUY SELL BUY_LIMIT SELL_LIMIT BUY_STOP SELL_STOP BUY_STOP_LIMIT SELL_STOP_LIMIT CLOSE_BY"),
    **_group("ORDER_STATE", "STARTED PLACED CANCELED PARTIAL FILLED REJECTED EXPIRED REQUEST_ADD REQUEST_MODIFY REQUEST_CANCEL"),
    **_group("ORDER_FILLING", "FOK IOC RETURN BOC"),
    **_group("ORDER_TIME", "GTC DAY SPECIFIED SPECIFIED_DAY"),
    **_group("ORDER_REASON", "CLIENT MOBILE WEB EXPERT SL TP SO"),
    **_group(
        "DEAL_TYPE",
        "BUY SELL BALANCE CREDIT CHARGE CORRECTION BONUS COMMISSION COMMISSION_DAILY COMMISSION_MONTHLY "
        "COMMISSION_AGENT_DAILY COMMISSION_AGENT_MONTHLY INTEREST BUY_CANCELED SELL_CANCELED",
    ),
    **_group("DEAL", "DIVIDEND DIVIDEND_FRANKED TAX", 15),
    **_group("DEAL_ENTRY", "IN OUT INOUT OUT_BY"),
    **_group("DEAL_REASON", "CLIENT MOBILE WEB EXPERT SL TP SO ROLLOVER VMARGIN SPLIT"),
    **_named("TRADE_ACTION", DEAL=1, PENDING=5, SLTP=6, MODIFY=7, REMOVE=8, CLOSE_BY=10),
    **_group("SYMBOL_CHART_MODE", "BID LAST"),
    **_group("SYMBOL_CALC_MODE", "FOREX FUTURES CFD CFDINDEX CFDLEVERAGE FOREX_NO_LEVERAGE"),
    **_group("SYMBOL_CALC_MODE", "EXCH_STOCKS EXCH_FUTURES EXCH_OPTIONS", 32),
    **_group("SYMBOL_CALC_MODE", "EXCH_OPTIONS_MARGIN EXCH_BONDS EXCH_STOCKS_MOEX EXCH_BONDS_MOEX", 36),
    **_named("SYMBOL_CALC_MODE", SERV_COLLATERAL=64),
    **_group("SYMBOL_TRADE_MODE", "DISABLED LONGONLY SHORTONLY CLOSEONLY FULL"),
    **_group("SYMBOL_TRADE_EXECUTION", "REQUEST INSTANT MARKET EXCHANGE"),
    **_group(
        "SYMBOL_SWAP_MODE",
        "DISABLED POINTS CURRENCY_SYMBOL CURRENCY_MARGIN CURRENCY_DEPOSIT INTEREST_CURRENT INTEREST_OPEN REOPEN_CURRENT "
        "REOPEN_BID",
    ),
    **_group("DAY_OF_WEEK", "SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY"),
    **_group("SYMBOL_ORDERS", "GTC DAILY DAILY_NO_STOPS"),
    **_group("SYMBOL_OPTION_RIGHT", "CALL PUT"),
    **_group("SYMBOL_OPTION_MODE", "EUROPEAN AMERICAN"),
    **_group("ACCOUNT_TRADE_MODE", "DEMO CONTEST REAL"),
    **_group("ACCOUNT_STOPOUT_MODE", "PERCENT MONEY"),
    **_group("ACCOUNT_MARGIN_MODE", "RETAIL_NETTING EXCHANGE RETAIL_HEDGING"),
    **_group("BOOK_TYPE", "SELL BUY SELL_MARKET BUY_MARKET", 1),
    **_named("TRADE_RETCODE", REQUOTE=10004),
    **_group(
        "TRADE_RETCODE",
        "REJECT CANCEL PLACED DONE DONE_PARTIAL ERROR TIMEOUT INVALID INVALID_VOLUME INVALID_PRICE INVALID_STOPS TRADE_DISABLED "
        "MARKET_CLOSED NO_MONEY PRICE_CHANGED PRICE_OFF INVALID_EXPIRATION ORDER_CHANGED TOO_MANY_REQUESTS NO_CHANGES "
        "SERVER_DISABLES_AT CLIENT_DISABLES_AT LOCKED FROZEN INVALID_FILL CONNECTION ONLY_REAL LIMIT_ORDERS LIMIT_VOLUME "
        "INVALID_ORDER POSITION_CLOSED",
        10006,
    ),
    **_group(
        "TRADE_RETCODE",
        "INVALID_CLOSE_VOLUME CLOSE_ORDER_EXIST LIMIT_POSITIONS REJECT_CANCEL LONG_ONLY SHORT_ONLY CLOSE_ONLY FIFO_CLOSE",
        10038,
    ),
    "RES_S_OK": 1,
    "RES_E_FAIL": -1,
    "RES_E_INVALID_PARAMS": -2,
    "RES_E_NO_MEMORY": -3,
    "RES_E_NOT_FOUND": -4,
    "RES_E_INVALID_VERSION": -5,
    "RES_E_AUTH_FAILED": -6,
    "RES_E_UNSUPPORTED": -7,
    "RES_E_AUTO_TRADING_DISABLED": -8,
    **{
        f"RES_E_INTERNAL_FAIL{which}": -10000 - step
        for step, which in enumerate(("", "_SEND", "_RECEIVE", "_INIT", "_CONNECT", "_TIMEOUT"))
    },
}

ERROR_TEXTS: dict[int, str] = {
    1: "Success",
    -1: "Terminal: Call failed",
    -2: "Terminal: Invalid params",
    -3: "Terminal: Out of memory",
    -4: "Terminal: Not found",
    -5: "Terminal: Incompatible versions, please install the latest version of Terminal and Python module",
    -6: "Terminal: Authorization failed",
    -7: "Terminal: Unsupported function",
    -8: "Auto-Trading using Python API disabled in Terminal",
    -10000: "IPC call failed",
    -10001: "IPC send failed",
    -10002: "IPC recv failed",
    -10003: "IPC initialize failed",
    -10004: "No IPC connection",
    -10005: "IPC timeout",
}
"""What `last_error` says beside each code."""

RETCODE_TEXTS: dict[int, str] = {
    0: "Done",
    10004: "Requote",
    10006: "Request rejected",
    10007: "Request canceled by trader",
    10008: "Order placed",
    10009: "Request executed",
    10010: "Request executed partially",
    10011: "Request processing error",
    10012: "Request timed out",
    10013: "Invalid request",
    10014: "Invalid volume",
    10015: "Invalid price",
    10016: "Invalid stops",
    10017: "Trade disabled",
    10018: "Market closed",
    10019: "No money",
    10020: "Price changed",
    10021: "No prices",
    10022: "Invalid expiration",
    10023: "Order changed",
    10024: "Too many requests",
    10025: "No changes",
    10026: "AutoTrading disabled by server",
    10027: "AutoTrading disabled by client",
    10028: "Request locked",
    10029: "Order or position frozen",
    10030: "Unsupported filling mode",
    10031: "No connection",
    10032: "Only real accounts are allowed",
    10033: "Orders limit reached",
    10034: "Volume limit reached",
    10035: "Invalid order",
    10036: "Position doesn't exist",
    10038: "Invalid close volume",
    10039: "Close order already exists",
    10040: "Positions limit reached",
    10041: "Pending order activation rejected",
    10042: "Only long positions allowed",
    10043: "Only short positions allowed",
    10044: "Only position closing allowed",
    10045: "Position closing by FIFO rule only",
    10046: "Hedge prohibited",
}
"""Comment of a result with that return code."""

BASE_MINUTES: dict[int, int] = {
    **{minutes: minutes for minutes in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{hours | _HOURS: hours * 60 for hours in (1, 2, 3, 4, 6, 8, 12, 24)},
}
"""Minutes of each timeframe that is a fixed span; weeks and months are not."""
