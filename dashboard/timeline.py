"""An incident's log, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from incidents.lifecycle import Disposition, Priority, Severity, State
from incidents.models import Incident, IncidentLog, IncidentType

STEPS = (State.RECEIVED, State.CLASSIFIED, State.DISPATCHED, State.EN_ROUTE, State.ON_SCENE, State.CLEARED, State.CLOSED)
MINOR = frozenset({State.CLASSIFIED, State.CLEARED})


@dataclass(frozen=True)
class Entry:
    """One line of the timeline."""

    id: int
    at: datetime
    kind: str
    title: str
    details: list[str]
    text: str
    author: str
    is_new: bool


@dataclass(frozen=True)
class Interval:
    """From one time to another; ``None`` where one of the two is unknown."""

    label: str
    length: timedelta | None


def entries_of(log: Iterable[IncidentLog], *, seen: int | None = None) -> list[Entry]:
    """Newest first. Those behind ``seen`` (the last the person had on screen) are marked new."""
    rows = list(log)
    codes = {code for row in rows for code in (row.changes or {}).get("type", []) if isinstance(code, str)}
    names = {kind.code: kind.name for kind in IncidentType.objects.filter(code__in=codes)} if codes else {}
    originals = {
        pk for row in rows for name in ("duplicate_of", "merged") for pk in (row.changes or {}).get(name, []) if isinstance(pk, int)
    }
    refs = {it.pk: it.ref for it in Incident.objects.filter(pk__in=originals).select_related("region")} if originals else {}
    return [_entry(row, names, refs, seen) for row in reversed(rows)]


def _entry(row: IncidentLog, names: dict[str, str], refs: dict[int, str], seen: int | None) -> Entry:
    details: list[str] = []
    for field, (before, after) in (row.changes or {}).items():
        details.append(_change(field, before, after, names, refs))
    titles = {
        IncidentLog.Kind.RECEIVED: _("Received"),
        IncidentLog.Kind.MOVED: State(row.to_state).label if row.to_state in State.values else row.to_state,
        IncidentLog.Kind.CHANGED: _("Details changed"),
        IncidentLog.Kind.REPORTED: _("Another report"),
        IncidentLog.Kind.NOTE: _("Note"),
    }
    return Entry(
        id=row.pk,
        at=row.at,
        kind=row.kind,
        title=str(titles.get(IncidentLog.Kind(row.kind), row.kind)),
        details=[line for line in details if line],
        text=row.reason,
        author=row.author_name or ({"system": _("System"), "key": _("Partner key")}.get(row.author_kind, row.author_kind)),
        is_new=seen is not None and row.pk > seen,
    )


def _change(field: str, before: Any, after: Any, names: dict[str, str], refs: dict[int, str]) -> str:
    if field == "priority":
        return _("Priority %(before)s → %(after)s") % {"before": _label(Priority, before), "after": _label(Priority, after)}
    if field == "severity":
        return _("Severity %(before)s → %(after)s") % {"before": _label(Severity, before), "after": _label(Severity, after)}
    if field == "type":
        return _("Type %(before)s → %(after)s") % {"before": names.get(before, before), "after": names.get(after, after)}
    if field == "disposition":
        return str(Disposition(after).label) if after in Disposition.values else str(after or "")
    if field == "duplicate_of":
        return _("Repeats %(ref)s") % {"ref": refs.get(after, "–")} if after else ""
    if field == "merged":
        return _("%(ref)s repeats this one") % {"ref": refs.get(after, "–")}
    if field == "description":
        return _("Description corrected")
    return f"{field}: {before} → {after}"


def _label(choices: Any, value: Any) -> str:
    try:
        return str(choices(value).label)
    except ValueError:
        return str(value)


def intervals_of(incident: Incident) -> list[Interval]:
    """How long each part took, from the first passages; unknown is said, never guessed."""

    def between(start: datetime | None, end: datetime | None) -> timedelta | None:
        return end - start if start is not None and end is not None and end >= start else None

    return [
        Interval(_("Report to dispatch"), between(incident.reported_at, incident.dispatched_at)),
        Interval(_("Dispatch to scene"), between(incident.dispatched_at, incident.on_scene_at)),
        Interval(_("Report to scene"), between(incident.reported_at, incident.on_scene_at)),
        Interval(_("On scene"), between(incident.on_scene_at, incident.cleared_at)),
    ]


@dataclass(frozen=True)
class Passage:
    """One station of the usual way, with the time it was first reached."""

    label: str
    at: datetime | None
    is_here: bool

    # A narrow panel leaves these out, unless the incident is there now.
    is_minor: bool


def passages_of(incident: Incident) -> list[Passage]:
    times = {
        State.RECEIVED: incident.received_at,
        State.CLASSIFIED: incident.classified_at,
        State.DISPATCHED: incident.dispatched_at,
        State.EN_ROUTE: incident.en_route_at,
        State.ON_SCENE: incident.on_scene_at,
        State.CLEARED: incident.cleared_at,
        State.CLOSED: incident.closed_at,
    }
    return [Passage(str(step.label), times[step], incident.state == step, step in MINOR and incident.state != step) for step in STEPS]
