"""The backtest page and the effect of a change set, by keys."""

from __future__ import annotations

import asyncio

from quarterdeck.core.link.messages import PreviewQuery
from quarterdeck.core.model.commands import SetSettings
from tests.tui.test_golden_screens import ANSWERED, EDITED


async def keys(ship, *pressed: str) -> None:
    for key in pressed:
        await (ship.answers() if key == ANSWERED else ship.press(key))


async def test_form_starts_a_backtest_that_continues_on_other_pages(bridge) -> None:
    async with bridge((120, 40)) as ship:
        commands = ship.app.commands
        commands.held = asyncio.Event()
        await keys(ship, "x", ANSWERED, "N", "enter", *"m15", "enter", "down", "down", "enter", *"2024-01-08", "enter")
        await keys(ship, "end", "enter")
        assert commands.asked == [["backtest", "--data", "m15", "--from", "2024-01-08"]]
        assert "running" in ship.text
        assert "42%" in ship.text
        assert " X  stop" in ship.text
        await ship.press("escape")
        await ship.press("x")
        assert "42%" in ship.text
        commands.finished = commands.finished[:1]
        commands.held.set()
        await keys(ship, ANSWERED)
        await ship.until(lambda: "42%" not in ship.text)
        await ship.until(lambda: len(ship.app.screen.reports) == 1)


async def test_stopped_backtest_is_reported_and_errors_fit_one_line(bridge) -> None:
    async with bridge((120, 40)) as ship:
        commands = ship.app.commands
        commands.held = asyncio.Event()
        await keys(ship, "x", ANSWERED, "N", "end", "enter")
        assert commands.asked == []
        assert "name the folder of prices" in ship.text
        await keys(ship, "home", "enter", *"m15", "enter", "end", "enter", "X")
        await ship.until(lambda: "stopped manually" in ship.text)
        commands.held, commands.fails = None, "m15: no such folder; name another"
        await keys(ship, "N", "end", "enter", ANSWERED)
        assert "no such folder" in ship.text


async def test_no_report_yet_says_what_to_press(bridge) -> None:
    async with bridge((80, 24)) as ship:
        ship.app.commands.finished = ()
        await keys(ship, "x", ANSWERED)
        assert "N asks for the days" in ship.text


async def test_effect_is_requested_once_and_changes_apply_temporarily(bridge) -> None:
    async with bridge((120, 40)) as ship:
        changes = (("ui.ascii", "true"), ("position.time_exit_hours", "2.0"))
        await keys(ship, *EDITED, "E", ANSWERED)
        assert "closes all of it: age" in ship.text
        assert "candidates judged otherwise" in ship.text
        asked = ship.app.commands.asked
        assert asked == [["whatif", "--days", "7", "--set", "ui.ascii=true", "--set", "position.time_exit_hours=2.0"]]
        await keys(ship, "A", "down", "down", "y", ANSWERED)
        assert ship.client.sent == [SetSettings(changes=changes, minutes=120.0)]
        assert len(asked) == 1
        assert [question for question in ship.client.asked if isinstance(question, PreviewQuery)] == [
            PreviewQuery(changes=changes)
        ]


async def test_failed_whatif_does_not_block_applying_the_change(bridge) -> None:
    async with bridge((80, 24)) as ship:
        ship.app.commands.fails = "ui.ascii: the tape holds no days"
        await keys(ship, *EDITED, "A", ANSWERED)
        assert "the tape holds no days" in ship.text
        await keys(ship, "y", ANSWERED)
        assert len(ship.client.sent) == 1
