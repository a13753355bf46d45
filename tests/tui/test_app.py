"""The app as a whole: help, palette, keys and themes of one's own, a line that is lost, terminals of any size."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.core.link.messages import LinkState
from quarterdeck.core.model.commands import Flatten, Pause
from quarterdeck.tui.actions import Actions
from quarterdeck.tui.keys import ACTIONS
from quarterdeck.tui.screens.desk_screen import DeskScreen
from quarterdeck.tui.screens.settings_page import SettingsPage
from quarterdeck.tui.widgets.keybar import KeyBar
from tests.tui.conftest import ui_settings
from tests.tui.demo_desk import (
    demo_desk,
    demo_engine,
    demo_log,
    demo_pairs,
    demo_snapshot,
    paused_reason,
)


async def test_q_leaves_the_screen_and_orders_nothing(bridge):
    async with bridge() as ship:
        await ship.press("q")
    assert ship.app.return_code == 0
    assert ship.client.sent == []


async def test_log_flood_does_not_delay_a_key(bridge):
    async with bridge() as ship:
        for _ in range(5):
            ship.client.give(*demo_log(2_000))
            await ship.press("p")
        assert ship.client.sent == [Pause()] * 5
        assert len(ship.app.memory.log) <= 2_000


async def test_help_describes_the_focused_panel_and_names_every_key(bridge):
    async with bridge((120, 80)) as ship:
        await ship.press("4", "question_mark")
        assert "Risk budget: how much" in ship.text
        for action in ACTIONS:
            assert action.title in ship.text


async def test_the_palette_finds_commands_pairs_positions_and_parameters(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("ctrl+p", *"usdjpy why")
        await ship.until(lambda: "The ledger of this pair" in ship.text, "pair")
        await ship.press("escape")
        await ship.until(lambda: isinstance(ship.app.screen, DeskScreen), "the desk")
        await ship.press("ctrl+p", *"profit_retrace_pct")
        await ship.until(lambda: "position.profit_retrace_pct" in ship.text, "parameter")
        await ship.press("enter")
        await ship.until(lambda: isinstance(ship.app.screen, SettingsPage), "tweak page")
        await ship.until(
            lambda: ship.app.screen.panel.cursor_key.startswith("position.profit_retrace"), "parameter under the cursor"
        )


async def test_every_action_has_a_performer():
    for action in ACTIONS:
        name = f"do_{action.id.partition('(')[0]}"
        assert hasattr(Actions, name) or hasattr(DeskScreen, name), action.id


async def test_keys_can_be_remapped_and_a_clash_is_refused(bridge):
    async with bridge(ui=ui_settings(keys={"pause": "o", "tweak": "F", "nonsense": "y"})) as ship:
        refused = " ".join(ship.app.keymap.refused)
        assert "belongs to flatten" in refused
        assert "no such action" in refused
        await ship.press("p")
        assert ship.client.sent == []
        await ship.press("o")
        assert ship.client.sent == [Pause()]


async def test_themes_change_live_and_an_unknown_one_falls_back(bridge):
    async with bridge(ui=ui_settings(theme="no_such")) as ship:
        assert ship.app.theme == "harbour"
        await ship.press("T")
        assert ship.app.theme == "ansi16"


async def test_replay_controls_are_on_every_page_and_clickable(bridge):
    engine = demo_engine(replay_fraction=0.5, replay_speed=120.0)
    async with bridge(engine=engine) as ship:
        bar = ship.app.screen.query_one(KeyBar)
        transport, keys = bar.plain_text.splitlines()
        assert transport.split("  ")[:3] == [" space", "hold", " ["]
        assert "x120" in transport
        assert "refusal" in transport
        assert keys.startswith(" F  FLATTEN")
        await ship.pilot.click(KeyBar, offset=(transport.index("trade"), 0))
        assert [control.action for control in ship.client.controls] == ["next_trade"]
        await ship.give(demo_snapshot(2, engine=demo_engine(replay_fraction=0.5, replay_speed=0.0)))
        assert bar.plain_text.startswith(" space  play")
        await ship.press("n")
        assert "refusal" in ship.app.screen.query_one(KeyBar).plain_text
        await ship.press("t")  # there space and others are the page's
        assert ship.app.screen.query_one(KeyBar).plain_text.startswith(" held  ")


async def test_replay_keys_steer_only_a_replay(bridge):
    async with bridge() as ship:
        await ship.press("space", "full_stop")
        assert ship.client.controls == []
        await ship.give(demo_snapshot(2, engine=demo_engine(replay_fraction=0.25, replay_speed=120.0)))
        assert "25% x120" in ship.text
        await ship.press(
            "space", "full_stop", "right_square_bracket", "left_square_bracket", "greater_than_sign", "less_than_sign"
        )
        assert [control.action for control in ship.client.controls] == [
            "pause",
            "step_bar",
            "speed",
            "speed",
            "next_trade",
            "next_refusal",
        ]
        assert [control.speed for control in ship.client.controls if control.action == "speed"] == [240.0, 120.0]
        await ship.press("right_square_bracket", "right_square_bracket")
        assert [control.speed for control in ship.client.controls[-2:]] == [240.0, 480.0], "fast hands double it twice"
        await ship.give(demo_snapshot(9, engine=demo_engine(replay_fraction=0.25, replay_speed=30.0)))
        await ship.press("right_square_bracket")
        assert ship.client.controls[-1].speed == 60.0


async def test_lost_link_shows_the_age_of_figures(bridge):
    async with bridge() as ship:
        await ship.give(LinkState(up=False, why="connection lost"))
        for _ in range(7):
            ship.app.memory.tick()
        await ship.settle()
        assert "LINK LOST, figures 7s old: connecti" in ship.text
        await ship.give(LinkState(up=True), demo_snapshot(2))
        assert "LINK LOST" not in ship.text


async def test_an_engine_that_falls_silent_is_noticed(bridge):
    async with bridge() as ship:
        for _ in range(6):
            ship.app.memory.tick()
        await ship.settle()
        assert "ENGINE SILENT" in ship.text


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (40, 12), (59, 13), (2, 60), (300, 3)])
async def test_a_terminal_too_small_gets_one_line_and_no_crash(bridge, size):
    async with bridge(size) as ship:
        if size[0] >= 20:
            assert "ACTIVE" in ship.text
        await ship.press("F", "f", "l", "a", "t")
        assert ship.client.sent == [Flatten(scope="ours")]
        await ship.press("escape", "t", "escape", "question_mark", "escape")


async def test_a_storm_of_resizes_leaves_the_desk_whole(bridge):
    async with bridge() as ship:
        for width, height in ((200, 60), (1, 1), (80, 24), (19, 3), (120, 40), (60, 14), (159, 29), (80, 24)):
            await ship.pilot.resize_terminal(width, height)
        await ship.settle()
        assert "EURUSD" in ship.text
        assert "FLATTEN" in ship.text.splitlines()[-1]


async def test_brackets_and_escapes_from_outside_are_only_text(bridge):
    nasty = "[bold]x[/nope] \x1b[2J\x07 [red]"
    pairs = (msgspec.structs.replace(demo_pairs()[0], symbol="[X]", verdict=nasty),)
    line = msgspec.structs.replace(demo_log(1)[0], text=nasty, symbol="[/a]")
    async with bridge((120, 40), pairs=pairs, reasons=(msgspec.structs.replace(paused_reason(), text=nasty),)) as ship:
        await ship.give(line, LinkState(up=True))
        assert "[bold]x[/nope]" in ship.text
        assert "\x1b" not in ship.text
        await ship.press("w", "escape", "v", "escape", "r", "escape")


def test_demo_desk_is_whole():
    assert demo_desk().positions
