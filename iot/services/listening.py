"""Since when what devices say reaches the table: a silence that is ours is no device's outage. See docs/decisions/0328."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings

from iot.services.feeds import feeds
from iot.stream import stream_of

DEAF = timedelta(seconds=60)  # nobody writes, what waits is older than this, or nobody has looked for so long
LISTENING = "listening"  # since when, and when that was last looked at: in Redis, beside the stream


def listening_since(*, now: datetime) -> datetime:
    """The start of the time in which nothing devices said had to wait; ``now`` while it does, or while the stream's Redis is away."""
    name = f"{settings.IOT_STREAM_PREFIX}:{LISTENING}"
    try:
        client = stream_of().client
        kept: Any = client.hgetall(name)
        since, looked_at = (datetime.fromisoformat(kept[key].decode()) for key in (b"since", b"at")) if kept else (now, now)
        if _is_deaf(now) or not looked_at <= now < looked_at + DEAF:
            since = now
        client.hset(name, mapping={"since": since.isoformat(), "at": now.isoformat()})
    except redis.RedisError:
        return now
    return since


def _is_deaf(now: datetime) -> bool:
    return any(not feed.writers or (feed.oldest_at is not None and feed.oldest_at < now - DEAF) for feed in feeds().rows)
