"""Quotes on the tape: 13 bytes each in blocks, and back to the last bit.

Why: quotes are nine tenths of a tape's rows; as rows they would cost ten times as much, and nobody looks at one alone.
Promises: what was packed is unpacked equal to the bit, with its own sequence number, so that order among other inputs is exact;
a quote that cannot be packed so (off its grid, ask under bid, times finer than a millisecond, a tick nine minutes old) is left to
the caller, to be kept as an ordinary row. A block that is closed is compressed to a third or less; `unpack` reads both.

One record, little endian: symbol u8, distance from the last record's sequence number u8, bid in units of the last digit u32,
spread in the same units u16, then 40 bits: milliseconds since the last record's stamp (20), and stamp minus tick time in
milliseconds, offset by half the range (20). A price is units / 10**digits: the double nearest to that decimal, which is also what
round(units * point, digits) gives.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from zlib import crc32

from quarterdeck.core.model.inputs import SequencedInput
from quarterdeck.core.model.market_data import Instrument, Quote
from quarterdeck.core.model.units import NS_PER_MS

QUOTE_BYTES = 13
BLOCK_QUOTES = 256
"""Quotes in a block: it is rewritten as it grows, and at this size fits a page of the file."""
_RECORD = struct.Struct("<BBIHIB")
_BLOCK_HEAD = struct.Struct("<qq")
_LAG_ZERO = 1 << 19
_FIELD_MAX = 1 << 20
_LEVEL = 6
_ZLIB = 0x78
"""First byte of every zlib stream."""


class QuoteGrid:
    """Which symbol has which number and which price grid, for one run; numbers are never given twice."""

    __slots__ = ("_index", "_units", "rows")

    def __init__(self) -> None:
        self.rows: list[tuple[str, int]] = []
        """(symbol, digits) by number."""
        self._index: dict[str, int] = {}
        self._units: dict[str, float] = {}

    def learn(self, instruments: tuple[Instrument, ...]) -> list[int]:
        """Take digits from the broker's specifications; returns the numbers that are new."""
        added: list[int] = []
        for instrument in instruments:
            row = (instrument.symbol, instrument.digits)
            known = self._index.get(instrument.symbol)
            if (known is not None and self.rows[known] == row) or len(self.rows) > 255 or not 0 <= instrument.digits <= 9:
                continue
            added.append(len(self.rows))
            self.rows.append(row)
            self._index[instrument.symbol] = added[-1]
            self._units[instrument.symbol] = 10.0**instrument.digits
        return added

    def units(self, quote: Quote) -> tuple[int, int, int] | None:
        """(number of the symbol, bid, spread) in units of the last digit; None when the quote does not lie on its grid."""
        index = self._index.get(quote.symbol)
        if index is None:
            return None
        scale, bid, ask = self._units[quote.symbol], quote.bid, quote.ask
        try:
            low = round(bid * scale)
            spread = round(ask * scale) - low
        except (ValueError, OverflowError):
            return None
        exact = low / scale == bid and (low + spread) / scale == ask
        return (index, low, spread) if exact and 0 < low < 1 << 32 and 0 <= spread < 1 << 16 else None


class QuoteBlock:
    """The block being filled: immutable once full, rewritten as a whole until then."""

    __slots__ = (
        "_last_ms",
        "base_utc_ms",
        "body",
        "chain",
        "closed",
        "first_seq",
        "kept_bytes",
        "last_seq",
        "last_utc_ns",
        "row_id",
    )

    def __init__(self, row_id: int, first_seq: int, at_utc_ns: int) -> None:
        self.row_id = row_id
        self.first_seq = self.last_seq = first_seq
        self.base_utc_ms = self._last_ms = at_utc_ns // NS_PER_MS
        self.last_utc_ns = at_utc_ns
        self.body = bytearray()
        self.chain = 0
        self.closed = False
        self.kept_bytes = 0
        """What the journal's file holds of it."""

    def copy(self) -> QuoteBlock:
        """A copy that further quotes do not change."""
        twin = QuoteBlock(self.row_id, self.first_seq, self.last_utc_ns)
        twin.last_seq, twin.base_utc_ms, twin._last_ms = self.last_seq, self.base_utc_ms, self._last_ms
        twin.body, twin.chain, twin.kept_bytes = bytearray(self.body), self.chain, self.kept_bytes
        return twin

    def stored(self) -> bytes:
        """The records as the journal keeps them."""
        return zlib.compress(self.body, _LEVEL) if self.closed else bytes(self.body)

    def add(self, seq: int, at_utc_ns: int, units: tuple[int, int, int], tick_utc_ns: int, chain: int) -> int | None:
        """Add a quote and return the chain after it; None when it does not fit here (another block may take it)."""
        stamp_ms, rest = divmod(at_utc_ns, NS_PER_MS)
        tick_ms, tick_rest = divmod(tick_utc_ns, NS_PER_MS)
        step, since, lag = seq - self.last_seq, stamp_ms - self._last_ms, stamp_ms - tick_ms + _LAG_ZERO
        fits = not rest and not tick_rest and 0 <= step < 256 and 0 <= since < _FIELD_MAX and 0 <= lag < _FIELD_MAX
        if not fits or len(self.body) >= BLOCK_QUOTES * QUOTE_BYTES:
            return None
        if not self.body:
            chain = crc32(_BLOCK_HEAD.pack(self.first_seq, self.base_utc_ms), chain)
        index, low, spread = units
        times = since | lag << 20
        record = _RECORD.pack(index, step, low, spread, times & 0xFFFFFFFF, times >> 32)
        self.body += record
        self.last_seq, self._last_ms, self.last_utc_ns = seq, stamp_ms, at_utc_ns
        self.chain = crc32(record, chain)
        return self.chain


def _records(body: bytes) -> bytes:
    """The records of a block, compressed or not. Raises ValueError for a compressed one that was changed."""
    # a record begins with its symbol and, the first of a block, with a step of 0, which no zlib stream has there
    if len(body) < 2 or body[0] != _ZLIB or body[1] == 0:
        return body
    try:
        return zlib.decompress(body)
    except zlib.error as error:
        raise ValueError(f"a block of quotes was changed ({error})") from error


def unpack(
    first_seq: int, base_utc_ms: int, body: bytes, symbols: dict[int, tuple[str, int]]
) -> Iterator[tuple[SequencedInput, bytes]]:
    """Quotes of a block with their seq and stamp, and what each adds to the chain; `symbols` gives (name, digits) by number."""
    seq, stamp_ms = first_seq, base_utc_ms
    opening = _BLOCK_HEAD.pack(first_seq, base_utc_ms)
    body = _records(body)
    for place in range(0, len(body) - len(body) % QUOTE_BYTES, QUOTE_BYTES):
        record = body[place : place + QUOTE_BYTES]
        index, step, low, spread, times_low, times_high = _RECORD.unpack(record)
        times = times_low | times_high << 32
        seq += step
        stamp_ms += times & (_FIELD_MAX - 1)
        symbol, digits = symbols[index]
        scale = 10.0**digits
        tick_ms = stamp_ms - ((times >> 20) - _LAG_ZERO)
        quote = Quote(symbol=symbol, at_utc_ns=tick_ms * NS_PER_MS, bid=low / scale, ask=(low + spread) / scale)
        yield SequencedInput(seq=seq, at_utc_ns=stamp_ms * NS_PER_MS, input=quote), opening + record
        opening = b""
