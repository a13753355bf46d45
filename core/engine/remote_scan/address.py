"""Where the broker of messages is, and how one connects to it: the one module that imports redis, and only when it is used.

Promises: the password comes from the secrets, never from the address in settings; a connection that is not answered within
seconds is an error, never a wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.settings.extras import require_extra
from quarterdeck.core.settings.schema import ScanSection
from quarterdeck.core.settings.secrets import REDIS_VARIABLE, Secrets

if TYPE_CHECKING:
    from redis.asyncio import Redis

_SCHEMES = ("redis", "rediss", "unix")
_NEAR = ("localhost", "127.0.0.1", "::1")
_ANSWER_S = 5.0
BLOCK_S = 1.0
"""How long a call may wait for something to happen; well under the time in which every call must be answered."""
RedisClient: TypeAlias = "Redis"


class RedisAddress(Struct, frozen=True, kw_only=True):
    """An address without secrets, the password beside it, and the prefix of all keys."""

    address: str
    password: str
    prefix: str

    def __repr__(self) -> str:
        """Never the password."""
        return f"Place({self.address}, prefix {self.prefix})"

    __str__ = __repr__

    @property
    def in_clear(self) -> bool:
        """Whether prices and signals cross a network unencrypted."""
        parts = urlsplit(self.address)
        return parts.scheme == "redis" and (parts.hostname or "localhost") not in _NEAR


def redis_address(scan: ScanSection, secrets: Secrets) -> RedisAddress | None:
    """Where scanning machines are asked; None where this machine scans alone.

    Raises:
        SettingsError: no such kind of address, or a password in it.
        UsageError: the packages that it needs are not installed.
    """
    if not scan.redis:
        return None
    parts = urlsplit(scan.redis)
    if parts.scheme not in _SCHEMES:
        raise SettingsError(
            f"scan.redis: {parts.scheme or 'an address without a scheme'} is not known",
            what_to_do="write redis://host:6379/0, rediss://host:6379/0 (TLS) or unix:///path/of/redis.sock",
        )
    if parts.password or "password=" in parts.query:
        raise SettingsError(
            "scan.redis must not hold a password",
            what_to_do=f"put it into {REDIS_VARIABLE}, or into secrets.toml as redis_password",
        )
    require_extra("queue", "scan.redis")
    return RedisAddress(address=scan.redis, password=secrets.redis_password, prefix=scan.redis_prefix)


def connect(place: RedisAddress, *, text: bool) -> RedisClient:
    """A client whose calls are answered within seconds or fail; nothing is sent before its first call.

    Raises:
        SettingsError: the address cannot be understood.
    """
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    given: dict[str, Any] = {"password": place.password} if place.password else {}
    try:
        return Redis.from_url(
            place.address,
            decode_responses=text,
            socket_timeout=_ANSWER_S,
            socket_connect_timeout=_ANSWER_S,
            retry=Retry(NoBackoff(), 0),
            **given,
        )
    except ValueError as error:
        raise SettingsError(f"scan.redis: {error}", what_to_do="see docs/scanning.md for the forms it takes") from error


def redis_error_text(error: BaseException) -> str:
    """What went wrong on the line, in a phrase for people."""
    kind = type(error).__name__
    causes = (error, error.__cause__, error.__context__)
    if any(type(cause).__name__ == "AuthenticationError" for cause in causes):
        return f"it refuses the password; see {REDIS_VARIABLE} or redis_password in secrets.toml"
    return " ".join(f"{kind}: {error}".split()).rstrip(".: ")
