"""Open positions: a table with the care to come, and a strip of the vital figures that stays in sight everywhere."""

from __future__ import annotations

from typing import Final

from quarterdeck.core.model.snapshot import DeskView, OrderView, PairView, PositionView
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Column, Glyphs, Line, PanelContent, Span, clean, clip, fit, merged, table, width_of

COLUMNS: Final = (
    # what moves stands left: a row is sent from its left edge to its last changed cell
    Column("side", 4),
    Column("pair", 7, whole=True),
    Column("lots", 6, right=True, whole=True),
    Column("R", 7, right=True, whole=True),
    Column("money", 10, right=True, whole=True),
    Column("to stop", 8, right=True, whole=True),
    Column("pips", 7, right=True, rank=5, whole=True),
    Column("now", 9, right=True, rank=3, whole=True),
    Column("entry", 9, right=True, rank=2, whole=True),
    Column("stop", 9, right=True, rank=1, whole=True),
    Column("target", 9, right=True, rank=6, whole=True),
    Column("risk", 8, right=True, rank=7, whole=True),
    Column("peak", 9, right=True, rank=9, whole=True),
    Column("age", 6, right=True, rank=8, whole=True),
    Column("management", 12, rank=4, stretch=True, want=36),
)


def sheet(desk: DeskView, width: int, glyphs: Glyphs) -> PanelContent:
    """The panel: positions, ours first, then orders under way."""
    ordered = in_order(desk)
    digits = {view.symbol: digits_of(desk, view.symbol) for view in ordered}
    head, lines = table(COLUMNS, (_row(view, desk, digits, glyphs) for view in ordered), width, glyphs)
    keys = [f"position:{view.position_id}" for view in ordered]
    body = list(lines)
    for order in desk.orders:
        body.append(_order_line(order, desk, width, glyphs))
        keys.append(f"order:{order.client_id}")
    if not body:
        body = [(Span(_nothing(desk), "muted"),)]
        keys = ["nothing"]
    # no moving figure in the note: a frame is drawn anew with all that is in it
    return PanelContent((head,), body, keys, f"{len(ordered)} open" if ordered else "none")


