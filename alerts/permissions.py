"""Plain predicates: may this actor do this with this alert, rule, policy or schedule? Verbs are those of ``accounts.roles``.

``see_alerts``     the queue of one's jurisdiction           ``ack_alert``      acknowledge, snooze, note
``override_alert`` mute, escalate, resolve, hand over         ``raise_alert``    a manual alert
``draft_rule``     write and replay rules                     ``manage_alerts``  rules, policies, templates, contacts, silences, channels
``activate_rule``  switch a rule on that another submitted    ``manage_oncall``  schedules and overrides
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from alerts.models import Alert, Page
from core.errors import NotAllowed, NotFound
from incidents.permissions import Actor

__all__ = ["Actor", "is_paged", "may", "require", "sees"]


def sees(actor: Actor | None, row: Any) -> bool:
    """Whether a row with ``agency_id`` (and ``governorate_id``) lies in the actor's jurisdiction. ``None`` is the system itself."""
    if actor is None:
        return True
    is_alert = isinstance(row, Alert)  # one of a place and of no agency is every agency's there
    governorate_id = getattr(row, "governorate_id", None)
    if actor.jurisdiction.admits(agency_id=row.agency_id, governorate_id=governorate_id, or_shared=is_alert):
        return True
    return is_alert and is_paged(actor, row)


def is_paged(actor: Actor | None, alert: Alert) -> bool:
    """Whether this person was paged for it: such a person may see and acknowledge it wherever it lies."""
    user_id = getattr(actor, "pk", None) if getattr(actor, "audit_kind", "") == "user" else None
    return user_id is not None and Page.objects.filter(alert=alert, user_id=user_id).exists()


def may(actor: Actor | None, verb: str, row: Any = None) -> bool:
    if actor is None:
        return True
    if not actor.can(verb) and not (verb == "ack_alert" and isinstance(row, Alert) and is_paged(actor, row)):
        return False
    return row is None or sees(actor, row)


def require(actor: Actor | None, verb: str, row: Any = None) -> None:
    """Raise ``NotFound`` for a row outside the actor's jurisdiction, ``NotAllowed`` for a verb outside their role."""
    if row is not None and not sees(actor, row):
        raise NotFound(_("There is no such thing."))
    if not may(actor, verb, row):
        raise NotAllowed(_("Your role does not allow this."))
