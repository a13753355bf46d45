"""Backtests: choose and run one beside the engine, look at finished ones, set two side by side.

Promises: a run is a process of its own at low priority, which the engine never hears of; it continues while other pages are
looked at. Does not: compute anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.widget import Widget

from quarterdeck.tui.screens.list_pages import ListPage
from quarterdeck.tui.view import backtest_form, backtest_report
from quarterdeck.tui.view.backtest_report import BacktestReport
from quarterdeck.tui.view.lines import Line, PanelContent, Span, clip, meter, wrapped
from quarterdeck.tui.widgets.field import Field

_BAR = 24
PageView = Literal["list", "form", "report", "compare"]


class BacktestPage(ListPage):
    """The list, the form, a report, or two: one after another in the same panel."""

    NAME = "backtest"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("N", "new", show=False, priority=True),
        Binding("equals_sign", "mark", show=False, priority=True),
        Binding("X", "cancel_run", show=False, priority=True),
    ]
    PAGE_KEYS = (("Enter", "open"), ("N", "new"), ("=", "compare"), ("X", "stop"), ("Esc", "back"))

    def __init__(self) -> None:
        """The list, not read yet."""
        super().__init__()
        self.sight: PageView = "list"
        self.reports: tuple[BacktestReport, ...] = ()
        self.marked = ""
        self._read = False
        self._opened = ""
        self._seen_finished = -1
        self._values: dict[str, str] = {}

    def page_keys(self) -> tuple[tuple[str, str], ...]:
        """What makes sense of what is in sight; X only while one runs."""
        sense = {
            "Enter": self.sight == "form" or (self.sight == "list" and bool(self.reports)),
            "N": self.sight != "form",
            "=": self.sight in ("list", "report") and bool(self.reports),
            "X": self.host.bench.running,
        }
        title = {"Enter": "change, run"} if self.sight == "form" else {}
        return tuple((key, title.get(key, words)) for key, words in self.PAGE_KEYS if sense.get(key, True))

    def compose_content(self) -> Iterable[Widget]:
        """The list, and a field for the form."""
        yield from super().compose_content()
        yield Field("", id="edit")

    def heading(self) -> str:
        """In words."""
        return {"list": "Backtests", "form": "New backtest", "report": "Backtest", "compare": "Two backtests"}[self.sight]

    def refill(self) -> None:
        """Read the folder of reports."""
        self._values = dict(self.host.bench.values)
        self.run_worker(self._fetch(), group="ask", exclusive=True, exit_on_error=False)

    async def _fetch(self) -> None:
        self.reports = await self.host.commands.reports()
        self._read = True
        if self.is_mounted:
            self.paint()

    def panel_content(self, width: int) -> PanelContent:
        """What is in sight."""
        if self.host.bench.finished != self._seen_finished:
            first, self._seen_finished = self._seen_finished < 0, self.host.bench.finished
            if not first:
                self.run_worker(self._fetch(), group="ask", exclusive=True, exit_on_error=False)
        if self.sight == "form":
            return backtest_form.sheet(self._values, width, self.glyphs)
        one, other = self._report(self._opened), self._report(self.marked)
        if self.sight == "report" and one is not None:
            return self._told(backtest_report.backtest_report_lines(one, width, self.glyphs), one.name)
        if self.sight == "compare" and one is not None and other is not None:
            return self._told(backtest_report.compared_reports(other, one, width, self.glyphs), "")
        if not self._read:
            return PanelContent((), [(Span("Reading the folder of reports.", "muted"),)], ["nothing"])
        return backtest_report.backtest_list(self.reports, self.marked, width, self.glyphs)

    def row_detail(self, key: str, width: int) -> Sequence[Line]:
        """The run that is under way or what became of it; in the list, where the chosen report lies."""
        bench, lines = self.host.bench, list[Line]()
        if bench.running:
            bar = Span(meter(bench.told.fraction, _BAR, self.glyphs), "accent")
            lines.append(
                clip(
                    (Span("running ", "strong"), bar, Span(f" {bench.told.fraction:4.0%}  {bench.told.words}")),
                    width,
                    self.glyphs,
                )
            )
        elif bench.trouble:
            lines += [(Span(text, "bad"),) for text in wrapped(bench.trouble, width)[:3]]
        if self.sight == "list" and self.marked:
            lines.append((Span("one is marked: choose another and press = to compare, or = on the same to unmark", "warn"),))
        chosen = self._report(key.partition(":")[2]) if self.sight == "list" else None
        if chosen is not None:
            where = f"reports/{chosen.name} in the home folder: report.html opens offline in a browser"
            lines += [(Span(part, "muted"),) for part in wrapped(where, width)]
        return lines

    def enter_row(self, key: str) -> None:
        """Open a report, change a line of the form, or run it."""
        kind, _, name = key.partition(":")
        if kind == "report":
            self._opened = name
            self._show("report")
        elif kind == "ask":
            field = self.query_one("#edit", Field)
            field.placeholder = next(ask.hint for ask in backtest_form.FORM_FIELDS if ask.key == name)
            field.open(self._values.get(name, ""))
        elif kind == "go":
            self._run()

    def action_enter(self) -> None:
        """Take what was typed, where something is."""
        field = self.query_one("#edit", Field)
        if self.focused is not field:
            super().action_enter()
            return
        self._values[self.panel.cursor_key.partition(":")[2]] = field.value.strip()
        self._leave_edit()
        self.paint()

    async def action_back(self) -> None:
        """Leave the field, then what is opened, then the page."""
        if self.query_one("#edit", Field).opened:
            self._leave_edit()
        elif self.sight != "list":
            self._show("list")
        else:
            await super().action_back()

    def action_new(self) -> None:
        """The form, as it was filled in last."""
        self._show("form")

    def action_mark(self) -> None:
        """Mark the chosen report, or compare it with the one that is marked."""
        kind, _, name = self.panel.cursor_key.partition(":")
        chosen = self._opened if self.sight == "report" else name if kind == "report" and self.sight == "list" else ""
        if not chosen:
            self.host.show_message("choose a report in the list, then press =")
        elif self._report(self.marked) is None or chosen == self.marked:
            self.marked = "" if chosen == self.marked else chosen
            self._show("list")
        else:
            self._opened = chosen
            self._show("compare")

    def action_cancel_run(self) -> None:
        """Stop the run that is under way."""
        if self.host.bench.running:
            self.host.bench.cancel()
        else:
            self.host.show_message("no backtest runs")

    def _run(self) -> None:
        missing = backtest_form.missing_input(self._values)
        if missing or self.host.bench.running:
            self.host.show_message(missing or "one runs already: X stops it")
            return
        self.app.run_worker(self.host.bench.run(self._values), name="backtest", exit_on_error=False)
        self._show("list")

    def _show(self, sight: PageView) -> None:
        self.sight = sight
        self.panel.words_of_title = self.heading()
        self.panel.cursor_key = f"report:{self._opened}" if sight == "list" and self._opened else ""
        self.paint()

    def _leave_edit(self) -> None:
        self.query_one("#edit", Field).close()
        self.set_focus(self.panel)

    def _report(self, name: str) -> BacktestReport | None:
        return next((one for one in self.reports if one.name == name), None)

    @staticmethod
    def _told(lines: list[Line], note: str) -> PanelContent:
        return PanelContent((), lines, [f"line:{number}" for number in range(len(lines))], note)
