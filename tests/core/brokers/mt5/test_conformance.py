"""The simulated module against the vendor's wheel, read as a file: every name, every constant, every field, the version."""

from __future__ import annotations

import types

import pytest

from quarterdeck.core.brokers.mt5 import mt5_constants as own
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import CALLS
from quarterdeck.core.brokers.mt5.return_codes import LAST_ERRORS, RETCODES
from quarterdeck.core.brokers.simulator import mt5_records
from quarterdeck.core.brokers.simulator.module_constants import CONSTANTS, VERSION
from tests.core.brokers.mt5.kit import Rig
from tests.core.brokers.mt5.wheel import Wheel, fetch


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    found = fetch(tmp_path_factory.mktemp("wheel"), VERSION)
    if isinstance(found, str):
        other = fetch(tmp_path_factory.mktemp("any"), None)
        if isinstance(other, str):
            pytest.skip(f"the registry cannot be reached: {other}")
        pytest.fail(f"version {VERSION} is gone, there is {other.name}: the simulated module must follow it")
    return Wheel(found)


@pytest.fixture(scope="module")
def module():
    return Rig(connect=False).module


def public(module):
    return {name for name in dir(module) if not name.startswith("_")}


def test_version_and_author(wheel, module):
    assigned = wheel.assigned()
    assert (module.__version__, module.__author__) == (assigned["__version__"], assigned["__author__"])
    assert assigned["__version__"] == VERSION


def test_every_constant_and_none_more(wheel, module):
    theirs = {name: value for name, value in wheel.assigned().items() if not name.startswith("_")}
    assert theirs == CONSTANTS
    assert {name: getattr(module, name) for name in theirs} == theirs


def test_every_function_and_none_more(wheel, module):
    theirs = wheel.functions() | {name for name in wheel.helpers() if not name.startswith("_")}
    ours = {name for name in public(module) if isinstance(getattr(module, name), types.MethodType | types.FunctionType)}
    assert len(theirs) > 30
    assert ours == theirs


def test_every_record_type_with_its_fields_in_order(wheel, module):
    theirs = {layout for layout in wheel.layouts() if len(layout) > 3}
    ours = {tuple(kind(range(kind.n_fields))._asdict()): name for name, kind in mt5_records.TYPES.items()}
    assert set(ours) == theirs, [ours[layout] for layout in set(ours) - theirs]


def test_every_public_name_is_accounted_for(wheel, module):
    theirs = set(wheel.assigned()) | wheel.functions() | wheel.helpers() | set(mt5_records.TYPES)
    assert public(module) == {name for name in theirs if not name.startswith("_")}


def test_the_adapter_calls_only_what_exists(wheel):
    assert set(CALLS) <= wheel.functions()


def test_the_adapters_numbers_are_the_modules(wheel):
    theirs = wheel.assigned()
    pairs = {
        "ACTION_DEAL": "TRADE_ACTION_DEAL",
        "ACTION_PENDING": "TRADE_ACTION_PENDING",
        "ACTION_SLTP": "TRADE_ACTION_SLTP",
        "ACTION_MODIFY": "TRADE_ACTION_MODIFY",
        "ACTION_REMOVE": "TRADE_ACTION_REMOVE",
        "ACTION_CLOSE_BY": "TRADE_ACTION_CLOSE_BY",
        "ORDER_BUY": "ORDER_TYPE_BUY",
        "ORDER_SELL": "ORDER_TYPE_SELL",
        "FILLING_FOK": "ORDER_FILLING_FOK",
        "FILLING_IOC": "ORDER_FILLING_IOC",
        "FILLING_RETURN": "ORDER_FILLING_RETURN",
        "TIME_GTC": "ORDER_TIME_GTC",
        "STATE_STARTED": "ORDER_STATE_STARTED",
        "STATE_PLACED": "ORDER_STATE_PLACED",
        "STATE_CANCELED": "ORDER_STATE_CANCELED",
        "STATE_PARTIAL": "ORDER_STATE_PARTIAL",
        "STATE_FILLED": "ORDER_STATE_FILLED",
        "STATE_REJECTED": "ORDER_STATE_REJECTED",
        "STATE_EXPIRED": "ORDER_STATE_EXPIRED",
        "DEAL_BUY": "DEAL_TYPE_BUY",
        "DEAL_SELL": "DEAL_TYPE_SELL",
        "DEAL_ENTRY_IN": "DEAL_ENTRY_IN",
        "DEAL_ENTRY_OUT": "DEAL_ENTRY_OUT",
        "TRADE_MODE_DEMO": "ACCOUNT_TRADE_MODE_DEMO",
        "TRADE_MODE_CONTEST": "ACCOUNT_TRADE_MODE_CONTEST",
        "TRADE_MODE_REAL": "ACCOUNT_TRADE_MODE_REAL",
        "MARGIN_HEDGING": "ACCOUNT_MARGIN_MODE_RETAIL_HEDGING",
        "STOP_OUT_PERCENT": "ACCOUNT_STOPOUT_MODE_PERCENT",
    }
    assert {name: getattr(own, name) for name in pairs} == {name: theirs[other] for name, other in pairs.items()}
    assert {name: theirs[f"TIMEFRAME_{name}"] for name in own.TIMEFRAMES} == own.TIMEFRAMES
    assert {value for name, value in theirs.items() if name.startswith("TRADE_RETCODE_")} <= set(RETCODES)
    assert {value for name, value in theirs.items() if name.startswith("RES_")} <= set(LAST_ERRORS)


def test_the_masks_that_the_module_lacks_are_our_own(wheel, module):
    assert not [name for name in (*wheel.assigned(), *public(module)) if name.startswith(("SYMBOL_FILLING", "SYMBOL_EXPIRATION"))]
    assert (own.MASK_FOK, own.MASK_IOC, own.MASK_BOC) == (1, 2, 4)
