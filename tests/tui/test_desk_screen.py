"""The desk: what must always be in sight, and panels that hold still under the reader's hand."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.core.model.units import M15_NS
from quarterdeck.tui.screens.desk_screen import PANELS, DeskScreen
from tests.tui.demo_desk import (
    demo_engine,
    demo_log,
    demo_pairs,
    demo_position,
    demo_positions,
    demo_signals,
    demo_snapshot,
    foreign_position,
    paused_reason,
)


async def test_required_figures_are_all_visible_at_80x24(bridge):
    positions = (*demo_positions(), foreign_position())
    async with bridge(
        (80, 24),
        positions=positions,
        positions_without_stop=1,
        unconfirmed_orders=2,
        reasons=(paused_reason(),),
        state="REDUCE_ONLY",
    ) as ship:
        lines = ship.text.splitlines()[:6]
        text = "\n".join(lines)
        for vital in (
            "SIMULATED",
            "REDUCE ONLY",
            "paused by the operator since 14:02",
            "10,124.27",
            "+124.27 +1.24%",
            "624.27",
            "1.8% + 1.0% pending",
            "5.0%",
            "4 pos",
            "1 NO STOP",
            "2 UNCONFIRMED",
            "quote <10s",
            "news USD 1h27",
            "bar 11m52",
            "buy  EURUSD",
            "+0.46R",
            "+41.50",
            "SL 14.2",
            "sell*XAUUSD",
            "NO STOP",
        ):
            assert vital in text, vital


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_real_money_is_a_block_of_its_own(bridge, size):
    async with bridge(size, mode="real") as ship:
        assert ship.text.startswith(" REAL MONEY ")


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
async def test_panels_by_number_and_zoom(bridge, number):
    async with bridge((120, 40)) as ship:
        screen = ship.app.screen
        assert isinstance(screen, DeskScreen)
        assert all(screen.panel(name).display for name in PANELS)
        await ship.press(str(number), "z")
        assert screen.front == PANELS[number - 1]
        assert [name for name in PANELS if screen.panel(name).display] == [screen.front]
        assert screen.panel(screen.front).has_focus
        await ship.press("escape")
        assert all(screen.panel(name).display for name in PANELS)


async def test_the_cursor_stays_on_its_position_when_rows_move(bridge):
    async with bridge() as ship:
        await ship.press("3", "down", "down")
        panel = ship.app.screen.panel("positions")
        assert panel.cursor_key == "position:7000"
        await ship.give(demo_snapshot(2, positions=demo_positions()[:2]))
        assert panel.cursor_key == "position:7000"
        assert panel.cursor_row == 1


async def test_newest_candidate_stays_visible_until_one_is_selected(bridge):
    def later(count):
        first = demo_signals()[0]
        return tuple(
            msgspec.structs.replace(first, bar_open_utc_ns=first.bar_open_utc_ns + n * M15_NS) for n in range(count, 0, -1)
        )

    async with bridge((120, 40)) as ship:
        panel = ship.app.screen.panel("signals")
        await ship.give(demo_snapshot(2, signals=later(40)))
        assert panel.cursor_row == 0
        await ship.press("2", "down")
        await ship.give(demo_snapshot(3, signals=later(50)))
        assert panel.cursor_row == 11, "the chosen one stays chosen"


async def test_only_changed_rows_are_repainted(bridge):
    async with bridge() as ship:
        panel = ship.app.screen.panel("pairs")
        assert panel.show(panel.sheet) == 0
        pairs = demo_pairs()
        moved = (pairs[0], msgspec.structs.replace(pairs[1], bid=1.2), *pairs[2:])
        ship.app.memory.take(demo_snapshot(2, pairs=moved))
        repainted = []
        original = type(panel).show_lines
        panel.show_lines = lambda lines, marked=None: repainted.append(original(panel, lines, marked))  # type: ignore[method-assign]
        ship.app.paint()
        assert repainted == [1]


async def test_freezing_holds_the_panels_and_not_the_status(bridge):
    async with bridge() as ship:
        await ship.press("f")
        await ship.give(demo_snapshot(2, pairs=demo_pairs(2), equity_money=9_999.0, day_result_money=-1.0))
        assert "FROZEN VIEW" in ship.text
        assert "9,999.00" in ship.text
        assert "USDCHF    0.90374" in ship.text
        await ship.press("f")
        assert "USDCHF    0.90374" not in ship.text


async def test_the_log_filters_and_stops_following_when_scrolled(bridge):
    async with bridge() as ship:
        await ship.press("slash", *"requote", "enter")
        log = [line for line in ship.text.splitlines() if "info" in line or "ERROR" in line]
        assert all("requote" in line or '"requote"' in line for line in log)
        await ship.press("slash", "escape", "z", "pageup")
        await ship.give(*demo_log(3))
        assert "3 NEW, end follows" in ship.text
        await ship.press("end")
        assert "NEW" not in ship.text.splitlines()[3]


async def test_what_market_is_replayed_is_written_beside_the_state(bridge):
    crash = demo_engine(replay_fraction=0.1, market="simulated market scripted after the sterling crash of 2016-10-06")
    async with bridge((120, 40), mode="replay", engine=crash) as ship:
        assert "sterling crash of 2016-10-06" in ship.text.splitlines()[0]
        await ship.press("h")
        assert "sterling crash of 2016-10-06" in ship.text
    async with bridge((80, 24), mode="replay", engine=crash) as ship:
        assert "crash of 2016-10-06" in ship.text.splitlines()[0]
    async with bridge((200, 60), mode="real", engine=crash) as ship:
        assert "scripted" not in ship.text.splitlines()[0], "of real money the account says which"


async def test_many_positions_are_counted_where_they_do_not_fit(bridge):
    positions = tuple(demo_position(number) for number in range(40))
    async with bridge((80, 24), positions=positions) as ship:
        assert "40 pos" in ship.text
        assert "more, " in ship.text


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("c", "C"), "No open position to close."),
        (("m",), "No open position whose stop can be moved."),
        (("u",), "No unconfirmed order to resolve."),
        (("r",), "Nothing to resume"),
        (("a",), "No alarm waits"),
        (("space",), "No replay runs here."),
    ],
)
async def test_keys_with_nothing_to_act_on_say_so(bridge, keys, words):
    async with bridge((120, 40), positions=()) as ship:
        for key in keys:
            ship.app.memory.say("")
            await ship.press(key)
            assert words in ship.text
            assert isinstance(ship.app.screen, DeskScreen)
        assert not ship.client.sent


async def test_real_money_is_named_at_every_size_and_dialog(bridge):
    async with bridge((60, 14), mode="real") as ship:
        for size in ((60, 14), (80, 24), (200, 60)):
            await ship.pilot.resize_terminal(*size)
            await ship.settle()
            assert ship.text.startswith(" REAL MONEY ")
            for keys in (("F",), ("3", "c"), ("C",), ("3", "m"), ("Q",), ("question_mark",)):
                await ship.press(*keys)
                assert "REAL MONEY - " in ship.text, (size, keys)
                await ship.press("escape")
        for size in ((40, 10), (12, 3)):
            await ship.pilot.resize_terminal(*size)
            await ship.settle()
            assert ship.text.startswith("REAL")
            assert "FLATTEN" in ship.text
