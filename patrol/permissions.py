"""Plain predicates: may this actor do this with this row of the force? Verbs are those of ``accounts.roles``."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from accounts.roles import Role
from core.errors import NotAllowed, NotFound
from incidents.permissions import Actor
from patrol.models import Duty

__all__ = ["Actor", "is_on_duty", "may", "require", "require_on_duty", "sees"]

# Whose role acts only while on duty: a dispatcher who went home changes nothing.
DUTY_BOUND = frozenset({Role.DISPATCHER, Role.OFFICER})


def sees(actor: Actor | None, row: Any) -> bool:
    """Whether a row with ``agency_id`` and ``governorate_id`` lies in the actor's jurisdiction. ``None`` is the system itself."""
    return actor is None or actor.jurisdiction.admits(agency_id=row.agency_id, governorate_id=row.governorate_id)


def may(actor: Actor | None, verb: str, row: Any = None) -> bool:
    if actor is None:
        return True
    return actor.can(verb) and (row is None or sees(actor, row))


def require(actor: Actor | None, verb: str, row: Any = None) -> None:
    """Raise ``NotFound`` for a row outside the actor's jurisdiction, ``NotAllowed`` for a verb outside their role."""
    if row is not None and not sees(actor, row):
        raise NotFound(_("There is no such thing."))
    if not may(actor, verb, row):
        raise NotAllowed(_("Your role does not allow this."))


def is_on_duty(actor: Any) -> bool:
    """Whether this person has a duty open now."""
    return Duty.objects.open().filter(member__user_id=getattr(actor, "pk", None), member__user__isnull=False).exists()


def require_on_duty(actor: Any) -> None:
    """Dispatchers and officers act only while on duty; supervisors and the system always may."""
    if actor is not None and getattr(actor, "role", "") in DUTY_BOUND and not is_on_duty(actor):
        raise NotAllowed(_("You are not on duty. Go on duty first."))
