"""The other questions: resume, stop the engine, close some, move a stop, your decision on an unconfirmed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from quarterdeck.core.model.commands import CloseGroup, ClosePosition, MoveStop, ResetDrawdown, Resolve, Resume, StopEngine
from quarterdeck.core.model.snapshot import DeskView, OrderView, PositionView
from quarterdeck.tui.screens.dialog import Choice, ChoiceDialog, Dialog, WordDialog
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Glyphs, Line, Span, clip, wrapped
from quarterdeck.tui.view.order_previews import by_risk, in_scope, order_preview_totals, position_lines, reason_lines
from quarterdeck.tui.view.positions_panel import digits_of, one_line, pair_of
from quarterdeck.tui.widgets.styled_lines import StyledLines

Preview = Callable[[DeskView, int, int], Sequence[Line]]


def resume_dialog(glyphs: Glyphs) -> ChoiceDialog:
    """What holds the desk back, and that only the operator's own reasons go."""

    def preview(desk: DeskView, width: int, rows: int) -> Sequence[Line]:
        text = (
            "Resume ends your own pause or halt only; breakers and unconfirmed orders end by themselves or by their own command."
        )
        return [*((Span(part),) for part in wrapped(text, width)), (), *reason_lines(desk, width, glyphs)[: max(rows, 2)]]

    return ChoiceDialog("Resume", [Choice("resume", preview, Resume(), "resume")], danger=False)


def reset_drawdown_dialog(glyphs: Glyphs) -> ChoiceDialog:
    """Accepting a drawdown."""

    def preview(desk: DeskView, width: int, rows: int) -> Sequence[Line]:
        old, new = number_format.money(desk.peak_money), number_format.money(desk.equity_money)
        down = number_format.pct(desk.drawdown_fraction)
        text = f"Drawdown {down}. The peak goes from {old} to {new}; the next drawdown counts from it."
        if all(reason.code != "drawdown" for reason in desk.reasons):
            text = f"The drawdown breaker has not tripped ({down}): nothing to reset."
        return [(Span(part),) for part in wrapped(text, width)]

    return ChoiceDialog("Reset after a drawdown", [Choice("reset", preview, ResetDrawdown(), "reset")])


def close_dialog(view: PositionView, glyphs: Glyphs) -> ChoiceDialog:
    """The whole position, or half of it."""
    half = _half_lots(view.lots)
    choices = [
        Choice(
            f"all, {number_format.lots(view.lots)}",
            _positions_preview(lambda desk: _still(desk, view), glyphs),
            ClosePosition(position_id=view.position_id),
            f"close {view.symbol} #{view.ticket}",
        )
    ]
    if 0 < half < view.lots:
        choices.append(
            Choice(
                f"half, {number_format.lots(half)}",
                _positions_preview(lambda desk: [_part(now, half) for now in _still(desk, view)], glyphs),
                ClosePosition(position_id=view.position_id, lots=half),
                f"close {number_format.lots(half)} of {view.symbol} #{view.ticket}",
            )
        )
    if not view.ours:
        choices = [Choice("external", _positions_preview(lambda desk: _still(desk, view), glyphs), None, "")]
    return ChoiceDialog(f"Close {view.side.word} {view.symbol}", choices)


def close_group_dialog(desk: DeskView, glyphs: Glyphs) -> ChoiceDialog | None:
    """Losers, winners, one currency or one pair; None where nothing is open."""
    ours = in_scope(desk, "ours")
    if not ours:
        return None
    symbols = sorted({view.symbol for view in ours})
    currencies = sorted({part for symbol in symbols for part in (symbol[:3], symbol[3:6]) if len(symbol) >= 6})
    groups = [
        ("losers", CloseGroup(which="losers")),
        ("winners", CloseGroup(which="winners")),
        *((f"all with {currency}", CloseGroup(which="currency", name=currency)) for currency in currencies),
        *((f"all {symbol}", CloseGroup(which="symbol", name=symbol)) for symbol in symbols),
    ]
    choices = [
        Choice(f"{words}: {count}", _positions_preview(partial(_in_group, group), glyphs), group, f"close {words}")
        for words, group in groups
        if (count := len(_in_group(group, desk)))
    ]
    return ChoiceDialog("Close some", choices) if choices else None


def _in_group(group: CloseGroup, desk: DeskView) -> list[PositionView]:
    """Positions of ours that a group holds now."""
    fits: dict[str, Callable[[PositionView], bool]] = {
        "losers": lambda view: (view.profit_money or 0.0) < 0,
        "winners": lambda view: (view.profit_money or 0.0) > 0,
        "currency": lambda view: group.name in (view.symbol[:3], view.symbol[3:6]),
        "symbol": lambda view: view.symbol == group.name,
    }
    return [view for view in in_scope(desk, "ours") if fits[group.which](view)]


