"""What a key costs on a slow line: rows that changed, never the whole screen."""

from __future__ import annotations

import gc

import msgspec
from textual._compositor import Compositor
from textual.dom import DOMNode
from textual.strip import Strip

from quarterdeck.tui.gc_tuning import freeze_garbage_collector
from quarterdeck.tui.screens.chart_data import CHART_EVERY_S
from tests.tui.demo_desk import demo_pairs, demo_snapshot


async def test_moving_the_focus_does_not_repaint_the_whole_screen(bridge, monkeypatch):
    whole = []
    full = Compositor.render_full_update
    monkeypatch.setattr(Compositor, "render_full_update", lambda self, *a, **k: whole.append(1) or full(self, *a, **k))
    async with bridge((120, 40)) as ship:
        whole.clear()
        await ship.press("2", "3", "4", "tab")
        assert ship.app.screen.front == "log"
        assert whole == []


async def test_moving_the_focus_works_out_no_look_anew(bridge, monkeypatch):
    """Each look takes a node of Textual's with a dozen memories; the collector's turn for them held a key up 70 ms."""
    made = []
    make = DOMNode.__init__
    monkeypatch.setattr(DOMNode, "__init__", lambda self, *a, **k: made.append(1) or make(self, *a, **k))
    async with bridge((120, 40)) as ship:
        made.clear()
        await ship.press("2", "3", "4", "tab")
        assert made == []
        ship.app.theme = "daylight"
        await ship.settle()
        assert made, "another theme does"


def test_what_stands_at_the_start_is_not_looked_through_again():
    before = gc.get_freeze_count()
    try:
        freeze_garbage_collector()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


async def test_a_closed_dialog_takes_its_rows_with_it(bridge):
    """Textual's memory of grounds held each of them: the collector then had ever more to look through, and keys waited for it."""

    def drawn() -> int:
        gc.collect()
        return sum(isinstance(thing, Strip) for thing in gc.get_objects())

    async with bridge((120, 40)) as ship:
        for _ in range(2):
            await ship.press("F", "escape", "n", "escape")
        before = drawn()
        for _ in range(6):
            await ship.press("F", "escape", "n", "escape")
        assert drawn() <= before + 2 * ship.app.size.height


async def test_a_chart_is_not_drawn_anew_at_every_paint(bridge):
    """Its rows are long and of many colours; between bars only the price on it moves, and that may wait."""
    async with bridge((200, 60)) as ship:
        await ship.press("v")
        await ship.answers()
        plots = [ship.app.screen.query_one(f"#{name}") for name in ("candles", "beside", "equity")]
        drawn = []
        for plot in plots:
            plot.show_lines = lambda lines, marked=None: drawn.append(1)  # type: ignore[method-assign]
        paints = 24
        for number in range(paints):
            pairs = tuple(msgspec.structs.replace(pair, bid=pair.bid + number * pair.pip) for pair in demo_pairs())
            ship.app.memory.take(demo_snapshot(2 + number, pairs=pairs))
            ship.app.paint()
        seconds = paints / ship.app.ui.max_fps
        assert 0 < len(drawn) <= len(plots) * (seconds / CHART_EVERY_S + 1)
        drawn.clear()
        await ship.press("right")
        await ship.answers()
        assert len(drawn) >= 2, "another pair is drawn at once"
