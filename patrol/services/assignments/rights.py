"""Who may do what with an assignment. Raises the family of errors; ``None`` is the system itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import NotAllowed, NotFound
from incidents.models import Incident
from incidents.permissions import sees as sees_incident
from patrol.models import AidRequest, Assignment, Duty, Unit
from patrol.permissions import Actor, may, require_on_duty, sees

# The verbs that allow giving out each kind.
TO_ASSIGN = {
    Assignment.Kind.INCIDENT: ("dispatch",),
    Assignment.Kind.TASK: ("task", "dispatch"),
    Assignment.Kind.STOP: ("task", "publish_plan", "dispatch"),
}


def lent_to(incident: Incident, *, at: datetime | None = None) -> Any:
    """The grants under which other agencies' units may be sent to this incident now."""
    now = at or timezone.now()
    return AidRequest.objects.filter(
        Q(ended_at=None) & Q(agreement__ended_at=None),
        incident=incident,
        is_granted=True,
        ends_at__gt=now,
        agreement__starts_at__lte=now,
        agreement__ends_at__gt=now,
        agreement__lender_consent_by__isnull=False,
        agreement__borrower_consent_by__isnull=False,
    ).select_related("agreement")


def is_lent(unit: Unit, incident: Incident) -> bool:
    """Whether the unit's agency has granted its kind of unit to this incident, and the grant still runs."""
    if unit.agency_id == incident.agency_id:
        return False
    grants = lent_to(incident).filter(agreement__lender=unit.agency_id, agreement__borrower=incident.agency_id)
    return any(not grant.agreement.unit_kinds or unit.kind in grant.agreement.unit_kinds for grant in grants)


def require_may_assign(by: Actor | None, *, unit: Unit, kind: str, incident: Incident | None) -> None:
    """Both the unit and the incident lie in the actor's jurisdiction; or one does, and the unit was lent to the incident."""
    if by is None:
        return
    if incident is None:
        if not sees(by, unit):
            raise NotFound(_("There is no such unit."))
    else:
        knows = (sees(by, unit), sees_incident(by, incident))
        if not all(knows) and not (any(knows) and is_lent(unit, incident)):
            raise NotFound(_("There is no such incident.") if knows[0] else _("There is no such unit."))
    if not any(may(by, verb) for verb in TO_ASSIGN[Assignment.Kind(kind)]):
        raise NotAllowed(_("Your role does not allow this."))
    require_on_duty(by)


def sees_assignment(by: Actor | None, assignment: Assignment) -> bool:
    return by is None or sees(by, assignment.unit) or (assignment.incident_id is not None and sees(by, assignment))


def require_may_manage(by: Actor | None, assignment: Assignment) -> None:
    """Cancel, hand over, give to another unit: those who give out work, on duty."""
    if not sees_assignment(by, assignment):
        raise NotFound(_("There is no such assignment."))
    if not any(may(by, verb) for verb in TO_ASSIGN[Assignment.Kind(assignment.kind)]):
        raise NotAllowed(_("Your role does not allow this."))
    require_on_duty(by)


def require_may_move(by: Actor | None, assignment: Assignment, *, at: datetime) -> None:
    """An officer moves what their own unit does, while (or when) on duty on it; who gives out work moves any."""
    if by is None:
        return
    if not sees_assignment(by, assignment):
        raise NotFound(_("There is no such assignment."))
    if may(by, "dispatch"):
        require_on_duty(by)
        return
    if not may(by, "act_in_field"):
        raise NotAllowed(_("Your role does not allow this."))
    duties = Duty.objects.filter(member__user_id=getattr(by, "pk", 0), member__user__isnull=False, unit_id=assignment.unit_id)
    # A tunnel may outlast the shift: what was done while on duty still counts when it arrives.
    if not (duties.open().exists() or duties.covering(at).exists()):
        raise NotAllowed(_("You are not on duty on this unit."))
