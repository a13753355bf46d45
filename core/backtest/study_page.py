"""A search as a page: trials over time, the best, how its neighbours fare, and a heat map of each two parameters.

Promises: an overfit looks like one: a lonely bright cell, neighbours that fall off, judging days far below searching days.
Does not: need anything but itself; see `page` for the report of one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import combinations
from typing import Any

from core.backtest.optimize import Neighbour
from core.backtest.page_style import STYLE
from core.backtest.space import Dimension
from core.backtest.study import Study, Trial
from core.backtest.walk import Walked

_CELLS = 8
_MAPS_MAX = 6
_MORE = """
.cell{stroke:var(--paper);stroke-width:2}.axis{font-weight:600}.dot{fill:var(--sea);opacity:.75}.dot.off{fill:var(--soft);opacity:.5}
.maps{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:18px}
"""


def study_page(study: Study, near: Sequence[Neighbour], walked: Sequence[Walked], title: str) -> str:
    """The whole page."""
    best = study.best
    judged = sum(trial.goal is not None for trial in study.trials)
    told = f"<p>{len(study.trials)} trials, {judged} judged; goal: {escape(study.head.goal)}. {escape(study.head.data)}</p>"
    parts = [f"<header><h1>{escape(title)}</h1>{told}</header>"]
    if best is not None:
        rows = [[key, _shown(value)] for key, value in best.values.items()]
        figures = [[name, _number(value)] for name, value in best.figures.items()]
        parts.append(_section(f"Best: {_number(best.goal)} (trial {best.number})", _table(["parameter", "value"], rows)))
        parts.append(_section("Its figures", _table(["figure", "value"], figures)))
        parts.append(_section("Its neighbours", _neighbours(near, best)))
    parts.append(_section("Trials in order", _dots(study.trials)))
    maps = "".join(_heat(study.trials, one, other) for one, other in list(combinations(study.head.space, 2))[:_MAPS_MAX])
    if maps:
        parts.append(_section("Mean goal by two parameters", f'<div class="maps">{maps}</div>'))
    if walked:
        parts.append(_section("Days it had not seen", _walked(walked)))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}{_MORE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def cliff(best: float | None, near: float | None) -> bool:
    """Whether a neighbour loses half of the best goal, or cannot be judged at all."""
    if best is None:
        return False
    return near is None or near < best - 0.5 * abs(best)


def _neighbours(near: Sequence[Neighbour], best: Trial) -> str:
    rows = [
        [
            one.key,
            _shown(best.values[one.key]),
            _shown(one.value),
            _number(one.goal),
            "falls off" if cliff(best.goal, one.goal) else "",
        ]
        for one in near
    ]
    falls = sum(bool(row[-1]) for row in rows)
    told = f"<p>{falls} of {len(rows)} neighbours fall off. A peak that stands alone is luck.</p>" if rows else ""
    return told + _table(["parameter", "best", "moved to", "goal", ""], rows)


def _dots(trials: Sequence[Trial]) -> str:
    goals = [trial.goal for trial in trials if trial.goal is not None]
    if not goals:
        return '<p class="quiet">No trial could be judged.</p>'
    low, high = min(goals), max(goals)
    span = (high - low) or 1.0
    step = 860 / max(len(trials) - 1, 1)
    dots = "".join(
        f'<circle class="dot{"" if trial.goal is not None else " off"}" cx="{72 + place * step:.1f}" '
        f'cy="{170 - 150 * ((trial.goal if trial.goal is not None else low) - low) / span:.1f}" r="3">'
        f"<title>trial {trial.number}: {_number(trial.goal)} {escape(trial.why)}</title></circle>"
        for place, trial in enumerate(trials)
    )
    ticks = "".join(f'<text x="64" y="{y}" text-anchor="end">{value:.3g}</text>' for y, value in ((24, high), (174, low)))
    return f'<svg viewBox="0 0 960 190" role="img" aria-label="Goal of each trial">{ticks}{dots}</svg>'


def _heat(trials: Sequence[Trial], one: Dimension, other: Dimension) -> str:
    sums: dict[tuple[int, int], list[float]] = {}
    for trial in trials:
        if trial.goal is not None:
            place = (_cell(one, trial.values[one.key]), _cell(other, trial.values[other.key]))
            sums.setdefault(place, []).append(trial.goal)
    if not sums:
        return ""
    means = {place: sum(goals) / len(goals) for place, goals in sums.items()}
    low, span = min(means.values()), (max(means.values()) - min(means.values())) or 1.0
    wide, tall = 240 / _count(one), 200 / _count(other)
    cells = "".join(
        f'<rect class="cell" x="{40 + x * wide:.1f}" y="{210 - (y + 1) * tall:.1f}" width="{wide:.1f}" height="{tall:.1f}" '
        f'fill="var(--sea)" fill-opacity="{0.06 + 0.94 * (mean - low) / span:.2f}">'
        f"<title>{escape(_range(one, x))}, {escape(_range(other, y))}: {mean:.4g}, {len(sums[x, y])} trials</title></rect>"
        for (x, y), mean in means.items()
    )
    names = [escape(each.key.rsplit(".", 1)[-1]) for each in (one, other)]
    labels = (
        f'<text class="axis" x="160" y="246" text-anchor="middle">{names[0]}</text>'
        f'<text class="axis" x="14" y="110" text-anchor="middle" transform="rotate(-90 14 110)">{names[1]}</text>'
        f'<text x="40" y="226">{escape(_range(one, 0))}</text>'
        f'<text x="280" y="226" text-anchor="end">{escape(_range(one, _count(one) - 1))}</text>'
    )
    return f'<svg viewBox="0 0 300 254" role="img" aria-label="Heat map">{cells}{labels}</svg>'


def _count(one: Dimension) -> int:
    return len(one.choices) if one.kind == "choice" else _CELLS


def _cell(one: Dimension, value: Any) -> int:
    if one.kind == "choice":
        return one.choices.index(value)
    return min(int((value - one.low) / ((one.high - one.low) or 1.0) * _CELLS), _CELLS - 1)


def _range(one: Dimension, cell: int) -> str:
    if one.kind == "choice":
        return _shown(one.choices[cell])
    width = (one.high - one.low) / _CELLS
    return f"{one.low + cell * width:.4g}..{one.low + (cell + 1) * width:.4g}"


def _walked(walked: Sequence[Walked]) -> str:
    rows = [
        [
            f"{one.window.judge_from} to {one.window.judge_to}",
            ", ".join(f"{key.rsplit('.', 1)[-1]} {_shown(value)}" for key, value in one.values.items()),
            _number(one.searched_goal),
            _number(one.judged_goal),
            _number(one.judged_figures.get("result_r")),
            _number(one.unchanged_figures.get("result_r")),
        ]
        for one in walked
    ]
    total = sum(one.judged_figures.get("result_r") or 0.0 for one in walked)
    unchanged = sum(one.unchanged_figures.get("result_r") or 0.0 for one in walked)
    told = f"<p>All judging days together: {total:+.2f} R; with the settings as they were {unchanged:+.2f} R.</p>"
    head = ["judged", "chosen", "goal searched", "goal judged", "R judged", "R unchanged"]
    return told + _table(head, rows)


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th{' class=text' if not place else ''}>{escape(name)}</th>" for place, name in enumerate(head))
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=text' if not place else ''}>{escape(cell)}</td>" for place, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
