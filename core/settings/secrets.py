"""Credentials: from the environment, else from secrets.toml, whose rights are checked; never from settings.toml, never printed.

    QUARTERDECK_PASSWORD        the account's password, where the terminal is not logged in already
    QUARTERDECK_ALERT_URLS      where alerts go, separated by blanks
    QUARTERDECK_NEWS_URLS       calendars whose address holds a token, separated by blanks
    QUARTERDECK_REDIS_PASSWORD  the password of the Redis at scan.redis
    QUARTERDECK_TELEGRAM_TOKEN  the token of the Telegram bot

Does not: keep the gateway's token (`core.brokers.mt5.gateway.gateway_token` makes and keeps that).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.settings.toml_file import toml_file_text

PASSWORD_VARIABLE = "QUARTERDECK_PASSWORD"
URLS_VARIABLE = "QUARTERDECK_ALERT_URLS"
NEWS_VARIABLE = "QUARTERDECK_NEWS_URLS"
REDIS_VARIABLE = "QUARTERDECK_REDIS_PASSWORD"
TELEGRAM_VARIABLE = "QUARTERDECK_TELEGRAM_TOKEN"
_OTHERS = 0o077
_BETWEEN_PARTS = re.compile(r"[/?&=:@;,#]+")
_PART_LETTERS_MIN = 8
"""Shorter parts of an address are words that other texts hold as well."""


class Secrets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only the owner may know."""

    password: str = ""
    alert_urls: tuple[str, ...] = ()
    redis_password: str = ""
    news_urls: tuple[str, ...] = ()
    telegram_token: str = ""

    def __repr__(self) -> str:
        """Never the texts."""
        return "Secrets(…)"

    __str__ = __repr__

    def texts(self) -> tuple[str, ...]:
        """All of them and, of addresses, their parts as well, for whoever must keep them out of a log: the longest first."""
        urls = (*self.alert_urls, *self.news_urls)
        parts = {part for url in urls for part in _parts(url) if len(part) >= _PART_LETTERS_MIN}
        whole = (text for text in (self.password, self.redis_password, self.telegram_token, *urls) if text)
        return tuple(sorted({*whole, *parts}, key=lambda text: (-len(text), text)))


def read_secrets(
    path: Path,
    environ: Mapping[str, str] | None = None,
    *,
    alert_urls: tuple[str, ...] = (),
    news_urls: tuple[str, ...] = (),
) -> Secrets:
    """The secrets of a home; `path` is its secrets.toml, which need not exist.

    `alert_urls` and `news_urls` are those that are in settings.toml: of alerts they count where nothing else names any.

    Raises:
        SettingsError: others may read the file, it cannot be read, or it says what it should not.
    """
    environ = os.environ if environ is None else environ
    filed = _filed(path) if path.is_file() else Secrets()
    urls = tuple(environ.get(URLS_VARIABLE, "").split())
    return Secrets(
        password=environ.get(PASSWORD_VARIABLE, "") or filed.password,
        alert_urls=urls or filed.alert_urls or alert_urls,
        redis_password=environ.get(REDIS_VARIABLE, "") or filed.redis_password,
        telegram_token=environ.get(TELEGRAM_VARIABLE, "").strip() or filed.telegram_token,
        news_urls=tuple(dict.fromkeys((*environ.get(NEWS_VARIABLE, "").split(), *filed.news_urls, *news_urls))),
    )


def _parts(url: str) -> list[str]:
    """What an address is made of, without the host of a web address: any of it may be a key."""
    scheme, _, rest = url.partition("://")
    server, slash, path = rest.partition("/")
    if scheme in ("http", "https"):
        server = server.rpartition("@")[0]
    return _BETWEEN_PARTS.split(f"{server}{slash}{path}")


def _filed(path: Path) -> Secrets:
    try:
        if sys.platform != "win32" and path.stat().st_mode & _OTHERS:
            raise SettingsError(f"{path}: others may read it", what_to_do=f"run `chmod 600 {path}`")
        return msgspec.toml.decode(toml_file_text(path), type=Secrets)
    except (msgspec.DecodeError, ValueError) as error:
        raise SettingsError(
            f"{path}: {error}",
            what_to_do="it takes `password`, `alert_urls`, `news_urls`, `redis_password` and `telegram_token` only",
        ) from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}", what_to_do="check its rights") from error
