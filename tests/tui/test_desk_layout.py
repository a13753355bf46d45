"""The desk at drawn sizes with drawn books: nothing that is money is cut, dropped, or hidden beside an empty row."""

from __future__ import annotations

import random
import re

import msgspec
import pytest

from quarterdeck.core.model.market_data import Side
from quarterdeck.tui.screens.desk_screen import DeskScreen
from quarterdeck.tui.view import number_format, pairs_panel, positions_panel, risk_panel, signals_panel
from quarterdeck.tui.view.desk_layout import PanelRows, chart_widths, desk_heights
from quarterdeck.tui.view.lines import UNICODE, columns_that_fit, fit, limit_bar, width_of
from tests.tui.demo_desk import (
    PRICES,
    demo_account,
    demo_desk,
    demo_pairs,
    demo_position,
    demo_risk,
    demo_signals,
    demo_snapshot,
    drawdown_reason,
    foreign_position,
    paused_reason,
)

CUT_NUMBER = re.compile(r"\d[.,]?…|…[.,]?\d")


def drawn_book(chance: random.Random) -> dict:
    """A desk in any state: many positions or none, large and small accounts, trouble or peace."""
    symbols = [*PRICES, "EURUSD.raw"]
    positions = [
        demo_position(
            number,
            chance.choice(symbols),
            chance.choice((Side.BUY, Side.SELL)),
            lots=chance.choice((0.01, 0.5, 12.0)),
            profit_money=round(chance.uniform(-1, 1) * 10 ** chance.randint(1, 7), 2),
            result_r=chance.uniform(-12, 12),
        )
        for number in range(chance.choice((0, 1, 3, 8, 20)))
    ]
    if chance.random() < 0.3:
        positions.append(foreign_position(90))
    equity = round(10 ** chance.uniform(3, 8), 2)
    reasons = chance.choice(((), (paused_reason(),), (drawdown_reason(), paused_reason())))
    return {
        "mode": chance.choice(("real", "demo", "simulated")),
        "pairs": demo_pairs(chance.choice((1, 4, 7, 28))),
        "positions": tuple(positions),
        "signals": demo_signals() * chance.choice((0, 1, 2)),
        "equity_money": equity,
        "day_result_money": round(chance.uniform(-0.05, 0.05) * equity, 2),
        "day_base_money": equity,
        "day_limit_money": round(0.05 * equity, 2),
        "account": demo_account(equity_money=equity, balance_money=equity),
        "state": "HALTED" if reasons else "ACTIVE",
        "reasons": reasons,
        "positions_without_stop": chance.choice((0, 0, 2)),
        "unconfirmed_orders": chance.choice((0, 0, 1)),
        "positions_match": chance.random() < 0.8,
        "risk": msgspec.structs.replace(demo_risk(), open_money=0.02 * equity, cap_money=0.05 * equity),
    }


def essentials(book: dict) -> list[str]:
    """What an operator must find without scrolling."""
    desk = demo_desk(**book)
    words = {"real": "REAL MONEY", "demo": "DEMO", "simulated": "SIMULATED"}
    found = [
        words[desk.mode],
        desk.state,
        f"{desk.equity_money:,.2f} USD",
        number_format.pct(desk.day_result_money / desk.day_base_money, sign=True),
        "2.0% + ",
        "5.0%",
        f"{len(desk.positions)} pos {'match broker' if desk.positions_match else 'MISMATCH'}",
        "quote ",
        "news USD 1h27",
        "bar 11m52",
        *(reason.text for reason in desk.reasons[:1]),
    ]
    found += [f"{desk.positions_without_stop} NO STOP"] if desk.positions_without_stop else []
    found += [f"{desk.unconfirmed_orders} UNCONFIRMED"] if desk.unconfirmed_orders else []
    return found


