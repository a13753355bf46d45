"""A run's summary as a human reads it, and as one JSON object."""

from __future__ import annotations

from typing import Any

import msgspec

from quarterdeck.core.study.summary import Summary

_REFUSALS_SHOWN = 12


def lines(summary: Summary, currency: str) -> list[str]:
    """The summary, a line a matter."""
    refused = sum(summary.refusals.values())
    waiting = f", {summary.waiting} still waiting" if summary.waiting else ""
    costs = summary.commission_money + summary.swap_money
    parts = f"commission {summary.commission_money:+,.2f}, swap {summary.swap_money:+,.2f}"
    spread_r = f"best {summary.best_r:+.2f}, worst {summary.worst_r:+.2f}"
    return [
        f"signals   {summary.signals}: {summary.entered} entered, {refused} refused{waiting}",
        f"refusals  {_counts(summary.refusals, _REFUSALS_SHOWN)}",
        f"trades    {summary.trades}: {_counts(summary.by_pair)}; {_counts(summary.by_side)}; won {summary.won}",
        f"exits     {_counts(summary.exits)}; {summary.ambiguous} in a bar that touched both stop and target",
        f"result    {summary.result_money:+,.2f} {currency}, {summary.result_r:+.2f} R ({spread_r})",
        f"costs     {costs:+,.2f} {currency}, {summary.costs_r:+.2f} R ({parts})",
        f"worst day {summary.worst_day_money:+,.2f} {currency}",
        f"digest    {summary.digest}",
    ]


def summary_json(summary: Summary, **more: Any) -> dict[str, Any]:
    """The summary and what else a script may want, as one flat object."""
    return {**msgspec.to_builtins(summary), **more}


def _counts(counts: dict[str, int], most: int = 99) -> str:
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:most])
    left = len(counts) - most
    return (shown + (f" and {left} more" if left > 0 else "")) or "none"
