"""The pages beside the desk: parameters, ledger, journal and its stories, charts."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.core.link.messages import TradesQuery, TradesReply, VerdictsQuery, VerdictsReply
from quarterdeck.core.link.trade_queries import AccountReportQuery, TimelineQuery, TradeTimeline, filter_of
from quarterdeck.core.model.commands import SetSettings
from quarterdeck.core.model.units import M15_NS
from quarterdeck.tui.screens.desk_screen import DeskScreen
from quarterdeck.tui.screens.journal_pages import JournalPage, TimelinePage
from quarterdeck.tui.view.lines import plain_of
from quarterdeck.tui.widgets.keybar import KeyBar
from tests.tui.demo_client import FakeClient, demo_settings, live_events
from tests.tui.demo_desk import NOW, demo_positions, demo_signals, demo_snapshot
from tests.tui.demo_history import demo_ledger, empty_record


async def test_tweaking_refuses_gathers_applies_and_takes_back(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("t", "slash", *"risk_per_trade", "enter", "down", "enter")
        await ship.press(*["backspace"] * 3, "9", "enter")
        assert "must be a number from 0.01 to 5" in ship.text
        await ship.press("backspace", *"0.5", "enter")
        assert "1 edit waits" in ship.text
        await ship.press("A", "down", "down", "y")
        assert ship.client.sent == [SetSettings(changes=(("risk.risk_per_trade_pct", "0.5"),), minutes=120.0)]
        _, key, before, _, _ = demo_settings().changes[0]  # the newest that the engine tells of, whoever made it
        await ship.press("U", "y")
        assert ship.client.sent[1] == SetSettings(changes=((key, before),), minutes=None)
        await ship.press("H")
        assert "history" in ship.text


async def test_value_and_enter_in_one_packet_are_taken_whole(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("t")
        ship.send(
            "slash",
            *"risk_per_trade",
            "enter",
            "down",
            "enter",
            "backspace",
            *"0.75",
            *["backspace"] * 2,
            *"25",
            "enter",
            "A",
            "y",
        )
        await ship.settle()
        assert ship.client.sent == [SetSettings(changes=(("risk.risk_per_trade_pct", "0.25"),), minutes=None)]


async def test_contradictory_values_are_refused_before_sending(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("t", "slash", *"open_risk_max", "enter", "down", "enter", *["backspace"] * 3, *"0.5", "enter", "A")
        assert "must not be above" in ship.text
        assert ship.client.sent == []


async def test_a_parameter_of_the_strategy_is_tweaked_like_any_other(bridge):
    async with bridge((200, 40)) as ship:
        await ship.press("t", "slash", *"pullback_rsi", "enter", "down", "enter")
        assert "RSI that is a pullback in a rise; 100 minus it in a fall" in ship.text
        await ship.press(*["backspace"] * 4, *"99", "enter")
        assert "must be a number from 5 to 50 RSI" in ship.text
        await ship.press(*["backspace"] * 2, *"40", "enter", "A", "y")
        assert ship.client.sent == [SetSettings(changes=(("strategy.parameters.pullback_rsi", "40.0"),), minutes=None)]


async def test_switches_and_choices_change_with_one_key(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("t", "slash", *"opposite_signal_action", "enter", "down", "space", "space")
        assert ship.app.screen.edits == {"filters.opposite_signal_action": '"reverse"'}
        await ship.press("delete")
        assert ship.app.screen.edits == {}


@pytest.mark.parametrize(
    ("key", "word"), [("w", "Why not: EURUSD"), ("b", "Journal"), ("n", "JOLTS"), ("h", "Health"), ("v", "EURUSD M15")]
)
async def test_pages_open_and_escape_leaves_them(bridge, key, word):
    async with bridge() as ship:
        await ship.press(key)
        await ship.until(lambda: word in ship.text, word)
        assert " to limit" in ship.text
        await ship.press("escape")
        assert isinstance(ship.app.screen, DeskScreen)


async def test_text_and_pair_filters_apply_to_journal_and_metrics(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("b")
        await ship.answers()
        assert "4, +119.50, won 50%" in ship.text
        await ship.press("slash", *"lost", "enter")
        await ship.answers()
        assert "GBPUSD" in ship.text
        assert "2, -113.70, won 0%" in ship.text
        await ship.press("right", "right")
        await ship.answers()
        assert "Journal: closed trades: GBPUSD lost" in ship.text
        assert "1, -101.40, won 0%" in ship.text
        asked = ship.client.asked[-1]
        assert isinstance(asked, TradesQuery)
        assert asked.only == filter_of("gbpusd lost", NOW)
        await ship.press("M")
        await ship.answers()
        assert "Metrics: GBPUSD lost" in ship.text
        assert ship.client.asked[-1] == AccountReportQuery(only=filter_of("gbpusd lost", NOW))
        await ship.press("left", "left")
        await ship.answers()
        assert ship.client.asked[-1] == AccountReportQuery(only=filter_of("lost", NOW))


async def test_trade_opens_its_timeline_and_escape_returns(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("b")
        await ship.answers()
        await ship.press("enter")
        await ship.answers()
        for word in ("signal   buy EURUSD", "confidence", "order    ", "filled   ", "92 ms", "trail", "closed   at 1.0745"):
            assert word in ship.text, word
        await ship.press("escape")
        assert "Journal: closed trades" in ship.text
        await ship.press("escape")
        assert isinstance(ship.app.screen, DeskScreen)


async def test_empty_journal_and_empty_report_say_so(bridge):
    client = FakeClient(live_events())
    client.answers = {
        TradesQuery: TradesReply(trades=()),
        AccountReportQuery: empty_record(),
        TimelineQuery: TradeTimeline(position_id=1, steps=()),
    }
    async with bridge(client=client) as ship:
        await ship.press("b")
        await ship.answers()
        assert "No closed trade." in ship.text
        await ship.press("enter", "M")
        await ship.answers()
        assert "trades        0, won 0 (-)" in ship.text
        assert "no curve yet" in ship.text


async def test_chart_shows_trades_and_news_and_follows_the_pair(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("v")
        await ship.answers()
        chart = ship.app.screen.query_one("#candles").plain_text
        assert "▲" in chart
        assert "●" in chart
        assert chart.splitlines()[-2].count("N") == 2, "one release of the night, one of the day before"
        await ship.press("right")
        await ship.answers()
        chart = ship.app.screen.query_one("#candles").plain_text
        assert "○" in chart, "the pound was sold and lost"
        assert "▼" in chart
        assert any(isinstance(asked, TradesQuery) and asked.only.words == ("gbpusd",) for asked in ship.client.asked)


@pytest.mark.parametrize("keys", [(), ("w",), ("b",), ("M",), ("v",), ("n",), ("h",), ("t",)])
async def test_every_page_shows_positions_and_their_stops(bridge, keys):
    async with bridge((80, 24)) as ship:
        await ship.press(*keys)
        await ship.answers()
        for view in demo_positions():
            line = next(line for line in ship.text.splitlines()[3:6] if f"{view.side.word:<4} {view.symbol}" in line)
            assert f"{view.lots:.2f}" in line
            assert "SL 14.2" in line


async def test_a_page_says_why_it_has_nothing_to_show(bridge):
    async with bridge() as ship:
        ship.client.up = False
        await ship.press("b")
        assert "the connection to the engine is down" in ship.text


async def test_ledger_opens_at_the_selected_candidate_and_stays(bridge):
    first, refused, *others = demo_signals()
    refused = msgspec.structs.replace(refused, bar_open_utc_ns=refused.bar_open_utc_ns - M15_NS)
    chosen = f"verdict:GBPUSD:{refused.bar_open_utc_ns}"
    async with bridge((120, 40), signals=(first, refused, *others)) as ship:
        await ship.press("2", "down", "enter")
        await ship.answers()
        page = ship.app.screen
        assert page.panel.cursor_key.startswith(chosen)
        assert "refused, spread" in ship.text
        newer = demo_ledger("GBPUSD")[0]
        newer = msgspec.structs.replace(newer, verdict=msgspec.structs.replace(newer.verdict, bar_open_utc_ns=NOW))
        ship.client.answers[VerdictsQuery] = VerdictsReply(rows=(newer, *demo_ledger("GBPUSD")), counts={})
        await ship.give(demo_snapshot(2, next_bar_utc_ns=NOW + M15_NS))
        await ship.answers()
        assert page.panel.cursor_key.startswith(chosen)
        await ship.press("enter")
        assert "Verdict: GBPUSD" in ship.text
        assert plain_of(ship.app.screen.panel.sheet.body[1]).startswith("REFUSED spread_of_stop")
        await ship.press("v")
        assert ship.app.screen.symbol == "GBPUSD"


async def test_the_bar_offers_only_what_does_something(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("t")
        await ship.answers()
        assert " A  apply" not in ship.text
        await ship.press("slash", *"ui.ascii", "enter", "down", "space")
        assert " A  apply" in ship.text
        await ship.press("H")
        assert " A  apply" not in ship.text
        await ship.press("escape", "escape", "x")
        await ship.answers()
        assert " X  stop" not in ship.text
        assert " Enter  open" in ship.text
        await ship.press("N")
        assert " Enter  change, run" in ship.text
        assert " =  compare" not in ship.text
        ship.client.answers[TradesQuery] = TradesReply(trades=())
        await ship.press("escape", "escape", "b")
        await ship.answers()
        assert " Enter  story" not in ship.text


async def test_keybar_items_and_page_rows_are_clickable(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("b")
        await ship.answers()
        bar = ship.app.screen.query_one(KeyBar)
        await ship.pilot.click(KeyBar, offset=(bar.plain_text.index("right"), 0))
        assert ship.app.screen.search == "EURUSD"
        await ship.answers()
        await ship.pilot.click("#list", offset=(5, 2), times=2)
        await ship.answers()
        assert isinstance(ship.app.screen, TimelinePage)
        bar = ship.app.screen.query_one(KeyBar)
        await ship.pilot.click(KeyBar, offset=(bar.plain_text.index("Esc"), 0))
        await ship.settle()
        assert isinstance(ship.app.screen, JournalPage)
