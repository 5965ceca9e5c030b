"""What every program of ours at the broker does: connect, work batch by batch, and begin anew when the line or the work fails."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from iot.gateways.mqtt_wire import Lost, Wire

logger = logging.getLogger("telemetry")

GROUP = "$share/khareetaty/"
LONGEST_REST_S = 30.0


class Gateway(ABC):
    """One thread works with ``wire``. What it did not acknowledge comes again."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.stop = threading.Event()

    @abstractmethod
    def start(self) -> None:
        """Connect and subscribe. Raises ``Lost``."""

    @abstractmethod
    def step(self, *, wait_s: float = 0.5) -> int:
        """One batch; how many messages were finished. Raises ``Lost``."""

    def run(self, stop: threading.Event, *, while_: Callable[[], bool] = lambda: True) -> None:
        """Until told to stop, or ``while_`` says no."""
        self.stop = stop
        rest_s = 1.0
        while not stop.is_set() and while_():
            try:
                self.start()
                rest_s = 1.0
                while not stop.is_set() and while_():
                    self.step()
            except Lost as lost:
                if not stop.is_set():
                    logger.warning("%s; again in %.0f s. What the broker has for us waits there", lost, rest_s)
                    stop.wait(rest_s)
                    rest_s = min(rest_s * 2, LONGEST_REST_S)
            except Exception:
                # The outermost loop of a worker: said with its traceback, and gone on from. What was not acknowledged comes again.
                logger.exception("the gateway failed; it begins anew")
                self.wire.close()
                stop.wait(rest_s)
        self.wire.leave()
