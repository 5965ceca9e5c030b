"""Plain predicates: may this actor do this to this incident?"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from django.utils.translation import gettext as _

from accounts.jurisdiction import Jurisdiction
from core.errors import NotAllowed, NotFound
from incidents.models import Incident


@runtime_checkable
class Actor(Protocol):
    """Whoever acts: a person, a partner's key. ``None`` in its place is the system itself."""

    @property
    def jurisdiction(self) -> Jurisdiction: ...

    def can(self, verb: str) -> bool: ...


def sees(actor: Actor | None, incident: Incident) -> bool:
    return actor is None or actor.jurisdiction.admits(agency_id=incident.agency_id, governorate_id=incident.governorate_id)


def may(actor: Actor | None, verb: str, incident: Incident | None = None) -> bool:
    if actor is None:
        return True
    return actor.can(verb) and (incident is None or sees(actor, incident))


def require(actor: Actor | None, verb: str, incident: Incident | None = None) -> None:
    """Raise ``NotFound`` for an incident outside the actor's jurisdiction, ``NotAllowed`` for a verb outside their role."""
    if incident is not None and not sees(actor, incident):
        raise NotFound(_("There is no such incident."))
    if not may(actor, verb, incident):
        raise NotAllowed(_("Your role does not allow this."))


def may_see_feeds(actor: Actor) -> bool:
    """How good each agency's feed is: for those who look after the data, and for the auditor."""
    return any(actor.can(verb) for verb in ("import", "mend_messages", "read_audit"))
