"""A phone, the bot and an engine, all in processes of their own: an order arrives, with the name of who gave it, and never later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quarterdeck.core.journal.tape_reader import TapeReader
from tests.conftest import CHECKOUT
from tests.core.bot.stand_in import OWNER, TOKEN, TelegramServer, message, telegram, word_in
from tests.e2e.processes import LONG_S, command, engine, environment, quarterdeck, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")]


@contextmanager
def bot_process(home: Path, api: TelegramServer) -> Iterator[subprocess.Popen[bytes]]:
    words = command("bot", "--home", home)
    with home.with_name("bot.log").open("ab") as log:
        process = subprocess.Popen(
            words,
            cwd=CHECKOUT,
            env=environment(QUARTERDECK_TELEGRAM_TOKEN=TOKEN),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: api.polls, "the bot")
        yield process
    finally:
        process.kill()
        process.wait(LONG_S)


def home_of(folder: Path, api: TelegramServer) -> Path:
    home = folder / "home"
    home.mkdir()
    chats = f'[bot]\nchats = ["{OWNER}"]\nbase_url = "{api.base_url}"\n'
    (home / "settings.toml").write_text(f"[simulation]\nhistory_days = 30\n{chats}")
    return home


class Person:
    """Writes to the bot and reads its answers."""

    def __init__(self, api: TelegramServer) -> None:
        self.api = api
        self.number = 0
        self.read = 0

    def write(self, text: str, *, age_s: float = 0.0) -> None:
        self.number += 1
        self.api.updates.append({"update_id": self.number, "message": message(self.number, text, time.time() - age_s)})
        self.api.arrived.set()

    def answer(self) -> str:
        wait_for(lambda: len(self.api.sent) > self.read, "an answer")
        self.read += 1
        return self.api.texts()[self.read - 1]


def origins(home: Path) -> list[str]:
    with TapeReader(home / "journal.sqlite") as reader:
        return [body.decode(errors="replace") for (body,) in reader.rows("SELECT body FROM tape WHERE tag = 'command'")]


def test_orders_of_a_phone_reach_a_running_engine_once(tmp_path: Path) -> None:
    with telegram() as api:
        home, person = home_of(tmp_path, api), Person(api)
        with engine(home) as running, bot_process(home, api) as bot:
            running.ready()
            person.write("status")
            assert "SIMULATED" in person.answer()
            person.write("pause")
            assert person.answer().startswith("Paused")
            person.write("resume", age_s=40.0)
            assert "Not carried out" in person.answer()
            assert quarterdeck("status", "--home", home, "--json").json()["reasons"] == ["paused"]
            person.write("flatten")
            person.write(word_in(person.answer()))
            assert person.answer().startswith("Flatten ordered")
            assert person.answer().startswith("Done: ")
            assert quarterdeck("status", "--home", home, "--json").json()["state"] == "HALTED"
            ordered = origins(home)
            assert len(ordered) == 2
            assert all(f"telegram {OWNER} (ann)" in row for row in ordered)

            running.tell(signal.SIGKILL)
            running.ended()
            person.write("pause")
            assert "does not answer" in person.answer()
            os.kill(bot.pid, signal.SIGINT)
            assert bot.wait(LONG_S) == 130
        assert TOKEN not in (tmp_path / "bot.log").read_text()
