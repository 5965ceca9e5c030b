"""The interval report: how fast incidents were answered, by priority, governorate, agency or type, against the targets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Agency
from core.errors import Invalid
from geography.models import Zone
from incidents.lifecycle import Priority
from incidents.models import Incident, IncidentType
from patrol.analytics.intervals import INTERVALS, Measured, Sending, Summary, measure, pooled, summarise
from patrol.lifecycle import State
from patrol.models import Assignment, ResponseTarget

GROUPINGS = ("priority", "governorate", "agency", "type")
TARGETED = ("queue", "turnout", "travel", "response")
MOST = timedelta(days=400)
SKEW = timedelta(hours=1)
_COLUMN = {"priority": "incident__priority", "governorate": "incident__governorate", "agency": "incident__agency", "type": "incident__type"}


@dataclass(frozen=True)
class Group:
    """One line of the report. ``key`` is the priority, or the row's id; ``None`` is the whole."""

    key: int | None
    name: str
    intervals: dict[str, Summary]
    incidents: int
    sendings: int


@dataclass(frozen=True)
class Report:
    start: datetime
    end: datetime
    by: str
    whole: Group
    groups: list[Group]
    is_synthetic: bool


def interval_report(
    *,
    viewer: object,
    start: datetime,
    end: datetime,
    by: str = "priority",
    agency: Agency | None = None,
    governorate: Zone | None = None,
    priority: int | None = None,
    type: IncidentType | None = None,
) -> Report:
    """Of the incidents reported from ``start`` to ``end`` (without) that the viewer may see and a unit was sent to.

    The shares within target are each incident's own: by its agency's target for its priority, else the general one. A group that mixes
    targets shows its share and no single target. Raises ``Invalid`` for a window that is empty or too long, or an unknown grouping.
    """
    if by not in GROUPINGS:
        raise Invalid(_("Choose one of the list."), fields={"by": _("Choose one of the list.")})
    if not start < end <= start + MOST:
        raise Invalid(_("A window of at most %(n)d days.") % {"n": MOST.days}, fields={"to": _("It must end after it begins.")})
    incidents = Incident.objects.visible_to(viewer).filter(reported_at__gte=start, reported_at__lt=end)
    for name, value in (("agency", agency), ("governorate", governorate), ("priority", priority), ("type", type)):
        if value is not None:
            incidents = incidents.filter(**{name: value})
    rows = Assignment.objects.filter(incident__in=incidents, assigned_at__gte=start - SKEW).order_by("pk").values_list(
        "incident_id", "incident__reported_at", "assigned_at", "en_route_at", "on_scene_at", "ended_at", "state",
        "incident__priority", "incident__agency_id", _COLUMN[by], "is_synthetic",
    )  # fmt: skip
    sent: dict[tuple[Any, int, int], list[Sending]] = defaultdict(list)
    synthetic = False
    for incident, reported, assigned, en_route, on_scene, ended, state, urgency, owner, key, made_up in rows.iterator():
        synthetic = synthetic or made_up
        sent[key, urgency, owner].append(
            Sending(incident, _s(reported) or 0.0, _s(assigned) or 0.0, _s(en_route), _s(on_scene), _s(ended), state == State.DONE)
        )
    targets = targets_by({owner for _key, _urgency, owner in sent})
    parts = {cell: measure(rows) for cell, rows in sent.items()}
    names = _names(by, {key for key, _urgency, _owner in sent})
    keys = sorted({key for key, _urgency, _owner in sent}, key=lambda key: (key is None, names[key] if by != "priority" else f"{key}"))
    groups = [_group(key, names[key], [cell for cell in sent if cell[0] == key], parts, sent, targets) for key in keys]
    return Report(start, end, by, _group(None, _("All"), list(sent), parts, sent, targets), groups, synthetic)


def _group(
    key: Any,
    name: str,
    cells: list[tuple[Any, int, int]],
    parts: dict[tuple[Any, int, int], dict[str, Measured]],
    sent: dict[tuple[Any, int, int], list[Sending]],
    targets: dict[tuple[int, int], dict[str, int | None]],
) -> Group:
    found = {}
    for interval in INTERVALS:
        own = [(parts[cell][interval], targets.get((cell[2], cell[1]), {}).get(interval)) for cell in cells]
        limits = {limit for _measured, limit in own}
        whole = summarise(pooled([measured for measured, _limit in own]), target_s=limits.pop() if len(limits) == 1 else None)
        if whole.target_s is None:
            judged = [summarise(measured, target_s=limit) for measured, limit in own if limit is not None]
            n, within = sum(it.n for it in judged), sum(it.within or 0 for it in judged)
            whole = Summary(**{**vars(whole), "within": within if n else None, "share": within / n if n else None})
        found[interval] = whole
    incidents = len({it.incident for cell in cells for it in sent[cell]})
    return Group(key, name, found, incidents, sum(len(sent[cell]) for cell in cells))


def targets_by(agencies: set[int]) -> dict[tuple[int, int], dict[str, int | None]]:
    """(agency, priority) → the seconds of each interval; an agency's own row goes before the general."""
    rows = list(ResponseTarget.objects.filter(Q(agency=None) | Q(agency__in=agencies)))
    general = {row.priority: row for row in rows if row.agency_id is None}
    own = {(row.agency_id, row.priority): row for row in rows if row.agency_id is not None}
    found: dict[tuple[int, int], dict[str, int | None]] = {}
    for agency in agencies:
        for priority in Priority.values:
            row = own.get((agency, priority)) or general.get(priority)
            if row is not None:
                found[agency, priority] = {name: getattr(row, f"{name}_s") for name in TARGETED}
    return found


def _names(by: str, keys: set[Any]) -> dict[Any, str]:
    if by == "priority":
        return {key: str(Priority(key).label) for key in keys}
    table: Any = {"governorate": Zone, "agency": Agency, "type": IncidentType}[by]
    rows = table.objects.filter(pk__in=[key for key in keys if key is not None])
    return {None: _("Place unknown"), **{row.pk: row.name for row in rows}}


def _s(at: datetime | None) -> float | None:
    return at.timestamp() if at is not None else None
