"""Keys and what comes of them, on a screen without a terminal."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from core.link.messages import AskTrades, Bye, CommandResult, LinkState, Trades
from core.link.trades import AskRecord, AskStory, Story, filter_of
from core.model.commands import CloseGroup, ClosePosition, Flatten, MoveStop, Pause, Resolve, Resume, SetSettings, StopEngine
from core.model.snapshot import FlattenView, OrderView
from core.model.units import M15_NS
from tests.tui.conftest import ui_settings
from tests.tui.demo import (
    NOW,
    FakeClient,
    demo_desk,
    demo_engine,
    demo_log,
    demo_pairs,
    demo_position,
    demo_positions,
    demo_settings,
    demo_signals,
    demo_snapshot,
    drawdown_reason,
    empty_record,
    foreign_position,
    live_events,
    paused_reason,
)
from tui.actions import Actions
from tui.keys import ACTIONS
from tui.screens.desk import PANELS, DeskScreen
from tui.screens.dialog import ChoiceDialog
from tui.screens.flatten import FlattenDialog
from tui.screens.tweak import TweakPage


async def test_everything_that_must_be_in_sight_is_in_sight_at_80x24(bridge):
    positions = (*demo_positions(), foreign_position())
    async with bridge(
        (80, 24), positions=positions, without_stop=1, unknown_fates=2, reasons=(paused_reason(),), state="REDUCE_ONLY"
    ) as ship:
        lines = ship.text.splitlines()[:6]
        text = "\n".join(lines)
        for vital in (
            "SIMULATED",
            "REDUCE ONLY",
            "paused by the operator since 14:02",
            "10,124.27",
            "+124.27 +1.24%",
            "624.27",
            "1.8%+1.0%",
            "5.0%",
            "4 pos",
            "1 no stop",
            "2 unknown",
            "book agrees",
            "quote <10s",
            "red USD 1h27",
            "bar 11:52",
            "buy  EURUSD",
            "+0.46R",
            "+41.50",
            "st 14.2",
            "sell*XAUUSD",
            "NO STOP",
        ):
            assert vital in text, vital


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_real_money_is_a_block_of_its_own(bridge, size):
    async with bridge(size, mode="real") as ship:
        assert ship.text.startswith(" REAL MONEY ")


async def test_pause_is_given_at_once_and_answered_on_the_screen(bridge):
    async with bridge() as ship:
        await ship.press("p")
        assert ship.client.sent == [Pause()]
        assert "pause: done" in ship.text


async def test_resume_asks_and_enter_is_no_answer(bridge):
    async with bridge(reasons=(paused_reason(), drawdown_reason()), state="HALTED") as ship:
        await ship.press("r")
        assert "drawdown 10.2%" in ship.text
        assert "rearm by the operator" in ship.text
        await ship.press("enter")
        assert ship.client.sent == []
        await ship.press("r", "y")
        assert ship.client.sent == [Resume()]


async def test_resume_is_not_offered_while_nothing_holds_the_desk(bridge):
    async with bridge() as ship:
        await ship.press("r")
        assert not isinstance(ship.app.screen, ChoiceDialog)


# ------------------------------------------------------------------------------------------------------------- flatten


async def test_flatten_shows_what_it_would_do_and_a_stray_key_does_not_start_it(bridge):
    positions = (*demo_positions(), foreign_position())
    async with bridge(positions=positions) as ship:
        await ship.press("F")
        assert "ours: 3 positions" in ship.text
        assert "whole account: 4" in ship.text
        assert "1 position not ours left alone" in ship.text
        await ship.press("enter")
        assert not isinstance(ship.app.screen, FlattenDialog)
        for keys in ("y", "F F F F F", "f l a x t", "f space l a t", "space", "n"):
            await ship.press("F", *keys.split())
            assert ship.client.sent == [], keys
            await ship.press("escape")


async def test_a_determined_hand_flattens_with_five_keys(bridge):
    async with bridge() as ship:
        await ship.press("F", "f", "l", "a", "t")
        assert ship.client.sent == [Flatten(scope="ours")]
        assert "nothing verified yet" in ship.text


async def test_keys_that_arrive_in_one_packet_each_meet_the_screen_the_one_before_opened(bridge):
    async with bridge() as ship:
        ship.send("F", *"flat")
        await ship.settle()
        assert ship.client.sent == [Flatten(scope="ours")]
        await ship.press("escape")
        ship.send("slash", *"requote", "enter")
        await ship.settle()
        assert ship.app.screen.log_filter.text == "requote"
        assert len(ship.client.sent) == 1


async def test_the_whole_account_is_chosen_in_the_confirmation(bridge):
    async with bridge(positions=(*demo_positions(), foreign_position())) as ship:
        await ship.press("f9", "tab")
        assert "CLOSED TOO" in ship.text
        await ship.press("f", "l", "a", "t")
        assert ship.client.sent == [Flatten(scope="account")]


async def test_flatten_tells_each_position_until_flat_is_proven(bridge):
    async with bridge() as ship:
        await ship.press("F", "f", "l", "a", "t")
        left = (demo_position(2, "USDJPY", closing=True, blocked="market closed, opens Sun 21:05"),)
        going = FlattenView(scope="ours", since_utc_ns=NOW, done=False, text="closing 1 of 3")
        await ship.give(demo_snapshot(2, positions=left, flatten=going))
        assert "closing 1 of 3" in ship.text
        assert ship.text.count("closed") >= 2
        assert "opens Sun 21:05" in ship.text
        assert "flat, verified" not in ship.text
        done = FlattenView(scope="ours", since_utc_ns=NOW, done=True, text="flat, verified, 1.8 s")
        await ship.give(demo_snapshot(3, positions=(), flatten=done))
        assert "flat, verified, 1.8 s" in ship.text


async def test_flatten_that_did_not_arrive_is_never_taken_for_done(bridge):
    async with bridge() as ship:
        ship.client.up = False
        await ship.press("F", "f", "l", "a", "t")
        assert "NOT CONFIRMED" in ship.text
        assert "quarterdeck flatten" in ship.text
        ship.client.up = True
        await ship.press("f", "l", "a", "t")
        assert ship.client.sent == [Flatten(scope="ours")]


async def test_flatten_opens_above_any_dialog_and_from_any_page(bridge):
    async with bridge(reasons=(paused_reason(),), state="REDUCE_ONLY") as ship:
        await ship.press("r", "F")
        assert isinstance(ship.app.screen, FlattenDialog)
        await ship.press("escape", "escape", "t", "F")
        assert isinstance(ship.app.screen, FlattenDialog)
        await ship.press("escape", "slash", "F")
        assert not isinstance(ship.app.screen, FlattenDialog), "F is a letter while letters are typed"
        await ship.press("f9")
        assert isinstance(ship.app.screen, FlattenDialog)


async def test_flatten_works_before_anything_is_known_and_after_the_line_was_lost(bridge):
    async with bridge(client=FakeClient([LinkState(up=True, mode="simulated")])) as ship:
        await ship.press("F", "f", "l", "a", "t")
        assert ship.client.sent == [Flatten(scope="ours")]
    async with bridge() as ship:
        await ship.give(LinkState(up=False, why="line lost"))
        await ship.press("F")
        assert "figures are" in ship.text


async def test_pasted_words_do_not_flatten(bridge):
    from textual import events

    async with bridge() as ship:
        await ship.press("F")
        ship.app.post_message(events.Paste("flat\n\x1b[<32;NaN;NaNMflat"))
        await ship.settle()
        assert ship.client.sent == []


# ------------------------------------------------------------------------------------------------------ other questions


async def test_closing_one_position_or_half_of_it(bridge):
    async with bridge() as ship:
        await ship.press("3", "c", "y")
        assert ship.client.sent == [ClosePosition(position_id=7002)]
        await ship.press("down", "c", "down", "y")
        assert ship.client.sent[1] == ClosePosition(position_id=7001, lots=0.2)


async def test_a_position_not_ours_is_not_closed(bridge):
    async with bridge(positions=(foreign_position(),)) as ship:
        await ship.press("3", "c", "y")
        assert ship.client.sent == []
        assert "cannot be done" in ship.text


async def test_closing_the_losers(bridge):
    async with bridge() as ship:
        await ship.press("C")
        assert "losers: 1" in ship.text
        await ship.press("y")
        assert ship.client.sent == [CloseGroup(which="losers")]


async def test_a_stop_is_moved_only_after_the_price_was_checked(bridge):
    async with bridge() as ship:
        await ship.press("3", "m", *"162", "enter")
        assert "must lie below" in ship.text
        await ship.press("backspace", "backspace", "backspace", *"161.1", "enter")
        assert "LOOSER" in ship.text
        assert ship.client.sent == []
        await ship.press("y")
        assert ship.client.sent == [MoveStop(position_id=7002, stop_price=161.1)]


async def test_the_operators_word_on_an_unknown_fate(bridge):
    order = OrderView(
        client_id="r1-7", symbol="EURUSD", what="open", side=None, lots=0.1, sent_utc_ns=NOW - 10**9, fate="unknown"
    )
    async with bridge(orders=(order,), unknown_fates=1) as ship:
        await ship.press("u")
        assert "surely did not execute" in ship.text
        await ship.press("y")
        assert ship.client.sent == [Resolve(client_id="r1-7", outcome="absent")]


async def test_stopping_the_engine_takes_a_word_and_leaves_when_it_ended(bridge):
    async with bridge() as ship:
        await ship.press("Q", "y", "enter")
        assert ship.client.sent == []
        await ship.press("Q", "tab", *"stop")
        assert ship.client.sent == [StopEngine(policy="keep", why="asked on the screen")]
        await ship.give(Bye(why="stopped by the operator"))
    assert ship.app.return_code == 0


async def test_q_leaves_the_screen_and_orders_nothing(bridge):
    async with bridge() as ship:
        await ship.press("q")
    assert ship.app.return_code == 0
    assert ship.client.sent == []


async def test_what_the_engine_refuses_is_said(bridge):
    client = FakeClient(live_events())
    client.reply = lambda command: CommandResult(command_id="x", ok=False, text="not in a replay")
    async with bridge(client=client) as ship:
        await ship.press("p")
        assert "REFUSED, not in a replay" in ship.text
        await ship.press("h")
        assert "REFUSED pause: not in a replay" in ship.text


# ----------------------------------------------------------------------------------------------------------- the screen


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
async def test_panels_by_number_and_zoom(bridge, number):
    async with bridge((120, 40)) as ship:
        screen = ship.app.screen
        assert isinstance(screen, DeskScreen)
        assert all(screen.panel(name).display for name in PANELS)
        await ship.press(str(number), "z")
        assert screen.front == PANELS[number - 1]
        assert [name for name in PANELS if screen.panel(name).display] == [screen.front]
        assert screen.panel(screen.front).has_focus
        await ship.press("escape")
        assert all(screen.panel(name).display for name in PANELS)


async def test_the_cursor_stays_on_its_position_when_rows_move(bridge):
    async with bridge() as ship:
        await ship.press("3", "down", "down")
        panel = ship.app.screen.panel("positions")
        assert panel.cursor_key == "position:7000"
        await ship.give(demo_snapshot(2, positions=demo_positions()[:2]))
        assert panel.cursor_key == "position:7000"
        assert panel.cursor_row == 1


async def test_the_newest_candidate_stays_in_sight_until_a_reader_chooses_one(bridge):
    def later(count):
        first = demo_signals()[0]
        return tuple(
            msgspec.structs.replace(first, bar_open_utc_ns=first.bar_open_utc_ns + n * M15_NS) for n in range(count, 0, -1)
        )

    async with bridge((120, 40)) as ship:
        panel = ship.app.screen.panel("signals")
        await ship.give(demo_snapshot(2, signals=later(40)))
        assert panel.cursor_row == 0
        await ship.press("2", "down")
        await ship.give(demo_snapshot(3, signals=later(50)))
        assert panel.cursor_row == 11, "the chosen one stays chosen"


async def test_only_changed_rows_are_repainted(bridge):
    async with bridge() as ship:
        panel = ship.app.screen.panel("pairs")
        assert panel.show(panel.sheet) == 0
        pairs = demo_pairs()
        moved = (pairs[0], msgspec.structs.replace(pairs[1], bid=1.2), *pairs[2:])
        ship.app.memory.take(demo_snapshot(2, pairs=moved))
        repainted = []
        original = type(panel).lay
        panel.lay = lambda lines, marked=None: repainted.append(original(panel, lines, marked))  # type: ignore[method-assign]
        ship.app.paint()
        assert repainted == [1]


async def test_freezing_holds_the_panels_and_not_the_status(bridge):
    async with bridge() as ship:
        await ship.press("f")
        await ship.give(demo_snapshot(2, pairs=demo_pairs(2), equity_money=9_999.0, day_result_money=-1.0))
        assert "FROZEN VIEW" in ship.text
        assert "9,999.00" in ship.text
        assert "USDCHF    0.90374" in ship.text
        await ship.press("f")
        assert "USDCHF    0.90374" not in ship.text


async def test_the_log_filters_and_stops_following_when_scrolled(bridge):
    async with bridge() as ship:
        await ship.press("slash", *"requote", "enter")
        log = [line for line in ship.text.splitlines() if "info" in line or "ERROR" in line]
        assert all("requote" in line or '"requote"' in line for line in log)
        await ship.press("slash", "escape", "z", "pageup")
        await ship.give(*demo_log(3))
        assert "3 NEW, end follows" in ship.text
        await ship.press("end")
        assert "NEW" not in ship.text.splitlines()[3]


async def test_a_flood_of_log_lines_does_not_hold_up_a_key(bridge):
    async with bridge() as ship:
        for _ in range(5):
            ship.client.give(*demo_log(2_000))
            await ship.press("p")
        assert ship.client.sent == [Pause()] * 5
        assert len(ship.app.memory.log) <= 2_000


async def test_help_is_about_the_panel_in_focus_and_names_every_key(bridge):
    async with bridge((120, 80)) as ship:
        await ship.press("4", "question_mark")
        assert "Risk budget: what is lost" in ship.text
        for action in ACTIONS:
            assert action.title in ship.text


async def test_the_palette_finds_commands_pairs_positions_and_parameters(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("ctrl+p", *"usdjpy why")
        await ship.until(lambda: "The ledger of this pair" in ship.text, "pair")
        await ship.press("escape")
        await ship.until(lambda: isinstance(ship.app.screen, DeskScreen), "the desk")
        await ship.press("ctrl+p", *"give_back_pct")
        await ship.until(lambda: "care.give_back_pct" in ship.text, "parameter")
        await ship.press("enter")
        await ship.until(lambda: isinstance(ship.app.screen, TweakPage), "tweak page")
        await ship.until(lambda: ship.app.screen.panel.cursor_key.startswith("care.give_back"), "parameter under the cursor")


async def test_every_action_has_a_performer():
    for action in ACTIONS:
        name = f"do_{action.id.partition('(')[0]}"
        assert hasattr(Actions, name) or hasattr(DeskScreen, name), action.id


async def test_keys_can_be_remapped_and_a_clash_is_refused(bridge):
    async with bridge(ui=ui_settings(keys={"pause": "o", "tweak": "F", "nonsense": "y"})) as ship:
        refused = " ".join(ship.app.keymap.refused)
        assert "belongs to flatten" in refused
        assert "no such action" in refused
        await ship.press("p")
        assert ship.client.sent == []
        await ship.press("o")
        assert ship.client.sent == [Pause()]


async def test_themes_change_live_and_an_unknown_one_falls_back(bridge):
    async with bridge(ui=ui_settings(theme="no_such")) as ship:
        assert ship.app.theme == "harbour"
        await ship.press("T")
        assert ship.app.theme == "ansi16"


async def test_replay_keys_steer_only_a_replay(bridge):
    async with bridge() as ship:
        await ship.press("space", "full_stop")
        assert ship.client.controls == []
        await ship.give(demo_snapshot(2, engine=demo_engine(replay_fraction=0.25, replay_speed=120.0)))
        assert "25% x120" in ship.text
        await ship.press(
            "space", "full_stop", "right_square_bracket", "left_square_bracket", "greater_than_sign", "less_than_sign"
        )
        assert [control.action for control in ship.client.controls] == [
            "pause",
            "step_bar",
            "speed",
            "speed",
            "next_trade",
            "next_refusal",
        ]
        assert [control.speed for control in ship.client.controls if control.action == "speed"] == [240.0, 120.0]
        await ship.press("right_square_bracket", "right_square_bracket")
        assert [control.speed for control in ship.client.controls[-2:]] == [240.0, 480.0], "fast hands double it twice"
        await ship.give(demo_snapshot(9, engine=demo_engine(replay_fraction=0.25, replay_speed=30.0)))
        await ship.press("right_square_bracket")
        assert ship.client.controls[-1].speed == 60.0


async def test_what_market_is_replayed_is_written_beside_the_state(bridge):
    crash = demo_engine(replay_fraction=0.1, market="simulated market scripted after the sterling crash of 2016-10-06")
    async with bridge((120, 40), mode="replay", engine=crash) as ship:
        assert "simulated market scripted" in ship.text.splitlines()[0]
        await ship.press("h")
        assert "sterling crash of 2016-10-06" in ship.text
    async with bridge((200, 60), mode="real", engine=crash) as ship:
        assert "scripted" not in ship.text.splitlines()[0], "of real money the account says which"


async def test_a_lost_link_is_said_with_the_age_of_the_figures(bridge):
    async with bridge() as ship:
        await ship.give(LinkState(up=False, why="line lost"))
        for _ in range(7):
            ship.app.memory.tick()
        await ship.settle()
        assert "LINK LOST, figures 7s old: line lost" in ship.text
        await ship.give(LinkState(up=True), demo_snapshot(2))
        assert "LINK LOST" not in ship.text


async def test_an_engine_that_falls_silent_is_noticed(bridge):
    async with bridge() as ship:
        for _ in range(6):
            ship.app.memory.tick()
        await ship.settle()
        assert "ENGINE SILENT" in ship.text


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


async def test_a_value_typed_in_one_packet_with_its_enter_is_taken_whole(bridge):
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


async def test_values_that_contradict_each_other_are_refused_before_they_are_sent(bridge):
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
        await ship.press("t", "slash", *"own_position", "enter", "down", "space", "space")
        assert ship.app.screen.edits == {"filters.own_position": '"reverse"'}
        await ship.press("delete")
        assert ship.app.screen.edits == {}


@pytest.mark.parametrize(
    ("key", "word"), [("w", "Why not: EURUSD"), ("b", "Journal"), ("n", "JOLTS"), ("h", "Health"), ("v", "EURUSD M15")]
)
async def test_pages_open_and_escape_leaves_them(bridge, key, word):
    async with bridge() as ship:
        await ship.press(key)
        await ship.until(lambda: word in ship.text, word)
        assert "limit in" in ship.text
        await ship.press("escape")
        assert isinstance(ship.app.screen, DeskScreen)


async def test_the_journal_is_narrowed_by_words_and_by_pair_and_the_metrics_with_it(bridge):
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
        assert isinstance(asked, AskTrades)
        assert asked.only == filter_of("gbpusd lost", NOW)
        await ship.press("M")
        await ship.answers()
        assert "Metrics: GBPUSD lost" in ship.text
        assert ship.client.asked[-1] == AskRecord(only=filter_of("gbpusd lost", NOW))
        await ship.press("left", "left")
        await ship.answers()
        assert ship.client.asked[-1] == AskRecord(only=filter_of("lost", NOW))


async def test_a_trade_tells_its_story_and_escape_goes_back_to_the_journal(bridge):
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


async def test_a_journal_without_trades_and_a_record_of_none_say_so(bridge):
    client = FakeClient(live_events())
    client.answers = {AskTrades: Trades(trades=()), AskRecord: empty_record(), AskStory: Story(position_id=1, steps=())}
    async with bridge(client=client) as ship:
        await ship.press("b")
        await ship.answers()
        assert "No closed trade." in ship.text
        await ship.press("enter", "M")
        await ship.answers()
        assert "trades        0, won 0 (-)" in ship.text
        assert "no curve yet" in ship.text


async def test_the_chart_shows_trades_and_news_of_its_window_and_follows_the_pair(bridge):
    async with bridge((120, 40)) as ship:
        await ship.press("v")
        await ship.answers()
        chart = ship.app.screen.query_one("#candles").words
        assert "▲" in chart
        assert "●" in chart
        assert chart.splitlines()[-2].count("N") == 2, "one release of the night, one of the day before"
        await ship.press("right")
        await ship.answers()
        chart = ship.app.screen.query_one("#candles").words
        assert "○" in chart, "the pound was sold and lost"
        assert "▼" in chart
        assert any(isinstance(asked, AskTrades) and asked.only.words == ("gbpusd",) for asked in ship.client.asked)


@pytest.mark.parametrize("keys", [(), ("w",), ("b",), ("M",), ("v",), ("n",), ("h",), ("t",)])
async def test_no_page_hides_a_position_or_what_its_stop_is_worth(bridge, keys):
    async with bridge((80, 24)) as ship:
        await ship.press(*keys)
        await ship.answers()
        for view in demo_positions():
            line = next(line for line in ship.text.splitlines()[3:6] if f"{view.side.word:<4} {view.symbol}" in line)
            assert f"{view.lots:.2f}" in line
            assert "st 14.2" in line


async def test_a_page_says_why_it_has_nothing_to_show(bridge):
    async with bridge() as ship:
        ship.client.up = False
        await ship.press("b")
        assert "the line to the engine is down" in ship.text


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (40, 12), (59, 13), (2, 60), (300, 3)])
async def test_a_terminal_too_small_gets_one_line_and_no_crash(bridge, size):
    async with bridge(size) as ship:
        if size[0] >= 20:
            assert "ACTIVE" in ship.text
        await ship.press("F", "f", "l", "a", "t")
        assert ship.client.sent == [Flatten(scope="ours")]
        await ship.press("escape", "t", "escape", "question_mark", "escape")


async def test_a_storm_of_resizes_leaves_the_desk_whole(bridge):
    async with bridge() as ship:
        for width, height in ((200, 60), (1, 1), (80, 24), (19, 3), (120, 40), (60, 14), (159, 29), (80, 24)):
            await ship.pilot.resize_terminal(width, height)
        await ship.settle()
        assert "EURUSD" in ship.text
        assert "FLATTEN" in ship.text.splitlines()[-1]


async def test_brackets_and_escapes_from_outside_are_only_text(bridge):
    nasty = "[bold]x[/nope] \x1b[2J\x07 [red]"
    pairs = (msgspec.structs.replace(demo_pairs()[0], symbol="[X]", verdict=nasty),)
    line = msgspec.structs.replace(demo_log(1)[0], text=nasty, symbol="[/a]")
    async with bridge((120, 40), pairs=pairs, reasons=(msgspec.structs.replace(paused_reason(), text=nasty),)) as ship:
        await ship.give(line, LinkState(up=True))
        assert "[bold]x[/nope]" in ship.text
        assert "\x1b" not in ship.text
        await ship.press("w", "escape", "v", "escape", "r", "escape")


async def test_orders_wait_without_blocking_the_screen(bridge):
    client = FakeClient(live_events())
    client.hold = asyncio.Event()
    async with bridge(client=client) as ship:
        await ship.press("p")
        await ship.give(demo_snapshot(2, equity_money=12_345.0))
        assert "12,345.00" in ship.text
        client.hold.set()
        await ship.settle()
        assert "pause: done" in ship.text


async def test_many_positions_are_counted_where_they_do_not_fit(bridge):
    positions = tuple(demo_position(number) for number in range(40))
    async with bridge((80, 24), positions=positions) as ship:
        assert "40 pos" in ship.text
        assert "more, " in ship.text


def test_demo_desk_is_whole():
    assert demo_desk().positions
