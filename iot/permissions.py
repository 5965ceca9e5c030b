"""Plain predicates: may this actor do this with this device? Verbs are those of ``accounts.roles``."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from core.errors import NotAllowed, NotFound
from incidents.permissions import Actor

__all__ = ["Actor", "may_see_devices", "require", "require_for", "sees"]


def sees(actor: Actor | None, row: Any) -> bool:
    """Whether a row with ``agency_id`` and ``governorate_id`` lies in the actor's jurisdiction. ``None`` is the system itself."""
    return actor is None or actor.jurisdiction.admits(agency_id=row.agency_id, governorate_id=row.governorate_id)


def require(actor: Actor | None, verb: str, row: Any = None) -> None:
    """Raise ``NotFound`` for a row outside the actor's jurisdiction, ``NotAllowed`` for a verb outside their role."""
    if row is not None and not sees(actor, row):
        raise NotFound(_("There is no such device."))
    if actor is not None and not actor.can(verb):
        raise NotAllowed(_("Your role does not allow this."))


def require_for(actor: Actor | None, verb: str, device: Any, missing: str) -> None:
    """As ``require``, for what belongs to a device; ``missing`` is what is said of one outside the actor's sight."""
    if not sees(actor, device):
        raise NotFound(missing)
    require(actor, verb)


def may_see_devices(person: Any) -> bool:
    return bool(getattr(person, "can", lambda verb: False)("see_devices"))
