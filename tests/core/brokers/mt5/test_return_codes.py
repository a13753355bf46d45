"""Every return code and every `last_error`, one row each, as the adapter's whole path treats it."""

from __future__ import annotations

import pytest

from quarterdeck.core.brokers.base import CallReply
from quarterdeck.core.brokers.mt5.order_results import check_rejection, send_result
from quarterdeck.core.brokers.mt5.return_codes import LAST_ERRORS, RETCODES, last_error, retcode
from quarterdeck.core.brokers.simulator.module_constants import CONSTANTS
from quarterdeck.core.model.inputs import Accepted, OrderRejected, Unconfirmed

NOW = 1_700_000_000_000_000_000
REFERENCE = {
    0: "unknown",
    10004: "retry",
    10006: "refused",
    10007: "refused",
    10008: "accepted",
    10009: "filled",
    10010: "partial",
    10011: "unknown",
    10012: "unknown",
    10013: "internal_error",
    10014: "refused",
    10015: "retry",
    10016: "refused",
    10017: "operator",
    10018: "market_closed",
    10019: "no_money",
    10020: "retry",
    10021: "retry",
    10022: "internal_error",
    10023: "retry",
    10024: "retry",
    10025: "unchanged",
    10026: "operator",
    10027: "operator",
    10028: "retry",
    10029: "frozen",
    10030: "refused",
    10031: "unknown",
    10032: "refused",
    10033: "refused",
    10034: "refused",
    10035: "internal_error",
    10036: "not_found",
    10038: "retry",
    10039: "retry",
    10040: "refused",
    10041: "refused",
    10042: "refused",
    10043: "refused",
    10044: "refused",
    10045: "retry",
    10046: "refused",
}
ERRORS = {
    1: ("ok", "ok"),
    -1: ("unknown", "again"),
    -2: ("internal_error", "internal_error"),
    -3: ("retry", "again"),
    -4: ("retry", "again"),
    -5: ("operator", "connect"),
    -6: ("operator", "stop"),
    -7: ("operator", "stop"),
    -8: ("operator", "again"),
    -10000: ("unknown", "connect"),
    -10001: ("unknown", "connect"),
    -10002: ("unknown", "connect"),
    -10003: ("retry", "connect"),
    -10004: ("retry", "connect"),
    -10005: ("unknown", "connect"),
}


def result(code: int, **changes: object) -> CallReply:
    value = dict.fromkeys(("deal", "order"), 7) | dict.fromkeys(("volume", "price", "bid", "ask"), 1.0)
    return CallReply(value | {"retcode": code, "comment": "said so", "request_id": 3} | changes, 1, "Success")


@pytest.mark.parametrize("code", sorted(REFERENCE))
def test_each_return_code_of_a_send(code):
    judged = send_result(result(code), NOW)
    expected = REFERENCE[code]
    if isinstance(judged.proven_outcome, OrderRejected):
        assert judged.proven_outcome.kind == expected
        assert judged.proven_outcome.code == code
        assert str(code) in judged.proven_outcome.reason
        assert judged.proven_outcome.retry_utc_ns == 0 or judged.proven_outcome.retry_utc_ns > NOW
        assert judged.outcome == "refused"
    else:
        assert judged.outcome == expected
        assert isinstance(judged.proven_outcome, {"unknown": Unconfirmed, "accepted": Accepted}.get(expected, type(None)))


@pytest.mark.parametrize("code", sorted(REFERENCE))
def test_a_check_never_leaves_an_unknown_fate(code):
    refusal = check_rejection(result(code), NOW)
    if code in (0, 10009, 10025):
        assert refusal is None
    else:
        assert isinstance(refusal, OrderRejected)
        assert refusal.kind == (REFERENCE[code] if REFERENCE[code] not in ("unknown", "accepted", "partial") else "retry")


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_each_last_error(code):
    on_send, on_read = ERRORS[code]
    trouble = last_error(code)
    assert trouble.on_read == on_read
    if code == 1:
        return
    judged = send_result(CallReply(None, code, "text of the terminal"), NOW)
    if on_send == "unknown":
        assert isinstance(judged.proven_outcome, Unconfirmed)
    else:
        assert isinstance(judged.proven_outcome, OrderRejected)
        assert judged.proven_outcome.kind == on_send
    refusal = check_rejection(CallReply(None, code, "text"), NOW)
    assert isinstance(refusal, OrderRejected)


def test_the_tables_are_whole():
    assert set(RETCODES) == set(REFERENCE)
    assert set(LAST_ERRORS) == set(ERRORS)
    exported = {value for name, value in CONSTANTS.items() if name.startswith("TRADE_RETCODE_")}
    assert exported <= set(RETCODES)
    assert {value for name, value in CONSTANTS.items() if name.startswith("RES_")} <= set(LAST_ERRORS)


def test_what_nobody_described_is_unknown():
    assert retcode(10999).on_send == "unknown"
    assert isinstance(send_result(result(10999), NOW).proven_outcome, Unconfirmed)
    assert last_error(-77).on_send == "unknown"
    assert isinstance(send_result(CallReply(None, -77, ""), NOW).proven_outcome, Unconfirmed)


def test_an_operator_is_told_what_to_do():
    for row in (*RETCODES.values(), *LAST_ERRORS.values()):
        if row.kind == "operator":
            assert row.what_to_do, row.name


def test_taken_without_an_order_number_is_unknown():
    assert isinstance(send_result(result(10008, order=0), NOW).proven_outcome, Unconfirmed)
