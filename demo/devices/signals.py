"""What a synthetic device would measure at an instant: a daily curve, slow wandering, noise; the same for one seed and instant, always."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY_S = 86_400
UTC_OFFSET_S = 3 * 3_600  # the days of the demo are Kuwait's
WANDER_S = (2_300.0, 7_900.0, 29_000.0)  # periods of the slow waves


@dataclass(frozen=True)
class Signal:
    """From ``low`` at night to ``high`` at ``peak_hour``. ``is_count``: whole numbers, drawn about the curve."""

    low: float
    high: float
    peak_hour: float = 15.0
    noise: float = 0.02  # of the span
    spread: float = 0.15  # how much devices differ from one another, of the span
    sharpness: float = 1.0
    weekend: float = 1.0  # times the height of the curve on Fridays and Saturdays
    is_count: bool = False
    decimals: int = 2

    @property
    def span(self) -> float:
        return max(abs(self.high - self.low), 1e-6)


# By metric. What has no line here swings about the middle of its range.
SIGNALS = {
    "temperature": Signal(19, 34, 15, 0.012, decimals=1),
    "humidity": Signal(62, 22, 15, 0.02, decimals=1),
    "pm2_5": Signal(22, 70, 20, 0.06, decimals=1),
    "pm10": Signal(60, 160, 19, 0.06, decimals=1),
    "co2": Signal(410, 560, 20, 0.03, decimals=0),
    "carbon_monoxide": Signal(0.3, 2.2, 19, 0.06),
    "no2": Signal(12, 58, 19, 0.05, decimals=1),
    "ozone": Signal(20, 70, 14, 0.05, decimals=1),
    "hydrogen_sulphide": Signal(0.01, 0.05, 4, 0.1, decimals=3),
    "air_pressure": Signal(1_011, 1_006, 16, 0.05, decimals=1),
    "wind_speed": Signal(2, 7, 16, 0.1, decimals=1),
    "noise": Signal(41, 67, 18, 0.05, weekend=0.9, decimals=1),
    "pressure": Signal(4.1, 3.2, 19, 0.02, 0.4),
    "flow": Signal(14, 62, 19, 0.03, 0.5, 1.4, weekend=1.1, decimals=1),
    "level": Signal(3.4, 2.1, 21, 0.01, 0.4),
    "water_temperature": Signal(23, 29, 16, 0.01, decimals=1),
    "turbidity": Signal(0.2, 0.5, 12, 0.08),
    "acidity": Signal(7.4, 7.6, 12, 0.05),
    "chlorine": Signal(0.7, 0.5, 15, 0.04),
    "smoke": Signal(0.1, 0.5, 13, 0.1),
    "motion": Signal(0.05, 0.62, 19, 0.4, is_count=True),
    "motion_events": Signal(0.4, 9, 19, 0.2, 0.5, 1.5, is_count=True),
    "motion_level": Signal(2, 48, 19, 0.1, decimals=0),
    "people": Signal(3, 190, 20, 0.06, 0.7, 2.2, weekend=1.35, is_count=True),
    "density": Signal(0.03, 1.6, 20, 0.05, 0.5, 2.2, weekend=1.35),
    "occupancy": Signal(2, 74, 20, 0.05, 0.5, 2.2, weekend=1.2, decimals=0),
    "vehicles_read": Signal(2, 64, 18, 0.08, 0.5, 1.6, weekend=0.7, is_count=True),
    "vehicles_distinct": Signal(2, 58, 18, 0.08, 0.5, 1.6, weekend=0.7, is_count=True),
    "is_online": Signal(1, 1, noise=0, spread=0, decimals=0),
    "is_recording": Signal(1, 1, noise=0, spread=0, decimals=0),
    "is_obscured": Signal(0, 0, noise=0, spread=0, decimals=0),
    "smoke_alarm": Signal(0, 0, noise=0, spread=0, decimals=0),
    "heat_alarm": Signal(0, 0, noise=0, spread=0, decimals=0),
    "frame_rate": Signal(25, 24, noise=0.2, spread=0.2, decimals=1),
    "storage_used": Signal(58, 66, 23, 0.01, 1.5, decimals=1),
    "person_in_view": Signal(0.1, 7, 20, 0.15, 0.5, 1.8, weekend=1.25, is_count=True),
    "car_in_view": Signal(0.3, 11, 18, 0.15, 0.5, 1.5, weekend=0.85, is_count=True),
    "frames_received": Signal(30, 44, 15, 0.1, is_count=True),
    "devices_heard": Signal(9, 11, 12, 0.1, is_count=True),
}


def signal_of(metric: str, least: float | None, most: float | None) -> Signal:
    """The metric's own curve; else one well inside its range, so that nothing is invented beyond what its profile believes."""
    known = SIGNALS.get(metric)
    if known is not None:
        return known
    low = 0.0 if least is None else least
    high = low + 100.0 if most is None else most
    return Signal(low + 0.35 * (high - low), low + 0.6 * (high - low), noise=0.01)


def values_of(signal: Signal, at_s: Floats, *, seed: int, least: float | None = None, most: float | None = None) -> Floats:
    """What the device of this seed measures at these seconds since 1970, within ``least`` and ``most``."""
    own = np.random.default_rng(seed)
    shift, hours, *phases = own.standard_normal(2 + len(WANDER_S)).tolist()
    hour = ((at_s + UTC_OFFSET_S) % DAY_S) / 3_600
    curve = (0.5 + 0.5 * np.cos((hour - signal.peak_hour - 0.6 * hours) * math.tau / 24)) ** signal.sharpness
    curve = np.where(is_weekend(at_s), curve * signal.weekend, curve)
    wander = sum(np.sin(at_s * math.tau / period + 3 * phase) for period, phase in zip(WANDER_S, phases, strict=True)) / len(WANDER_S)
    value = (
        signal.low + (signal.high - signal.low) * curve + signal.span * (0.06 * wander * (signal.noise > 0) + signal.spread * shift * 0.5)
    )
    value = value + signal.span * signal.noise * _noise(at_s, seed)
    if signal.is_count:
        value = np.maximum(np.rint(value + np.sqrt(np.maximum(value, 0)) * 0.5 * _noise(at_s, seed + 1)), 0)
    if least is not None or most is not None:
        margin = 0.0 if least is None or most is None else 0.005 * (most - least) * (not signal.is_count)
        value = np.clip(value, None if least is None else least + margin * (least != 0), None if most is None else most - margin)
    return np.round(value, signal.decimals)


def is_weekend(at_s: Floats) -> NDArray[np.bool_]:
    """Fridays and Saturdays in Kuwait; 1 January 1970 was a Thursday."""
    return np.isin((at_s + UTC_OFFSET_S) // DAY_S % 7, (1, 2))


def _noise(at_s: Floats, seed: int) -> Floats:
    """About normal, from the instant itself: live values go on where the history ended, and nothing has to be remembered."""
    state = at_s.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed * 0xD1B54A32D192ED03 % 2**64)
    total = np.zeros(len(at_s))
    for _round in range(4):
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
        total += (state >> np.uint64(11)).astype(np.float64) / 2**53
    return (total - 2.0) * math.sqrt(3)
