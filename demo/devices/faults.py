"""Faults on demand: what a broken device would say instead. Each comes again and again, at times that follow from the device's seed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from demo.devices.signals import Floats

EVERY_S = 6 * 3_600  # a fault comes back so often …
STUCK_S, GAP_S, DRIFT_S = 5_400, 2_700, 4 * 3_600  # … and lasts so long
SPIKE_ONE_IN = 97


class Fault(StrEnum):
    SPIKE = "spike"
    STUCK = "stuck"
    DRIFT = "drift"
    GAP = "gap"


def faults_from(text: str) -> list[Fault]:
    """``spike,stuck``; raises ``ValueError`` for what is no fault."""
    return [Fault(name.strip()) for name in text.split(",") if name.strip()]


def fault_of(seed: int, faults: Sequence[Fault], share: float) -> Fault | None:
    """Which of them the device of this seed has: a ``share`` of all devices has one."""
    if not faults or (seed * 2_654_435_761 % 2**32) / 2**32 >= share:
        return None
    return faults[seed % len(faults)]


def into_fault_s(at_s: Floats, seed: int) -> Floats:
    """How long ago the newest stretch of the fault began."""
    return (at_s + seed * 977) % EVERY_S


def speaks(at_s: Floats, *, fault: Fault | None, seed: int) -> NDArray[np.bool_]:
    """Whether the device says anything then."""
    if fault != Fault.GAP:
        return np.ones(len(at_s), bool)
    return into_fault_s(at_s, seed) >= GAP_S


def moments(at_s: Floats, *, fault: Fault | None, seed: int) -> Floats:
    """The instants whose values are said: a stuck device repeats the one it stopped at."""
    if fault != Fault.STUCK:
        return at_s
    since = into_fault_s(at_s, seed)
    return np.where(since < STUCK_S, at_s - since, at_s)


def spoilt(values: Floats, at_s: Floats, *, fault: Fault | None, seed: int, span: float) -> Floats:
    """The values as the fault leaves them."""
    if fault == Fault.SPIKE:
        hit = (np.floor(at_s / 60).astype(np.int64) * 48_271 + seed) % SPIKE_ONE_IN == 0
        return np.where(hit, values + 2.2 * span, values)
    if fault == Fault.DRIFT:
        return values + span * 1.2 * np.minimum(into_fault_s(at_s, seed), DRIFT_S) / DRIFT_S
    return values
