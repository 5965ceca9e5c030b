"""Calls to other systems, many at once in one loop: signed, with an end, to the address that was checked, and no further.

A receiver may be slow, silent, huge or hostile. The whole of a call has a deadline, not each read of it; at most ``MOST_READ`` bytes of
an answer are taken, as they come (nothing is unpacked); a redirect is an answer like any other; and a connection goes to the very
address that the guard admitted, whatever the name leads to a moment later. Each subscription has a lane and connections of its own, so
that one which hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from queue import SimpleQueue
from typing import Any
from urllib.parse import quote, urlsplit

import uvloop

from core.outbound import BadUrl, Guard, Url, check_url, tls_context
from interop.models import ErrorClass
from interop.sender.guarded import CONNECT_S, Refused, Unknown, admitted, class_of
from interop.sender.wire import Broken, Line, Lines, Target
from interop.services.webhooks.payload import CONTENT_TYPE
from interop.services.webhooks.queue import MOST_KEPT, Claim, Outcome
from interop.services.webhooks.secrets import signer
from interop.services.webhooks.subscriptions import Resolve, by_the_system

MOST_READ = 64 * 1024
KEEP_ALIVE_S = 15.0
LANE_IDLE_S = 60.0
AGENT = "Khareetaty-Webhooks/1"
PREFETCH_S = 0.3
MOST_PREFETCHED = 120
_PATH = "/?:@!$&'()*+,;=-._~%[]"


@dataclass(frozen=True)
class Parcel:
    """One call to make."""

    claim: Claim
    url: str
    sealed: tuple[str, ...]  # the secrets that live now, newest first
    claimed_at: float  # of the monotonic clock


@dataclass
class Lane:
    """What is under way to one subscription."""

    lines: Lines
    concurrency: int
    waiting: deque[Parcel] = field(default_factory=deque)
    active: int = 0
    usual_s: float = 1.0  # what a call takes, lately
    used_at: float = field(default_factory=time.monotonic)

    @property
    def room(self) -> int:
        """How many more may be claimed: what can be sent in a moment, so that a claim never waits long behind a slow receiver."""
        ahead = max(self.concurrency, min(MOST_PREFETCHED, round(PREFETCH_S * self.concurrency / max(self.usual_s, 1e-3))))
        return ahead - len(self.waiting) - self.active


class Courier:
    """A loop in a thread of its own. ``send`` hands parcels over; what came of them is read from ``outcomes``."""

    def __init__(self, *, guard: Guard, timeout_s: float, resolve: Resolve = by_the_system) -> None:
        self.guard, self.timeout_s = guard, timeout_s
        self.outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._resolve = resolve
        self._lookups = ThreadPoolExecutor(16, thread_name_prefix="resolve")
        self._lanes: dict[int, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    # -- called by the thread that claims -----------------------------------------------------------------------------------

    def room(self, subscription_id: int, concurrency: int) -> int:
        lane = self._lanes.get(subscription_id)
        return concurrency if lane is None else lane.room

    @property
    def is_idle(self) -> bool:
        return not any(lane.active or lane.waiting for lane in list(self._lanes.values()))

    def send(self, parcels: list[tuple[Parcel, int]]) -> None:
        """Each with its subscription's concurrency."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(self._take, parcels, done)
        done.wait(5)

    def close(self, within_s: float) -> None:
        """Finish what is under way; what was not begun is given back."""
        ends = time.monotonic() + within_s
        self._loop.call_soon_threadsafe(self._give_back)
        while not self.is_idle and time.monotonic() < ends:
            time.sleep(0.02)
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._lookups.shutdown(wait=False, cancel_futures=True)

    # -- in the loop ------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _take(self, parcels: list[tuple[Parcel, int]], done: threading.Event) -> None:
        for parcel, concurrency in parcels:
            lane = self._lane(parcel.claim.subscription_id, concurrency)
            lane.waiting.append(parcel)
            lane.used_at = parcel.claimed_at
            if lane.active < lane.concurrency:
                lane.active += 1
                task = self._loop.create_task(self._work(lane))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        done.set()
        self._forget_idle()

    def _lane(self, subscription_id: int, concurrency: int) -> Lane:
        lane = self._lanes.get(subscription_id)
        if lane is None:
            lines = Lines(self._connect, most_read=MOST_READ, keep_alive_s=KEEP_ALIVE_S)
            lane = self._lanes[subscription_id] = Lane(lines, concurrency)
        lane.concurrency = concurrency
        return lane

    async def _connect(self, target: Target, make: Callable[[], Line]) -> Line:
        """Look the name up once, and connect to an address that was judged: the very one, whatever the name leads to a moment later."""
        async with asyncio.timeout(CONNECT_S):
            *others, last = await admitted(target.host, target.port, guard=self.guard, resolve=self._look_up)
            tls: dict[str, Any] = {"ssl": tls_context(), "server_hostname": target.host} if target.is_tls else {}
            for address in others:
                with contextlib.suppress(ConnectionError, OSError):
                    return (await self._loop.create_connection(make, address, target.port, **tls))[1]
            return (await self._loop.create_connection(make, last, target.port, **tls))[1]

    async def _look_up(self, host: str, port: int) -> list[str]:
        return await self._loop.run_in_executor(self._lookups, self._resolve, host, port)

    async def _work(self, lane: Lane) -> None:
        try:
            while lane.waiting and lane.active <= lane.concurrency:
                parcel = lane.waiting.popleft()
                if time.monotonic() - parcel.claimed_at > self.timeout_s:
                    self.outcomes.put(Outcome(parcel.claim, datetime.now(UTC), is_given_back=True))
                    continue
                outcome = await self._call(lane.lines, parcel)
                lane.usual_s += 0.2 * (outcome.ms / 1000 - lane.usual_s)
                self.outcomes.put(outcome)
        finally:
            lane.active -= 1

    async def _call(self, lines: Lines, parcel: Parcel) -> Outcome:
        started_at, began = datetime.now(UTC), time.monotonic()

        def outcome(error: str = "", detail: str = "", **more: Any) -> Outcome:
            return Outcome(parcel.claim, started_at, ms=round((time.monotonic() - began) * 1000), error=error, detail=detail, **more)

        try:
            url = _judged(parcel.url, self.guard)
            headers = signed(parcel, at=started_at)
            async with asyncio.timeout(self.timeout_s):
                return outcome(**await self._exchange(lines, target_of(url), headers, parcel.claim.body.encode()))
        except (BadUrl, Refused) as bad:
            return outcome(ErrorClass.SSRF, str(bad))
        except Unknown as error:
            return outcome(ErrorClass.DNS, str(error))
        except NoSecret:
            return outcome(ErrorClass.SECRET)
        except TimeoutError:
            return outcome(ErrorClass.TIMEOUT)
        except (Broken, OSError) as error:
            return outcome(class_of(error), str(error) or type(error).__name__)
        except Exception as error:  # whatever a library meets in a strange answer is that call's failure, and no other's
            return outcome(ErrorClass.PROTOCOL, f"{type(error).__name__}: {error}")

    async def _exchange(self, lines: Lines, target: Target, headers: list[tuple[bytes, bytes]], body: bytes) -> dict[str, Any]:
        answer = await lines.call(target, headers, body)
        code, named = answer.code, answer.headers
        error = "" if 200 <= code < 300 else ErrorClass.REDIRECT if 300 <= code < 400 else ErrorClass.HTTP
        return {
            "code": code,
            "error": error,
            "detail": named.get(b"location", "")[:300] if error == ErrorClass.REDIRECT else "",
            "excerpt": excerpt(bytes(answer.body), named.get(b"content-encoding", "")),
            "retry_after_s": retry_after(named.get(b"retry-after", "")) if error else None,
        }

    def _give_back(self) -> None:
        for lane in self._lanes.values():
            while lane.waiting:
                self.outcomes.put(Outcome(lane.waiting.popleft().claim, datetime.now(UTC), is_given_back=True))

    def _forget_idle(self) -> None:
        now = time.monotonic()
        for pk, lane in list(self._lanes.items()):
            if not lane.active and not lane.waiting and now - lane.used_at > LANE_IDLE_S:
                del self._lanes[pk]
                lane.lines.close()

    async def _end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane in self._lanes.values():
            lane.lines.close()


