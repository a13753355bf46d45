"""`quarterdeck bot`: obey and report to allowed Telegram chats, as a client of the running engine."""

from __future__ import annotations

import asyncio
import os
import sys

from quarterdeck.cli.options import HomeOption
from quarterdeck.cli.output import say
from quarterdeck.core.bot.bot_api import BotApi
from quarterdeck.core.bot.phone_bot import BotOptions, PhoneBot
from quarterdeck.core.clock.wall import WallClock, iso
from quarterdeck.core.journal.engine_lock import FileLock, LockHolder
from quarterdeck.core.model.errors import AlreadyRunningError, SettingsError
from quarterdeck.core.settings.home import prepare, resolve_home
from quarterdeck.core.settings.secrets import read_secrets
from quarterdeck.core.settings.settings_loader import load_settings

_LOCK = "bot.lock"


def command(home: HomeOption = None) -> None:
    """Answer and obey the chats of `bot.chats` over Telegram, until Ctrl-C.

    The token is in QUARTERDECK_TELEGRAM_TOKEN, or in secrets.toml as telegram_token. Pause acts at once; resume, close and
    flatten show a preview and want a word within 60 s. The engine runs without the bot, and the bot without the engine.
    """
    place = prepare(resolve_home(home))
    settings = load_settings(place.root).settings.bot
    token = read_secrets(place.secrets).telegram_token
    if not token:
        raise SettingsError(
            "no token of a Telegram bot", what_to_do="put telegram_token into secrets.toml, or set QUARTERDECK_TELEGRAM_TOKEN"
        )
    options = BotOptions(allowed=_numbers(settings.chats), commands_per_minute_max=settings.commands_per_minute_max)
    clock = WallClock()
    holder = LockHolder(pid=os.getpid(), since_utc_ns=clock.utc_ns(), command="quarterdeck bot", home=str(place.root))
    try:
        lock = FileLock(place.root / _LOCK, f"the bot of {place.root}", holder)
    except AlreadyRunningError as error:
        raise AlreadyRunningError(str(error), what_to_do="stop that bot first") from error

    def log(text: str) -> None:
        say(f"{iso(clock.utc_ns())} {text}")
        sys.stdout.flush()

    async def run() -> None:
        await PhoneBot(place, BotApi(settings.base_url, token), options, clock, log).run()

    try:
        log(f"obeys {len(options.allowed)} chats and people, for the engine of {place.root}")
        if not options.allowed:
            log("bot.chats is empty: write to the bot, and the number to set there follows here")
        asyncio.run(run())
    finally:
        lock.release()


def _numbers(chats: tuple[str, ...]) -> frozenset[int]:
    """Raises SettingsError where one is no number."""
    wrong = [chat for chat in chats if not chat.removeprefix("-").isdecimal()]
    if wrong:
        raise SettingsError(f"bot.chats: {wrong[0]!r} is not the number of a chat", what_to_do='set numbers, e.g. ["123456789"]')
    return frozenset(int(chat) for chat in chats)
