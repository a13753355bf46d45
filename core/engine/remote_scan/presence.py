"""Who is there: engines and scanning machines write themselves into one sorted set, by the clock of the broker of messages.

Promises: no machine's own clock counts; whoever is silent is gone after seconds; at most so many are kept. Does not: trust what
it reads further than to show it.
"""

from __future__ import annotations

import msgspec

from quarterdeck.core.engine.remote_scan.address import RedisClient
from quarterdeck.core.engine.remote_scan.scan_messages import PresenceRecord
from quarterdeck.core.model.errors import UNREADABLE

EVERY_S = 1.0
GONE_S = 5.0
_SEEN_MAX = 256
_BYTES_MAX = 2_000


async def announce_presence(client: RedisClient, prefix: str, me: PresenceRecord) -> tuple[PresenceRecord, ...]:
    """Say that `me` is here and return who is, `me` among them; `client` speaks bytes."""
    key = _key(prefix)
    now_s, _ = await client.time()
    await client.zadd(key, {msgspec.json.encode(me): now_s})
    await client.zremrangebyscore(key, "-inf", now_s - GONE_S)
    await client.zremrangebyrank(key, 0, -_SEEN_MAX - 1)
    seen = []
    for text in await client.zrange(key, 0, _SEEN_MAX - 1):
        if isinstance(text, bytes) and len(text) <= _BYTES_MAX:
            try:
                seen.append(msgspec.json.decode(text, type=PresenceRecord))
            except UNREADABLE:
                continue  # not ours: it is gone in seconds
    return tuple(seen)


async def withdraw_presence(client: RedisClient, prefix: str, me: PresenceRecord) -> None:
    """Say goodbye."""
    await client.zrem(_key(prefix), msgspec.json.encode(me))


def _key(prefix: str) -> str:
    return f"{prefix}:present"
