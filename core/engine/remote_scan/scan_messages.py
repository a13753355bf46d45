"""What travels between an engine and the machines that scan for it: a question a pair and closed bar, and its answer.

A question is complete (`core.scan.scan_request`: the closed bars and the instrument), so that any machine can answer it and none
must
remember anything. Promises: MessagePack of typed structs and nothing that could be executed; both ways bounded in size; what
does not decode, or does not fit what was asked, is refused with the reason.
Does not: carry credentials, the account, or any setting but the strategy's identity.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import zlib

import msgspec
import numpy as np
from msgspec import Raw, Struct

from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.scan.scan_request import ScanRequest, decode_request, encode_request

QUESTION_BYTES_MAX = 4 * 1024 * 1024
ANSWER_CHARS_MAX = 128 * 1024
_OPENED_X_MAX = 4
_TEXT_MAX = 200
_LOOKED_AT = 1_000


class BadScanMessage(ValueError):
    """A message that is not one of ours, or too large; the text says which."""


class StrategyIdentity(Struct, frozen=True, kw_only=True):
    """What must be the same on both sides for their answers to be the same."""

    strategy: str
    strategy_hash: str
    code_version: str

    def differs(self, other: StrategyIdentity) -> str:
        """In what this one differs from `other`, in a phrase; empty where they are the same."""
        if (self.strategy, self.strategy_hash) != (other.strategy, other.strategy_hash):
            return f"strategy {other.strategy} {other.strategy_hash}, not {self.strategy} {self.strategy_hash}"
        if self.code_version != other.code_version:
            return f"quarterdeck {other.code_version}, not {self.code_version}"
        return ""

    @property
    def queue(self) -> str:
        """Name of the queue that engines and machines of this identity share, and no other."""
        return "scan-" + re.sub(r"[^\w.-]", "_", f"{self.strategy}-{self.strategy_hash}-{self.code_version}")


class PresenceRecord(Struct, frozen=True, kw_only=True):
    """An engine or a scanning machine says that it is there."""

    kind: str
    """`engine` or `machine`."""
    name: str
    identity: StrategyIdentity


class ScanJob(Struct, frozen=True, kw_only=True):
    """Look at this pair at its closed bar."""

    identity: StrategyIdentity
    look: Raw
    """As `core.scan.scan_request` encodes it."""


class ScanResult(Struct, frozen=True, kw_only=True):
    """What a machine found."""

    machine: str
    found: Signal | NoSignal


def encode_scan_job(identity: StrategyIdentity, look: ScanRequest) -> bytes:
    """For the broker of messages. Raises Unreadable where it would be too large."""
    data = zlib.compress(msgspec.msgpack.encode(ScanJob(identity=identity, look=Raw(encode_request(look)))), 1)
    if len(data) > QUESTION_BYTES_MAX:
        raise BadScanMessage(f"a request of {len(data)} bytes; {QUESTION_BYTES_MAX} are allowed")
    return data


def decode_scan_job(data: bytes) -> tuple[StrategyIdentity, ScanRequest]:
    """A question as it came. Raises Unreadable."""
    if len(data) > QUESTION_BYTES_MAX:
        raise BadScanMessage(f"a request of {len(data)} bytes; {QUESTION_BYTES_MAX} are allowed")
    try:
        opener = zlib.decompressobj()
        plain = opener.decompress(data, _OPENED_X_MAX * QUESTION_BYTES_MAX)
        if not opener.eof:
            raise BadScanMessage("a request that is cut off, or too large when unpacked")
        question = msgspec.msgpack.decode(plain, type=ScanJob)
        look = decode_request(bytes(question.look))
    except (zlib.error, msgspec.DecodeError, ValueError) as error:
        raise (
            error if isinstance(error, BadScanMessage) else BadScanMessage(f"not a valid request: {shortened(error)}")
        ) from error
    _closed_bars(look)
    return question.identity, look


def _closed_bars(look: ScanRequest) -> None:
    """Bars that a strategy may be shown. Raises Unreadable."""
    for candles in (look.m15, look.h1):
        prices = (candles.open, candles.high, candles.low, candles.close)
        if not len(candles) or (np.diff(candles.open_utc_ns) <= 0).any() or not all(np.isfinite(row).all() for row in prices):
            raise BadScanMessage("bars that are invalid, out of order, or without a price")


def encode_scan_result(answer: ScanResult) -> str:
    """Text, as the broker of messages keeps results. Raises Unreadable where it would be too large."""
    text = base64.b64encode(msgspec.msgpack.encode(answer)).decode("ascii")
    if len(text) > ANSWER_CHARS_MAX:
        raise BadScanMessage(f"an answer of {len(text)} characters; {ANSWER_CHARS_MAX} are allowed")
    return text


def decode_scan_result(text: object) -> ScanResult:
    """An answer as it came. Raises Unreadable."""
    if not isinstance(text, str):
        raise BadScanMessage(f"an answer of type {type(text).__name__} instead of text")
    if len(text) > ANSWER_CHARS_MAX:
        raise BadScanMessage(f"an answer of {len(text)} characters; {ANSWER_CHARS_MAX} are allowed")
    try:
        return msgspec.msgpack.decode(base64.b64decode(text, validate=True), type=ScanResult)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise BadScanMessage(f"not a valid answer: {shortened(error)}") from error


def mismatch_reason(found: Signal | NoSignal, identity: StrategyIdentity, symbol: str, bar_open_utc_ns: int) -> str:
    """Why an answer must not be taken for that pair and bar, in a phrase; empty where it may."""
    if (found.strategy, found.strategy_hash) != (identity.strategy, identity.strategy_hash):
        made, ours = f"{found.strategy} {found.strategy_hash}", f"{identity.strategy} {identity.strategy_hash}"
        return f"it was made by strategy {shortened(made)}, not {ours}"
    if (found.symbol, found.bar_open_utc_ns) != (symbol, bar_open_utc_ns):
        return "it is about another pair or bar"
    if isinstance(found, NoSignal) or found.exit_now:
        return ""
    prices = [found.side * price for price in (found.stop_price, found.entry_price, found.target_price)]
    if not (all(map(math.isfinite, prices)) and prices[0] < prices[1] < prices[2] and found.entry_price > 0.0):
        return "its stop, entry and target do not lie in that order"
    if not 0.0 <= found.confidence <= 1.0:
        return "its confidence lies outside 0..1"
    return ""


def shortened(thing: object) -> str:
    """What others wrote, fit for a line in a log or on a terminal."""
    text = " ".join(str(thing)[:_LOOKED_AT].split())[:_TEXT_MAX]
    return "".join(letter if letter.isprintable() else "?" for letter in text)
