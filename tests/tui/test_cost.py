"""What a key costs on a slow line: rows that changed, never the whole screen."""

from __future__ import annotations

from textual._compositor import Compositor


async def test_moving_the_focus_does_not_repaint_the_whole_screen(bridge, monkeypatch):
    whole = []
    full = Compositor.render_full_update
    monkeypatch.setattr(Compositor, "render_full_update", lambda self, *a, **k: whole.append(1) or full(self, *a, **k))
    async with bridge((120, 40)) as ship:
        whole.clear()
        await ship.press("2", "3", "4", "tab")
        assert ship.app.screen.front == "log"
        assert whole == []
