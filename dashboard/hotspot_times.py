"""The moments the map's slider can go back to: the runs whose hot spots stood."""

from __future__ import annotations

from typing import Any

from django.utils.formats import date_format

from accounts.jurisdiction import jurisdiction_of
from geography.models import Region
from incidents.models import HotSpot, PipelineRun

MOST = 90


def moments_of(viewer: object) -> list[dict[str, Any]]:
    """Oldest first; of runs that found hot spots where the viewer may look. The date is read on the default region's clock.

    Two runs of one day are told apart by their time.
    """
    places = jurisdiction_of(viewer).governorate_ids
    if places is not None and not places:
        return []
    stood = HotSpot.objects.shown().visible_to(viewer).filter(category="", track__isnull=False).order_by().values("run")
    runs = list(PipelineRun.objects.filter(pk__in=stood).order_by("-as_of", "-pk").only("pk", "as_of")[:MOST])[::-1]
    region = Region.objects.filter(is_default=True).first()
    clock = region.zone_info if region else None
    told = []
    for run in runs:
        at = run.as_of.astimezone(clock)
        told.append((run.pk, date_format(at, "j M Y"), at.strftime("%H:%M")))
    days = [day for _, day, _ in told]
    return [{"run": pk, "text": day if days.count(day) == 1 else f"{day}, {hour}"} for pk, day, hour in told]
