"""The demo's watch: somebody at the desk acknowledges the synthetic alerts, sooner or later, and ends them when they are dealt with."""

from __future__ import annotations

import random
from datetime import datetime

from alerts.models import Alert, AlertState
from demo.door import Door

AT_ONCE = 5
ANSWERS_S = 45.0  # about: to read it and press
FORGETS = 0.15  # the share the desk leaves to the next step of the policy
FORGETS_FOR_S = 240.0
DEALT_WITH_MIN = 12.0
NEEDED = 0.8


class Watch:
    """What becomes of an alert is drawn once, by its number: the desk does not change its mind when it starts again."""

    def __init__(self, door: Door) -> None:
        self.door = door

    def look(self, *, now: datetime) -> int:
        """Acknowledge and end what is due; returns how many were taken on. Real alerts are left to people."""
        return self._end(now) + self._acknowledge(now)

    def _acknowledge(self, now: datetime) -> int:
        done = 0
        for alert in Alert.objects.firing().filter(is_synthetic=True).order_by("pk")[:200]:
            if (now - alert.opened_at).total_seconds() >= answered_after_s(alert.pk):
                done += self.door.post(f"/api/v1/alerts/{alert.pk}/acknowledge", {}).status_code == 200
                if done == AT_ONCE:
                    break
        return done

    def _end(self, now: datetime) -> int:
        done = 0
        for alert in Alert.objects.filter(is_synthetic=True, state=AlertState.ACKNOWLEDGED, acknowledged_at__isnull=False).order_by("pk")[
            :200
        ]:
            draw = random.Random(f"end {alert.pk}")
            minutes = draw.uniform(0.4, 2.5) * DEALT_WITH_MIN
            if alert.acknowledged_at is not None and (now - alert.acknowledged_at).total_seconds() >= minutes * 60:
                told = {"outcome": "Simulated: dealt with", "was_needed": draw.random() < NEEDED}
                done += self.door.post(f"/api/v1/alerts/{alert.pk}/resolve", told).status_code == 200
                if done == AT_ONCE:
                    break
        return done


def answered_after_s(pk: int) -> float:
    draw = random.Random(f"answer {pk}")
    return draw.expovariate(1 / ANSWERS_S) + (FORGETS_FOR_S if draw.random() < FORGETS else 0.0)
