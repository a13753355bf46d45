"""Parameters as rows: value, edit, default, range, unit, meaning; and a change set with everything that is wrong with it.

Promises: what a parameter is and takes comes from the settings' own table; an edit is judged by the same rules as the files.
Does not: send anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from quarterdeck.core.link.messages import SettingsReply
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.settings.parameters import Parameter, meaning_of, parameters
from quarterdeck.core.settings.settings_loader import (
    StrategyParameters,
    look_up,
    parse_value,
    shipped_tree,
    toml_text,
    validated,
    with_strategy_parameters,
    with_values,
)
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Column, Glyphs, Line, PanelContent, Span, clean, clip, table, wrapped

COLUMNS: Final = (
    Column("parameter", 27),
    Column("value", 14, right=True),
    Column("new", 14, right=True),
    Column("default", 12, right=True, rank=2),
    Column("unit", 14, rank=1),
    Column("allowed", 22, rank=3),
    Column("takes effect", 11, rank=4),
    Column("meaning", 10, rank=5, stretch=True),
)
Edits = Mapping[str, str]
"""New values by key, as TOML writes them."""


class SettingsTable(NamedTuple):
    """Settings in force, shipped values, what is overridden, and the history of changes."""

    tree: dict[str, Any]
    shipped: dict[str, Any]
    overridden: tuple[str, ...]
    changes: tuple[tuple[int, str, str, str, str], ...]
    returns: dict[str, tuple[int, str]] = {}  # noqa: RUF012 - read only
    """By key, when it comes back by itself, and to what."""
    own: StrategyParameters = ()
    """What the strategy declares."""
    pending: tuple[str, ...] = ()
    """Keys whose value waits for the next start."""

    @property
    def rows(self) -> dict[str, Parameter]:
        """All parameters by key, in order."""
        return parameters(self.own)

    def value(self, key: str) -> str:
        """The value in force, as TOML writes it."""
        found = look_up(self.tree, key)
        return "" if found is None else toml_text(found)

    def default(self, key: str) -> str:
        """The shipped value."""
        return toml_text(look_up(self.shipped, key))


def settings_table_of(answer: SettingsReply) -> SettingsTable:
    """The engine's answer, unpacked."""
    tree: dict[str, Any] = msgspec.msgpack.decode(answer.tree)
    returns = {key: (at, value) for at, key, value in answer.returns}
    shipped = with_strategy_parameters(shipped_tree(), answer.own)
    return SettingsTable(tree, shipped, answer.overridden, answer.changes, returns, answer.own, answer.pending)


def rows_matching(book: SettingsTable, search: str) -> list[Parameter]:
    """Parameters whose key, meaning, unit or choices hold every word searched for."""
    words = search.casefold().split()
    return [row for row in book.rows.values() if all(word in _haystack(row) for word in words)]


def sheet(book: SettingsTable, edits: Edits, search: str, width: int, glyphs: Glyphs) -> PanelContent:
    """The list, a line for each section before its parameters."""
    found = rows_matching(book, search)
    head, lines = table(COLUMNS, (_row(row, book, edits, glyphs) for row in found), width, glyphs)
    body: list[Line] = []
    keys: list[str] = []
    section = ""
    for row, line in zip(found, lines, strict=True):
        if row.section != section:
            section = row.section
            body.append(clip((Span(f"[{section}] ", "title"), Span(meaning_of(section), "muted")), width, glyphs))
            keys.append(f"section:{section}")
        body.append(line)
        keys.append(row.key)
    note = f"{len(found)} of {len(book.rows)}" + (f', "{clean(search)}"' if search else "")
    if not found:
        return PanelContent((head,), [(Span("No parameter matches.", "muted"),)], ["nothing"], note)
    return PanelContent((head,), body, keys, note)


