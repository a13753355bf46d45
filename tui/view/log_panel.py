"""The log as lines: level as a word, filtered by level and text, formatted only where it is looked at.

What says that a fault is over passes every level: whoever reads faults alone wants to see them end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, overload

from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, UtcNs
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Glyphs, Line, PanelContent, Span, clean, clip

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
WORDS: Final = {"debug": "debug", "info": "info ", "warning": "WARN ", "error": "ERROR", "critical": "CRIT "}
ROLES: Final = {"debug": "muted", "info": "muted", "warning": "warn", "error": "bad", "critical": "alarm"}


NARROW: Final = 100
_WEEK_NS: Final = 6 * S_PER_DAY * NS_PER_S
"""Within these days a weekday says which."""


class LogFilter(NamedTuple):
    """What of the log is looked at: from a level up, and lines that hold a text (pair, kind, ticket or words)."""

    level: str = "info"
    text: str = ""

    def shows(self, line: LogLine) -> bool:
        """Whether `line` passes."""
        if LEVELS.index(line.level) < LEVELS.index(self.level) and not line.resolved:
            return False
        if not self.text:
            return True
        wanted = self.text.casefold()
        return any(wanted in part.casefold() for part in (line.text, line.symbol, line.kind, str(line.ticket or "")))

    def next_level(self) -> LogFilter:
        """The next level up, and round again."""
        return self._replace(level=LEVELS[(LEVELS.index(self.level) + 1) % len(LEVELS)])

    @property
    def words(self) -> str:
        """The filter in words, for the frame."""
        return f"{self.level} and up" + (f', "{clean(self.text)}"' if self.text else "")


class _Lines(Sequence[Line]):
    """Formats a line when it is asked for: a thousand lines a second cost only what is on the screen."""

    def __init__(self, lines: list[LogLine], width: int, glyphs: Glyphs) -> None:
        self._lines, self._width, self._glyphs = lines, width, glyphs

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        if isinstance(index, slice):
            return [self._made(line) for line in self._lines[index]]
        return self._made(self._lines[index])

    def _made(self, line: LogLine) -> Line:
        return line_of(line, self._width, self._glyphs, self._lines[-1].at_utc_ns)


def sheet(lines: Iterable[LogLine], chosen: LogFilter, width: int, glyphs: Glyphs) -> PanelContent:
    """The panel, oldest first."""
    shown = [line for line in lines if chosen.shows(line)]
    if not shown:
        return PanelContent(
            (), [(Span("Nothing yet." if chosen == LogFilter() else "Nothing passes the filter.", "muted"),)], (), chosen.words
        )
    return PanelContent((), _Lines(shown, width, glyphs), (), chosen.words)


def line_of(line: LogLine, width: int, glyphs: Glyphs, now_utc_ns: UtcNs = 0) -> Line:
    """One line: time (of another day than `now_utc_ns` its weekday or date), level as a word, text, and what it is about.

    Where there is little room, the ticket and the level of what is only reported give way: the end of the text is its result.
    """
    narrow = width < NARROW
    away = abs(now_utc_ns - line.at_utc_ns) if now_utc_ns else 0
    today = not now_utc_ns or number_format.same_day(line.at_utc_ns, now_utc_ns)
    at = number_format.moment(line.at_utc_ns, "%H:%M:%S" if today else "%a %H:%M" if away < _WEEK_NS else "%d %b   ")
    about = " ".join(part for part in (line.symbol, f"#{line.ticket}" if line.ticket and not narrow else "") if part)
    word, role = ("OK   ", "good") if line.resolved else (WORDS[line.level], ROLES[line.level])
    level = "" if narrow and line.level == "info" and not line.resolved else f"{word} "
    subject = f"{about}: " if about and not line.text.startswith(about if not narrow else line.symbol) else ""
    spans = (
        Span(f"{at} ", "muted"),
        Span(level, role),
        Span(clean(f"{subject}{line.text}"), "" if line.level in ("debug", "info") else ROLES[line.level]),
    )
    return clip(spans, width, glyphs)


def plain(line: LogLine) -> str:
    """One line without roles."""
    return f"{number_format.moment(line.at_utc_ns)} {WORDS[line.level]} {clean(line.symbol)} {clean(line.text)}"
