"""What each action of the table does: questions first where money is at stake, pages beside the desk, the replay's transport.

Promises: every id of `tui.keys` has its performer here or on the desk screen (a test compares). Does not: bind keys or draw.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from quarterdeck.core.link.messages import ReplayControl
from quarterdeck.core.model.commands import Acknowledge, Pause
from quarterdeck.core.model.snapshot import DeskView, PositionView
from quarterdeck.tui.palette import Palette
from quarterdeck.tui.screens.backtest_page import BacktestPage
from quarterdeck.tui.screens.base_page import Page, SidePage
from quarterdeck.tui.screens.chart_page import ChartPage
from quarterdeck.tui.screens.desk_screen import DeskScreen
from quarterdeck.tui.screens.flatten_dialog import FlattenDialog
from quarterdeck.tui.screens.help_dialog import HelpDialog
from quarterdeck.tui.screens.journal_pages import JournalPage, MetricsPage, TimelinePage
from quarterdeck.tui.screens.list_pages import HealthPage, ListPage, NewsPage, VerdictPage, WhyPage
from quarterdeck.tui.screens.order_dialogs import (
    MoveStopDialog,
    StopDialog,
    close_dialog,
    close_group_dialog,
    reset_drawdown_dialog,
    resolve_dialog,
    resume_dialog,
)
from quarterdeck.tui.screens.settings_page import SettingsPage
from quarterdeck.tui.view.lines import plain_of

if TYPE_CHECKING:
    from quarterdeck.tui.app import DeskApp

SPEED_UNKNOWN = 64.0
"""What half and double start from while a replay runs as fast as it goes."""
SNAPSHOTS_TO_ANSWER = 2
"""So many snapshots later a change of speed is in them."""


class Actions:
    """The performers; each is named `do_` and its id."""

    def __init__(self, app: DeskApp) -> None:
        """For one app."""
        self._app = app
        self._wished = (-SNAPSHOTS_TO_ANSWER, 0.0)

    async def perform(self, action_id: str) -> None:
        """Do one action; ids of the desk's own panels are the desk screen's."""
        name, _, argument = action_id.partition("(")
        performer = getattr(self, f"do_{name}", None) or getattr(self._app.screen_below, f"do_{name}", None)
        if performer is None:
            return
        result = performer(int(argument.rstrip(")"))) if argument else performer()
        if inspect.isawaitable(result):
            await result

    @property
    def _desk(self) -> DeskView | None:
        snapshot = self._app.memory.snapshot
        return snapshot.desk if snapshot is not None else None

    # ------------------------------------------------------------------------------------------------------ steering
    def do_flatten(self) -> None:
        """Ask for the word, above whatever is open."""
        if not isinstance(self._app.screen, FlattenDialog):
            self._app.push_screen(FlattenDialog())

    def do_pause(self) -> None:
        """Pause at once: no question stands between an operator and less risk."""
        self._app.run_worker(self._app.send_command(Pause(), "pause"), exit_on_error=False)

    def do_resume(self) -> None:
        """Ask, then resume."""
        self._app.push_screen(resume_dialog(self._app.glyphs))

    def do_acknowledge(self) -> None:
        """End the reminders of all that is wrong now."""
        self._app.run_worker(self._app.send_command(Acknowledge(what="alerts"), "seen"), exit_on_error=False)

    def do_reset_drawdown(self) -> None:
        """Ask, then accept a drawdown."""
        self._app.push_screen(reset_drawdown_dialog(self._app.glyphs))

    def do_stop(self) -> None:
        """Ask, then end the engine."""
        self._app.push_screen(StopDialog())

    def do_detach(self) -> None:
        """Leave the screen; the engine continues."""
        self._app.exit(0, return_code=0)

    # ------------------------------------------------------------------------------------------------------ positions
    def do_close(self) -> None:
        """Close the chosen position."""
        if (view := self._chosen_position()) is not None:
            self._app.push_screen(close_dialog(view, self._app.glyphs))

    def ask_close(self, position_id: int) -> None:
        """Close one position, by its id."""
        view = (
            next((view for view in self._desk.positions if view.position_id == position_id), None)
            if self._desk is not None
            else None
        )
        if view is not None:
            self._app.push_screen(close_dialog(view, self._app.glyphs))

    def do_move_stop(self) -> None:
        """Move the stop of the chosen position."""
        view = self._chosen_position()
        if view is None:
            return
        if view.ours:
            self._app.push_screen(MoveStopDialog(view))
        else:
            self._app.show_message("not opened by this desk: its stop is left alone")

    def do_close_group(self) -> None:
        """Close some."""
        question = close_group_dialog(self._desk, self._app.glyphs) if self._desk is not None else None
        if question is not None:
            self._app.push_screen(question)

    def do_resolve(self) -> None:
        """Your decision on an unconfirmed order, the oldest first."""
        desk = self._desk
        unknown = [order for order in desk.orders if order.order_status == "unknown"] if desk is not None else []
        if desk is not None and unknown:
            oldest = min(unknown, key=lambda order: order.sent_utc_ns)
            self._app.push_screen(resolve_dialog(oldest, desk, self._app.glyphs))

    def _chosen_position(self) -> PositionView | None:
        screen, desk = self._app.screen_below, self._desk
        if not isinstance(screen, DeskScreen) or desk is None:
            return None
        kind, _, number = screen.panel("positions").cursor_key.partition(":")
        view = next((view for view in desk.positions if kind == "position" and str(view.position_id) == number), None)
        if view is None or screen.front != "positions":
            screen.bring("positions")
            self._app.show_message("choose a position, then press the key again")
            return None
        return view

    # ---------------------------------------------------------------------------------------------------------- replay
    async def do_replay_toggle(self) -> None:
        """Run or hold."""
        await self._app.control_replay(ReplayControl(action="play" if self._speed_now == 0 else "pause"))

    async def do_replay_slower(self) -> None:
        """Half the speed."""
        await self._speed(0.5)

    async def do_replay_faster(self) -> None:
        """Twice the speed."""
        await self._speed(2.0)

    async def do_replay_step(self) -> None:
        """One bar."""
        await self._app.control_replay(ReplayControl(action="step_bar"))

    async def do_replay_trade(self) -> None:
        """To the next trade."""
        await self._app.control_replay(ReplayControl(action="next_trade"))

    async def do_replay_refusal(self) -> None:
        """To the next refusal."""
        await self._app.control_replay(ReplayControl(action="next_refusal"))

    @property
    def _speed_now(self) -> float | None:
        snapshot = self._app.memory.snapshot
        return snapshot.engine.replay_speed if snapshot is not None else None

    async def _speed(self, factor: float) -> None:
        """Of the speed asked for last, while no snapshot can tell yet what came of it."""
        snapshot = self._app.memory.snapshot
        number = snapshot.number if snapshot is not None else 0
        since, wished = self._wished
        now = wished if number < since + SNAPSHOTS_TO_ANSWER else self._speed_now or SPEED_UNKNOWN
        wanted = min(max(now * factor, 0.25), 1_000_000.0)
        self._wished = (number, wanted)
        await self._app.control_replay(ReplayControl(action="speed", speed=wanted))

    # ------------------------------------------------------------------------------------------------------ the screen
    def do_help(self) -> None:
        """What is in focus, and the keys."""
        screen = self._app.screen_below
        focus = screen.front if isinstance(screen, DeskScreen) else screen.NAME if isinstance(screen, Page) else ""
        self._app.push_screen(HelpDialog(focus))

    def do_palette(self) -> None:
        """Find anything."""
        if not isinstance(self._app.screen, Palette):
            self._app.push_screen(Palette(id="--command-palette"))

    def do_freeze(self) -> None:
        """Hold the panels still, or let them continue."""
        self._app.memory.frozen = not self._app.memory.frozen

    def do_theme(self) -> None:
        """The next of our themes."""
        names = self._app.theme_names
        here = names.index(self._app.theme) if self._app.theme in names else -1
        self._app.set_theme(names[(here + 1) % len(names)])

    def do_copy(self) -> None:
        """What is selected, else the chosen row, to the clipboard."""
        screen = self._app.screen_below
        text = self._app.screen.get_selected_text() or ""
        if not text and isinstance(screen, DeskScreen | ListPage):
            panel = screen.panel(screen.front) if isinstance(screen, DeskScreen) else screen.panel
            body = panel.sheet.body
            text = plain_of(body[min(panel.cursor_row, len(body) - 1)]).strip() if body else ""
        if text:
            self._app.copy_to_clipboard(text)
            self._app.show_message("copied")

    # ----------------------------------------------------------------------------------------------------------- pages
    def do_tweak(self) -> None:
        """Parameters."""
        self.open_settings("")

    def open_settings(self, key: str) -> None:
        """Parameters, at one of them."""
        self.open_page(SettingsPage(key))

    def do_why(self) -> None:
        """The ledger of the chosen pair, at the bar of the chosen candidate where one is chosen."""
        screen = self._app.screen_below
        kind, *parts = screen.panel(screen.front).cursor_key.split(":") if isinstance(screen, DeskScreen) else [""]
        self.open_page(WhyPage(self._chosen_symbol, int(parts[1]) if kind == "signal" else 0))

    def open_why(self, symbol: str) -> None:
        """The ledger of one pair."""
        self.open_page(WhyPage(symbol))

    def do_chart(self) -> None:
        """The chart of the chosen pair."""
        self.open_chart(self._chosen_symbol)

    def open_chart(self, symbol: str) -> None:
        """The chart of one pair."""
        self.open_page(ChartPage(symbol))

    def do_journal(self) -> None:
        """Closed trades, narrowed as the metrics were."""
        self.open_page(JournalPage(self._words_of_trades))

    def do_metrics(self) -> None:
        """What the trades came to, narrowed as the journal was."""
        self.open_page(MetricsPage(self._words_of_trades))

    @property
    def _words_of_trades(self) -> str:
        screen = self._app.screen_below
        return screen.search if isinstance(screen, JournalPage | MetricsPage) else ""

    def do_backtest(self) -> None:
        """Backtests."""
        self.open_page(BacktestPage())

    def do_news(self) -> None:
        """The calendar."""
        self.open_page(NewsPage())

    def do_health(self) -> None:
        """The machine."""
        self.open_page(HealthPage())

    @property
    def _chosen_symbol(self) -> str:
        screen = self._app.screen_below
        if isinstance(screen, DeskScreen):
            return screen.chosen_symbol
        if isinstance(screen, WhyPage | VerdictPage | ChartPage):
            return screen.symbol
        if isinstance(screen, TimelinePage):
            return screen.trade.symbol
        return self._desk.pairs[0].symbol if self._desk is not None and self._desk.pairs else ""

    def open_page(self, page: SidePage) -> None:
        """One page at a time beside the desk."""
        if isinstance(self._app.screen, SidePage):
            self._app.switch_screen(page)
        else:
            self._app.push_screen(page)