async def check_drawn(bridge, chance: random.Random, count: int) -> None:
    async with bridge((80, 24)) as ship:
        for number in range(count):
            size = (chance.randint(60, 300), chance.randint(14, 90))
            book = drawn_book(chance)
            ship.app.memory.take(demo_snapshot(number + 2, **book))
            await ship.pilot.resize_terminal(*size)
            await ship.settle()
            text, screen = ship.text, ship.app.screen
            where = f"draw {number} at {size[0]}x{size[1]}\n{text}"
            assert isinstance(screen, DeskScreen)
            assert not CUT_NUMBER.search(text.replace("…ted market", "")), where
            for words in essentials(book):
                assert words in text, f"{words}: {where}"
            left = book["day_limit_money"] + book["day_result_money"]
            assert f"{left:,.2f}" in text or f"{left:,.0f}" in text, where
            shown = [screen.panel(name) for name in ("pairs", "signals", "positions", "risk") if screen.panel(name).display]
            idle = [panel.id for panel in shown if panel.room > len(panel.sheet.body)]
            hiding = [panel.id for panel in shown if panel.room < len(panel.sheet.body)]
            beside = {"pairs", "signals"} if not screen.has_class("-stacked") and not screen.single else set()
            for one in idle:
                assert not [other for other in hiding if not {one, other} <= beside], f"{one} is idle, {hiding} hide: {where}"


async def test_drawn_books_lose_no_figure_at_drawn_sizes(bridge):
    await check_drawn(bridge, random.Random(21), 20)


@pytest.mark.soak
async def test_many_drawn_books_lose_no_figure(bridge):
    await check_drawn(bridge, random.Random(2021), 2_000)


@pytest.mark.parametrize("columns", [pairs_panel.COLUMNS, positions_panel.COLUMNS, signals_panel.COLUMNS])
def test_wider_tables_never_show_less(columns):
    chance = random.Random(3)
    for _ in range(20):
        longest = [chance.randint(1, 40) if column.want or column.stretch else chance.randint(1, 12) for column in columns]
        before: dict[int, int] = {}
        for width in range(20, 300):
            _, widths = columns_that_fit(columns, width, longest)
            wanted = [min(text, max(column.want, column.width)) for text, column in zip(longest, columns, strict=True)]
            seen = {index: min(cells, wanted[index]) for index, cells in widths.items()}
            assert all(seen.get(index, 0) >= cells for index, cells in before.items()), width
            before = seen


def test_charts_take_only_what_tables_leave():
    for width in range(100, 301):
        for stacked in (True, False):
            charts = chart_widths(width, stacked=stacked)
            if charts.candles:
                assert width - charts.candles >= pairs_panel.FULL_WIDTH
            if charts.equity:
                assert width - charts.risk - charts.equity >= 100


def test_rows_go_to_those_who_need_them():
    for room in range(17, 86):
        for rows in (PanelRows(7, 12, 9, 15), PanelRows(28, 12, 3, 15), PanelRows(1, 1, 0, 12)):
            heights = desk_heights(room, rows, strip=False, chart=True)
            assert heights.top + heights.positions + heights.bottom == max(room, 17), (room, rows)
            if heights.bottom > rows.risk + 2:
                assert heights.top >= rows.pairs + 3


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("0.50 at 1.07421, stop", 12, "0.50 at …   "),
        ("spread too wide", 8, "spread …"),
        ("1234567.89", 6, "…     "),
        ("trail from 0.5R", 13, "trail from … "),
    ],
)
def test_numbers_are_left_out_rather_than_cut(text, width, shown):
    assert fit(text, width, UNICODE) == shown


@pytest.mark.parametrize(
    ("used", "bar"), [(0.0, "░░░░░░░░│░"), (0.01, "▏░░░░░░░│░"), (0.56, "█████▋░░│░"), (0.85, "████████▌░"), (1.4, "██████████")]
)
def test_limit_bar_is_in_eighths_with_a_mark(used, bar):
    assert limit_bar(used, 10, UNICODE, 0.8) == bar


def test_nearest_limit_is_first_and_in_the_title():
    limits = (
        msgspec.structs.replace(demo_risk().limits[0], value=0.0446),
        msgspec.structs.replace(demo_risk().limits[1], value=0.02),
    )
    desk = demo_desk(risk=msgspec.structs.replace(demo_risk(), limits=limits, open_money=0.0, reserved_money=0.0))
    for width in (38, 46, 76):
        sheet = risk_panel.sheet(desk, width, UNICODE)
        assert sheet.note == "nearest: day loss 89%"
        first = "".join(span.text for span in sheet.body[0])
        assert first.startswith("day loss")
        assert "4.46%" in first
        assert "54.00 left" in first
        assert all(width_of(line) <= width for line in sheet.body)
