"""A routing server by URL: OSRM's table or Valhalla's sources_to_targets, asked in blocks, within a time and a size."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from django.core.exceptions import ImproperlyConfigured
from numpy.typing import ArrayLike

from patrol.analytics.travel import SERVER, Matrix
from patrol.services.travel.providers import LonLat, Provider, _lonlat

OSRM = "osrm"
VALHALLA = "valhalla"
BLOCK = 50  # sources, and targets: what servers take as they are set up (100 places in OSRM, 2,500 pairs in Valhalla)
TIME_LIMIT_S = 20.0
MOST_BYTES = 4_000_000

TIMED_OUT = "timed_out"
UNREACHABLE = "unreachable"
REFUSED = "refused"
TOO_LARGE = "too_large"
BAD_ANSWER = "bad_answer"


class _Failed(Exception):
    """The server did not give what was asked, for this reason (a code)."""


class ServerProvider:
    """Asks the server; when it fails in any way, the provider ``instead`` answers, and the matrix says so.

    Redirects are not followed and proxies of the environment not used: the address in the settings is the only one that is asked.
    """

    def __init__(
        self,
        url: str,
        kind: str = OSRM,
        *,
        instead: Provider,
        time_limit_s: float = TIME_LIMIT_S,
        most_bytes: int = MOST_BYTES,
        block: int = BLOCK,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or kind not in {OSRM, VALHALLA}:
            raise ImproperlyConfigured("ROUTING_URL is an http(s) address, ROUTING_KIND osrm or valhalla.")
        self.url = url.rstrip("/")
        self.kind = kind
        self.instead = instead
        self.time_limit_s = time_limit_s
        self.most_bytes = most_bytes
        self.block = block

    def matrix(self, points: ArrayLike, *, at: datetime | None = None, until: datetime | None = None) -> Matrix:
        places = _lonlat(points)
        n = len(places)
        if not n:
            return self.instead.matrix(points, at=at, until=until)
        seconds, metres = np.zeros((n, n)), np.zeros((n, n))
        until_s = time.monotonic() + self.time_limit_s
        pieces = [np.arange(begin, min(begin + self.block, n)) for begin in range(0, n, self.block)]
        try:
            with self._client() as client:
                for sources in pieces:
                    for targets in pieces:
                        block = np.ix_(sources, targets)
                        seconds[block], metres[block] = self._table(client, places[sources], places[targets], until_s)
        except _Failed as failure:
            return replace(self.instead.matrix(points, at=at, until=until), fell_back_from=SERVER, why=str(failure))
        np.fill_diagonal(seconds, 0.0)
        np.fill_diagonal(metres, 0.0)
        return Matrix(places, seconds, metres, SERVER, details={"kind": self.kind})

    def path(self, points: ArrayLike, *, at: datetime | None = None) -> list[LonLat]:
        places = _lonlat(points)
        if self.kind != OSRM or len(places) < 2:
            return self.instead.path(points, at=at)
        address = f"{self.url}/route/v1/driving/{_joined(places)}?overview=full&geometries=geojson"
        try:
            with self._client() as client:
                answer = self._ask(client, "GET", address, None, time.monotonic() + self.time_limit_s)
                line = answer["routes"][0]["geometry"]["coordinates"]
            return [(float(lon), float(lat)) for lon, lat in line]
        except (_Failed, KeyError, IndexError, TypeError, ValueError):
            return self.instead.path(points, at=at)

    def _client(self) -> httpx.Client:
        return httpx.Client(follow_redirects=False, trust_env=False, timeout=self.time_limit_s)

    def _table(self, client: httpx.Client, sources: np.ndarray, targets: np.ndarray, until_s: float) -> tuple[np.ndarray, np.ndarray]:
        shape = (len(sources), len(targets))
        try:
            if self.kind == OSRM:
                address = (
                    f"{self.url}/table/v1/driving/{_joined([*sources, *targets])}?annotations=duration,distance"
                    f"&sources={_numbers(0, shape[0])}&destinations={_numbers(shape[0], sum(shape))}"
                )
                answer = self._ask(client, "GET", address, None, until_s)
                return _figures(answer["durations"], shape), _figures(answer["distances"], shape)
            asked = {
                "sources": [{"lon": lon, "lat": lat} for lon, lat in sources.tolist()],
                "targets": [{"lon": lon, "lat": lat} for lon, lat in targets.tolist()],
                "costing": "auto",
                "units": "kilometers",
            }
            rows = self._ask(client, "POST", f"{self.url}/sources_to_targets", asked, until_s)["sources_to_targets"]
            seconds = [[cell["time"] for cell in row] for row in rows]
            return _figures(seconds, shape), 1000 * _figures([[cell["distance"] for cell in row] for row in rows], shape)
        except (KeyError, TypeError, ValueError) as error:
            raise _Failed(BAD_ANSWER) from error

    def _ask(self, client: httpx.Client, method: str, address: str, content: Any, until_s: float) -> Any:
        """The answer as JSON; the clock runs over all questions together, the size is watched while it comes in."""
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise _Failed(TIMED_OUT)
        held = bytearray()
        try:
            with client.stream(method, address, json=content, timeout=left_s) as answer:
                if answer.status_code != 200:
                    raise _Failed(REFUSED)
                for piece in answer.iter_bytes():
                    held += piece
                    if len(held) > self.most_bytes:
                        raise _Failed(TOO_LARGE)
                    if time.monotonic() > until_s:
                        raise _Failed(TIMED_OUT)
        except httpx.TimeoutException as error:
            raise _Failed(TIMED_OUT) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Failed(UNREACHABLE) from error
        try:
            return json.loads(held)
        except ValueError as error:
            raise _Failed(BAD_ANSWER) from error


def _joined(places: Sequence[Any] | np.ndarray) -> str:
    return ";".join(f"{lon:.6f},{lat:.6f}" for lon, lat in places)


def _numbers(begin: int, end: int) -> str:
    return ";".join(str(number) for number in range(begin, end))


def _figures(rows: Any, shape: tuple[int, int]) -> np.ndarray:
    """A table of numbers as the server told it; ``null`` is no way, anything else that is not a length is refused."""
    found = np.array([[np.inf if cell is None else float(cell) for cell in row] for row in rows], dtype=float)
    if found.shape != shape or np.isnan(found).any() or (found < 0).any():
        raise ValueError("not a table of ways")
    return found
