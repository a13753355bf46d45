"""Which values of the settings hold a secret: they are refused where they would be written, and used from elsewhere.

Why: settings are in the journal, in checkpoints, in overrides.toml and on command lines, all of which are passed on when help
is asked for. Promises: the address of an alert service is a secret whole; any other text is one where it carries a password or a
token. Does not: keep them (`core.settings.secrets`).
"""

from __future__ import annotations

import re
from typing import Any

ALERT_URLS, NEWS_URLS = "alerts.urls", "news.urls"
_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]+@|(?:https?|wss?)://[^/\s@]+@", re.IGNORECASE)
_IN_QUERY = re.compile(r"[?&;][\w.-]*(?:token|key|secret|passw(?:or)?d|auth|signature)[\w.-]*=[^&\s]", re.IGNORECASE)
_PLACES = {
    ALERT_URLS: "put it into secrets.toml as alert_urls, or into QUARTERDECK_ALERT_URLS",
    NEWS_URLS: "put it into secrets.toml as news_urls, or into QUARTERDECK_NEWS_URLS",
    "account.gateway": "leave it out of the address; the gateway's token has a file of its own, gateway.token",
    "scan.redis": "put it into secrets.toml as redis_password, or into QUARTERDECK_REDIS_PASSWORD",
}


def secrets_in(key: str, value: Any) -> tuple[str, ...]:
    """The texts under a key that nobody else may read."""
    texts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if key == ALERT_URLS:
        return tuple(text for text in texts if isinstance(text, str) and text)
    return tuple(text for text in texts if isinstance(text, str) and (_PASSWORD.search(text) or _IN_QUERY.search(text)))


def place_of_secret(key: str) -> str:
    """Where the secret of a key belongs, as an instruction."""
    return _PLACES.get(key, "leave the password or token out of the settings")
