"""Lines of text in roles: the currency between views and widgets.

Promises: text from outside is cleaned of control characters before it becomes a span; widths are counted in terminal cells;
a line never grows beyond the width it was fitted to.
Does not: know colours (`tui.themes`), widgets, or what is traded.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

ROLES: Final = ("", "muted", "strong", "good", "bad", "warn", "alarm", "accent", "title", "key", "real", "unreal", "mark")
"""What a piece of text means; themes give each a look. `alarm`, `real` and `unreal` are blocks, not only letters."""


class Span(NamedTuple):
    """A piece of a line in one role."""

    text: str
    role: str = ""


Line = tuple[Span, ...]
BLANK: Final[Line] = ()


class Glyphs(NamedTuple):
    """Signs that a terminal without Unicode draws in ASCII."""

    up: str
    down: str
    level: str
    ellipsis: str
    bar: str
    gap: str
    divider: str
    dot: str
    rule: str
    cursor: str
    changed: str
    ascii: bool


UNICODE: Final = Glyphs("▲", "▼", "→", "…", "█", "░", "│", "·", "─", "▸", "•", False)
ASCII: Final = Glyphs("^", "v", "-", "~", "#", ".", "|", "-", "-", ">", "*", True)


class Column(NamedTuple):
    """A column of a table: its worth (`rank`, 0 is worth most and dropped last) and its least width."""

    title: str
    width: int
    right: bool = False
    rank: int = 0
    stretch: bool = False
    whole: bool = False
    """Never cut: as wide as its longest text. For prices, money and whatever else would mislead when cut."""
    want: int = 0
    """Its words get up to so many cells before a column that is worth less is shown."""


class PanelContent(NamedTuple):
    """What a panel shows: fixed lines on top, lines that scroll, and the identity of each of them."""

    head: tuple[Line, ...]
    body: Sequence[Line]
    keys: Sequence[str] = ()
    note: str = ""
    """A few words for the panel's frame, e.g. how many there are."""


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """`text` on one line without anything a terminal would obey: control, format and private characters become `?`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_harmless(letter) for letter in text)


def _harmless(letter: str) -> str:
    if letter in "\t\n\r\x0b\x0c" or unicodedata.category(letter) == "Zs":
        return " "
    return letter if letter.isprintable() else "?"


def unmarked(text: str) -> str:
    """`text` for a frame's title, where brackets would be taken for markup."""
    return clean(text).replace("[", "\\[")


def plain_of(line: Line) -> str:
    """The words of a line without roles."""
    return "".join(span.text for span in line)


def width_of(line: Line) -> int:
    """Cells that a line takes."""
    return sum(cell_len(span.text) for span in line)


def fit(text: str, width: int, glyphs: Glyphs, *, right: bool = False) -> str:
    """`text` in exactly `width` cells: padded, or cut with an ellipsis. A number is left out rather than cut."""
    text = clean(text)
    size = cell_len(text)
    if size == width:
        return text
    if size < width:
        return " " * (width - size) + text if right else text + " " * (width - size)
    if width <= 0:
        return ""
    kept = _before_number(text, set_cell_size(text, width - 1))
    return kept + glyphs.ellipsis + " " * (width - 1 - cell_len(kept))


def _before_number(text: str, kept: str) -> str:
    """`kept`, the beginning of `text`, without a number that the cut would go through."""
    rest = text[len(kept) :]
    if not kept or kept[-1] == " " or not rest or rest[0] == " ":
        return kept
    begun = kept.rpartition(" ")[2]
    word = begun + rest.partition(" ")[0]
    return kept[: len(kept) - len(begun)] if any(letter.isdigit() for letter in word) else kept


def clip(line: Line, width: int, glyphs: Glyphs) -> Line:
    """`line` in at most `width` cells, the last span cut with an ellipsis."""
    if width_of(line) <= width:
        return line
    kept: list[Span] = []
    room = width
    for span in line:
        size = cell_len(span.text)
        if size >= room:
            kept.append(Span(fit(span.text + " " * (room + 1 - size), room, glyphs), span.role))
            break
        kept.append(span)
        room -= size
    return tuple(kept)


def spread(left: Line, right: Line, width: int, glyphs: Glyphs) -> Line:
    """`left` at the left edge and `right` at the right one; the left gives way."""
    room = width - width_of(right)
    if room <= 0:
        return clip(right, width, glyphs)
    left = clip(left, max(room - 1, 0), glyphs)
    return (*left, Span(" " * (room - width_of(left))), *right)


def wrapped(text: str, width: int) -> list[str]:
    """`text` broken into lines of at most `width` cells, at spaces where there are any."""
    lines: list[str] = []
    current = ""
    for word in clean(text).split(" "):
        candidate = f"{current} {word}" if current else word
        if cell_len(candidate) <= width:
            current = candidate
            continue
        if current:
            lines.append(current)
        current = word
        while cell_len(current) > width > 0:
            lines.append(set_cell_size(current, width))
            current = current[len(lines[-1].rstrip()) :]
    return [*lines, current]


def changed_cells(before: Line, after: Line) -> int:
    """Cells from the left edge to the last one that differs; what lies right of it need not be sent again."""
    width = width_of(after)
    if width_of(before) != width or not (plain_of(before).isascii() and plain_of(after).isascii()):
        return max(width_of(before), width) if width_of(before) != width else _changed_spans(before, after)
    old = [(letter, span.role) for span in before for letter in span.text]
    new = [(letter, span.role) for span in after for letter in span.text]
    while new and old[-1] == new[-1]:
        old.pop()
        new.pop()
    return len(new)