class NoSecret(Exception):
    """Nothing to sign with: nothing is sent."""


def signed(parcel: Parcel, *, at: datetime) -> list[tuple[bytes, bytes]]:
    """The headers of Standard Webhooks: the id is the same on every attempt, the time is this attempt's, a signature a living secret."""
    if not parcel.sealed:
        raise NoSecret
    claim = parcel.claim
    signatures = " ".join(signer(sealed).sign(claim.webhook_id, at, claim.body) for sealed in parcel.sealed)
    return [
        (b"User-Agent", AGENT.encode()),
        (b"Content-Type", CONTENT_TYPE.encode()),
        (b"Accept", b"*/*"),
        (b"Accept-Encoding", b"identity"),
        (b"webhook-id", claim.webhook_id.encode()),
        (b"webhook-timestamp", str(int(at.timestamp())).encode()),
        (b"webhook-signature", signatures.encode()),
    ]


_judged = lru_cache(maxsize=4096)(check_url)  # of the text alone: what the name leads to is asked at every connection


@lru_cache(maxsize=4096)
def target_of(url: Url) -> Target:
    parts = urlsplit(url.text)
    netloc = parts.netloc.encode("ascii" if url.text.isascii() else "idna")
    path = quote(parts.path or "/", safe=_PATH) + (f"?{quote(parts.query, safe=_PATH)}" if parts.query else "")
    return Target(url.scheme == "https", url.host, url.port, netloc, path.encode())


def excerpt(body: bytes, encoding: str) -> str:
    if encoding and encoding.lower() != "identity":
        return f"({len(body)} bytes of {encoding[:20]}, not unpacked)"
    return body[:MOST_KEPT].decode("utf-8", "replace").replace("\x00", "\ufffd")[:MOST_KEPT]


def retry_after(text: str) -> float | None:
    """Seconds, or a date of HTTP; ``None`` for what is neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
