"""Lines in roles: cleaning, fitting, tables, chips, and how much of a line must be sent again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from quarterdeck.tui.view.lines import (
    ASCII,
    UNICODE,
    Chip,
    Column,
    Span,
    changed_cells,
    chips,
    clean,
    clip,
    fit,
    merged,
    meter,
    plain_of,
    table,
    unmarked,
    width_of,
    wrapped,
)

ANY_TEXT = some.text(max_size=60)
LINES = some.lists(some.builds(Span, ANY_TEXT.map(clean), some.sampled_from(("", "good", "alarm"))), max_size=5).map(tuple)


@given(ANY_TEXT)
def test_nothing_a_terminal_would_obey_passes(text):
    assert all(letter.isprintable() for letter in clean(text) if letter != " ")


@given(ANY_TEXT, some.integers(0, 30))
def test_fitted_text_has_exactly_the_width(text, width):
    assert width_of((Span(fit(text, width, UNICODE)),)) == width


@given(LINES, some.integers(0, 40))
def test_clipped_lines_never_grow_beyond_the_width(line, width):
    assert width_of(clip(line, width, ASCII)) <= width


@given(ANY_TEXT, some.integers(2, 30))
def test_wrapped_text_loses_no_word(text, width):
    lines = wrapped(text, width)
    assert all(width_of((Span(line),)) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == clean(text).replace(" ", "")


@given(LINES)
def test_merging_keeps_the_words(line):
    assert plain_of(merged(line)) == plain_of(line)


@given(LINES, LINES)
def test_what_lies_right_of_the_changed_cells_is_the_same(before, after):
    cells = changed_cells(before, after)
    if width_of(before) == width_of(after) and (plain_of(before) + plain_of(after)).isascii():
        assert plain_of(before)[cells:] == plain_of(after)[cells:]
    assert cells <= max(width_of(before), width_of(after))


def test_only_the_left_part_is_sent_when_only_it_changed():
    before = (Span("EURUSD 1.07412", ""), Span(" refused: spread", "muted"))
    after = (Span("EURUSD 1.07413", ""), Span(" refused: spread", "muted"))
    assert changed_cells(before, after) == 14
    assert changed_cells(before, before) == 0


def test_columns_give_way_by_rank_and_one_stretches():
    columns = (Column("pair", 6), Column("bid", 8, right=True, rank=2), Column("why", 4, rank=1, stretch=True))
    rows = [(Span("EURUSD"), Span("1.07"), Span("spread too wide"))]
    head, lines = table(columns, rows, 30, ASCII)
    assert plain_of(lines[0]) == "EURUSD     1.07 spread too wid~"[:30] or width_of(lines[0]) == 30
    head, lines = table(columns, rows, 18, ASCII)
    assert "1.07" not in plain_of(lines[0])
    assert plain_of(lines[0]) == "EURUSD spread too~"
    assert plain_of(head).startswith("pair")


def test_chips_of_higher_rank_give_way_and_order_is_kept():
    row = [Chip((Span("aaaa"),), 2), Chip((Span("bbbb"),)), Chip((Span("cccc"),), 1)]
    gap = Span("|")
    assert plain_of(chips(row, 20, gap)) == "aaaa|bbbb|cccc"
    assert plain_of(chips(row, 9, gap)) == "bbbb|cccc"
    assert plain_of(chips(row, 2, gap)) == "bbbb"


@pytest.mark.parametrize(
    ("fraction", "bar"), [(None, "????"), (0.0, "...."), (0.01, "#..."), (0.5, "##.."), (1.0, "####"), (7.0, "####")]
)
def test_meter_shows_the_smallest_use_and_never_overflows(fraction, bar):
    assert meter(fraction, 4, ASCII) == bar


def test_brackets_in_titles_are_no_markup():
    assert unmarked("[x]\x1b") == "\\[x]?"
