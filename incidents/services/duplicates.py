"""Incidents that may be one event: found when they open, decided by a person, and undone by one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.gis.db.models.functions import Distance
from django.contrib.gis.geos import Polygon
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from pyproj import Transformer

from core import audit
from core.errors import Conflict, Invalid, NotFound
from core.events import publish
from core.version import code_version
from geography.models import Zone
from incidents import events
from incidents.analytics.duplicates import THRESHOLD, WITHIN_M, WITHIN_MINUTES, Likeness, Sighting, likeness
from incidents.lifecycle import EXITS, State
from incidents.models import DuplicateCandidate, Incident, IncidentLog
from incidents.permissions import Actor, require, sees
from incidents.services.lifecycle import MAX_REASON, mark_duplicate, unmark_duplicate
from incidents.services.opening import log

MOST_NEIGHBOURS = 100  # the nearest so many are compared
MOST_KEPT = 5  # of an incident's likenesses, the best so many are shown to somebody
_METRES_PER_DEGREE = 111_320.0
Standing = DuplicateCandidate.State


def find_duplicates(*, incident_ids: Iterable[int]) -> int:
    """Keep, of each of these incidents, those of its neighbours in place and time that look like it. Returns how many pairs are new.

    Safe to run twice. The neighbours are read by area and time, which an index holds, so the cost does not grow with the table.
    """
    incidents = _comparable().filter(pk__in=sorted(set(incident_ids))).order_by("pk")
    return sum(_find_for(incident) for incident in incidents)


def _comparable() -> Any:
    return Incident.objects.located().exclude(state__in=sorted(EXITS)).select_related("type", "region").defer("search")


def _find_for(incident: Incident) -> int:
    neighbours = _neighbours(incident)
    if not neighbours:
        return 0
    to_metres = Transformer.from_crs(4326, incident.region.metric_srid, always_xy=True)
    own = _sighting(incident, to_metres)
    found = [(likeness(own, _sighting(other, to_metres)), other) for other in neighbours]
    alike = sorted((pair for pair in found if pair[0].score >= THRESHOLD), key=lambda pair: -pair[0].score)[:MOST_KEPT]
    rows = [_candidate(incident, other, how) for how, other in alike]
    before = DuplicateCandidate.objects.filter(second__in=[row.second_id for row in rows]).values_list("first_id", "second_id")
    known = set(before)
    DuplicateCandidate.objects.bulk_create(rows, ignore_conflicts=True)
    return sum((row.first_id, row.second_id) not in known for row in rows)


def _neighbours(incident: Incident) -> list[Incident]:
    """Others within reach in place and time, nearest first; real ones for a real one, made-up ones for a made-up one."""
    assert incident.location is not None
    lon, lat = incident.location.x, incident.location.y
    up = WITHIN_M / _METRES_PER_DEGREE * 1.01
    across = up / max(math.cos(math.radians(lat)), 0.01)
    box = Polygon.from_bbox((lon - across, lat - up, lon + across, lat + up))
    box.srid = 4326
    areas = Zone.objects.filter(region=incident.region_id, level=Zone.Level.AREA, boundary__bboverlaps=box)
    span = timedelta(minutes=WITHIN_MINUTES)
    return list(
        _comparable()
        .filter(
            area__in=list(areas.values_list("pk", flat=True)),
            occurred_at__range=(incident.occurred_at - span, incident.occurred_at + span),
            location__coveredby=box,
            is_synthetic=incident.is_synthetic,
        )
        .exclude(pk=incident.pk)
        .order_by(Distance("location", incident.location), "pk")[:MOST_NEIGHBOURS]
    )


def _sighting(incident: Incident, to_metres: Transformer) -> Sighting:
    assert incident.location is not None
    x, y = to_metres.transform(incident.location.x, incident.location.y)
    text = f"{incident.description} {incident.address}".strip()
    return Sighting(x, y, incident.occurred_at.timestamp() / 60, incident.type.code, incident.type.category, text)


def _candidate(incident: Incident, other: Incident, how: Likeness) -> DuplicateCandidate:
    first, second = sorted((incident, other), key=lambda one: one.pk)
    parts = {name: None if value is None else round(value, 4) for name, value in _parts(how).items()}
    return DuplicateCandidate(
        first=first,
        second=second,
        score=round(how.score, 4),
        distance_m=round(how.distance_m, 1),
        minutes=round(how.minutes, 1),
        parts=parts,
        code_version=code_version(),
    )


def _parts(how: Likeness) -> dict[str, float | None]:
    return {"near": how.near, "soon": how.soon, "kin": how.kin, "words": how.words}


def merge_duplicates(*, candidate: DuplicateCandidate, keep: Incident, by: Actor | None, reason: str = "") -> DuplicateCandidate:
    """Close the other of the two as a repeat of ``keep``, with everything the duplicate exit brings. Undone by ``undo_duplicates``."""
    with transaction.atomic():
        row = _held(candidate, by, reason, Standing.WAITING)
        pair = {row.first_id: row.first, row.second_id: row.second}
        if keep.pk not in pair:
            raise Invalid(_("Keep one of the two."), fields={"keep": _("Choose one of the two incidents.")})
        original = pair.pop(keep.pk)
        (repeat,) = pair.values()
        if repeat.duplicates.exists():
            raise Conflict(_("Others repeat %(ref)s: keep that one.") % {"ref": repeat.ref})
        mark_duplicate(incident=repeat, original=original, by=by, reason=reason)
        log(original, IncidentLog.Kind.REPORTED, by=by, changes={"merged": [None, repeat.pk]}, reason=reason)
        return _decide(row, Standing.MERGED, "duplicate.merge", by=by, reason=reason, kept=original)


def link_duplicates(*, candidate: DuplicateCandidate, by: Actor | None, reason: str = "") -> DuplicateCandidate:
    """One event, and both cases go on: each page names the other."""
    with transaction.atomic():
        return _decide(_held(candidate, by, reason, Standing.WAITING), Standing.LINKED, "duplicate.link", by=by, reason=reason)


def dismiss_duplicates(*, candidate: DuplicateCandidate, by: Actor | None, reason: str = "") -> DuplicateCandidate:
    """Not the same: the pair is not shown again."""
    with transaction.atomic():
        return _decide(_held(candidate, by, reason, Standing.WAITING), Standing.DISMISSED, "duplicate.dismiss", by=by, reason=reason)


def undo_duplicates(*, candidate: DuplicateCandidate, by: Actor | None, reason: str = "") -> DuplicateCandidate:
    """Take a decision back. A merged incident is reopened: what happened to it before stays in its log."""
    with transaction.atomic():
        row = _held(candidate, by, reason, Standing.MERGED, Standing.LINKED, Standing.DISMISSED)
        if row.state == Standing.MERGED:
            repeat = row.second if row.kept_id == row.first_id else row.first
            if repeat.state != State.DUPLICATE or repeat.duplicate_of_id != row.kept_id:
                raise Conflict(_("%(ref)s has been reopened or marked otherwise since.") % {"ref": repeat.ref})
            unmark_duplicate(incident=repeat, by=by, reason=reason or _("Not a duplicate after all."))
        return _decide(row, Standing.WAITING, "duplicate.undo", by=by, reason=reason)


def _held(candidate: DuplicateCandidate, by: Actor | None, reason: str, *states: str) -> DuplicateCandidate:
    """The pair and both incidents, locked in the order of their numbers, for somebody who may decide about both."""
    if len(reason) > MAX_REASON:
        raise Invalid(_("The reason is too long."), fields={"reason": _("At most %(limit)d characters.") % {"limit": MAX_REASON}})
    row = DuplicateCandidate.objects.select_for_update(of=("self",)).get(pk=candidate.pk)
    two = Incident.objects.select_for_update(of=("self",)).select_related("region").filter(pk__in=[row.first_id, row.second_id])
    row.first, row.second = two.order_by("pk")
    if not (sees(by, row.first) and sees(by, row.second)):
        raise NotFound(_("There is no such pair."))
    require(by, "close")
    if row.state not in states:
        raise Conflict(_("Somebody has decided this already: %(state)s.") % {"state": row.get_state_display()})
    return row


def _decide(
    row: DuplicateCandidate, to: str, verb: str, *, by: Actor | None, reason: str, kept: Incident | None = None
) -> DuplicateCandidate:
    before = row.state
    row.state, row.kept, row.reason = to, kept, reason
    undone = to == Standing.WAITING
    row.decided_at = None if undone else timezone.now()
    row.decided_by_id = None if undone or getattr(by, "audit_kind", "") != "user" else getattr(by, "pk", None)
    row.save(update_fields=["state", "kept", "reason", "decided_at", "decided_by"])
    after = {"state": to, "first": row.first_id, "second": row.second_id, "kept": kept.pk if kept else None, "score": row.score}
    audit.record(verb, obj=row, by=by, before={"state": before}, after=after, reason=reason)
    for one in (row.first, row.second):
        data: dict[str, Any] = {"how": verb.partition(".")[2], "candidate": row.pk}
        if kept is not None:
            data["is_kept"] = one.pk == kept.pk
        publish(events.INCIDENT_PAIRED, subject=one, agency_id=one.agency_id, governorate_id=one.governorate_id, data=data)
    return row