def resolve_dialog(order: OrderView, desk: DeskView, glyphs: Glyphs) -> ChoiceDialog:
    """The operator's decision on an order whose outcome nobody knows."""

    def preview(now: DeskView, width: int, rows: int) -> Sequence[Line]:
        age = number_format.span(now.at_utc_ns - order.sent_utc_ns)
        text = (
            f"{order.what} {number_format.lots(order.lots)} {order.symbol} ({order.client_id}), sent {age} ago. Look into the "
            "broker's own terminal first: the desk books what you say, and releases or keeps the reserved risk."
        )
        return [(Span(part),) for part in wrapped(text, width)]

    choices = [
        Choice("it was not executed", preview, Resolve(client_id=order.client_id, outcome="absent"), "resolve as not executed")
    ]
    for view in desk.positions:
        if view.symbol == order.symbol:
            words = f"it is position #{view.ticket}: {one_line(view, digits_of(desk, view.symbol))}"
            command = Resolve(client_id=order.client_id, outcome="filled", position_id=view.position_id)
            choices.append(Choice(words, preview, command, f"resolve as #{view.ticket}"))
    return ChoiceDialog("Resolve an unconfirmed order", choices)


def _positions_preview(select: Callable[[DeskView], list[PositionView]], glyphs: Glyphs) -> Preview:
    def preview(desk: DeskView, width: int, rows: int) -> Sequence[Line]:
        views = by_risk(select(desk))
        if not views:
            return [(Span("It is closed already.", "warn"),)]
        return [
            *position_lines(views, desk, width, rows, glyphs),
            clip((Span(order_preview_totals(views, desk), "muted"),), width, glyphs),
        ]

    return preview


def _still(desk: DeskView, view: PositionView) -> list[PositionView]:
    return [now for now in desk.positions if now.position_id == view.position_id]


def _part(view: PositionView, lots: float) -> PositionView:
    """What `lots` of a position come to: its figures by their share, all of it where less is left."""
    share = min(lots / view.lots, 1.0)

    def of(amount: float | None) -> float | None:
        return None if amount is None else amount * share

    return msgspec.structs.replace(
        view,
        lots=view.lots * share,
        profit_money=of(view.profit_money),
        open_risk_money=of(view.open_risk_money),
        spread_cost_money=of(view.spread_cost_money),
        margin_money=of(view.margin_money),
    )


def _half_lots(lots: float) -> float:
    """Half, down to two decimals; the desk puts it on the volume grid."""
    return int(lots * 50 + 1e-9) / 100


class StopDialog(WordDialog):
    """Ending the engine: by the policy of the settings, or by another one."""

    WORD = "stop"
    TITLE_WORDS = "Stop the engine"
    DANGER = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down", "policy(1)", "Policy", show=False),
        Binding("shift+tab,up", "policy(-1)", "Policy", show=False),
    ]
    POLICIES = (
        ("settings", "as set in engine.shutdown_action"),
        ("keep", "keep positions; they are left unmanaged, with broker stops only"),
        ("flatten", "close every position of this desk first, within the time limit"),
    )

    def __init__(self) -> None:
        """By the settings."""
        super().__init__()
        self.chosen = 0

    def lines(self) -> Sequence[Line]:
        """Policies, what is open, and the word."""
        glyphs = self.host.glyphs
        lines: list[Line] = []
        for number, (_, words) in enumerate(self.POLICIES):
            sign = glyphs.cursor if number == self.chosen else " "
            lines.append(clip((Span(f"{sign} {words}", "mark" if number == self.chosen else ""),), self.width, glyphs))
        if self.desk is not None:
            ours = in_scope(self.desk, "ours")
            text = f"{number_format.plural(len(ours), 'position')} of ours open; {order_preview_totals(ours, self.desk)}"
            lines += [(), *((Span(part),) for part in wrapped(text, self.width))]
        lines += [
            (),
            (Span("To leave only the screen: Escape, then the key for leave; the engine keeps running.", "muted"),),
            (),
            self.word_line("stop it; up and down choose"),
        ]
        return lines

    def action_policy(self, step: int) -> None:
        """Another policy."""
        self.chosen = (self.chosen + step) % len(self.POLICIES)
        self.typed = ""
        self.paint()

    def agreed(self) -> None:
        """Order it."""
        policy = self.POLICIES[self.chosen][0]
        command = StopEngine(policy=policy, why="asked on the screen")  # type: ignore[arg-type]
        self.app.run_worker(self.host.send_command(command, f"stop the engine, {policy}"), exit_on_error=False)
        self.dismiss(True)


