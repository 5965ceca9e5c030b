"""How often a caller may call, counted exactly across every process and machine.

A bucket holds ``burst`` calls and is filled again at ``per_minute``, evenly. It is one number in Redis, when the bucket is full again
(the generic cell rate algorithm), read and written by one script: no two processes can both take the last call. The clock is Redis's
own, so that machines need not agree on theirs. While Redis is away each process counts by itself. See docs/decisions/0212.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

ASK_AGAIN_S = 2.0  # how long a process leaves Redis alone once it did not answer: nobody waits for it more than once in that time
TIMEOUT_S = 0.25
MOST_LOCAL = 50_000

# KEYS[1]: the bucket. ARGV: microseconds a call, microseconds a full bucket holds. All integers: nothing is lost to rounding.
_TAKE = """
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000000 + tonumber(now[2])
local each, depth = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
if full_at < now then full_at = now end
local taken = full_at + each
if taken - now > depth then
  return {0, full_at - now}
end
redis.call('SET', KEYS[1], string.format('%.0f', taken), 'PX', math.ceil((taken - now) / 1000) + 1)
return {1, taken - now}
"""

# Many buckets at once, of each as many calls as it has left. KEYS: the buckets. ARGV, three of each: microseconds a call, microseconds a
# full bucket holds, how many calls. Answers how many of them are allowed.
_TAKE_SOME = """
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000000 + tonumber(now[2])
local allowed = {}
for i, bucket in ipairs(KEYS) do
  local each, depth, calls = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local full_at = tonumber(redis.call('GET', bucket) or now)
  if full_at < now then full_at = now end
  local taken = math.max(0, math.min(calls, math.floor((depth - (full_at - now)) / each)))
  if taken > 0 then
    full_at = full_at + each * taken
    redis.call('SET', bucket, string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000) + 1)
  end
  allowed[i] = taken
end
return allowed
"""


@dataclass(frozen=True)
class Rate:
    """So many calls a minute, so many of them at once."""

    per_minute: int
    burst: int

    @property
    def each_us(self) -> int:
        return 60_000_000 // self.per_minute

    @property
    def depth_us(self) -> int:
        return self.each_us * self.burst


@dataclass(frozen=True)
class Answer:
    """What became of one call: whether it may go on, how many more may at once, and after how many seconds the bucket is full again."""

    rate: Rate
    allowed: bool
    left: int
    full_in_s: float
    wait_s: float
    is_exact: bool


class Limiter:
    """One a process. ``take`` never raises and never waits long: a limit is no reason to refuse what is allowed."""

    def __init__(self) -> None:
        self._client: redis.Redis | None = None
        self._url = ""
        self._away_until = 0.0
        self._local: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, bucket: str, rate: Rate, *, calls: int = 1) -> Answer:
        """``calls`` at once: all of them, or none."""
        if time.monotonic() >= self._away_until:
            try:
                allowed, behind_us = self._script()(
                    keys=[f"{settings.RATE_LIMIT_PREFIX}:{bucket}"], args=[rate.each_us * calls, rate.depth_us]
                )
                return _answer(rate, bool(allowed), int(behind_us), calls, is_exact=True)
            except redis.RedisError as error:
                self._away_until = time.monotonic() + ASK_AGAIN_S
                logger.warning("limits are counted per process: Redis does not answer (%s)", error)
        return self._take_here(bucket, rate, calls)

    def take_some(self, asked: Sequence[tuple[str, Rate, int]]) -> list[int]:
        """Of many buckets as many calls as each has left: how many of those asked for are allowed, with one question for all."""
        if not asked:
            return []
        if time.monotonic() >= self._away_until:
            try:
                self._script()
                arguments = [part for _bucket, rate, calls in asked for part in (rate.each_us, rate.depth_us, calls)]
                keys = [f"{settings.RATE_LIMIT_PREFIX}:{bucket}" for bucket, _rate, _calls in asked]
                return [int(taken) for taken in self._take_many(keys=keys, args=arguments)]
            except redis.RedisError as error:
                self._away_until = time.monotonic() + ASK_AGAIN_S
                logger.warning("limits are counted per process: Redis does not answer (%s)", error)
        return [self._take_some_here(bucket, rate, calls) for bucket, rate, calls in asked]

    def _take_some_here(self, bucket: str, rate: Rate, calls: int) -> int:
        now = time.monotonic() * 1_000_000
        full_at = max(self._local.get(bucket, now), now)
        some = max(0, min(calls, int((rate.depth_us - (full_at - now)) // rate.each_us)))
        return some if some and self._take_here(bucket, rate, some).allowed else 0

    @property
    def is_exact(self) -> bool:
        """Whether Redis answered when it was last asked."""
        return time.monotonic() >= self._away_until

    def _take_here(self, bucket: str, rate: Rate, calls: int) -> Answer:
        """The same sum in this process alone."""
        now = time.monotonic() * 1_000_000
        with self._lock:
            if len(self._local) > MOST_LOCAL:
                self._local = {name: full_at for name, full_at in self._local.items() if full_at > now}
            full_at = max(self._local.get(bucket, now), now)
            taken = full_at + rate.each_us * calls
            if taken - now > rate.depth_us:
                return _answer(rate, False, int(full_at - now), calls, is_exact=False)
            self._local[bucket] = taken
        return _answer(rate, True, int(taken - now), calls, is_exact=False)

    def _script(self) -> redis.commands.core.Script:
        if self._client is None or self._url != settings.REDIS_URL:
            self._url = settings.REDIS_URL
            self._client = redis.Redis.from_url(self._url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
            self._take = self._client.register_script(_TAKE)
            self._take_many = self._client.register_script(_TAKE_SOME)
        return self._take


def _answer(rate: Rate, allowed: bool, behind_us: int, calls: int, *, is_exact: bool) -> Answer:
    left = max((rate.depth_us - behind_us) // rate.each_us, 0)
    wait_us = 0 if allowed else behind_us + rate.each_us * calls - rate.depth_us
    return Answer(rate, allowed, left, behind_us / 1e6, wait_us / 1e6, is_exact)


limiter = Limiter()
