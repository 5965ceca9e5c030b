"""That devices stand otherwise than before, rung once it is committed, so that the live rooms look at them at once.

The bell says which devices, and nothing of how they stand: who hears it reads that from the rows, by its viewers' rights. It is best
effort, as ``iot/written.py`` is: a bell that nobody heard is made up for by the look the rooms take now and then. See
docs/decisions/0320.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import redis
import redis.asyncio
from django.conf import settings
from django.db import transaction

logger = logging.getLogger("live")

MOST_NAMED = 2_000  # devices in one ring; of more it only says that there are many
TIMEOUT_S = 1.0
AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Rung:
    """``devices`` stand otherwise; with ``is_wide`` rooms may hold others than before, or more devices changed than are named."""

    devices: frozenset[int] = frozenset()
    is_wide: bool = False

    def __or__(self, other: Rung) -> Rung:
        return Rung(self.devices | other.devices, self.is_wide or other.is_wide)

    def pack(self) -> bytes:
        return orjson.dumps({"devices": sorted(self.devices), "wide": self.is_wide})

    @classmethod
    def unpack(cls, raw: bytes) -> Rung:
        """Raises ``ValueError`` for what is no ring of ours."""
        said = orjson.loads(raw)
        if not isinstance(said, dict) or not isinstance(ids := said.get("devices"), list) or not all(type(pk) is int for pk in ids):
            raise ValueError("no ring of ours")
        return cls(frozenset(ids), bool(said.get("wide")))


NOTHING, EVERYTHING = Rung(), Rung(is_wide=True)


def ring(devices: Iterable[int], *, is_wide: bool = False) -> None:
    """Once the caller's transaction is committed (at once without one). Never raises, and costs it nothing that it could feel."""
    rung = Rung(frozenset(devices), is_wide)
    if rung != NOTHING:
        transaction.on_commit(partial(_ring, rung if len(rung.devices) <= MOST_NAMED else EVERYTHING), robust=True)


def _channel() -> str:
    return f"{settings.IOT_STREAM_PREFIX}:standing"


_clients: dict[str, redis.Redis] = {}


def _ring(rung: Rung) -> None:
    client = _clients.get(settings.REDIS_URL)
    if client is None:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        _clients[settings.REDIS_URL] = client
    try:
        client.publish(_channel(), rung.pack())
    except redis.RedisError as error:
        logger.warning("nobody is told how devices stand: %s", error)


class Bell:
    """The side that hears it, on an event loop: ``listen`` runs as a task, ``heard`` waits for what it brings."""

    def __init__(self) -> None:
        self._rung = NOTHING
        self._something = asyncio.Event()

    async def listen(self) -> None:
        """For ever. Each time it begins to listen everything counts as rung: nobody knows what was missed."""
        is_well = True
        while True:
            try:
                async with (
                    redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S) as client,
                    client.pubsub(ignore_subscribe_messages=True) as bell,
                ):
                    await bell.subscribe(_channel())
                    is_well = True
                    self._note(EVERYTHING)
                    async for message in bell.listen():
                        self._note(_read(message))
            except (redis.RedisError, OSError) as error:
                if is_well:
                    logger.warning("the rooms do not hear how devices stand (%s); they look now and then", error)
                is_well = False
            await asyncio.sleep(AGAIN_S)

    async def heard(self, *, within_s: float) -> Rung:
        """What was rung since it was asked last; after so long without a ring: everything."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._something.wait()
        self._something.clear()
        rung, self._rung = self._rung, NOTHING
        return rung if rung != NOTHING else EVERYTHING

    def _note(self, rung: Rung) -> None:
        self._rung |= rung
        self._something.set()


def _read(message: Any) -> Rung:
    try:
        return Rung.unpack(message["data"])
    except (ValueError, TypeError, KeyError):
        return EVERYTHING
