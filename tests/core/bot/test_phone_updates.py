"""A thousand updates, lost, doubled, late and forged, against a real server and a real link: no order but those meant, none twice."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.bot.bot_api import BotApiError
from quarterdeck.core.model.commands import Flatten, Pause
from tests.core.bot.stand_in import Phone, message, position, telegram, word_in

UPDATES = 1_000
GARBAGE: tuple[Any, ...] = (
    None,
    7,
    [],
    {},
    {"update_id": "9"},
    {"update_id": 2**80, "message": {}},
    {"update_id": 1.5},
    {"update_id": 5, "message": {"text": "pause"}},
    {"update_id": -3, "message": {"message_id": 2**70, "date": 0, "chat": {"id": 7}, "from": {"id": 7}, "text": "pause"}},
    {"update_id": 6, "message": {"message_id": True, "date": 1, "chat": 7, "from": 7, "text": ["pause"]}},
    {"update_id": 8, "callback_query": {"data": "flatten"}},
)


class Storm:
    """Makes updates, and knows which of them are meant: each message has a sender's name of its own, which the order carries."""

    def __init__(self, phone: Phone, seed: int) -> None:
        self.phone = phone
        self.random = random.Random(seed)
        self.meant: dict[str, type] = {}
        self.made = 0
        self.number = 0
        self.update_id = 500_000
        self.read = 0
        self.words: list[str] = []
        """Words of previews that the phone has shown, the newest last."""
        self.asked = False

    def deliver(self, found: Any) -> None:
        self.made += 1
        if self.random.random() < 0.02:
            self.update_id = self.random.randrange(2**40)  # Telegram numbers anew
        self.update_id += self.random.randrange(1, 4)
        wrapped = found if found is None or "message_id" not in found else {"update_id": self.update_id, "message": found}
        self.phone.api.updates.append(wrapped)

    def write(self, text: str, *, meant: type | None = None, **options: Any) -> dict[str, Any]:
        self.number += 1
        name = f"m{self.number}"
        if meant is not None:
            self.meant[f"telegram 7 ({name})"] = meant
        return message(self.number, text, options.pop("sent_s", self.phone.clock.now_s), name=name, **options)

    def step(self) -> bool:
        """One to six updates of a kind; False where the person waits for the answer."""
        kind = self.random.choice(("pause", "flatten", "word", "double", "late", "forged", "forged", "garbage", "chatter"))
        if self.asked and self.random.random() < 0.8:
            kind = "word"
        self.asked = False
        now_s = self.phone.clock.now_s
        if kind == "pause":
            self.deliver(self.write("/pause", meant=Pause))
        elif kind == "flatten":
            self.deliver(self.write("flatten"))
            return False
        elif kind == "word" and self.words:
            self.deliver(self.write(self.words[-1], meant=Flatten))
        elif kind == "double":
            found = self.write("pause", meant=Pause)
            for _ in range(self.random.randrange(2, 5)):
                self.deliver(found)
        elif kind == "late":
            self.deliver(self.write("pause", sent_s=now_s - self.random.randrange(31, 10_000)))
            if self.words:
                self.deliver(self.write(self.words[-1], sent_s=now_s - self.random.randrange(31, 10_000)))
        elif kind == "forged":
            text = self.random.choice(["pause", "flatten", *self.words[-2:]])
            self.deliver(self.write(text, chat=self.random.choice((7, 8, -7)), sender=8))
            self.deliver(self.write(text, forward_origin={"type": "user"}))
            self.deliver(self.write(text, sender=7, chat=9))
        elif kind == "garbage":
            self.phone.api.updates.append(self.random.choice(GARBAGE))
            self.made += 1
        else:
            self.deliver(
                self.write(self.random.choice(("status", "hello", "close 99", self.random.choice(self.words or ["zebra"]) + "s")))
            )
        return True

    def look(self) -> None:
        """The person reads the phone."""
        for text in self.phone.api.texts()[self.read :]:
            if "Reply with the word " in text:
                self.words.append(word_in(text))
                self.asked = True
        self.read = len(self.phone.api.sent)


@pytest.mark.parametrize("seed", [1])
async def test_thousand_broken_updates_carry_out_what_was_meant(tmp_path: Path, seed: int) -> None:
    with telegram() as api:
        phone = Phone(tmp_path, api, per_minute=600)
        await phone.desk.listen(tmp_path)
        storm = Storm(phone, seed)
        api.fault = lambda _method: storm.random.choice(("lost", "lost after", "500", "429", *[""] * 16))
        while storm.made < UPDATES:
            phone.desk.positions = (position(1, -5.0), position(2, 6.0))
            for _ in range(storm.random.randrange(1, 8)):
                if not storm.step():
                    break
            try:
                await phone.settle()
            except BotApiError:
                phone.clock.now_s += storm.random.choice((1.0, 5.0, 45.0))
            storm.look()
            phone.clock.now_s += storm.random.choice((0.0, 1.0, 2.0, 20.0, 61.0))
            if storm.random.random() < 0.05:
                phone.restart()
        carried_out = Counter(origin for origin, _ in phone.desk.orders)
        assert [origin for origin, count in carried_out.items() if count > 1] == []
        assert [(origin, order) for origin, order in phone.desk.orders if storm.meant.get(origin) is not type(order)] == []
        kinds = Counter(type(order) for _, order in phone.desk.orders)
        assert kinds[Pause] > 50
        assert kinds[Flatten] > 5
        assert phone.desk.server is not None
        await phone.desk.server.stop("over")
