"""The trial of a rule, drawn: the day of the device it would have fired for most often, with the moments it held."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from iot.curve import Curve, Sample, curve
from iot.services.history import Point, RawPoint, history
from iot.services.rules.trial import OfDevice, Trial

POINTS = 360


@dataclass(frozen=True)
class Drawn:
    """``held``: place, width and whether it would have fired, of each moment the rule held."""

    one: OfDevice
    curve: Curve
    held: list[tuple[float, float, bool]]


def drawn(trial: Trial) -> Drawn | None:
    """``None`` where it held nowhere, or where the metric's readings are gone."""
    if not trial.found:
        return None
    one = trial.found[0]
    start, end = timezone.localtime(trial.since), timezone.localtime(trial.until)
    found = history(stream=one.stream, start=trial.since, end=trial.until, points=POINTS)
    samples = [sample for row in (found.points or found.readings) if (sample := _sample(row)) is not None]
    if not samples:
        return None
    step_s = max(found.step_s, one.device.profile.expected_every_s)
    made = curve(samples, start=start, end=end, step_s=step_s)
    span_s = (end - start).total_seconds()

    def x(share: float) -> float:
        return round(made.left + made.plot_width * min(max(share, 0.0), 1.0), 1)

    stretches = []
    for held in one.held:
        first = x((held.began_at - trial.since).total_seconds() / span_s)
        last = x(((held.ended_at or trial.until) - trial.since).total_seconds() / span_s)
        stretches.append((first, max(round(last - first, 1), 2.0), held.fires))
    return Drawn(one, made, stretches)


def _sample(row: Point | RawPoint) -> Sample | None:
    if isinstance(row, RawPoint):
        return Sample(row.at, row.value, row.value, row.value, bool(row.quality))
    if row.min is None or row.mean is None or row.max is None:
        return None
    return Sample(row.at, row.min, row.mean, row.max, row.bad_n > 0)
