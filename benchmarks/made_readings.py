"""Made-up readings with known faults: spikes, stuck sensors, drifts and gaps in series that have days, weeks and slow noise. Synthetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import Batch, FloatArray

EVERY_S = 300.0
DAY_S = 86_400.0
KINDS = ("spike", "stuck", "drift", "gap")
RESOLUTION = 0.05


@dataclass(frozen=True)
class MadeReadings:
    """Readings of ``series`` sensors, in the order of time, and the faults of one kind put into them: series, start, end."""

    batch: Batch
    series: int
    days: int
    fault_series: np.ndarray
    start_s: FloatArray
    end_s: FloatArray


def made_readings(kind: str, *, seed: int, series: int = 20, days: int = 84, faults: int = 3, quiet_days: int = 35) -> MadeReadings:
    """Each series has a level, a day, a weekend, noise that remembers (an hour) and noise that does not; faults come after ``quiet_days``.

    A spike is one reading 4 to 12 deviations off; a stuck sensor holds its value for 3 to 12 hours; a drift grows to 2 to 5 deviations
    within 5 days and stays for 3 more; in a gap nothing comes for 30 minutes to 6 hours. One reading in fifty is late, and one in a
    thousand is lost anyway, as it is in the field.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    at = np.arange(0, days * DAY_S, EVERY_S)
    steps = len(at)
    phase, swing, level = rng.uniform(0, 2 * np.pi, series), rng.uniform(2, 6, series), rng.uniform(20, 60, series)
    weekend = ((at // DAY_S).astype(int) % 7 >= 5)[:, None] * rng.uniform(-2, 2, series)
    slow = np.zeros((steps, series))
    shocks = rng.normal(0, 1, (steps, series)) * np.sqrt(1 - 0.92**2)
    for step in range(1, steps):
        slow[step] = 0.92 * slow[step - 1] + shocks[step]
    value = level + swing * np.sin(at[:, None] / DAY_S * 2 * np.pi + phase) + weekend + slow + rng.normal(0, 0.3, (steps, series))
    there = rng.random((steps, series)) > 0.001
    rows = []
    room = (days - quiet_days) / faults
    for one in range(series):
        for number in range(faults):
            start = quiet_days * DAY_S + (number + rng.uniform(0.05, 0.3)) * room * DAY_S
            first = int(start / EVERY_S)
            sign = rng.choice([-1.0, 1.0])
            if kind == "spike":
                value[first, one] += sign * rng.uniform(4, 12)
                there[first, one] = True
                last = first
            elif kind == "stuck":
                last = first + int(rng.uniform(3, 12) * 3600 / EVERY_S)
                value[first : last + 1, one] = value[first, one]
            elif kind == "drift":
                last = first + int(8 * DAY_S / EVERY_S)
                grown = np.minimum(np.arange(last + 1 - first) / (5 * DAY_S / EVERY_S), 1.0)
                value[first : last + 1, one] += sign * rng.uniform(2, 5) * grown
            else:
                last = first + int(rng.uniform(0.5, 6) * 3600 / EVERY_S)
                there[first : last + 1, one] = False
                last += 1  # the first reading that comes again tells of it
            rows.append((one, at[first], at[min(last, steps - 1)]))
    value = np.round(value / RESOLUTION) * RESOLUTION
    order = np.arange(steps * series)
    late = rng.random(len(order)) < 0.02
    came = np.argsort(np.repeat(at, series) + np.where(late, rng.uniform(0, 900, len(order)), 0.0), kind="stable")
    came = came[there.ravel()[came]]
    batch = Batch.of(np.tile(np.arange(series), steps)[came], np.repeat(at, series)[came], value.ravel()[came])
    table = np.array(rows)
    return MadeReadings(batch, series, days, table[:, 0].astype(int), table[:, 1], table[:, 2])
