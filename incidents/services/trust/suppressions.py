"""People take a place out of what is handed to patrol, with a reason and an end. The map goes on showing what the model says there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from django.contrib.gis.geos import Point
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from pyproj import Transformer

from core import audit
from core.errors import Conflict, Invalid, NotFound
from core.events import publish
from geography.models import Region
from geography.services import place_of
from incidents import events
from incidents.models import IncidentType, Suppression
from incidents.permissions import Actor, require

MOST_DAYS = 90
LEAST_RADIUS_M, MOST_RADIUS_M = 50, 5_000
MAX_REASON = 400


@transaction.atomic
def suppress_place(*, centre: Point, radius_m: float, days: int, reason: str, by: Actor | None, category: str = "") -> Suppression:
    """Leave everything within ``radius_m`` of ``centre`` (4326) out of what is handed to patrol, for ``days`` from now.

    It reaches no further than the governorate it lies in. A place outside the actor's jurisdiction does not exist for them.
    """
    require(by, "suppress_places")
    problems: dict[str, str] = {}
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        problems["reason"] = _("Give a reason.") if not reason else _("At most %(limit)d characters.") % {"limit": MAX_REASON}
    if not _is_number(radius_m) or not LEAST_RADIUS_M <= radius_m <= MOST_RADIUS_M:
        problems["radius_m"] = _("From %(least)d to %(most)d metres.") % {"least": LEAST_RADIUS_M, "most": MOST_RADIUS_M}
    if not _is_number(days) or not 1 <= days <= MOST_DAYS:
        problems["days"] = _("From 1 to %(most)d days.") % {"most": MOST_DAYS}
    if category and not IncidentType.objects.filter(category=category).exists():
        problems["category"] = _("There is no such category.")
    place = place_of(centre) if _is_number(centre.x) and _is_number(centre.y) else None
    if place is None:
        problems["centre"] = _("This point lies in no region.")
    if problems or place is None:
        raise Invalid(_("The place cannot be suppressed like this."), fields=problems)
    if by is not None and not _sees(by, place.governorate_id):
        raise NotFound(_("There is no such place."))
    if getattr(by, "audit_kind", "") != "user":
        raise Invalid(_("A place is suppressed by a person."))
    now = timezone.now()
    made = Suppression.objects.create(
        region_id=place.region_id,
        governorate_id=place.governorate_id,
        category=category,
        centre=centre,
        radius_m=radius_m,
        reason=reason,
        created_by_id=by.pk,  # type: ignore[union-attr]
        expires_at=now + timedelta(days=days),
    )
    after = {"radius_m": radius_m, "category": category, "centre": [centre.x, centre.y], "until": made.expires_at.isoformat()}
    audit.record("place.suppress", obj=made, by=by, after=after, reason=reason)
    publish(
        events.PLACE_SUPPRESSED,
        subject=made,
        data={"suppression": made.pk, "until": made.expires_at.isoformat()},
        governorate_id=made.governorate_id,
    )
    return made


@transaction.atomic
def lift_suppression(*, suppression: Suppression, by: Actor | None, reason: str) -> Suppression:
    """End it before its time."""
    require(by, "suppress_places")
    if by is not None and not _sees(by, suppression.governorate_id):
        raise NotFound(_("There is no such suppression."))
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        problem = _("Give a reason.") if not reason else _("At most %(limit)d characters.") % {"limit": MAX_REASON}
        raise Invalid(_("Say why."), fields={"reason": problem})
    now = timezone.now()
    lifted_by = by.pk if getattr(by, "audit_kind", "") == "user" else None  # type: ignore[union-attr]
    if not Suppression.objects.in_force(at=now).filter(pk=suppression.pk).update(lifted_at=now, lifted_by_id=lifted_by):
        raise Conflict(_("It has ended already."))
    suppression.refresh_from_db()
    audit.record("place.lift", obj=suppression, by=by, after={"lifted_at": now.isoformat()}, reason=reason)
    publish(events.SUPPRESSION_LIFTED, subject=suppression, data={"suppression": suppression.pk}, governorate_id=suppression.governorate_id)
    return suppression


def suppressions_at(*, lon: float, lat: float, viewer: object, category: str = "") -> list[Suppression]:
    """Those in force that cover this point, as the viewer may see them: for the panel that explains a cell."""
    rows = Suppression.objects.in_force().visible_to(viewer).touching(category).select_related("created_by", "region", "governorate")
    return [row for row in rows.defer("governorate__boundary") if _distance_m(row, lon, lat) <= row.radius_m]


def mask(
    suppressions: Sequence[Suppression],
    *,
    region: Region,
    west_m: NDArray[np.float64],
    south_m: NDArray[np.float64],
    cell_m: float,
    governorate_ids: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which square cells (by their south-western corners in the region's metres) any of ``suppressions`` touches."""
    covered = np.zeros(len(west_m), dtype=bool)
    forward = Transformer.from_crs(4326, region.metric_srid, always_xy=True)
    for row in suppressions:
        x, y = forward.transform(row.centre.x, row.centre.y)
        off_x = np.maximum(np.maximum(west_m - x, x - (west_m + cell_m)), 0)
        off_y = np.maximum(np.maximum(south_m - y, y - (south_m + cell_m)), 0)
        near = np.hypot(off_x, off_y) <= row.radius_m
        covered |= near if row.governorate_id is None else near & (governorate_ids == row.governorate_id)
    return covered


def _distance_m(row: Suppression, lon: float, lat: float) -> float:
    forward = Transformer.from_crs(4326, row.region.metric_srid, always_xy=True)
    x, y = forward.transform([row.centre.x, lon], [row.centre.y, lat])
    return math.hypot(x[0] - x[1], y[0] - y[1])


def _sees(by: Actor, governorate_id: int | None) -> bool:
    places = by.jurisdiction.governorate_ids
    return places is None or (governorate_id is not None and governorate_id in places)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
