"""A screen as text that a reviewer can read: its words, and for each theme the runs of style under them."""

from __future__ import annotations

from rich.style import Style

from quarterdeck.tui.app import DeskApp

NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%&=+*<>"


def words(app: DeskApp) -> str:
    """The cells' letters, line by line."""
    return (
        "\n".join("".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips()) + "\n"
    )


def styles(app: DeskApp) -> str:
    """A legend of looks in order of appearance, then each line as runs: how many cells in which look."""
    legend: dict[str, str] = {}
    lines: list[str] = []
    for strip in app.screen._compositor.render_strips():
        runs: list[tuple[str, int]] = []
        for segment in strip:
            look = legend.setdefault(look_of(segment.style or Style()), NAMES[min(len(legend), len(NAMES) - 1)])
            if runs and runs[-1][0] == look:
                runs[-1] = (look, runs[-1][1] + segment.cell_length)
            else:
                runs.append((look, segment.cell_length))
        lines.append(" ".join(f"{look}{count}" for look, count in runs))
    return "\n".join([*(f"{name} = {look}" for look, name in legend.items()), *folded(lines)]) + "\n"


def folded(lines: list[str]) -> list[str]:
    """Neighbouring equal lines as one, counted."""
    found: list[tuple[str, int]] = []
    for line in lines:
        if found and found[-1][0] == line:
            found[-1] = (line, found[-1][1] + 1)
        else:
            found.append((line, 1))
    return [line if count == 1 else f"{line}  x{count}" for line, count in found]


def look_of(style: Style) -> str:
    """Colours and attributes of a style, without what selection and links add."""
    colours = [colour.name if colour is not None else "default" for colour in (style.color, style.bgcolor)]
    attributes = [name for name in ("bold", "dim", "italic", "underline", "reverse", "strike") if getattr(style, name)]
    return " ".join([" on ".join(colours), *attributes])