class MoveStopDialog(Dialog):
    """A new price for a stop; Enter checks it, and only then `y` sends it."""

    TITLE_WORDS = "Move the stop"
    DANGER = True
    DEFAULT_CSS = """
    MoveStopDialog Input, MoveStopDialog Input:focus { width: 24; height: 1; border: none; padding: 0 1; background: $panel; }
    """

    def __init__(self, view: PositionView) -> None:
        """For one position."""
        super().__init__()
        self._view = view
        self.price: float | None = None
        self.why = ""

    def compose(self) -> ComposeResult:
        """A field under the words."""
        with Vertical(id="box"):
            yield StyledLines(id="paper")
            yield Input(id="price", placeholder="new stop price", max_length=14)
            yield StyledLines(id="foot")

    def on_mount(self) -> None:
        """Type at once."""
        field = self.query_one("#price", Input)
        field.cursor_blink = False
        self.set_focus(field)

    def paint(self) -> None:
        """Words above and below the field."""
        super().paint()
        if not self.query("#foot"):
            return
        foot: list[Line] = [(Span(self.why, "bad"),)] if self.why else []
        if self.price is not None:
            foot += [
                *self._effect(self.price),
                (Span("[ Cancel: Esc ]", "mark"), Span("   "), Span(" y ", "key"), Span(" move the stop")),
            ]
        else:
            foot.append((Span("[ Cancel: Esc ]", "mark"), Span("   Enter checks the price", "muted")))
        self.query_one("#foot", StyledLines).show_lines(foot)

    def lines(self) -> Sequence[Line]:
        """The position as it stands."""
        desk = self.desk
        now = next((view for view in _still(desk, self._view)), None) if desk is not None else None
        if desk is None or now is None:
            return [(Span("The position is closed.", "warn"),)]
        digits = digits_of(desk, now.symbol)
        stop = "none" if now.stop_price is None else number_format.price(now.stop_price, digits)
        return [
            (Span(one_line(now, digits), "strong"),),
            (Span(f"now {number_format.price(now.current_price, digits)}, stop {stop}"),),
        ]

    @property
    def _now(self) -> PositionView:
        """The position as it stands, or as it was when it is closed."""
        still = _still(self.desk, self._view) if self.desk is not None else []
        return still[0] if still else self._view

    def _effect(self, price: float) -> list[Line]:
        desk, view = self.desk, self._now
        pair = pair_of(desk, view.symbol) if desk is not None else None
        if pair is None or view.current_price is None:
            return []
        distance = (view.current_price - price) * view.side / pair.pip
        words = f"{number_format.pips(distance)} pips from the price now"
        if view.profit_money is not None and view.pips is not None and abs(view.pips) >= 1:
            at_stop = view.profit_money - distance * abs(view.profit_money / view.pips)
            words += f"; its result there about {number_format.money(at_stop, sign=True)}"
        loosened = view.stop_price is not None and (view.stop_price - price) * view.side > 0
        return [(Span(words),), *([(Span("LOOSER than now: more is lost if it is hit.", "warn"),)] if loosened else [])]

    @on(Input.Submitted, "#price")
    def _checked(self, event: Input.Submitted) -> None:
        self.price, self.why = checked_stop(event.value, self._now)
        if self.price is not None:
            self.set_focus(None)
        self.paint()

    def key_y(self) -> None:
        """Send it, once a price was checked."""
        if self.price is None:
            return
        command = MoveStop(position_id=self._view.position_id, stop_price=self.price)
        self.app.run_worker(
            self.host.send_command(command, f"stop of {self._view.symbol} to {self.price:g}"), exit_on_error=False
        )
        self.dismiss(True)


def checked_stop(text: str, view: PositionView) -> tuple[float | None, str]:
    """A stop price as typed, or why it cannot be one for `view`."""
    try:
        price = float(text.strip())
    except ValueError:
        return None, f"{text.strip() or 'nothing'} is not a price"
    if not 0 < price < 1e7:
        return None, f"{price:g} is not a price"
    if view.current_price is not None and (view.current_price - price) * view.side <= 0:
        beyond = "below" if view.side > 0 else "above"
        return None, f"a stop of a {view.side.word} must lie {beyond} the price now, {view.current_price:g}"
    return price, ""
