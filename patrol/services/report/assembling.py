"""The patrol report of an agency in a governorate over a stretch of days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Agency
from geography.models import Zone
from patrol.services.report import counting, judging
from patrol.services.report.figures import Part
from patrol.services.report.window import Window


@dataclass(frozen=True)
class Report:
    agency: Agency
    governorate: Zone
    window: Window
    made_at: datetime
    parts: tuple[Part, ...]
    is_synthetic: bool

    def part(self, key: str) -> Part:
        return next(part for part in self.parts if part.key == key)


def patrol_report(*, viewer: object, agency: Agency, governorate: Zone, window: Window, now: datetime) -> Report:
    """Count it all. The door has seen to it that the viewer may see this agency here."""
    stops, dosage = counting.dosage(agency, governorate, window)
    response, made_up = judging.response(viewer, agency, governorate, window)
    parts = (
        counting.plans(agency, governorate, window),
        stops,
        dosage,
        judging.coverage(agency, governorate, window),
        response,
        judging.work(viewer, agency, governorate, window, now),
        counting.tasks(agency, governorate, window),
        counting.driving(agency, governorate, window),
        counting.safety(agency, governorate, window),
    )
    synthetic = made_up or counting.has_synthetic(agency, governorate, window.start, window.end)
    return Report(agency, governorate, window, now, parts, synthetic)
