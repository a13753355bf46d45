"""The bot between a phone and a desk: what it shows, what it asks before it acts, and what it never does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quarterdeck.core.model.commands import CloseGroup, ClosePosition, Flatten, Pause, Resume
from quarterdeck.core.model.errors import SettingsError
from tests.core.bot.stand_in import OWNER, Phone, message, position, telegram, word_in

ORDERS = [
    ("resume", Resume()),
    ("close 2", ClosePosition(position_id=2)),
    ("/close losers", CloseGroup(which="losers")),
    ("close winners", CloseGroup(which="winners")),
    ("Flatten", Flatten()),
]


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    with telegram() as api:
        found = Phone(tmp_path, api)
        await found.desk.listen(tmp_path)
        found.desk.positions = (position(1, -10.0), position(2, 25.0), position(3, 5.0, ours=False))
        yield found
        assert found.desk.server is not None
        await found.desk.server.stop("over")


async def test_status_positions_why_and_report_are_shown(phone: Phone) -> None:
    assert "ACTIVE" in await phone.say("/status")
    assert "#2 EURUSD buy" in await phone.say("positions")
    assert "refused: spread\nNO spread 3, limit 1.5" in await phone.say("why eurusd")
    told = await phone.say("report")
    assert "4 trades closed today, 3 won, net +12.50" in told
    assert "refused candidates: spread 2" in told
    assert phone.desk.orders == []


async def test_the_report_brings_a_picture_of_the_day(phone: Phone) -> None:
    now = phone.desk.snapshot().desk.at_utc_ns
    phone.desk.equity = ((now - 100 * 86_400 * 10**9, 1.0), (now - 60 * 10**9, 10_000.0), (now, 10_050.5))
    told = await phone.say("report")
    assert phone.api.sent[-1]["photo"].startswith(b"\x89PNG\r\n\x1a\n")
    assert "first 10,000.00, low 10,000.00, high 10,050.50, last 10,050.50" in told


async def test_pause_acts_at_once_and_names_who(phone: Phone) -> None:
    assert await phone.say("pause", name="ann") == "done"
    assert phone.desk.orders == [("telegram 7 (ann)", Pause())]


@pytest.mark.parametrize(("text", "command"), ORDERS)
async def test_an_order_waits_for_the_word_of_its_preview(phone: Phone, text: str, command: object) -> None:
    preview = await phone.say(text)
    assert phone.desk.orders == []
    await phone.say(word_in(preview).upper())
    assert [order for _, order in phone.desk.orders] == [command]
    await phone.say(word_in(preview))
    assert len(phone.desk.orders) == 1


@pytest.mark.parametrize("wrong", ["wrong", "status", "cancel", "flatten", "close 1", ""])
async def test_anything_but_the_word_cancels(phone: Phone, wrong: str) -> None:
    word = word_in(await phone.say("close 2"))
    await phone.say(wrong)
    await phone.say(word)
    assert phone.desk.orders == []


async def test_the_word_expires_after_a_minute(phone: Phone) -> None:
    for passed_s, orders in ((61.0, 0), (59.0, 1)):
        word = word_in(await phone.say("flatten"))
        phone.clock.now_s += passed_s
        await phone.say(word)
        assert len(phone.desk.orders) == orders


async def test_another_person_cannot_confirm(tmp_path: Path) -> None:
    with telegram() as api:
        phone = Phone(tmp_path, api, allowed=frozenset({-100, 7, 8}))
        await phone.desk.listen(tmp_path)
        word = word_in(await phone.say("flatten", chat=-100))
        assert "only the person" in await phone.say(word, chat=-100, sender=8)
        assert phone.desk.orders == []
        word = word_in(await phone.say("flatten", chat=-100))
        await phone.say(word, chat=-100)
        assert [origin for origin, _ in phone.desk.orders] == ["telegram 7 (ann) in chat -100"]
        assert phone.desk.server is not None
        await phone.desk.server.stop("over")


async def test_flatten_shows_its_preview_and_its_proof(phone: Phone) -> None:
    preview = await phone.say("flatten")
    assert "closed are 2 positions" in preview
    assert "P&L +15.00" in preview
    assert "#3" not in preview
    assert "Done: flat, verified" in await phone.say(word_in(preview))


async def test_a_group_that_changed_is_shown_again(phone: Phone) -> None:
    word = word_in(await phone.say("close losers"))
    phone.desk.positions = (position(1, -10.0), position(2, -1.0))
    told = await phone.say(word)
    assert "Nothing was done" in told
    assert phone.desk.orders == []
    await phone.say(word_in(told))
    assert phone.desk.orders == [("telegram 7 (ann)", CloseGroup(which="losers"))]


@pytest.mark.parametrize(
    ("age_s", "carried_out"), [(0, True), (30, True), (31, False), (86_400, False), (-30, True), (-31, False)]
)
async def test_stale_orders_are_not_carried_out(phone: Phone, age_s: int, carried_out: bool) -> None:
    phone.put(message(1, "pause", phone.clock.now_s - age_s))
    told = await phone.settle()
    assert bool(phone.desk.orders) is carried_out
    assert carried_out or "Not carried out" in told[0]


async def test_a_message_that_comes_again_acts_once(phone: Phone) -> None:
    pause = message(5, "pause", phone.clock.now_s)
    for _ in range(3):
        phone.put(pause, pause)
        await phone.settle()
        phone.restart()
    assert len(phone.desk.orders) == 1


async def test_an_older_order_never_follows_a_newer_one(phone: Phone) -> None:
    phone.put(message(9, "status", phone.clock.now_s), message(8, "pause", phone.clock.now_s))
    assert any("after a later one" in told for told in await phone.settle())
    assert phone.desk.orders == []


async def test_numbers_of_updates_that_begin_anew_are_served(phone: Phone) -> None:
    for number, update_id in enumerate((900_000, 17, 2**61, 3), 1):
        phone.api.updates.append({"update_id": update_id, "message": message(number, "pause", phone.clock.now_s)})
        await phone.settle()
        await phone.settle()
        assert len(phone.desk.orders) == number
        assert phone.api.updates == []


@pytest.mark.parametrize("options", [{"chat": 8}, {"sender": 8}, {"chat": 8, "sender": 8}])
async def test_strangers_are_neither_obeyed_nor_answered(phone: Phone, options: dict[str, int]) -> None:
    assert await phone.say("pause", **options) == ""
    assert await phone.say("pause", **options) == ""
    assert phone.desk.orders == []
    assert len([line for line in phone.log if "ignored" in line]) == 1


@pytest.mark.parametrize("mark", ["forward_origin", "forward_date", "via_bot", "sender_chat", "edit_date"])
async def test_what_its_sender_did_not_type_is_no_order(phone: Phone, mark: str) -> None:
    phone.put(message(1, "pause", phone.clock.now_s, **{mark: {"id": OWNER}}))
    await phone.settle()
    assert phone.desk.orders == []


async def test_too_many_commands_are_refused_with_one_answer(tmp_path: Path) -> None:
    with telegram() as api:
        phone = Phone(tmp_path, api, per_minute=3)
        await phone.desk.listen(tmp_path)
        told = [await phone.say("pause") for _ in range(6)]
        assert len(phone.desk.orders) == 3
        assert [bool(text) for text in told] == [True, True, True, True, False, False]
        phone.clock.now_s += 61.0
        assert await phone.say("pause") == "done"
        assert phone.desk.server is not None
        await phone.desk.server.stop("over")


async def test_an_engine_that_is_away_gets_no_order_later(tmp_path: Path) -> None:
    with telegram() as api:
        phone = Phone(tmp_path, api)
        assert "no engine runs" in await phone.say("pause")
        await phone.desk.listen(tmp_path)
        assert "ACTIVE" in await phone.say("status")
        assert phone.desk.orders == []
        assert phone.desk.server is not None
        await phone.desk.server.stop("over")


async def test_a_refusal_of_the_desk_is_shown(phone: Phone) -> None:
    phone.desk.reply = (False, "Position 2 is not open")
    assert await phone.say(word_in(await phone.say("close 2"))) == "REFUSED: Position 2 is not open"


async def test_answers_wait_for_the_network_and_come_in_order(phone: Phone) -> None:
    phone.api.fault = lambda method: "429" if method == "sendMessage" else ""
    phone.put(message(1, "pause", phone.clock.now_s), message(2, "positions", phone.clock.now_s))
    await phone.bot.poll(0)
    assert await phone.bot.outbox.send_waiting() == 3.0
    phone.api.fault = lambda _: ""
    assert await phone.bot.outbox.send_waiting() is None
    assert [text.split()[0] for text in phone.api.texts()] == ["done", "#1"]


@pytest.mark.parametrize("status", ["401", "404"])
async def test_a_token_that_telegram_refuses_ends_the_bot(phone: Phone, status: str) -> None:
    phone.api.fault = lambda _: status
    with pytest.raises(SettingsError, match="does not accept the bot's token"):
        await phone.bot.run()
