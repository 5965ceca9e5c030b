"""Many small requests, few transactions: what callers bring while another's write is under way is written together, next.

Nobody waits for company: who finds no write under way writes at once. Each caller returns when its own readings are committed, so what is
acknowledged is on the disk. Callers must not be inside a transaction of their own: the writer writes for all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from patrol.services.positions.reading import Reading
from patrol.services.positions.recording import Recorded, record_positions

MOST_ROWS = 4_000


@dataclass
class _Part:
    readings: Sequence[Reading]
    in_use: Set[int]
    now: datetime
    done: threading.Event = field(default_factory=threading.Event)
    is_writer: bool = False
    recorded: Recorded | None = None
    error: Exception | None = None


class Gatherer:
    """One for each process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Part] = []
        self._is_writing = False

    def record(self, readings: Sequence[Reading], *, now: datetime, in_use: Set[int] = frozenset()) -> Recorded:
        """As ``record_positions``, in company."""
        part = _Part(readings, in_use, now)
        with self._lock:
            self._waiting.append(part)
            part.is_writer = not self._is_writing
            self._is_writing = True
        if not part.is_writer:
            part.done.wait()
        if part.is_writer:
            self._write()
        if part.error is not None:
            raise part.error
        assert part.recorded is not None
        return part.recorded

    def _write(self) -> None:
        """Write all that waits, our own among it, and hand the pen to the first of those who came meanwhile."""
        with self._lock:
            parts = self._take()
        try:
            _record_together(parts)
        finally:
            with self._lock:
                heir = self._waiting[0] if self._waiting else None
                self._is_writing = heir is not None
            if heir is not None:
                heir.is_writer = True
                heir.done.set()
            for part in parts:
                part.done.set()

    def _take(self) -> list[_Part]:
        parts: list[_Part] = []
        rows = 0
        while self._waiting and (not parts or rows + len(self._waiting[0].readings) <= MOST_ROWS):
            parts.append(self._waiting.pop(0))
            rows += len(parts[-1].readings)
        return parts


def _record_together(parts: Sequence[_Part]) -> None:
    try:
        together = [reading for part in parts for reading in part.readings]
        in_use = frozenset().union(*(part.in_use for part in parts))
        results = record_positions(together, now=max(part.now for part in parts), in_use=in_use).results
    except Exception as error:
        if len(parts) > 1:
            # Whoever's fault it is, the others' readings stand for themselves.
            for part in parts:
                _record_together([part])
        else:
            parts[0].error = error
        return
    start = 0
    for part in parts:
        part.recorded = Recorded(results[start : start + len(part.readings)])
        start += len(part.readings)
