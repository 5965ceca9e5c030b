"""Tasks: whatever a supervisor or a dispatcher asks of a unit, or of every unit of a team that is on duty."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from core.errors import Conflict, NotFound
from patrol.models import Assignment, Team, Unit
from patrol.permissions import Actor, sees
from patrol.services.assignments import assign


@transaction.atomic
def give_task(*, by: Actor | None, unit: Unit | None = None, team: Team | None = None, **task: Any) -> list[Assignment]:
    """One assignment of kind task for the unit, or for each unit of the team on duty now; all of them or none."""
    if team is not None:
        if not sees(by, team):
            raise NotFound(_("There is no such team."))
        units = list(Unit.objects.filter(team=team).on_duty().order_by("pk"))
        if not units:
            raise Conflict(_("No unit of this team is on duty."))
    else:
        units = [unit] if unit is not None else []
    if not units:
        raise NotFound(_("There is no such unit."))
    return [assign(unit=it, by=by, kind=Assignment.Kind.TASK, **task) for it in units]
