"""A search as a page: trials over time, the best, how its neighbours fare, and a heat map of each two parameters.

Promises: an overfit looks like one: a lonely bright cell, neighbours that fall off, judging days far below searching days.
Does not: need anything but itself; see `report_page` for the report of one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import combinations
from typing import Any

from msgspec import Struct

from quarterdeck.core.backtest.optimize import Neighbour
from quarterdeck.core.backtest.page_style import STYLE
from quarterdeck.core.backtest.search_space import Dimension
from quarterdeck.core.backtest.search_store import SearchStore, Trial
from quarterdeck.core.backtest.walk_forward import WalkForwardResult
from quarterdeck.core.study import overfitting

_WORDS = {
    "result_money": "result, account currency",
    "result_r": "result, R",
    "expectancy_r": "mean, R a trade",
    "won_pct": "won, %",
    "profit_factor": "profit factor",
    "drawdown_pct": "max drawdown, %",
    "sharpe": "Sharpe",
    "costs_r": "costs, R",
    "refused": "candidates refused",
    "ambiguous": "ambiguous bars",
}
_CELLS = 8
_MAPS_MAX = 6
_TRADES_FEW = 30
_SURE = 0.95
_MORE = """
.cell{stroke:var(--paper);stroke-width:2}.axis{font-weight:600}.dot{fill:var(--sea);opacity:.75}.dot.off{fill:var(--soft);opacity:.5}
.dot.best{fill:var(--warn);opacity:1}.none{fill:none;stroke:var(--line)}.mark{fill:none;stroke:var(--warn);stroke-width:2.5}
.maps{display:flex;flex-wrap:wrap;gap:18px}.maps svg{flex:0 1 310px;min-width:270px}
"""


def search_page(
    study: SearchStore, near: Sequence[Neighbour], walked: Sequence[WalkForwardResult], title: str, earlier: int = 0
) -> str:
    """The whole page; `earlier` counts the trials of other studies on the same data."""
    best = study.best
    judged = sum(trial.goal is not None for trial in study.trials)
    told = f"<p>{len(study.trials)} trials, {judged} judged; goal: {escape(study.head.goal)}. {escape(study.head.data)}</p>"
    parts = [f"<header><h1>{escape(title)}</h1>{told}</header>"]
    if best is not None:
        rows = [[key, _shown(value)] for key, value in best.values.items()]
        figures = [[_WORDS.get(name, name), _number(value)] for name, value in best.figures.items()]
        parts.append(_section(f"Best: {_number(best.goal)} (trial {best.number})", _table(["parameter", "value"], rows)))
        parts.append(_section("Its figures", _table(["figure", "value"], figures)))
        parts.append(_section("Its neighbours", _neighbours(near, best)))
        rows = [[line.name, line.value, line.text] for line in luck(study, near, earlier)]
        parts.append(_section("How much of it is luck", _table(["question", "answer", "what it says"], rows, left=(2,))))
    parts.append(_section("Trials in order", _dots(study.trials, study.head.goal, best)))
    maps = "".join(_heat(study.trials, one, other, best) for one, other in list(combinations(study.head.space, 2))[:_MAPS_MAX])
    if maps:
        told = (
            '<p class="quiet">The darker the better; empty cells were not tried or not judged. The best trial is framed. '
            "Point at a cell for its figures.</p>"
        )
        parts.append(_section("Mean goal by two parameters", f'{told}<div class="maps">{maps}</div>'))
    if walked:
        parts.append(_section("Days that the search did not use", _walked(walked)))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}{_MORE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


class LuckLine(Struct, frozen=True, kw_only=True):
    """One question about the best of many trials, its answer and what that says."""

    name: str
    value: str
    text: str


def luck(study: SearchStore, near: Sequence[Neighbour], earlier: int = 0) -> list[LuckLine]:
    """Trades of the winner, deflated Sharpe ratio and probability of overfitting; nothing without a best trial."""
    best = study.best
    if best is None:
        return []
    different = study.different
    complete = [trial.daily for trial in different if trial.daily]
    tried = len(different) + len(near) + earlier
    trades = int(best.figures.get("trades") or 0)
    few = (
        f"the winner made {trades} trades: too few to tell skill from luck" if trades < _TRADES_FEW else "enough to look further"
    )
    counted = f"{len(different)} here, {len(near)} neighbours, {earlier} in earlier studies on these data"
    ideas = (
        f"{overfitting.clusters(complete)} clusters whose daily results differ" if complete else "daily results were not recorded"
    )
    lines = [
        LuckLine(name="Trades of the winner", value=f"{trades}", text=few),
        LuckLine(name="Trials on these data", value=f"{tried}", text=f"{counted}; {ideas}"),
    ]
    found = overfitting.deflated_sharpe(best.daily, complete, tried) if best.daily else None
    if found is None:
        text = "needs daily results of two trials at least; an older study has none"
        lines.append(LuckLine(name="Deflated Sharpe ratio", value="not computable", text=text))
    else:
        sure = "above what luck gives" if found.probability >= _SURE else "luck alone may give as much"
        text = (
            f"probability that there is skill: Sharpe {found.sharpe_daily:.4f} a day over {found.days} days, where the best of "
            f"{tried} trials without skill shows {found.expected_max_daily:.4f}; {sure}"
        )
        lines.append(LuckLine(name="Deflated Sharpe ratio", value=f"{100 * found.probability:.1f} %", text=text))
    share = overfitting.overfitting_probability(complete)
    if share is None:
        least = overfitting.BLOCKS * overfitting.DAYS_A_BLOCK_MIN
        text = f"needs daily results of four trials on the same {least} days; there are {len(complete)} trials"
        lines.append(LuckLine(name="Probability of overfitting", value="not computable", text=text))
    else:
        text = (
            f"how often the best of one half of the days is in the lower half on the others ({len(complete)} trials, "
            f"{overfitting.BLOCKS} blocks); a coin has 50 %"
        )
        lines.append(LuckLine(name="Probability of overfitting", value=f"{100 * share:.1f} %", text=text))
    return lines


def has_cliff(best: float | None, near: float | None) -> bool:
    """Whether a neighbour loses half of the best goal, or cannot be judged at all."""
    if best is None:
        return False
    return near is None or near < best - 0.5 * abs(best)


def stability_text(near: Sequence[Neighbour], best: Trial) -> str:
    """What its neighbours, and its own result, say of the best."""
    falls = sum(has_cliff(best.goal, one.goal) for one in near)
    better = sum(one.goal is not None and best.goal is not None and one.goal > best.goal for one in near)
    words = [f"{falls} of {len(near)} neighbours fall off: {'an isolated peak' if 2 * falls > len(near) else 'it stands'}"]
    words += [f"{better} of them fare better, so more trials would find better"] if better else []
    trades = best.figures.get("trades")
    words += [f"it made {trades:.0f} trades only"] if trades is not None and trades < _TRADES_FEW else []
    words += ["even the best of all loses"] if (best.figures.get("result_r") or 0.0) < 0.0 else []
    return "; ".join(words)


def _neighbours(near: Sequence[Neighbour], best: Trial) -> str:
    rows = [
        [
            one.key,
            _shown(best.values[one.key]),
            _shown(one.value),
            _number(one.goal),
            "falls off" if has_cliff(best.goal, one.goal) else "",
        ]
        for one in near
    ]
    told = f"<p>{escape(stability_text(near, best))}. A peak that stands alone is luck.</p>" if rows else ""
    return told + _table(["parameter", "best", "moved to", "goal", ""], rows)


def _dots(trials: Sequence[Trial], goal: str, best: Trial | None) -> str:
    goals = [trial.goal for trial in trials if trial.goal is not None]
    if not goals:
        return '<p class="quiet">No trial could be judged.</p>'
    low, high = min(goals), max(goals)
    span = (high - low) or 1.0
    step = 860 / max(len(trials) - 1, 1)

    def dot(place: int, trial: Trial) -> str:
        kind = " off" if trial.goal is None else " best" if best is not None and trial.number == best.number else ""
        y = 204.0 if trial.goal is None else 174.0 - 150.0 * (trial.goal - low) / span
        told = f"trial {trial.number}: {_number(trial.goal)} {escape(trial.why)}"
        return f'<circle class="dot{kind}" cx="{72 + place * step:.1f}" cy="{y:.1f}" r="3.5"><title>{told}</title></circle>'

    marks = ((24, f"{high:.3g}"), (174, f"{low:.3g}"), (204, "not judged"))
    rules = "".join(
        f'<line class="grid" x1="72" x2="932" y1="{y}" y2="{y}"/><text x="64" y="{y + 4}" text-anchor="end">{text}</text>'
        for y, text in marks
    )
    last = f'<text x="932" y="226" text-anchor="end">trial {len(trials) - 1}</text>'
    names = f'<text class="axis" x="72" y="12">{escape(goal)}</text>{last}'
    dots = "".join(dot(place, trial) for place, trial in enumerate(trials))
    return f'<svg viewBox="0 0 960 232" role="img" aria-label="Goal of each trial">{rules}{names}{dots}</svg>'


def _heat(trials: Sequence[Trial], one: Dimension, other: Dimension, best: Trial | None) -> str:
    sums: dict[tuple[int, int], list[float]] = {}
    for trial in trials:
        if trial.goal is not None:
            place = (_cell(one, trial.values[one.key]), _cell(other, trial.values[other.key]))
            sums.setdefault(place, []).append(trial.goal)
    if not sums:
        return ""
    means = {place: sum(goals) / len(goals) for place, goals in sums.items()}
    low, high = min(means.values()), max(means.values())
    wide, tall = 240 / _count(one), 200 / _count(other)

    def square(x: int, y: int, kind: str, inside: str = "") -> str:
        at = f'x="{48 + x * wide:.1f}" y="{210 - (y + 1) * tall:.1f}" width="{wide:.1f}" height="{tall:.1f}"'
        return f'<rect class="{kind}" {at}{inside}'

    cells = []
    for x in range(_count(one)):
        for y in range(_count(other)):
            mean = means.get((x, y))
            if mean is None:
                cells.append(square(x, y, "none", "/>"))
                continue
            told = f"{escape(_range(one, x))}, {escape(_range(other, y))}: {mean:.4g}, {len(sums[x, y])} trials"
            deep = 0.06 + 0.94 * (mean - low) / ((high - low) or 1.0)
            cells.append(square(x, y, "cell", f' fill="var(--sea)" fill-opacity="{deep:.2f}"><title>{told}</title></rect>'))
    if best is not None:
        cells.append(square(_cell(one, best.values[one.key]), _cell(other, best.values[other.key]), "mark", "/>"))
    names = [escape(each.key.rsplit(".", 1)[-1]) for each in (one, other)]
    labels = (
        f'<text class="axis" x="168" y="244" text-anchor="middle">{names[0]}</text>'
        f'<text class="axis" x="12" y="110" text-anchor="middle" transform="rotate(-90 12 110)">{names[1]}</text>'
        f'<text x="48" y="226">{escape(_edge(one, 0))}</text>'
        f'<text x="288" y="226" text-anchor="end">{escape(_edge(one, 1))}</text>'
        f'<text x="42" y="208" text-anchor="end">{escape(_edge(other, 0))}</text>'
        f'<text x="42" y="22" text-anchor="end">{escape(_edge(other, 1))}</text>'
        f'<text x="288" y="262" text-anchor="end">light {low:.3g}, dark {high:.3g}</text>'
    )
    return f'<svg viewBox="0 0 300 270" role="img" aria-label="Heat map">{"".join(cells)}{labels}</svg>'


def _edge(one: Dimension, end: int) -> str:
    """The lowest or the highest value of an axis."""
    return _shown(one.choices[-end]) if one.kind == "choice" else f"{(one.low, one.high)[end]:.4g}"


def _count(one: Dimension) -> int:
    if one.kind == "choice":
        return len(one.choices)
    return min(_CELLS, _steps(one) + 1) if _steps(one) else _CELLS


def _steps(one: Dimension) -> int:
    """How many steps lie between the ends of an axis; 0 where any value may be taken."""
    step = one.step or (1.0 if one.kind == "whole" else 0.0)
    return round((one.high - one.low) / step) if step else 0


def _cell(one: Dimension, value: Any) -> int:
    if one.kind == "choice":
        return one.choices.index(value)
    count, span = _count(one), (one.high - one.low) or 1.0
    if _steps(one) and count == _steps(one) + 1:
        place: int = round((float(value) - one.low) / span * _steps(one))
        return place
    return min(int((value - one.low) / span * count), count - 1)


def _range(one: Dimension, cell: int) -> str:
    """The value or the values that a cell stands for."""
    if one.kind == "choice":
        return _shown(one.choices[cell])
    count = _count(one)
    if _steps(one) and count == _steps(one) + 1:
        return f"{one.low + (one.high - one.low) * cell / max(_steps(one), 1):.4g}"
    width = (one.high - one.low) / count
    return f"{one.low + cell * width:.4g}..{one.low + (cell + 1) * width:.4g}"


def _walked(walked: Sequence[WalkForwardResult]) -> str:
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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = ()) -> str:
    text = (0, *left)
    top = "".join(f"<th{' class=text' if place in text else ''}>{escape(name)}</th>" for place, name in enumerate(head))
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=text' if place in text else ''}>{escape(cell)}</td>" for place, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
