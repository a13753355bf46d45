"""Orders given from the screen: questions first, what was really sent, and what is said of the answer."""

from __future__ import annotations

import asyncio

import msgspec

from quarterdeck.core.link.messages import CommandResult, LinkBye, LinkState
from quarterdeck.core.model.commands import CloseGroup, ClosePosition, Flatten, MoveStop, Pause, Resolve, Resume, StopEngine
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.snapshot import FlattenView, OrderView
from quarterdeck.tui.screens.dialog import ChoiceDialog
from quarterdeck.tui.screens.flatten_dialog import FlattenDialog
from tests.tui.demo_client import FakeClient, live_events
from tests.tui.demo_desk import (
    NOW,
    demo_position,
    demo_positions,
    demo_snapshot,
    drawdown_reason,
    foreign_position,
    paused_reason,
)


async def test_pause_is_given_at_once_and_answered_on_the_screen(bridge):
    async with bridge() as ship:
        await ship.press("p")
        assert ship.client.sent == [Pause()]
        assert "pause: done" in ship.text


async def test_resume_asks_and_enter_is_no_answer(bridge):
    async with bridge(reasons=(paused_reason(), drawdown_reason()), state="HALTED") as ship:
        await ship.press("r")
        assert "drawdown 10.2%" in ship.text
        assert "reset by the operator" in ship.text
        await ship.press("enter")
        assert ship.client.sent == []
        await ship.press("r", "y")
        assert ship.client.sent == [Resume()]


async def test_resume_is_not_offered_while_nothing_holds_the_desk(bridge):
    async with bridge() as ship:
        await ship.press("r")
        assert not isinstance(ship.app.screen, ChoiceDialog)


async def test_flatten_shows_a_preview_and_stray_keys_do_nothing(bridge):
    positions = (*demo_positions(), foreign_position())
    async with bridge(positions=positions) as ship:
        await ship.press("F")
        assert "ours: 3 positions" in ship.text
        assert "whole account: 4" in ship.text
        assert "1 external position left alone" in ship.text
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
        assert "not verified yet" in ship.text


async def test_keys_in_one_packet_each_reach_the_newly_opened_screen(bridge):
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
        assert "the flatten continues" in ship.text
        done = FlattenView(scope="ours", since_utc_ns=NOW, done=True, text="flat, verified, 1.8 s")
        await ship.give(demo_snapshot(3, positions=(), flatten=done))
        assert "flat, verified, 1.8 s" in ship.text
        assert "the flatten continues" not in ship.text


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


async def test_flatten_works_before_first_snapshot_and_after_lost_link(bridge):
    async with bridge(client=FakeClient([LinkState(up=True, mode="simulated")])) as ship:
        await ship.press("F", "f", "l", "a", "t")
        assert ship.client.sent == [Flatten(scope="ours")]
    async with bridge() as ship:
        await ship.give(LinkState(up=False, why="connection lost"))
        await ship.press("F")
        assert "figures are" in ship.text


async def test_pasted_words_do_not_flatten(bridge):
    from textual import events

    async with bridge() as ship:
        await ship.press("F")
        ship.app.post_message(events.Paste("flat\n\x1b[<32;NaN;NaNMflat"))
        await ship.settle()
        assert ship.client.sent == []


async def test_closing_one_position_or_half_of_it(bridge):
    async with bridge() as ship:
        await ship.press("3", "c", "y")
        assert ship.client.sent == [ClosePosition(position_id=7002)]
        await ship.press("down", "c", "down", "y")
        assert ship.client.sent[1] == ClosePosition(position_id=7001, lots=0.2)


async def test_half_position_preview_shows_half_the_money(bridge):
    usdchf = demo_position(1, "USDCHF", Side.SELL, lots=0.4, spread_cost_money=6.0, margin_money=400.0)
    async with bridge((120, 40), positions=(usdchf,)) as ship:
        await ship.press("3", "c")
        assert "result +16.00, including spread 6.00, frees 400.00 margin" in ship.text
        await ship.press("down")
        assert "result +8.00, including spread 3.00, frees 200.00 margin" in ship.text
        assert "sell  0.20 USDCHF" in ship.text


async def test_a_paused_desk_is_not_offered_another_pause(bridge):
    async with bridge() as ship:
        assert " p  pause" in ship.text
        await ship.give(demo_snapshot(2, reasons=(paused_reason(),), state="REDUCE_ONLY"))
        assert " p  pause" not in ship.text
        assert " r  resume" in ship.text


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
        client_id="r1-7", symbol="EURUSD", what="open", side=None, lots=0.1, sent_utc_ns=NOW - 10**9, order_status="unknown"
    )
    async with bridge(orders=(order,), unconfirmed_orders=1) as ship:
        await ship.press("u")
        assert "it was not executed" in ship.text
        await ship.press("y")
        assert ship.client.sent == [Resolve(client_id="r1-7", outcome="absent")]


async def test_stopping_the_engine_needs_a_typed_word_then_leaves(bridge):
    async with bridge() as ship:
        await ship.press("Q", "y", "enter")
        assert ship.client.sent == []
        await ship.press("Q", "tab", *"stop")
        assert ship.client.sent == [StopEngine(policy="keep", why="asked on the screen")]
        await ship.give(LinkBye(why="stopped by the operator"))
    assert ship.app.return_code == 0


async def test_what_the_engine_refuses_is_said(bridge):
    client = FakeClient(live_events())
    client.reply = lambda command: CommandResult(command_id="x", ok=False, text="not in a replay")
    async with bridge(client=client) as ship:
        await ship.press("p")
        assert "REFUSED, not in a replay" in ship.text
        await ship.press("h")
        assert "REFUSED pause: not in a replay" in ship.text


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


async def test_a_finished_replay_shows_finished(bridge) -> None:
    snapshot = demo_snapshot(2)
    replay = msgspec.structs.replace(snapshot, engine=msgspec.structs.replace(snapshot.engine, replay_fraction=1.0))
    async with bridge(client=FakeClient([LinkState(up=True, mode="replay")])) as ship:
        await ship.give(
            replay, LinkBye(why="the recorded data have ended"), LinkState(up=False, why="engine ended: over", ended=True)
        )
        assert "FINISHED" in ship.text
        assert "LINK LOST" not in ship.text
        await ship.press("F")
        assert "The replay is over" in ship.text
        await ship.press("f", "l", "a", "t", "enter")
        assert ship.client.sent == []


async def test_an_ended_engine_refuses_orders_and_names_protection(bridge) -> None:
    async with bridge(client=FakeClient([LinkState(up=True, mode="demo")])) as ship:
        await ship.give(demo_snapshot(2), LinkBye(why="SIGTERM"))
        assert "ENGINE ENDED" in ship.text
        await ship.press("F")
        assert "No order can be sent" in ship.text
        assert "Stops stay at the broker" in ship.text
