"""What a key costs on a slow line: rows that changed, never the whole screen."""

from __future__ import annotations

import gc

from textual._compositor import Compositor

from tui.app import spare_the_collector


async def test_moving_the_focus_does_not_repaint_the_whole_screen(bridge, monkeypatch):
    whole = []
    full = Compositor.render_full_update
    monkeypatch.setattr(Compositor, "render_full_update", lambda self, *a, **k: whole.append(1) or full(self, *a, **k))
    async with bridge((120, 40)) as ship:
        whole.clear()
        await ship.press("2", "3", "4", "tab")
        assert ship.app.screen.front == "log"
        assert whole == []


def test_what_stands_at_the_start_is_not_looked_through_again():
    before = gc.get_freeze_count()
    try:
        spare_the_collector()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
