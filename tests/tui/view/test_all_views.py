"""Views: what must be said, at every width, for a desk in trouble as for one in peace."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from quarterdeck.core.link.messages import LinkState
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.snapshot import FlattenView, LimitView, LogLine
from quarterdeck.core.model.units import M15_NS
from quarterdeck.tui.screen_state import LOG_LINES_MAX, ScreenState, ViewModel
from quarterdeck.tui.view import (
    candle_chart,
    curve_chart,
    log_panel,
    order_previews,
    page_contents,
    pairs_panel,
    positions_panel,
    risk_panel,
    signals_panel,
    status_lines,
)
from quarterdeck.tui.view.lines import ASCII, UNICODE, plain_of, width_of
from tests.tui.demo_desk import (
    NOW,
    demo_account,
    demo_desk,
    demo_engine,
    demo_log,
    demo_pairs,
    demo_position,
    demo_positions,
    demo_risk,
    demo_snapshot,
    drawdown_reason,
    foreign_position,
    paused_reason,
)
from tests.tui.demo_history import demo_bars

UP = LinkState(up=True)


def header(width=80, engine=None, silent_s=0, link=UP, **desk):
    return [
        plain_of(line)
        for line in status_lines.header(ViewModel(demo_snapshot(engine=engine, **desk), link, silent_s), width, ASCII)
    ]


@given(some.integers(1, 220))
def test_no_view_is_wider_than_it_may_be(width):
    desk = demo_desk(positions=(*demo_positions(), foreign_position()), orders=())
    for view in (pairs_panel.sheet, signals_panel.sheet, positions_panel.sheet, risk_panel.sheet):
        sheet = view(desk, width, UNICODE)
        assert all(width_of(line) <= max(width, 1) for line in (*sheet.head, *sheet.body)), view.__module__
    assert all(width_of(line) <= width for line in status_lines.header(ViewModel(demo_snapshot(), UP), width, UNICODE))
    assert all(width_of(line) <= width for line in log_panel.sheet(demo_log(), log_panel.LogFilter(), width, UNICODE).body)


def test_large_accounts_keep_every_vital_figure_at_80_columns():
    long = msgspec.structs.replace(drawdown_reason(), text="a reason that continues " * 9)
    lines = header(
        equity_money=123_456_789.12,
        day_result_money=-1_234_567.89,
        day_base_money=123_000_000.0,
        day_limit_money=6_150_000.0,
        account=demo_account(balance_money=123_456_789.0),
        reasons=(long, paused_reason()),
        state="HALTED",
    )
    assert all(len(line) <= 80 for line in lines)
    assert "123,456,789.12 USD" in lines[0]
    assert lines[1].endswith("since 13:03 (+1)")
    assert "left 4,915,432.11" in lines[2]
    assert "match broker" in lines[3]


@pytest.mark.parametrize("why", ["connection lost", "the engine at /some/long/path does not answer any more", ""])
def test_lost_link_keeps_state_and_equity_at_80_columns(why):
    words = header(link=LinkState(up=False, why=why), silent_s=754, state="REDUCE_ONLY", mode="real")[0]
    assert len(words) <= 80
    assert "REAL MONEY" in words
    assert "LINK LOST, figures 12m old" in words
    assert "last REDUCE ONLY eq 10,124.27 USD" in words


@pytest.mark.parametrize("text", ["-15 against 30 USD high", "15 against 30", "-0.5", "inf against 3", "nan"])
def test_a_refusal_keeps_its_name_whatever_the_sign(text: str) -> None:
    signal = msgspec.structs.replace(demo_desk().signals[1], reason="news", text=text)
    assert f"news {text}" in plain_of(signals_panel.sheet(demo_desk(signals=(signal,)), 120, ASCII).body[0])


def test_a_verdict_names_the_check_that_spoke_it():
    signal = msgspec.structs.replace(demo_desk().signals[1], reason="pair_positions", text="2 against 1")
    assert "pair positions 2 against 1" in plain_of(signals_panel.sheet(demo_desk(signals=(signal,)), 80, ASCII).body[0])
    signal = msgspec.structs.replace(signal, reason="spread", text="Spread 2.2x usual")
    assert "refused Spread 2.2x usual" in plain_of(signals_panel.sheet(demo_desk(signals=(signal,)), 80, ASCII).body[0])


def test_feed_and_journal_trouble_has_a_line_of_its_own():
    lines = header(engine=demo_engine(connection_up=False, connection_reason="terminal gone", journal_writable=False))
    assert lines[3] == " FEED DOWN terminal gone  JOURNAL NOT WRITABLE: no entries "
    assert "3 pos match broker" in lines[2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"positions_match": None}, "not read from broker"),
        ({"positions_match": False}, "3 pos MISMATCH"),
        ({"calendar_available": False}, "NO CALENDAR"),
        ({"next_news": None}, "no high-impact news"),
        ({"next_news": NewsEvent(at_utc_ns=NOW - 1, currency="USD", impact="high")}, "news USD now"),
        ({"oldest_quote_utc_ns": NOW - 400 * 10**9}, "quote 6m STALE"),
        ({"oldest_quote_utc_ns": 0}, "no quote"),
        ({"pairs": tuple(msgspec.structs.replace(pair, session_open=False) for pair in demo_pairs())}, "market closed"),
        ({"mode": "real"}, "REAL MONEY"),
        ({"mode": "paper"}, "PAPER"),
        ({"equity_money": None}, "eq ?"),
        ({"day_result_money": None}, "day ? ? ? to limit"),
        ({"flatten": FlattenView(scope="ours", since_utc_ns=NOW, done=False, text="closing 2")}, "FLATTENING  closing 2"),
        ({"positions_without_stop": 2, "unconfirmed_orders": 1}, "2 NO STOP 1 UNCONFIRMED"),
    ],
)
def test_what_is_wrong_or_unknown_is_said_in_words(changes, words):
    assert words in "\n".join(header(**changes))


def test_the_state_of_the_calendar_is_on_the_screen():
    short = demo_engine(calendar_why="it ends at noon")
    assert "CALENDAR INCOMPLETE" in "\n".join(header(engine=short))
    assert "NO CALENDAR" in "\n".join(header(engine=short, calendar_available=False))
    assert "news rules off" in "\n".join(header(engine=demo_engine(news_off=True), calendar_available=False))


def test_a_replay_says_how_far_and_how_fast():
    assert "25% paused" in header(engine=demo_engine(replay_fraction=0.25, replay_speed=0.0), mode="replay")[0]


def test_the_strip_counts_what_it_cannot_show():
    desk = demo_desk(positions=tuple(demo_position(number) for number in range(9)))
    lines = [plain_of(line) for line in positions_panel.strip(desk, 80, 2, ASCII)]
    assert len(lines) == 2
    assert "6 more" in lines[1]
    assert positions_panel.strip(demo_desk(positions=()), 80, 2, ASCII) == ()


def test_limits_show_units_and_tripped_ones_their_reset():
    limits = (
        LimitView(
            name="day_loss", value=0.051, limit=0.05, unit="share", tripped=True, since_utc_ns=NOW, resets_when="17:00 New York"
        ),
        LimitView(name="margin_level", value=310.0, limit=300.0, unit="%"),
        LimitView(name="funded_daily", value=120.5, limit=9_500.0, unit="money left, equity floor"),
        LimitView(name="losses_in_row", value=None, limit=5.0, unit="trades"),
    )
    desk = demo_desk(risk=msgspec.structs.replace(demo_risk(), limits=limits))
    text = "\n".join(plain_of(line) for line in risk_panel.sheet(desk, 70, ASCII).body)
    assert "5.10% of 5%" in text
    assert "TRIPPED Tue 14:33 until 17:00 New York" in text
    assert "310%, min 300%" in text
    assert "120.50 left to 9,500.00" in text
    assert "? of 5" in text


def test_flatten_counts_both_scopes_and_puts_the_largest_risk_first():
    small, large = demo_position(0, open_risk_money=10.0), demo_position(1, "USDCHF", open_risk_money=90.0)
    blocked = demo_position(2, "USDJPY", closable=False, blocked="market closed, opens Sun 21:05")
    desk = demo_desk(positions=(small, large, blocked, foreign_position()), pending_orders_ours=2)
    text = [plain_of(line) for line in order_previews.flatten_preview(desk, "ours", 90, 20, ASCII)]
    assert "[ours: 3 positions]" in text[0]
    assert "whole account: 4" in text[0]
    assert "2 pending orders cancelled first; 1 external position left alone" in text[1]
    symbols = [line.split()[2] for line in text if line.startswith(("buy", "sell"))]
    assert symbols == ["USDCHF", "USDJPY", "EURUSD"]
    assert "cannot be closed now: market closed, opens Sun 21:05" in "\n".join(text)
    account = [view.symbol for view in order_previews.by_risk(order_previews.in_scope(desk, "account"))]
    assert account[0] == "XAUUSD", "without a stop counts as the largest risk"


def test_flatten_is_not_called_done_before_the_desk_says_so():
    desk = demo_desk(positions=())
    lines = order_previews.flatten_progress(desk, demo_positions(), "", 80, 9, ASCII)
    assert "not verified yet" in plain_of(lines[0])


def test_a_flatten_of_many_positions_still_shows_what_is_left():
    asked = [demo_position(number) for number in range(20)]
    left = tuple(f"#{number} EURUSD: market closed, opens Sun 21:00Z" for number in range(6))
    flatten = FlattenView(scope="ours", since_utc_ns=NOW, text="not flat: 6 left", done=False, left_open=left)
    lines = [
        plain_of(line) for line in order_previews.flatten_progress(demo_desk(flatten=flatten), asked, "asked", 80, 11, ASCII)
    ]
    assert len(lines) <= 18, "the room of a dialog at 80x24"
    assert [line for line in lines if line.startswith("left: ")] == [f"left: {text}" for text in left]
    assert "and 16 more" in lines


def test_a_rising_and_a_falling_candle_differ_without_colour():
    bars = demo_bars("EURUSD", "M15", 40)
    text = "\n".join(plain_of(line) for line in candle_chart.candle_chart(bars, M15_NS, 5, 80, 20, ASCII))
    assert "#" in text
    assert "o" in text
    levels = [candle_chart.PriceLevel(bars[-1].close * 2, "aim", "good")]
    assert "^" in "\n".join(
        plain_of(line)
        for line in candle_chart.candle_chart(bars, M15_NS, 5, 80, 20, ASCII, candle_chart.ChartOverlay(levels=levels))
    )


@given(some.integers(0, 60), some.integers(0, 30), some.integers(0, 50))
def test_charts_fit_whatever_room_they_get(width, height, count):
    bars = demo_bars("EURUSD", "M15", count)
    for lines in (
        candle_chart.candle_chart(bars, M15_NS, 5, width, height, UNICODE),
        curve_chart.equity_curve(range(count), [9.0 + n % 7 for n in range(count)], width, height, UNICODE),
    ):
        assert len(lines) <= max(height, 1)
        assert all(width_of(line) <= width for line in lines)


def test_drawdown_is_from_the_peak_so_far():
    assert curve_chart.drawdowns([100, 110, 99, 121]) == pytest.approx([0, 0, 0.1, 0])


def test_log_is_bounded_and_filters_by_level_pair_ticket_text():
    memory = ScreenState()
    for line in demo_log(50) * 100:
        memory.take(line)
    assert len(memory.log) == LOG_LINES_MAX
    assert memory.log_seen == 5_000
    assert [line.symbol for line in demo_log(5) if log_panel.LogFilter("warning").shows(line)] == ["GBPUSD", "USDCHF"]
    assert [line.ticket for line in demo_log(5) if log_panel.LogFilter("info", "7002").shows(line)] == [7002]
    assert log_panel.LogFilter("critical").next_level() == log_panel.LogFilter("debug")
    over = LogLine(at_utc_ns=NOW, level="info", kind="alert.connection", text="the connection is back", resolved=True)
    assert log_panel.LogFilter("critical").shows(over), "whoever sees a fault sees its end"
    assert "OK" in plain_of(log_panel.line_of(over, 80, UNICODE))


def test_older_log_lines_are_filled_in_once():
    memory = ScreenState()
    lines = demo_log(10)
    memory.take(lines[-1])
    memory.fill_log(tuple(lines))
    memory.fill_log(tuple(lines))
    assert list(memory.log) == lines


def test_risk_panel_shows_weekend_gap_risk_where_known():
    known = msgspec.structs.replace(demo_risk(), weekend_gap_risk_money=1234.5)
    for told, shown in ((demo_risk(), False), (known, True)):
        lines = [plain_of(line) for line in risk_panel.sheet(demo_desk(risk=told), 80, ASCII).body]
        assert any("weekend gap" in line and "234.5" in line for line in lines) is shown


def test_the_health_page_says_who_scans_where_machines_should() -> None:
    def page(**changes):
        return [plain_of(line) for line in page_contents.health(demo_engine(**changes), (), 80, ASCII).body]

    assert not any("scanning" in line for line in page())
    assert any("scanning       2 machines (a, b)" in line for line in page(scanning="2 machines (a, b)"))


def test_narrow_log_line_keeps_its_result() -> None:
    line = LogLine(at_utc_ns=NOW, level="info", kind="closed", text="trade closed: +103.91", symbol="USDJPY", ticket=50000001)
    assert plain_of(log_panel.line_of(line, 120, UNICODE)) == "14:33:08 info  USDJPY #50000001: trade closed: +103.91"
    assert plain_of(log_panel.line_of(line, 80, UNICODE)) == "14:33:08 USDJPY: trade closed: +103.91"
    warned = msgspec.structs.replace(line, level="warning")
    assert plain_of(log_panel.line_of(warned, 80, UNICODE)).startswith("14:33:08 WARN ")
    for shown in (line, warned):
        assert log_panel.LogFilter(text="50000001").shows(shown)


def test_every_currency_is_told_however_narrow_the_panel() -> None:
    told = "\n".join(plain_of(line) for line in risk_panel.sheet(demo_desk(), 44, UNICODE).body)
    for leg in demo_desk().risk.currencies:
        assert f"{leg.currency} {leg.net_x_equity:+.1f}x" in told
    assert "net, x equity" in told


def test_an_empty_panel_says_so_in_whole_words() -> None:
    body = signals_panel.sheet(demo_desk(signals=()), 50, UNICODE).body
    assert " ".join(plain_of(line) for line in body) == "No candidate yet: the desk looks at each closed M15 bar."
    assert all(len(plain_of(line)) <= 50 for line in body)


def test_what_is_of_another_day_says_so() -> None:
    day_ns = 86_400 * 10**9
    old, new = (LogLine(at_utc_ns=at, level="info", kind="day", text="day over") for at in (NOW - day_ns, NOW))
    lines = [plain_of(line) for line in log_panel.sheet([old, new], log_panel.LogFilter(), 80, UNICODE).body[0:2]]
    assert lines == ["Mon 14:33 day over", "14:33:08 day over"]
    long_ago = msgspec.structs.replace(old, at_utc_ns=NOW - 20 * day_ns)  # a replay before this one, on the same home
    assert plain_of(log_panel.sheet([long_ago, new], log_panel.LogFilter(), 80, UNICODE).body[0]) == "12 Jun    day over"
    first, *others = demo_desk().signals
    earlier = msgspec.structs.replace(first, decided_utc_ns=first.decided_utc_ns - day_ns)
    times = [
        plain_of(line)[:5] for line in signals_panel.sheet(demo_desk(signals=(first, earlier, *others)), 80, UNICODE).body[:2]
    ]
    assert times == ["14:30", "Mon  "]


def test_entry_hours_show_as_hours_and_narrow_panel_keeps_reason() -> None:
    signal = msgspec.structs.replace(demo_desk().signals[1], reason="hours", text="6.75 against 7 Europe/London 07:00-20:00")
    assert signals_panel.verdict_words(signal) == "hours: 06:45, entries Europe/London 07:00-20:00"
    body = signals_panel.sheet(demo_desk(), 38, UNICODE).body
    assert "spread" in plain_of(body[1])
