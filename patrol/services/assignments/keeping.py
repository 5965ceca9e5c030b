"""What every step of an assignment leaves behind: its log row, its event, its audit row; and which rows are locked in which order.

Locks are always taken in one order, incident, unit, assignment, so that two people acting on the same things wait instead of failing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core import audit
from core.events import publish
from incidents.models import Incident
from patrol.models import Assignment, AssignmentLog
from patrol.permissions import Actor

MAX_REASON = 400


def lock_incident(incident_id: int | None) -> Incident | None:
    if incident_id is None:
        return None
    return Incident.objects.select_for_update(of=("self",), no_key=True).select_related("region").defer("search").get(pk=incident_id)


def lock_assignment(pk: int) -> Assignment:
    rows = Assignment.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("unit", "agency").get(pk=pk)


def write_log(
    assignment: Assignment,
    *,
    by: Actor | None,
    at: datetime,
    from_state: str,
    to_state: str,
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
) -> AssignmentLog:
    return AssignmentLog.objects.create(
        assignment=assignment,
        at=at,
        from_state=from_state,
        to_state=to_state,
        author_kind=getattr(by, "audit_kind", "system"),
        author_id=getattr(by, "pk", None),
        author_name=str(getattr(by, "audit_name", ""))[:150],
        reason=reason,
        facts=dict(facts or {}),
    )


def announce(event: str, assignment: Assignment, **data: Any) -> None:
    about = {"unit": assignment.unit_id, "kind": assignment.kind, **data}
    if assignment.incident_id is not None:
        about["incident"] = assignment.incident_id
    publish(event, subject=assignment, agency_id=assignment.agency_id, governorate_id=assignment.governorate_id, data=about)


def keep_in_audit(
    verb: str,
    assignment: Assignment,
    *,
    by: Actor | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    audit.record(verb, obj=assignment, by=by, before=before, after=after, reason=reason)
