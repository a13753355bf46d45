"""Quotes are packed in 13 bytes and come back equal to the bit."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.journal.quote_blocks import BLOCK_QUOTES, QUOTE_BYTES, QuoteBlock, QuoteGrid, unpack
from quarterdeck.core.model.inputs import SequencedInput
from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.units import NS_PER_MS
from tests.core.journal.tapes import MONDAY_NS, instruments

SYMBOLS = {0: ("EURUSD", 5), 1: ("USDJPY", 3)}


def grid() -> QuoteGrid:
    fresh = QuoteGrid()
    assert fresh.learn(instruments().instruments) == [0, 1]
    return fresh


def pack(quotes: list[SequencedInput]) -> tuple[list[QuoteBlock], list[SequencedInput]]:
    """Blocks, and what did not fit into any."""
    known, blocks, left, chain = grid(), list[QuoteBlock](), list[SequencedInput](), 0
    for stamped in quotes:
        assert isinstance(stamped.input, Quote)
        units = known.units(stamped.input)
        placed = None
        if units is not None:
            for fresh in (False, True):
                if fresh or blocks:
                    block = QuoteBlock(len(blocks), stamped.seq, stamped.at_utc_ns) if fresh else blocks[-1]
                    placed = block.add(stamped.seq, stamped.at_utc_ns, units, stamped.input.at_utc_ns, chain)
                    if placed is not None:
                        blocks += [block] if fresh else []
                        break
        if placed is None:
            left.append(stamped)
        else:
            chain = placed
    return blocks, left


def bits(price: float) -> bytes:
    return struct.pack("<d", price)


@st.composite
def some_quotes(draw: st.DrawFn) -> list[SequencedInput]:
    count = draw(st.integers(1, 12))
    seq, at = draw(st.integers(1, 1 << 40)), MONDAY_NS
    quotes = []
    for _ in range(count):
        index = draw(st.integers(0, 1))
        symbol, digits = SYMBOLS[index]
        bid = draw(st.integers(1, (1 << 32) - 1))
        ask = bid + draw(st.integers(0, 65_535))
        at += draw(st.integers(0, 1_048_575)) * NS_PER_MS
        tick = at - draw(st.integers(-524_288, 524_287)) * NS_PER_MS
        quote = Quote(symbol=symbol, at_utc_ns=tick, bid=round(bid * 10**-digits, digits), ask=round(ask * 10**-digits, digits))
        quotes.append(SequencedInput(seq=seq, at_utc_ns=at, input=quote))
        seq += draw(st.integers(1, 300))
    return quotes


@given(some_quotes())
def test_what_is_packed_comes_back_to_the_bit(quotes: list[SequencedInput]) -> None:
    blocks, left = pack(quotes)
    found = [stamped for block in blocks for stamped, _ in unpack(block.first_seq, block.base_utc_ms, bytes(block.body), SYMBOLS)]
    assert sorted([*found, *left], key=lambda stamped: stamped.seq) == quotes
    for stamped in found:
        assert isinstance(stamped.input, Quote)
    pairs = zip([q for q in quotes if q not in left], found, strict=True)
    assert all(bits(a.input.bid) == bits(b.input.bid) and bits(a.input.ask) == bits(b.input.ask) for a, b in pairs)  # type: ignore[union-attr]


@given(some_quotes())
def test_ordinary_market_quotes_always_fit(quotes: list[SequencedInput]) -> None:
    plain = [q for q in quotes if isinstance(q.input, Quote) and q.input.ask < 400_000]
    _, left = pack(plain)
    assert left == []


@given(st.integers(0, (1 << 32) - 1), st.integers(0, 9))
def test_units_over_a_power_of_ten_are_what_rounding_gives(units: int, digits: int) -> None:
    assert units / 10.0**digits == round(units * 10**-digits, digits)


def test_a_quote_costs_thirteen_bytes() -> None:
    at = MONDAY_NS
    quotes = [
        SequencedInput(seq=n, at_utc_ns=at + n * NS_PER_MS, input=Quote(symbol="EURUSD", at_utc_ns=at, bid=1.085, ask=1.0851))
        for n in range(1, BLOCK_QUOTES + 2)
    ]
    blocks, left = pack(quotes)
    assert left == []
    assert [len(block.body) for block in blocks] == [BLOCK_QUOTES * QUOTE_BYTES, QUOTE_BYTES]
    assert QUOTE_BYTES == 13


@pytest.mark.parametrize(
    ("bid", "ask", "symbol"),
    [
        (1.085001, 1.0851, "EURUSD"),
        (1.0852, 1.0851, "EURUSD"),
        (float("nan"), 1.0851, "EURUSD"),
        (1.0851, float("inf"), "EURUSD"),
        (0.0, 1.0851, "EURUSD"),
        (-1.0, 1.0851, "EURUSD"),
        (1.0, 2.0, "EURUSD"),
        (1.0851, 1.0852, "AUDUSD"),
    ],
)
def test_what_does_not_lie_on_the_grid_is_left_out(bid: float, ask: float, symbol: str) -> None:
    assert grid().units(Quote(symbol=symbol, at_utc_ns=MONDAY_NS, bid=bid, ask=ask)) is None


def test_times_finer_than_a_millisecond_are_left_out() -> None:
    block = QuoteBlock(1, 1, MONDAY_NS)
    assert block.add(1, MONDAY_NS + 1, (0, 1, 1), MONDAY_NS, 0) is None
    assert block.add(1, MONDAY_NS, (0, 1, 1), MONDAY_NS - 1, 0) is None
    assert block.add(1, MONDAY_NS, (0, 1, 1), MONDAY_NS - 10 * 60_000 * NS_PER_MS, 0) is None
    assert not block.body


def test_digits_that_change_get_a_new_number() -> None:
    known = grid()
    changed = instruments().instruments[0]
    assert known.learn((changed,)) == []
    import msgspec

    assert known.learn((msgspec.structs.replace(changed, digits=4, point=0.0001),)) == [2]
    assert known.units(Quote(symbol="EURUSD", at_utc_ns=0, bid=1.085, ask=1.0851)) == (2, 10850, 1)


def test_a_block_of_quotes_survives_closing_bit_for_bit() -> None:
    rng = random.Random(5)
    block, chain, seq, stamp = QuoteBlock(1, 1, 10**18), 0, 1, 10**18
    for _ in range(200):
        seq, stamp = seq + rng.choice((1, 2, 3)), stamp + rng.randrange(1000) * 1_000_000
        found = block.add(seq, stamp, (rng.randrange(3), 110_000 + rng.randrange(500), rng.randrange(30)), stamp, chain)
        assert found is not None
        chain = found
    symbols = {0: ("EURUSD", 5), 1: ("GBPUSD", 5), 2: ("USDCAD", 5)}
    raw = list(unpack(1, block.base_utc_ms, block.stored(), symbols))
    size = len(block.stored())
    block.closed = True
    assert list(unpack(1, block.base_utc_ms, block.stored(), symbols)) == raw
    assert len(block.stored()) < size