def _changed_spans(before: Line, after: Line) -> int:
    """As `changed_cells`, by whole spans: letters of two cells have no place in between."""
    width = width_of(after)
    for old, new in zip(reversed(before), reversed(after), strict=False):
        if old != new:
            break
        width -= cell_len(new.text)
    return width


class Chip(NamedTuple):
    """A piece of a status line that is shown whole or not at all; those of higher rank give way first."""

    line: Line
    rank: int = 0


def chips(row: Sequence[Chip], width: int, gap: Span) -> Line:
    """As many chips as fit, in their order, the lowest ranks first. Chips of rank 0 always stay (and may be clipped)."""
    kept: list[int] = []
    room = width
    step = cell_len(gap.text)
    for index in sorted(range(len(row)), key=lambda index: (row[index].rank, index)):
        chip = row[index]
        if not chip.line:
            continue
        size = width_of(chip.line) + (step if kept else 0)
        if size <= room or chip.rank == 0:
            kept.append(index)
            room -= size
    spans: list[Span] = []
    for index in sorted(kept):
        if spans:
            spans.append(gap)
        spans.extend(row[index].line)
    return tuple(spans)


def chip_lines(row: Sequence[Chip], width: int, gap: Span, glyphs: Glyphs) -> tuple[Line, ...]:
    """As `chips`, on as many lines as the chips of rank 0 need: nothing of them is cut. Others are shown on the last line."""
    if width_of(one := chips(row, width, gap)) <= width:
        return (one,)
    groups: list[list[Chip]] = []
    for chip in sorted((chip for chip in row if chip.line), key=lambda chip: chip.rank > 0):
        joined = [*groups[-1], chip] if groups else [chip]
        if groups and width_of(chips([part._replace(rank=0) for part in joined], width, gap)) <= width:
            groups[-1] = joined
        elif chip.rank == 0:
            groups.append([chip])
    return tuple(clip(chips([part._replace(rank=0) for part in group], width, gap), width, glyphs) for group in groups)


def columns_that_fit(columns: Sequence[Column], width: int, longest: Sequence[int] = ()) -> tuple[list[int], dict[int, int]]:
    """Which columns fit into `width`, and how wide each is; a gap of one cell lies between columns.

    `longest` is the longest text of each column. Columns come in by worth, and none is passed over: a wider table shows every
    column of a narrower one, and never fewer words in a column.
    """
    widths: dict[int, int] = {}
    room = width + 1
    for index in sorted(range(len(columns)), key=lambda index: (columns[index].rank, index)):
        column = columns[index]
        text = longest[index] if longest else 0
        least = max(column.width, text) if column.whole else column.width
        if least + 1 > room:
            break
        wanted = max(min(text, column.want), least)
        widths[index] = min(wanted, room - 1)
        room -= widths[index] + 1
        if widths[index] < wanted:
            break
    kept = sorted(widths)
    stretching = [index for index in kept if columns[index].stretch]
    for position, index in enumerate(stretching):
        widths[index] += room // len(stretching) + (1 if position < room % len(stretching) else 0)
    return kept, widths


def table(columns: Sequence[Column], rows: Iterable[Sequence[Span]], width: int, glyphs: Glyphs) -> tuple[Line, tuple[Line, ...]]:
    """Title line and rows of a table in `width` cells. Each row has one span per column."""
    rows = list(rows)
    longest = [
        max((cell_len(clean(row[index].text)) for row in rows), default=0) if column.whole or column.want else 0
        for index, column in enumerate(columns)
    ]
    kept, widths = columns_that_fit(columns, width, longest)
    head: list[Span] = []
    for index in kept:
        column = columns[index]
        head.append(Span((" " if head else "") + fit(column.title, widths[index], glyphs, right=column.right), "title"))
    lines: list[Line] = []
    for row in rows:
        spans: list[Span] = []
        for index in kept:
            span = row[index]
            if spans:
                spans.append(Span(" "))
            spans.append(Span(fit(span.text, widths[index], glyphs, right=columns[index].right), span.role))
        lines.append(merged(spans))
    return merged(head), tuple(lines)


def merged(spans: Iterable[Span]) -> Line:
    """Neighbours of one role joined; each span costs bytes on a slow line."""
    result: list[Span] = []
    for span in spans:
        if not span.text:
            continue
        if result and (result[-1].role == span.role or (not span.text.strip() and result[-1].role not in _BLOCKS)):
            result[-1] = Span(result[-1].text + span.text, result[-1].role)
        else:
            result.append(span)
    return tuple(result)


_BLOCKS: Final = frozenset(("alarm", "real", "unreal", "mark", "key"))


EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def limit_bar(fraction: float | None, width: int, glyphs: Glyphs, mark: float) -> str:
    """A bar in eighths of a cell with a line where `mark` of it is used, until the bar has passed it."""
    if fraction is None or glyphs.ascii:
        bar = meter(fraction, width, glyphs)
    else:
        full, rest = divmod(round(min(max(fraction, 0.0), 1.0) * width * 8) or (1 if fraction > 0 else 0), 8)
        bar = (glyphs.bar * full + (EIGHTHS[rest] if rest else "")).ljust(width, glyphs.gap)
    at = int(width * mark)
    return bar[:at] + glyphs.divider + bar[at + 1 :] if bar[at : at + 1] == glyphs.gap else bar


def meter(fraction: float | None, width: int, glyphs: Glyphs) -> str:
    """A bar `width` cells long, filled by `fraction` (0..1); unknown is all question marks."""
    if fraction is None:
        return "?" * width
    full = min(max(round(fraction * width), 0), width)
    if fraction > 0 and full == 0:
        full = 1
    return glyphs.bar * full + glyphs.gap * (width - full)
