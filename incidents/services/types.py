"""Keeping the vocabulary in order: types met in a feed are confirmed, or folded into one we know."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid, NotAllowed
from core.events import publish
from incidents import events
from incidents.models import Incident, IncidentLog, IncidentType, TypeMapping
from incidents.permissions import Actor, require

# Each incident keeps, in its own log, that its type changed and who changed it: in one statement, however many there are.
_MOVE = """
WITH moved AS (UPDATE incidents_incident SET type_id = %(to)s, changed_at = %(now)s WHERE type_id = %(from)s RETURNING id)
INSERT INTO incidents_incidentlog (incident_id, kind, from_state, to_state, changes, author_kind, author_id, author_name, reason)
SELECT id, %(kind)s, '', '', jsonb_build_object('type', jsonb_build_array(%(from_code)s::text, %(to_code)s::text)),
       %(author_kind)s, %(author_id)s, %(author_name)s, %(reason)s FROM moved
"""


@transaction.atomic
def review_type(*, type: IncidentType, by: Actor | None) -> IncidentType:
    """Confirm a type first met in a feed as one of ours."""
    require(by, "classify")
    if not IncidentType.objects.filter(pk=type.pk, is_reviewed=False).update(is_reviewed=True):
        raise Conflict(_("%(name)s is reviewed already.") % {"name": type})
    type.is_reviewed = True
    audit.record("incidenttype.review", obj=type, by=by, before={"is_reviewed": False}, after={"is_reviewed": True})
    return type


@transaction.atomic
def merge_type(*, type: IncidentType, into: IncidentType, by: Actor | None, reason: str = "") -> int:
    """Fold an unreviewed type into one we know: its words mean ``into`` from now on, its incidents move. Returns how many moved.

    Priorities and severities stay as they are. Incidents outside the actor's jurisdiction forbid the merge.
    """
    require(by, "classify")
    locked = {row.pk: row for row in IncidentType.objects.select_for_update().filter(pk__in=[type.pk, into.pk]).order_by("pk")}
    if len(locked) != 2:
        raise Invalid(_("A type cannot be merged into itself."), fields={"into": _("Choose another type.")})
    source, target = locked[type.pk], locked[into.pk]
    if source.is_reviewed:
        raise Conflict(_("%(name)s is a reviewed type; only unreviewed ones are merged.") % {"name": source})
    if not target.is_active or not target.is_reviewed:
        raise Invalid(_("Merge into a reviewed type that is in use."), fields={"into": _("Choose another type.")})
    theirs = Incident.objects.filter(type=source)
    if by is not None and theirs.count() != theirs.visible_to(by).count():
        raise NotAllowed(_("Some incidents of this type lie outside your jurisdiction."))
    words = list(TypeMapping.objects.filter(type=source).values_list("word", flat=True))
    TypeMapping.objects.filter(type=source).update(type=target)
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            {
                "from": source.pk,
                "to": target.pk,
                "now": timezone.now(),
                "kind": IncidentLog.Kind.CHANGED,
                "from_code": source.code,
                "to_code": target.code,
                "author_kind": getattr(by, "audit_kind", "system"),
                "author_id": getattr(by, "pk", None),
                "author_name": str(getattr(by, "audit_name", ""))[:150],
                "reason": reason,
            },
        )
        count = cursor.rowcount
    source.is_active, source.is_reviewed = False, True
    source.save(update_fields=["is_active", "is_reviewed"])
    audit.record(
        "incidenttype.merge",
        obj=source,
        by=by,
        before={"type": source.code, "words": words},
        after={"type": target.code, "incidents": count},
        reason=reason,
    )
    publish(events.INCIDENT_TYPE_MERGED, subject=target, data={"from": source.code, "to": target.code, "count": count})
    return count
