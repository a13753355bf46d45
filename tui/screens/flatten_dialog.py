"""Flatten: one key opens it, a word of four letters starts it, and it tells how each position fares until flat is proven.

Promises: works above every other dialog and in every state; a lost line is said at once and never taken for success; leaving the
dialog does not stop the flatten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from quarterdeck.core.model.commands import Flatten
from quarterdeck.core.model.snapshot import PositionView
from quarterdeck.tui.screens.dialog import WordDialog
from quarterdeck.tui.view.lines import Line, Span, wrapped
from quarterdeck.tui.view.order_previews import Scope, by_risk, flatten_preview, flatten_progress, in_scope


class FlattenDialog(WordDialog):
    """The emergency brake."""

    WORD = "flat"
    TITLE_WORDS = "FLATTEN: close everything"
    DANGER = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab,shift+tab", "scope", "Scope", show=False)]

    def __init__(self) -> None:
        """Ours only, nothing asked yet."""
        super().__init__()
        self.scope: Scope = "ours"
        self.sent = False
        self.answer = ""
        self.failed = False
        self._asked: tuple[PositionView, ...] = ()
        self._done_before = False

    @property
    def accepts_word(self) -> bool:
        """Whether the word can start it: there is an engine, and it was not yet sent, or never arrived."""
        return not self.host.memory.link.ended and (not self.sent or self.failed)

    def lines(self) -> Sequence[Line]:
        """The preview, or the progress."""
        desk = self.desk
        if self.host.memory.link.ended:
            return self._over()
        if desk is None:
            body: list[Line] = [(Span("Positions are not known yet; the engine closes what it finds.", "warn"),)]
        elif self.accepts_word:
            body = list(flatten_preview(desk, self.scope, self.width, self.rows_max, self.host.glyphs))
        else:
            body = list(flatten_progress(desk, self._asked, self.answer, self.width, self.rows_max, self.host.glyphs))
        sight = self.host.memory.sight
        if sight.stale:
            body.insert(
                0, (Span(f" These figures are {sight.silent_s}s old. ", "alarm"), Span(" The order is sent all the same."))
            )
        if self.failed:
            body += [(Span(text, "bad"),) for text in wrapped(self.answer, self.width)]
        if self.accepts_word:
            return [*body, (), self.word_line("start")]
        done = desk is not None and desk.flatten is not None and desk.flatten.done
        leave = "[ Enter, Esc: leave ]" if done else "[ Enter, Esc: leave; the flatten continues ]"
        return [*body, (), (Span(leave, "mark"),)]

    def _over(self) -> Sequence[Line]:
        """There is nobody to order anything of, and what that means for what was open."""
        sight = self.host.memory.sight
        if sight.finished:
            text = "The replay is over: nothing is open, and nothing can be closed."
        else:
            text = (
                f"The {sight.link.why}. No order can be sent. Stops stay at the broker; close the positions in the terminal, or "
                "start the engine again with `quarterdeck run`."
            )
        role = "muted" if sight.finished else "alarm"
        return [*((Span(part, role),) for part in wrapped(text, self.width)), (), (Span("[ Esc: leave ]", "mark"),)]

    def agreed(self) -> None:
        """Read the book anew, and order it."""
        desk = self.desk
        self._asked = tuple(by_risk(in_scope(desk, self.scope))) if desk is not None else ()
        self.sent, self.failed, self.answer = True, False, ""
        self.run_worker(self._order(), exit_on_error=False)

    async def _order(self) -> None:
        result = await self.host.send_command(Flatten(scope=self.scope), f"flatten {self.scope}")
        if result is None:
            self.failed = True
            self.answer = (
                "NOT CONFIRMED: the engine did not answer. Type the word again, or run `quarterdeck flatten` "
                "on the engine's machine; stops stay at the broker."
            )
        else:
            self.failed = not result.ok
            self.answer = result.text if result.ok else f"Refused: {result.text}"
        if self.is_mounted:
            self.paint()

    def action_scope(self) -> None:
        """Ours only, or the whole account."""
        if self.accepts_word:
            self.scope = "account" if self.scope == "ours" else "ours"
            self.typed = ""
            self.paint()
