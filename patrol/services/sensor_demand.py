"""What sensors add to demand: an area whose risk score is high expects more, as long as what made it so lasts or has not faded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from accounts.models import Agency
from geography.models import Zone
from iot.models import ZoneRisk
from iot.services.risk import score_of_row

MOST_TIMES = 3.0  # what a score of 100 makes of a demand: a judgement, see decision 0307
FRESH = timedelta(hours=2)  # scores are written each hour at least


@dataclass(frozen=True)
class SensorLift:
    """``times``: by area (row) and hour (column), what demand is multiplied by; 1 where no sensor of the agency speaks."""

    times: NDArray[np.float64]
    scores: dict[int, float]
    is_synthetic: bool


def sensor_lift(
    *, governorate: Zone, agency: Agency, area_ids: Sequence[int], hours: Sequence[datetime], now: datetime
) -> SensorLift | None:
    """By the scores that stood at ``now``, taken ahead as if nothing came; ``None`` where no area has one."""
    rows = ZoneRisk.objects.filter(agency=agency, governorate=governorate, at__lte=now, at__gt=now - FRESH, zone__in=area_ids)
    newest = {row.zone_id: row for row in rows.select_related("making").order_by("at")}
    standing = {pk: row for pk, row in newest.items() if row.score is not None}
    if not standing:
        return None
    times = np.ones((len(area_ids), len(hours)))
    for place, area in enumerate(area_ids):
        row = standing.get(area)
        if row is not None and row.score:
            ahead = [score_of_row(row, at=max(hour, row.at)).score for hour in hours]
            times[place] = 1.0 + (MOST_TIMES - 1.0) * np.array(ahead) / 100.0
    return SensorLift(times, {pk: row.score or 0.0 for pk, row in standing.items()}, any(row.is_synthetic for row in standing.values()))
