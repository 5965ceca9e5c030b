"""What people said of each detector's anomalies: counted, shown, and left to people to act upon (docs/decisions/0297)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from iot.models import Anomaly, Detector
from iot.querysets import AnomalyQuerySet

DAYS = 30
LEAST = 5  # fewer judged are too few to say a share


@dataclass(frozen=True)
class Usefulness:
    detector: str
    label: str
    raised: int
    useful: int
    noise: int

    @property
    def judged(self) -> int:
        return self.useful + self.noise

    @property
    def percent(self) -> int | None:
        """Of those judged, how many were useful; ``None`` where too few were."""
        return round(100 * self.useful / self.judged) if self.judged >= LEAST else None


def usefulness(anomalies: AnomalyQuerySet, *, now: datetime, days: int = DAYS) -> Sequence[Usefulness]:
    """By detector, of what these anomalies (already narrowed to a viewer's) raised in the last days."""
    rows = (
        anomalies.filter(raised_at__gt=now - timedelta(days=days))
        .order_by()
        .values("detector")
        .annotate(
            raised=Count("pk"),
            useful=Count("pk", filter=Q(feedback=Anomaly.Feedback.USEFUL)),
            noise=Count("pk", filter=Q(feedback=Anomaly.Feedback.NOISE)),
        )
    )
    found = {row["detector"]: row for row in rows}
    return [
        Usefulness(one.value, str(one.label), found[one]["raised"], found[one]["useful"], found[one]["noise"])
        for one in Detector
        if one in found
    ]
