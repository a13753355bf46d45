"""One question to a strategy, whole: the closed bars of one pair, its instrument and what was measured of it.

Why: whoever answers keeps nothing between questions, so it may live in this loop, in a process of its own or on another machine,
and may be lost and replaced at any time. Closed bars in, `Signal` or `NoSignal` out.
Promises: the answer depends on the question and the strategy alone; `encode_request` and `decode_request` lose nothing, to the
last bit.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.scan.plan import STRATEGY_ERROR, AtrFigures, scan_row, withheld_answer
from quarterdeck.core.strategy.answers import candidates_of, columns_of
from quarterdeck.core.strategy.guarded_call import CallFailure, call_guarded
from quarterdeck.core.strategy.interface import BoolArray, Columns, Strategy
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

_WHOLE, _PRICE = "<i8", "<f8"
_COLUMNS = (
    ("open_utc_ns", _WHOLE),
    ("open", _PRICE),
    ("high", _PRICE),
    ("low", _PRICE),
    ("close", _PRICE),
    ("tick_volume", _WHOLE),
    ("spread_points", _WHOLE),
)


class ScanRequest(Struct, frozen=True, kw_only=True, eq=False):
    """The window of one pair at the close of its last M15 bar. The bars may be views: ask or encode at once."""

    instrument: Instrument
    m15: Candles
    h1: Candles
    """H1 bars closed by the end of the last M15 bar."""
    figures: AtrFigures

    @property
    def bar_open_utc_ns(self) -> UtcNs:
        """Open of the bar that just closed."""
        return self.m15.open_utc_ns.item(-1)

    def no_answer(self, loaded: LoadedStrategy, why: str) -> NoSignal:
        """The answer where the strategy gave none, and why."""
        return withheld_answer(loaded, self.instrument.symbol, self.bar_open_utc_ns, why, self.figures)


def answer_request(loaded: LoadedStrategy, look: ScanRequest) -> Signal | NoSignal:
    """What the strategy says; whatever it raises becomes a `NoSignal` that says so."""
    loaded = loaded.of(look.instrument.symbol)
    found = call_guarded("", prepare_columns, loaded.strategy, look.m15, look.h1, look.instrument)
    if isinstance(found, CallFailure):
        return look.no_answer(loaded, f"{STRATEGY_ERROR}{found.error}")
    columns, candidates = found
    candidate = bool(candidates[-1])
    last, opened = len(look.m15) - 1, look.bar_open_utc_ns
    return scan_row(loaded, look.instrument, columns, last, bar_open_utc_ns=opened, candidate=candidate, figures=look.figures)


def prepare_columns(strategy: Strategy, m15: Candles, h1: Candles, instrument: Instrument) -> tuple[Columns, BoolArray]:
    """The strategy's columns over these bars, and where it finds something. Raises what the strategy does, and WrongAnswer."""
    # it gets candles of its own over the same bars: what it puts into them reaches nobody else
    own = m15[:]
    opened = own.open_utc_ns
    columns = columns_of(strategy.prepare(own, h1[:], instrument), opened)
    return columns, candidates_of(strategy.candidates(columns), m15)


def encode_request(look: ScanRequest) -> bytes:
    """The question as bytes: about 56 bytes a bar."""
    return _encoder.encode(look)


def decode_request(data: bytes) -> ScanRequest:
    """A question from its bytes. Raises msgspec.ValidationError or ValueError when it is none."""
    return _decoder.decode(data)


def _packed(value: Any) -> Any:
    invariant(isinstance(value, Candles), "a question holds plain data and candles", kind=type(value).__name__)
    return tuple(np.asarray(getattr(value, name)).astype(kind).tobytes() for name, kind in _COLUMNS)


def _unpacked(kind: type, value: Any) -> Any:
    if kind is not Candles or not isinstance(value, list) or len(value) != len(_COLUMNS):
        raise ValueError("these are no candles")
    columns = [np.frombuffer(part, dtype) for part, (_, dtype) in zip(value, _COLUMNS, strict=True)]
    if len({len(column) for column in columns}) != 1:
        raise ValueError("columns of candles are of equal length")
    return Candles(*columns)


_encoder = msgspec.msgpack.Encoder(enc_hook=_packed)
_decoder: msgspec.msgpack.Decoder[ScanRequest] = msgspec.msgpack.Decoder(ScanRequest, dec_hook=_unpacked)
