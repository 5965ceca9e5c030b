"""A synthetic device: what it is, and what it says at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from demo.devices.faults import Fault, moments, speaks, spoilt
from demo.devices.signals import Floats, signal_of, values_of

FACTS_EVERY = 12  # messages between two that tell battery, signal and firmware
FIRMWARES = ("2.4.1", "2.4.1", "2.4.1", "2.5.0", "2.5.0", "1.9.7")
BATTERY_LASTS_S = 160 * 86_400


class Measured(NamedTuple):
    code: str
    least: float | None
    most: float | None


@dataclass(frozen=True)
class SyntheticDevice:
    pk: int
    code: str
    key: str
    every_s: int
    metrics: Sequence[Measured]
    kind: str = ""
    fault: Fault | None = None
    clock_off_s: float = 0.0
    has_battery: bool = True
    protocol: str = "http"
    word: str = ""  # shown at the doors that do not take its key: its password at the broker, its network's token
    address: str = ""  # DevEUI or number, where its network speaks for it
    heard_by: str = ""  # EUI of the gateway that hears it

    def readings(self, at_s: Floats) -> dict[str, Floats]:
        """Each metric's values at these seconds since 1970."""
        found = {}
        for place, metric in enumerate(self.metrics):
            seed = self.pk * 31 + place
            signal = signal_of(metric.code, metric.least, metric.most)
            at = moments(at_s, fault=self.fault, seed=self.pk)
            values = values_of(signal, at, seed=seed, least=metric.least, most=metric.most)
            found[metric.code] = spoilt(values, at_s, fault=self.fault if place == 0 else None, seed=self.pk, span=signal.span)
        return found

    def is_heard(self, at_s: Floats) -> Any:
        return speaks(at_s, fault=self.fault, seed=self.pk)

    def facts(self, at_s: float) -> dict[str, Any]:
        said: dict[str, Any] = {"firmware": FIRMWARES[self.pk % len(FIRMWARES)]}
        if self.has_battery:
            phase = self.pk * 2_654_435_761 % 2**32 / 2**32
            said["battery_pct"] = round(100 - 97 * ((at_s / BATTERY_LASTS_S + phase) % 1.0), 1)
            said["signal_dbm"] = -62.0 - self.pk * 7 % 48
        return said

    def body(self, at_s: float, *, count: int = 0) -> dict[str, Any] | None:
        """What it would send now, in our own form; ``None`` while it is silent."""
        at = np.array([at_s])
        if not self.is_heard(at)[0]:
            return None
        said: dict[str, Any] = {
            "at": datetime.fromtimestamp(at_s + self.clock_off_s, UTC).isoformat(timespec="milliseconds"),
            "values": {code: float(values[0]) for code, values in self.readings(at).items()},
        }
        return said | self.facts(at_s) if count % FACTS_EVERY == 0 else said
