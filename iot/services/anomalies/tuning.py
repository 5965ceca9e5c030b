"""By what each stream is judged: its metric's own numbers, and what somebody set beside them. See docs/decisions/0295."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from iot.analytics.auto_resolve import Resolving
from iot.models import Datastream, Detector, Device
from iot.models.profiles import DeviceKind

# What is on where nobody chose: found by measurement to be right more often than not. Hours of the week and holes are off: the one was
# hardly better than chance, and of the other the sweep of devices speaks already (device.offline). What learns is for what flows.
BY_DEFAULT = frozenset({Detector.THRESHOLD, Detector.RATE, Detector.STUCK})
OF_WHAT_FLOWS = frozenset({Detector.ROBUST, Detector.DRIFT})
FLOWS = frozenset({DeviceKind.ENVIRONMENT, DeviceKind.WATER, DeviceKind.SMOKE, DeviceKind.OTHER})
CLEARS_WITHIN = 0.05  # of the range between the limits, else of the limit itself
BEYOND = 0.01  # of the range: so far outside its own range a reading is as bad as a limit
NO_LIMITS = (math.nan,) * 4


@dataclass(frozen=True, slots=True)
class Judging:
    """One stream: whose it is, and what it is judged by; NaN where there is nothing to go by."""

    stream_id: int
    device_id: int
    unit: str
    is_judged: bool
    detectors: frozenset[str]
    limits: tuple[float, float, float, float]  # high, until; low, until
    is_range: bool  # nobody set a limit: the limits are the ends of the sensor's own range, and beyond them it is the sensor that is ill
    most_per_minute: float
    stuck_after_s: float
    cadence_s: float
    resolves: float
    sensitivity: float
    weight: float
    resolving: Resolving


_COLUMNS = (
    "pk", "device_id", "metric__unit", "device__state", "device__maintenance_until", "device__profile__expected_every_s",
    "device__profile__kind",
    "metric__least", "metric__most", "metric__most_change_per_min", "metric__stuck_after_s",
    "metric__detector_setting__pk", "metric__detector_setting__detectors", "metric__detector_setting__high",
    "metric__detector_setting__high_clear", "metric__detector_setting__low", "metric__detector_setting__low_clear",
    "metric__detector_setting__sensitivity", "metric__detector_setting__resolves", "metric__detector_setting__open_after",
    "metric__detector_setting__clear_after", "metric__detector_setting__clear_after_s", "metric__detector_setting__weight",
)  # fmt: skip


def judgings(stream_ids: Iterable[int], *, now_s: float) -> dict[int, Judging]:
    """What these streams are judged by now: one query for all of them."""
    found = {}
    for row in Datastream.objects.filter(pk__in=list(stream_ids)).values_list(*_COLUMNS):
        (pk, device_id, unit, state, maintenance, every_s, kind, least, most, per_min, stuck_s,
         setting, on, high, high_clear, low, low_clear, sensitivity, resolves, after, quiet, quiet_s, weight) = row  # fmt: skip
        if setting is None:
            detectors = frozenset(map(str, _usual(kind, least, most, per_min)))
            high = high_clear = low = low_clear = None
            sensitivity, resolves, weight, resolving = 1.0, 0.0, 1.0, Resolving()
        else:
            detectors, resolving = frozenset(on), Resolving(after, quiet, float(quiet_s))
        is_range = high is None and low is None
        limits = _of_range(least, most) if is_range else _set(high, high_clear, low, low_clear)
        found[pk] = Judging(
            stream_id=pk, device_id=device_id, unit=unit,
            is_judged=bool(detectors) and state == Device.State.ACTIVE and (maintenance is None or maintenance.timestamp() <= now_s),
            detectors=detectors, limits=limits if Detector.THRESHOLD in detectors else NO_LIMITS, is_range=is_range,
            most_per_minute=_or_nan(per_min), stuck_after_s=_or_nan(stuck_s), cadence_s=float(every_s), resolves=resolves,
            sensitivity=sensitivity, weight=weight, resolving=resolving,
        )  # fmt: skip
    return found


def _usual(kind: str, least: float | None, most: float | None, per_min: float | None) -> frozenset[Detector]:
    if kind not in FLOWS or (least, most) == (0.0, 1.0):  # counts, and switches
        return BY_DEFAULT
    return BY_DEFAULT | (OF_WHAT_FLOWS if per_min is None else OF_WHAT_FLOWS - {Detector.ROBUST})


def _of_range(least: float | None, most: float | None) -> tuple[float, float, float, float]:
    above, below = _or_nan(most), _or_nan(least)
    step = BEYOND * (above - below if not math.isnan(above - below) else max(abs(_first(above, below)), 1e-9))
    return above + step, above, below - step, below


def _set(high: float | None, high_clear: float | None, low: float | None, low_clear: float | None) -> tuple[float, float, float, float]:
    """A limit that does not say where it is over is over a twentieth within."""
    above, below = _or_nan(high), _or_nan(low)
    step = CLEARS_WITHIN * (above - below if not math.isnan(above - below) else max(abs(_first(above, below)), 1e-9))
    return above, above - step if high_clear is None else high_clear, below, below + step if low_clear is None else low_clear


def _first(*values: float) -> float:
    return next((value for value in values if not math.isnan(value)), 0.0)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
