"""A desk on a screen without a terminal, fed manually."""

from __future__ import annotations

import asyncio
import contextlib
import os
import unicodedata
from collections.abc import AsyncIterator, Callable
from typing import Any

os.environ.setdefault("TEXTUAL_FPS", "1000")  # Textual reads it when it is imported; a frame then waits for 1 ms, not 17

import msgspec
import pytest
from textual import events
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot

from quarterdeck.core.link.messages import LinkEvent
from quarterdeck.core.settings.schema import UiSection
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.tui.app import DeskApp
from tests.tui.demo_client import FakeClient, live_events
from tests.tui.demo_commands import DemoCommands, demo_reports


def ui_settings(**changes: Any) -> UiSection:
    return msgspec.structs.replace(shipped_settings().ui, **changes)


class Bridge:
    """App, pilot and client of a running screen."""

    def __init__(self, app: DeskApp, pilot: Pilot[Any], client: FakeClient) -> None:
        self.app, self.pilot, self.client = app, pilot, client

    async def until(self, done: Callable[[], object], what: str = "") -> None:
        """Let the loop turn until `done`; a generous number of turns, no clock."""
        for _ in range(400):
            if done():
                return
            await self.settle()
        raise AssertionError(f"never came: {what or done}")

    async def answers(self) -> None:
        """Until every question to the engine is answered and drawn."""
        await self.settle()
        asked = [worker for worker in self.app.workers if worker.name != "link" and not worker.is_finished]
        if asked:
            await self.app.workers.wait_for_complete(asked)
        await self.settle()

    async def settle(self) -> None:
        """Until every message is handled and everything dirty is drawn, twice over, for one thing leads to another."""
        for _ in range(2):
            await self.pilot._wait_for_screen()
            self.app.paint()
            await self.pilot._wait_for_screen()
            screen = self.app.screen
            for _ in range(500):
                if not (screen._layout_required or screen._dirty_widgets or screen._callbacks or screen._repaint_required):
                    break
                await asyncio.sleep(0.001)

    async def press(self, *keys: str) -> None:
        """Each key as the terminal would send it, without the pilot's waiting for an idle processor."""
        for key in keys:
            self.send(key)
            await self.pilot._wait_for_screen()
        await self.settle()

    def send(self, *keys: str) -> None:
        """Keys in one packet."""
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
            try:
                character: str | None = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
            except KeyError:
                character = key if len(key) == 1 else None
            event = events.Key(name, character)
            event.set_sender(self.app)
            self.app._driver.send_message(event)  # type: ignore[union-attr]

    async def give(self, *events: LinkEvent) -> None:
        self.client.give(*events)
        await self.settle()

    @property
    def text(self) -> str:
        """The words on the screen, dialogs above the desk."""
        return screen_text(self.app)


def screen_text(app: DeskApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


@contextlib.asynccontextmanager
async def _bridge(
    size: tuple[int, int] = (80, 24), client: FakeClient | None = None, ui: UiSection | None = None, **desk: Any
) -> AsyncIterator[Bridge]:
    client = client if client is not None else FakeClient(live_events(**desk))
    commands = DemoCommands()
    commands.finished = demo_reports()
    app = DeskApp(client, ui or ui_settings(), commands=commands)
    async with app.run_test(size=size, tooltips=False) as pilot:
        app.ticking.pause()  # tests tick manually
        app.memory.silent_s = 0
        bridge = Bridge(app, pilot, client)
        await bridge.settle()
        yield bridge


@pytest.fixture(autouse=True)
def _a_terminal_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a terminal can draw is reported by its environment; here it draws everything."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.setenv(name, "C.UTF-8")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.fixture
def bridge() -> Callable[..., contextlib.AbstractAsyncContextManager[Bridge]]:
    """`async with bridge(size=..., **desk) as ship:`."""
    return _bridge
