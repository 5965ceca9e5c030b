"""Lets synthetic devices speak: each at its profile's pace, or all together at a given rate, until stopped."""

from __future__ import annotations

import heapq
import logging
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from demo.devices.device import SyntheticDevice
from demo.devices.protocols import Away, Doorway, Refused

logger = logging.getLogger(__name__)

REPORT_EVERY_S = 60.0
A_WORKER_S = 150.0  # messages a second that one connection is trusted with
MOST_WORKERS = 16
AGAIN_AFTER_S = 2.0
Waiting = queue.Queue[tuple[SyntheticDevice, dict[str, Any]] | None]


@dataclass
class Tally:
    """What became of the messages. Threads share it."""

    sent: int = 0
    away: int = 0
    late: int = 0  # those the doors were too slow for: they were not sent
    refused: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, outcome: str) -> None:
        with self._lock:
            if outcome == "taken":
                self.sent += 1
            elif outcome == "away":
                self.away += 1
            elif outcome == "late":
                self.late += 1
            else:
                self.refused[outcome] += 1

    def __str__(self) -> str:
        refused = ", ".join(f"{count} × {why}" for why, count in sorted(self.refused.items())) or "none"
        return f"{self.sent:,} taken, refused: {refused}; door away for {self.away}, {self.late} not sent"


class Driver:
    """``rate`` messages a second over all devices; without one, each speaks as often as its profile expects."""

    def __init__(self, devices: Sequence[SyntheticDevice], door: Callable[[], Doorway], *, rate: float | None = None) -> None:
        if not devices:
            raise ValueError("There are no devices to speak.")
        self.devices = devices
        self.door = door
        self.every_s = [len(devices) / rate if rate else float(device.every_s) for device in devices]
        self.rate = sum(1 / every_s for every_s in self.every_s)
        self.tally = Tally()
        count = min(MOST_WORKERS, max(1, round(self.rate / A_WORKER_S + 0.5)))
        # A device stays with one worker: most doors keep one connection for each, and a second one ends the first.
        self._waiting: list[Waiting] = [queue.Queue(maxsize=max(64, int(4 * self.rate / count))) for _worker in range(count)]

    def run(self, stop: threading.Event, *, seconds: float | None = None) -> Tally:
        """Until told to stop, or for so long; what is on its way is then finished."""
        workers = [
            threading.Thread(target=self._work, args=(waiting, stop), name=f"devices-{n}", daemon=True)
            for n, waiting in enumerate(self._waiting)
        ]
        for worker in workers:
            worker.start()
        try:
            self._speak(stop, seconds)
        finally:
            for waiting in self._waiting:
                waiting.put(None)
            for worker in workers:
                worker.join(timeout=30)
        return self.tally

    def _speak(self, stop: threading.Event, seconds: float | None) -> None:
        began = time.monotonic()
        end = began + seconds if seconds is not None else float("inf")
        rng = random.Random(1)
        # Devices are not in step: each begins somewhere within its own pace.
        due = [(began + rng.random() * self.every_s[place], place, 0) for place in range(len(self.devices))]
        heapq.heapify(due)
        report_at = began + REPORT_EVERY_S
        while not stop.is_set():
            at, place, count = heapq.heappop(due)
            if at >= end:
                return
            if (wait_s := at - time.monotonic()) > 0 and stop.wait(wait_s):
                return
            # Messages are numbered from the device's own: not all tell their battery at once.
            body = self.devices[place].body(time.time(), count=count + place)
            if body is not None:
                self._offer(place, body)
            heapq.heappush(due, (at + self.every_s[place], place, count + 1))
            if time.monotonic() >= report_at:
                report_at += REPORT_EVERY_S
                logger.info("%s", self.tally)

    def _offer(self, place: int, body: dict[str, Any]) -> None:
        try:
            self._waiting[place % len(self._waiting)].put_nowait((self.devices[place], body))
        except queue.Full:
            self.tally.add("late")

    def _work(self, waiting: Waiting, stop: threading.Event) -> None:
        door = self.door()
        is_well = True
        while (task := waiting.get()) is not None:
            try:
                door.send(*task)
                self.tally.add("taken")
                is_well = True
            except Refused as refusal:
                self.tally.add(str(refusal))
            except Away as error:
                self.tally.add("away")
                if is_well:
                    logger.warning("the door is away: %s", error)
                is_well = False
                stop.wait(AGAIN_AFTER_S)
        door.close()
