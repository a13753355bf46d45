"""The record types of the `MetaTrader5` module: tuples with attributes, field order and behaviour of its C structs.

Promises: tuple order is the module's; read-only; `_asdict` (not recursive) and `n_fields` exist, `_fields`, `_replace` and
`_make` do not; the constructor takes one sequence; `pickle` fails while `copy.deepcopy` works, so that a record leaking across a
process border is caught by a test here and not by a crash at a broker.
"""

from __future__ import annotations

import operator
from typing import Any, Self

_MISSING: Any = object()
_TYPES = {"i": int, "f": float, "s": str, "b": bool}


class StructSequence(tuple[Any, ...]):
    """Common behaviour of all record types; built by `_record`, never manually."""

    __slots__ = ()
    n_fields: int = 0
    n_sequence_fields: int = 0
    n_unnamed_fields: int = 0
    _names: tuple[str, ...] = ()

    def __new__(cls, sequence: Any = _MISSING, unnamed: Any = None) -> Self:
        """Take one sequence with exactly as many items as there are fields, and ignore a dictionary beside it.

        Raises:
            TypeError: it is none, or one of another length.
        """
        if unnamed is not None and not isinstance(unnamed, dict):
            raise TypeError(f"{cls.__name__}() takes a dict as second arg, if any")
        if sequence is _MISSING:
            raise TypeError("structseq() missing required argument 'sequence' (pos 1)")
        try:
            values = tuple(sequence)
        except TypeError as error:
            raise TypeError("constructor requires a sequence") from error
        if len(values) != cls.n_fields:
            raise TypeError(f"{cls.__name__}() takes a {cls.n_fields}-sequence ({len(values)}-sequence given)")
        return tuple.__new__(cls, values)

    def __init_subclass__(cls) -> None:
        """A record type is nobody's base."""
        if StructSequence not in cls.__bases__:
            raise TypeError(f"type '{cls.__bases__[0].__name__}' is not an acceptable base type")

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._names, self, strict=True))

    def __repr__(self) -> str:
        """Name and fields, as the C type prints itself."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in zip(self._names, self, strict=True))})"


def _record(name: str, fields: str) -> type[StructSequence]:
    names = tuple(word.partition(":")[0] for word in fields.split())
    attributes: dict[str, Any] = {
        "__slots__": (),
        "__doc__": f"{name} of the MetaTrader5 module, {len(names)} fields.",
        "__module__": "builtins",
        "__match_args__": names,
        "n_fields": len(names),
        "n_sequence_fields": len(names),
        "_names": names,
    }
    attributes.update({field: property(operator.itemgetter(place), _read_only) for place, field in enumerate(names)})
    return type(name, (StructSequence,), attributes)


def _read_only(_record: Any, _value: Any) -> None:
    raise AttributeError("readonly attribute")


def types_of(fields: str) -> tuple[type, ...]:
    """The Python type of each field of a field list."""
    return tuple(_TYPES[word.partition(":")[2] or "f"] for word in fields.split())


ACCOUNT_INFO = (
    "login:i trade_mode:i leverage:i limit_orders:i margin_so_mode:i trade_allowed:b trade_expert:b margin_mode:i "
    "currency_digits:i fifo_close:b balance credit profit equity margin margin_free margin_level margin_so_call margin_so_so "
    "margin_initial margin_maintenance assets liabilities commission_blocked name:s server:s currency:s company:s"
)
TERMINAL_INFO = (
    "community_account:b community_connection:b connected:b dlls_allowed:b trade_allowed:b tradeapi_disabled:b email_enabled:b "
    "ftp_enabled:b notifications_enabled:b mqid:b build:i maxbars:i codepage:i ping_last:i community_balance retransmission "
    "company:s name:s language:s path:s data_path:s commondata_path:s"
)
TICK = "time:i bid ask last volume:i time_msc:i flags:i volume_real"
TRADE_POSITION = (
    "ticket:i time:i time_msc:i time_update:i time_update_msc:i type:i magic:i identifier:i reason:i volume price_open sl tp "
    "price_current swap profit symbol:s comment:s external_id:s"
)
TRADE_ORDER = (
    "ticket:i time_setup:i time_setup_msc:i time_done:i time_done_msc:i time_expiration:i type:i type_time:i type_filling:i "
    "state:i magic:i position_id:i position_by_id:i reason:i volume_initial volume_current price_open sl tp price_current "
    "price_stoplimit symbol:s comment:s external_id:s"
)
TRADE_DEAL = (
    "ticket:i order:i time:i time_msc:i type:i entry:i magic:i position_id:i reason:i volume price commission swap profit fee "
    "symbol:s comment:s external_id:s"
)
TRADE_REQUEST = (
    "action:i magic:i order:i symbol:s volume price stoplimit sl tp deviation:i type:i type_filling:i type_time:i expiration:i "
    "comment:s position:i position_by:i"
)
ORDER_SEND_RESULT = "retcode:i deal:i order:i volume price bid ask comment:s request_id:i retcode_external:i request:s"
ORDER_CHECK_RESULT = "retcode:i balance equity profit margin margin_free margin_level comment:s request:s"
BOOK_INFO = "type:i price volume:i volume_dbl"
SYMBOL_INFO = (
    "custom:b chart_mode:i select:b visible:b session_deals:i session_buy_orders:i session_sell_orders:i volume:i volumehigh:i "
    "volumelow:i time:i digits:i spread:i spread_float:b ticks_bookdepth:i trade_calc_mode:i trade_mode:i start_time:i "
    "expiration_time:i trade_stops_level:i trade_freeze_level:i trade_exemode:i swap_mode:i swap_rollover3days:i "
    "margin_hedged_use_leg:b expiration_mode:i filling_mode:i order_mode:i order_gtc_mode:i option_mode:i option_right:i "
    "bid bidhigh bidlow ask askhigh asklow last lasthigh lastlow volume_real volumehigh_real "
    "volumelow_real option_strike point trade_tick_value trade_tick_value_profit trade_tick_value_loss trade_tick_size "
    "trade_contract_size trade_accrued_interest trade_face_value trade_liquidity_rate volume_min "
    "volume_max volume_step volume_limit swap_long swap_short margin_initial margin_maintenance session_volume session_turnover "
    "session_interest session_buy_orders_volume session_sell_orders_volume "
    "session_open session_close session_aw session_price_settlement session_price_limit_min session_price_limit_max "
    "margin_hedged price_change price_volatility price_theoretical price_greeks_delta price_greeks_theta price_greeks_gamma "
    "price_greeks_vega price_greeks_rho price_greeks_omega price_sensitivity "
    "basis:s category:s currency_base:s currency_profit:s currency_margin:s bank:s description:s exchange:s formula:s isin:s "
    "name:s page:s path:s"
)

AccountInfo = _record("AccountInfo", ACCOUNT_INFO)
TerminalInfo = _record("TerminalInfo", TERMINAL_INFO)
Tick = _record("Tick", TICK)
TradePosition = _record("TradePosition", TRADE_POSITION)
TradeOrder = _record("TradeOrder", TRADE_ORDER)
TradeDeal = _record("TradeDeal", TRADE_DEAL)
TradeRequest = _record("TradeRequest", TRADE_REQUEST)
OrderSendResult = _record("OrderSendResult", ORDER_SEND_RESULT)
OrderCheckResult = _record("OrderCheckResult", ORDER_CHECK_RESULT)
BookInfo = _record("BookInfo", BOOK_INFO)
SymbolInfo = _record("SymbolInfo", SYMBOL_INFO)

TYPES: dict[str, type[StructSequence]] = {
    kind.__name__: kind
    for kind in (
        AccountInfo,
        BookInfo,
        OrderCheckResult,
        OrderSendResult,
        SymbolInfo,
        TerminalInfo,
        Tick,
        TradeDeal,
        TradeOrder,
        TradePosition,
        TradeRequest,
    )
}
"""The classes that the module exports by name."""
