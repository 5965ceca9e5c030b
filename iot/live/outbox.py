"""What one page has still to be told, in bounded room: frames while it keeps up, the latest of each stream when it does not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

MOST_FRAMES = 16
MOST_STREAMS = 4_000


class Update(NamedTuple):
    """Rows of one commit for one room, as this page may see them. ``frame`` is shared by all pages that see the same."""

    room: str
    seq: int
    at: str
    rows: list[dict[str, Any]]
    frame: bytes


def readings_frame(room: str, seq: int, at: str, rows: list[dict[str, Any]], *, skipped: int = 0) -> bytes:
    told: dict[str, Any] = {"room": room, "seq": seq, "at": at, "type": "readings", "data": rows}
    return orjson.dumps(told | ({"skipped": skipped} if skipped else {}))


def control_frame(type: str, room: str = "", **members: Any) -> bytes:
    return orjson.dumps({**({"room": room} if room else {}), "type": type, **members})


@dataclass
class _Merged:
    """The latest of each stream of a room, and how many readings were passed over for it."""

    seq: int = 0
    at: str = ""
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    skipped: int = 0


class Outbox:
    def __init__(self) -> None:
        self._frames: deque[Update] = deque()
        self._controls: deque[bytes] = deque(maxlen=4 * MOST_FRAMES)
        self._merged: dict[str, _Merged] = {}
        self._standing: dict[tuple[str, int], bytes] = {}  # of each device in each room the latest
        self._lost: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._frames or self._controls or self._standing or self._merged or self._lost)

    def __len__(self) -> int:
        """How many things are held: what a test of bounds looks at."""
        merged = sum(len(one.rows) for one in self._merged.values())
        return len(self._frames) + len(self._controls) + len(self._standing) + merged

    def tell(self, frame: bytes) -> None:
        self._controls.append(frame)

    def stand(self, room: str, device_id: int, frame: bytes) -> None:
        """How a device stands now: of one that comes and goes while the page does not read, the latest."""
        if room in self._lost:
            return
        self._standing[room, device_id] = frame
        if len(self._standing) > MOST_STREAMS:
            self.lose(room)

    def put(self, update: Update) -> None:
        if update.room in self._lost:
            return
        if not self._merged and len(self._frames) < MOST_FRAMES:
            self._frames.append(update)
            return
        while self._frames:
            self._fold(self._frames.popleft())
        self._fold(update)

    def forget(self, room: str) -> None:
        """Nothing more of this room, not even what waits."""
        self._frames = deque(update for update in self._frames if update.room != room)
        self._standing = {key: frame for key, frame in self._standing.items() if key[0] != room}
        self._merged.pop(room, None)
        self._lost.discard(room)

    def lose(self, room: str) -> None:
        """Too much, or something unknown, was missed: the page is told to load anew."""
        self.forget(room)
        self._lost.add(room)

    def take(self, head: int) -> list[bytes]:
        """Everything that waits, to be sent now."""
        found = list(self._controls)
        self._controls.clear()
        found += [control_frame("resync_required", room, seq=head) for room in sorted(self._lost)]
        self._lost.clear()
        found += self._standing.values()
        self._standing.clear()
        found += [update.frame for update in self._frames]
        self._frames.clear()
        found += [
            readings_frame(room, merged.seq, merged.at, list(merged.rows.values()), skipped=merged.skipped)
            for room, merged in self._merged.items()
        ]
        self._merged.clear()
        return found

    def _fold(self, update: Update) -> None:
        merged = self._merged.setdefault(update.room, _Merged())
        merged.seq, merged.at = update.seq, update.at
        for row in update.rows:
            key = (row["device"], row["metric"])
            before = merged.rows.get(key)
            if before is not None:
                merged.skipped += 1
                if before["at"] > row["at"]:  # a late one is no latest
                    continue
            merged.rows[key] = row
        if sum(len(one.rows) for one in self._merged.values()) > MOST_STREAMS:
            self.lose(update.room)