def detail(key: str, book: SettingsTable, edits: Edits, why: str, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Everything about one parameter, and why its edit was refused."""
    row = book.rows.get(key)
    if row is None:
        section = key.partition(":")[2]
        return (clip((Span(f"[{section}] ", "strong"), Span(meaning_of(section))), width, glyphs),) if section else ()
    unit = f" [{row.unit}]" if row.unit else ""
    lines: list[Line] = [clip((Span(f"{row.key}{unit}  ", "strong"), Span(row.meaning)), width, glyphs)]
    facts = f"must be {row.allowed}; default {book.default(key)}; takes effect {row.takes_effect}"
    lines.extend((Span(text, "muted"),) for text in wrapped(facts, width))
    last = next((change for change in book.changes if change[1] == key), None)
    if last is not None:
        at = number_format.moment(last[0], "%d %b %H:%M")
        lines.append(
            clip((Span(f"last change {at}Z: {clean(last[2])} to {clean(last[3])}, {clean(last[4])}", "muted"),), width, glyphs)
        )
    if key in book.pending:
        lines.append((Span("waits for the next start; until then this run continues with what it began with", "warn"),))
    if key in book.returns:
        when, back = book.returns[key]
        lines.append((Span(f"comes back to {clean(back)} at {number_format.moment(when, '%d %b %H:%M')}Z by itself", "warn"),))
    if key in edits:
        lines.append(clip((Span(f"{book.value(key)} {glyphs.level} {edits[key]}", "accent"),), width, glyphs))
    if why:
        lines.extend((Span(text, "bad"),) for text in wrapped(why, width))
    return tuple(lines)


def parse_edit(book: SettingsTable, key: str, text: str) -> tuple[str | None, str]:
    """An edit as TOML writes it, or why it is refused."""
    try:
        return toml_text(parse_value(key, text, book.own)), ""
    except SettingsError as error:
        return None, clean(str(error).partition("mistake: ")[2] or str(error))


def next_value(row: Parameter, now: str) -> str | None:
    """The next value of a switch or a choice; None for anything that must be typed."""
    if row.kind == "switch":
        return "false" if now == "true" else "true"
    if row.kind == "choice":
        choices = [toml_text(choice) for choice in row.choices]
        return choices[(choices.index(now) + 1) % len(choices)] if now in choices else choices[0]
    return None


def invalid_combination(book: SettingsTable, edits: Edits) -> str:
    """What is wrong with the whole tree once the edits are in it; empty when nothing is."""
    try:
        values = [(key, parse_value(key, text, book.own)) for key, text in edits.items()]
        validated(with_values(book.tree, values), "these changes", book.own)
    except SettingsError as error:
        return clean(str(error))
    return ""


def change_lines(book: SettingsTable, edits: Edits, width: int, rows_max: int, glyphs: Glyphs) -> list[Line]:
    """The change set: old and new value of each, and when it takes effect."""
    lines: list[Line] = []
    for number, (key, new) in enumerate(edits.items()):
        if number == rows_max - 1 and len(edits) > rows_max:
            lines.append((Span(f"and {len(edits) - number} more", "warn"),))
            break
        row = book.rows[key]
        spans = (
            Span(f"{key} "),
            Span(f"{book.value(key)} {glyphs.level} {new}", "accent"),
            Span(f" {row.unit}; {row.takes_effect}", "muted"),
        )
        lines.append(clip(spans, width, glyphs))
    return lines


def undo_changes(book: SettingsTable) -> tuple[tuple[str, str], ...]:
    """What takes the newest set of changes back; a key that was changed since, or is no parameter, is left out."""
    newest = book.changes[:1]
    same = [change for change in book.changes if (change[0], change[4]) == (newest[0][0], newest[0][4])]
    return tuple((key, old) for _, key, old, new, _ in same if key in book.rows and book.value(key) == new)


def history_lines(changes: Sequence[tuple[int, str, str, str, str]], width: int, glyphs: Glyphs) -> list[Line]:
    """The history of changes, newest first."""
    return [
        clip(
            (
                Span(f"{number_format.moment(at, '%d %b %H:%M')} ", "muted"),
                Span(f"{clean(key)} "),
                Span(f"{clean(old)} {glyphs.level} {clean(new)}", "accent"),
                Span(f"  {clean(cause)}", "muted"),
            ),
            width,
            glyphs,
        )
        for at, key, old, new, cause in changes
    ]


def _haystack(row: Parameter) -> str:
    return f"{row.key} {row.meaning} {row.unit} {' '.join(map(str, row.choices))} {row.takes_effect}".casefold()


def _row(row: Parameter, book: SettingsTable, edits: Edits, glyphs: Glyphs) -> tuple[Span, ...]:
    value, default, new = book.value(row.key), book.default(row.key), edits.get(row.key, "")
    mark = glyphs.changed if row.key in book.overridden else " "
    return (
        Span(f"{mark} {row.name}", "strong" if new else ""),
        Span(value, "accent" if value != default else ""),
        Span(f"{glyphs.level} {new}" if new else "", "warn"),
        Span(default, "muted"),
        Span(row.unit, "muted"),
        Span(_bounds(row), "muted"),
        Span(row.takes_effect, "muted"),
        Span(row.meaning, "muted"),
    )


def _bounds(row: Parameter) -> str:
    if row.low is not None and row.high is not None:
        return f"{row.low:g} to {row.high:g}"
    return " | ".join(map(str, row.choices)) if row.choices else "true | false" if row.kind == "switch" else row.kind
