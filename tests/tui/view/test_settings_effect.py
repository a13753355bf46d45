"""The effect of a change set in words: what is open is reported whole on a narrow screen, and a trade that differs says in what."""

from __future__ import annotations

import msgspec

from quarterdeck.tui.view import settings_effect
from quarterdeck.tui.view.lines import UNICODE, width_of
from quarterdeck.tui.view.settings_effect import SettingsEffect
from tests.tui.demo_client import demo_rehearsal
from tests.tui.demo_commands import WHATIF


def told(known: SettingsEffect, width: int) -> list[str]:
    lines = settings_effect.effect_lines(known, width, UNICODE)
    assert all(width_of(line) <= width for line in lines)
    return ["".join(span.text for span in line) for line in lines]


def test_what_happens_to_a_position_is_never_cut_off() -> None:
    now = demo_rehearsal()
    first, *rest = now.after.positions
    first = msgspec.structs.replace(first, next_action="leaves (age) at the next fresh quote, whatever it brings")
    now = msgspec.structs.replace(now, after=msgspec.structs.replace(now.after, positions=(first, *rest)))
    for width in (56, 78):
        flat = " ".join(" ".join(told(SettingsEffect(now=now), width)).split())
        assert "leaves (age) at the next fresh quote, whatever it brings" in flat


def test_trade_with_same_exit_reason_reports_other_differences() -> None:
    exits = {"both": 5, "changed": 3, "by": [{"was": "age", "now": "age", "count": 2}, {"was": "end", "now": "age", "count": 1}]}
    lines = told(SettingsEffect(past={**WHATIF, "exits": exits}), 78)
    assert "    2 x age, at another time, price or volume" in lines
    assert "    1 x end → age" in lines
