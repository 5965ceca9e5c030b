"""The steps of an incident. A state moves by a conditional update that must touch one row; everything else follows from it."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from core.events import publish
from incidents import events
from incidents.lifecycle import EXITS, FINAL, TIME_COLUMN, Disposition, Priority, Severity, State, can_move
from incidents.models import Incident, IncidentLog, IncidentType
from incidents.permissions import Actor, require
from incidents.services.opening import MAX_DESCRIPTION, log

MAX_REASON = 2_000


def move_incident(*, incident: Incident, to: str, by: Actor | None, reason: str = "", expected: str | None = None) -> Incident:
    """Take the incident to ``to``. ``expected`` is the state the caller saw: if it moved on since, that is a ``Conflict``.

    Closing, reopening and the duplicate exit have verbs of their own, since they ask for more.
    """
    if to in {State.CLOSED, State.REOPENED, State.DUPLICATE}:
        raise Invalid(_("This step asks for more than a state."), fields={"state": _("Use its own form.")})
    if to in EXITS and not reason.strip():
        raise Invalid(_("Say why."), fields={"reason": _("A reason is needed here.")})
    return _step(incident=incident, to=to, by=by, verb="close" if to in EXITS else "move", reason=reason, expected=expected)


def close_incident(*, incident: Incident, by: Actor | None, disposition: str, reason: str = "", expected: str | None = None) -> Incident:
    if disposition not in Disposition.values:
        raise Invalid(_("Say how it ended before closing."), fields={"disposition": _("Choose one of the list.")})
    return _step(incident=incident, to=State.CLOSED, by=by, verb="close", reason=reason, expected=expected, disposition=disposition)


def reopen_incident(*, incident: Incident, by: Actor | None, reason: str, expected: str | None = None) -> Incident:
    if not reason.strip():
        raise Invalid(_("Say why it is opened again."), fields={"reason": _("A reason is needed here.")})
    return _step(
        incident=incident, to=State.REOPENED, by=by, verb="reopen", reason=reason, expected=expected, disposition="", duplicate_of=None
    )


def mark_duplicate(*, incident: Incident, original: Incident, by: Actor | None, reason: str = "", expected: str | None = None) -> Incident:
    """Close ``incident`` as a repeat of ``original``; a chain is refused, so that an original always stands for itself."""
    require(by, "close", original)
    if original.pk == incident.pk:
        raise Invalid(_("An incident cannot repeat itself."), fields={"duplicate_of": _("Choose another incident.")})
    if original.state == State.DUPLICATE:
        raise Invalid(_("That incident is itself a duplicate."), fields={"duplicate_of": _("Choose its original.")})
    return _step(incident=incident, to=State.DUPLICATE, by=by, verb="close", reason=reason, expected=expected, duplicate_of=original)


def unmark_duplicate(*, incident: Incident, by: Actor | None, reason: str) -> Incident:
    """Take ``mark_duplicate`` back: the incident is reopened and stands for itself. Whoever may mark may take back."""
    return _step(incident=incident, to=State.REOPENED, by=by, verb="close", reason=reason, expected=State.DUPLICATE, duplicate_of=None)


@transaction.atomic
def _step(*, incident: Incident, to: str, by: Actor | None, verb: str, reason: str, expected: str | None, **also: Any) -> Incident:
    require(by, verb, incident)
    if to not in State.values:
        raise Invalid(_("Unknown state."), fields={"state": _("Choose one of the list.")})
    if len(reason) > MAX_REASON:
        raise Invalid(_("The reason is too long."), fields={"reason": _("At most %(limit)d characters.") % {"limit": MAX_REASON}})
    before = expected or incident.state
    if before not in State.values or not can_move(before, to):
        raise Conflict(
            _("From “%(before)s” there is no step to “%(to)s”.")
            % {"before": State(before).label if before in State.values else before, "to": State(to).label}
        )
    column = TIME_COLUMN.get(State(to))
    now = timezone.now()
    noted = {name: [_worth(getattr(incident, name)), _worth(value)] for name, value in also.items()}
    noted = {name: values for name, values in noted.items() if values[0] != values[1]}
    changes: dict[str, Any] = {"state": to, "changed_at": now, **also}
    if column:
        changes[column] = Coalesce(column, now)
    if Incident.objects.filter(pk=incident.pk, state=before).update(**changes) != 1:
        raise Conflict(_("Somebody else has moved this incident on. Look at it again."))
    incident.refresh_from_db(fields=list(changes))
    log(incident, IncidentLog.Kind.MOVED, by=by, from_state=before, to_state=to, changes=noted or None, reason=reason)
    audit.record(
        "incident.move",
        obj=incident,
        by=by,
        before={"state": before, **{name: was for name, (was, _is) in noted.items()}},
        after={"state": to, **{name: now_is for name, (_was, now_is) in noted.items()}},
        reason=reason,
    )
    publish(
        events.INCIDENT_MOVED,
        subject=incident,
        agency_id=incident.agency_id,
        governorate_id=incident.governorate_id,
        data={"from": before, "to": to},
    )
    return incident


@transaction.atomic
def classify_incident(
    *,
    incident: Incident,
    by: Actor | None,
    type: IncidentType | None = None,
    priority: int | None = None,
    severity: int | None = None,
    reason: str = "",
) -> Incident:
    """Name its type, priority and severity. A change of priority asks for a reason; a received incident becomes classified."""
    if priority is not None and priority != incident.priority and not reason.strip():
        raise Invalid(_("Say why the priority changes."), fields={"reason": _("A reason is needed here.")})
    changed = change_incident(incident=incident, by=by, verb="classify", type=type, priority=priority, severity=severity, reason=reason)
    if changed.state == State.RECEIVED:
        changed = _step(incident=changed, to=State.CLASSIFIED, by=by, verb="classify", reason=reason, expected=None)
    return changed


@transaction.atomic
def change_incident(
    *,
    incident: Incident,
    by: Actor | None,
    verb: str = "classify",
    type: IncidentType | None = None,
    priority: int | None = None,
    severity: int | None = None,
    description: str | None = None,
    reason: str = "",
) -> Incident:
    """Correct details. The log keeps each value before and after; what is not given stays as it is."""
    require(by, verb, incident)
    wanted: dict[str, Any] = {"type": type, "priority": priority, "severity": severity, "description": description}
    problems: dict[str, str] = {}
    if priority is not None and priority not in Priority.values:
        problems["priority"] = _("Priority is 1 to 5.")
    if severity is not None and severity not in Severity.values:
        problems["severity"] = _("Severity is 1 to 4.")
    if description is not None and len(description) > MAX_DESCRIPTION:
        problems["description"] = _("At most %(limit)d characters.") % {"limit": MAX_DESCRIPTION}
    if problems:
        raise Invalid(_("This cannot be changed so."), fields=problems)
    current = Incident.objects.select_for_update(of=("self",)).select_related("type", "region").get(pk=incident.pk)
    if current.state in FINAL:
        raise Conflict(_("This incident is closed. Reopen it first."))
    fields = {name: value for name, value in wanted.items() if value is not None and getattr(current, name) != value}
    if not fields:
        return current
    plain = {name: [_plain(getattr(current, name)), _plain(value)] for name, value in fields.items()}
    Incident.objects.filter(pk=current.pk).update(changed_at=timezone.now(), **fields)
    for name, value in fields.items():
        setattr(current, name, value)
    log(current, IncidentLog.Kind.CHANGED, by=by, changes=plain, reason=reason)
    audit.record(
        "incident.change",
        obj=current,
        by=by,
        before={k: v[0] for k, v in plain.items()},
        after={k: v[1] for k, v in plain.items()},
        reason=reason,
    )
    publish(
        events.INCIDENT_CHANGED,
        subject=current,
        agency_id=current.agency_id,
        governorate_id=current.governorate_id,
        data={"fields": sorted(fields)},
    )
    return current


@transaction.atomic
def annotate_incident(*, incident: Incident, by: Actor | None, text: str) -> IncidentLog:
    """Add a note to the timeline."""
    require(by, "annotate", incident)
    text = text.strip()
    if not text or len(text) > MAX_REASON:
        raise Invalid(
            _("Write a note of at most %(limit)d characters.") % {"limit": MAX_REASON},
            fields={"text": _("1 to %(limit)d characters.") % {"limit": MAX_REASON}},
        )
    entry = log(incident, IncidentLog.Kind.NOTE, by=by, reason=text)
    audit.record("incident.note", obj=incident, by=by)
    publish(events.INCIDENT_NOTED, subject=incident, agency_id=incident.agency_id, governorate_id=incident.governorate_id)
    return entry


def _plain(value: Any) -> Any:
    return value.code if isinstance(value, IncidentType) else value


def _worth(value: Any) -> Any:
    """A value as the log keeps it: a row by its number, nothing as ``None``."""
    return getattr(value, "pk", value) or None