def strip(desk: DeskView, width: int, rows_max: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The vital figures of each position, as many beside each other as fit; what does not fit is counted."""
    ordered = in_order(desk)
    if not ordered or rows_max <= 0:
        return ()
    texts = [_cell_texts(view) for view in ordered]
    widths = [max(least, *(width_of((row[index],)) for row in texts)) for index, least in enumerate(_STRIP_WIDTHS)]
    cells = [
        tuple(Span(fit(span.text, widths[index], glyphs, right=index > 1), span.role) for index, span in enumerate(row))
        for row in texts
    ]
    cell_width = sum(widths)
    across = max((width + 2) // (cell_width + 2), 1)
    if len(cells) > across * rows_max:
        shown = across * rows_max - 1
        hidden = ordered[shown:]
        total = sum(view.profit_money or 0.0 for view in hidden)
        text = f"{len(hidden)} more, {number_format.money(total, sign=True)}: zoom the positions"
        cells = [*cells[:shown], (Span(fit(text, cell_width, glyphs), "warn"),)]
    lines: list[Line] = []
    for start in range(0, len(cells), across):
        spans: list[Span] = []
        for number, cell in enumerate(cells[start : start + across]):
            if number:
                spans.append(Span(f"{glyphs.divider} ", "muted"))
            spans.extend(cell)
        lines.append(clip(merged(spans), width, glyphs))
    return tuple(lines)


def in_order(desk: DeskView) -> list[PositionView]:
    """Ours before others, each by age: a position keeps its place while its figures move."""
    return sorted(desk.positions, key=lambda view: (not view.ours, view.opened_utc_ns, view.position_id))


def one_line(view: PositionView, digits: int) -> str:
    """A position in words, for dialogs and the palette."""
    result = f"{number_format.r_multiple(view.result_r)} {number_format.money(view.profit_money, sign=True)}"
    opened = number_format.price(view.open_price, digits)
    return f"{view.side.word} {number_format.lots(view.lots)} {clean(view.symbol)} from {opened}, {result}"


def digits_of(desk: DeskView, symbol: str) -> int:
    """Digits of a pair's prices; where the pair is not among the traded ones, those that its positions' prices have."""
    traded = next((pair.digits for pair in desk.pairs if pair.symbol == symbol), None)
    if traded is not None:
        return traded
    prices = [price for view in desk.positions if view.symbol == symbol for price in (view.open_price, view.current_price)]
    return max((len(f"{price:.5f}".rstrip("0").partition(".")[2]) for price in prices if price is not None), default=5)


def pair_of(desk: DeskView, symbol: str) -> PairView | None:
    """The view of one pair."""
    return next((pair for pair in desk.pairs if pair.symbol == symbol), None)


def _stop_words(view: PositionView) -> tuple[str, str]:
    if view.stop_price is None:
        return "NO STOP", "alarm"
    distance = view.stop_distance_pips
    return number_format.pips(distance), "warn" if distance is not None and distance < 3 else ""


_STRIP_WIDTHS: Final = (5, 6, 5, 7, 8, 8)
"""Least widths of side, pair, lots, R, money and distance to the stop."""


def _cell_texts(view: PositionView) -> tuple[Span, ...]:
    """Side, pair, then figures that keep a space before them however long they are."""
    stop, stop_role = _stop_words(view)
    return (
        Span(view.side.word + ("" if view.ours else "*"), "" if view.ours else "warn"),
        Span(clean(view.symbol)),
        Span(f" {number_format.lots(view.lots)}"),
        Span(f" {number_format.r_multiple(view.result_r)}", number_format.role_of(view.result_r)),
        Span(f" {_short_money(view.profit_money)}", number_format.role_of(view.profit_money)),
        Span(f" {stop}" if view.stop_price is None else f" SL {stop}", stop_role),
    )


def _short_money(amount: float | None) -> str:
    return number_format.money(amount, 2 if amount is None or abs(amount) < 1000 else 0, sign=True)


def _row(view: PositionView, desk: DeskView, digits: dict[str, int], glyphs: Glyphs) -> tuple[Span, ...]:
    places = digits[view.symbol]
    stop, stop_role = _stop_words(view)
    money_role = number_format.role_of(view.profit_money)
    return (
        Span(view.side.word, "" if view.ours else "warn"),
        Span(view.symbol),
        Span(number_format.lots(view.lots)),
        Span(number_format.r_multiple(view.result_r), number_format.role_of(view.result_r)),
        Span(number_format.money(view.profit_money, sign=True), money_role),
        Span(stop, stop_role),
        Span(number_format.pips(view.pips, sign=True)),
        Span(number_format.price(view.current_price, places)),
        Span(number_format.price(view.open_price, places), "muted"),
        Span(
            "none" if view.stop_price is None else number_format.price(view.stop_price, places),
            "alarm" if view.stop_price is None else "",
        ),
        Span("none" if view.target_price is None else number_format.price(view.target_price, places), "muted"),
        Span(number_format.money(view.open_risk_money)),
        Span(number_format.money(view.peak_money, sign=True), "muted"),
        Span(number_format.long_span(desk.at_utc_ns - view.opened_utc_ns), "muted"),
        _care(view),
    )


def _care(view: PositionView) -> Span:
    if not view.ours:
        return Span(f"external, left alone. {view.blocked}".strip(), "warn")
    if view.closing:
        return Span(f"closing. {view.blocked}".strip(), "warn")
    if not view.closable:
        return Span(f"cannot close: {view.blocked}", "warn")
    return Span(view.next_action, "muted")


def _order_line(order: OrderView, desk: DeskView, width: int, glyphs: Glyphs) -> Line:
    side = order.side.word if order.side is not None else ""
    age = number_format.span(desk.at_utc_ns - order.sent_utc_ns)
    words = {"in_flight": "on its way", "accepted": "accepted, not filled", "unknown": "UNCONFIRMED"}[order.order_status]
    text = f"{order.what} {side} {number_format.lots(order.lots)} {order.symbol}: {words} for {age} ({order.client_id})"
    return (Span(fit(" ".join(text.split()), width, glyphs), "alarm" if order.order_status == "unknown" else "accent"),)


def _nothing(desk: DeskView) -> str:
    return "No open position." if desk.positions_match is not None else "The broker's positions are not read yet."
