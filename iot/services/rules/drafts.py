"""The draft of an incident that a rule made: nothing is an incident, counted or dispatched, until a person says that it is one."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from core import audit
from core.errors import Conflict
from incidents.services.manual import open_by_hand
from iot.models import RuleFiring
from iot.permissions import Actor, require_for

Draft = RuleFiring.Draft


@transaction.atomic
def confirm_draft(*, firing: RuleFiring, by: Actor) -> RuleFiring:
    """A person opens it: by the same service as an incident that is typed in, under their own name and rights."""
    row = _decided(firing, Draft.CONFIRMED, by)
    device, rule = row.device, row.rule
    assert rule.incident_type is not None
    values = ", ".join(f"{name} {value:g}" for name, value in row.facts.get("values", {}).items())
    row.incident = open_by_hand(
        agency=rule.agency, type=rule.incident_type, occurred_at=row.began_at, by=by, location=device.location,
        description=f"{rule.name_ar} / {rule.name_en}: {device.code} {device.name}. {values}".strip(),
    )  # fmt: skip
    row.save(update_fields=["incident"])
    audit.record("incident_draft.confirm", obj=row, by=by, after={"incident": row.incident.ref})
    return row


@transaction.atomic
def dismiss_draft(*, firing: RuleFiring, by: Actor, reason: str = "") -> RuleFiring:
    row = _decided(firing, Draft.DISMISSED, by)
    audit.record("incident_draft.dismiss", obj=row, by=by, reason=reason[:500])
    return row


def _decided(firing: RuleFiring, to: str, by: Actor) -> RuleFiring:
    require_for(by, "open", firing.device, _("There is no such draft."))
    changes: dict[str, Any] = {"draft": to, "decided_by": by if isinstance(by, User) else None, "decided_at": timezone.now()}
    if not RuleFiring.objects.filter(pk=firing.pk, draft=Draft.WAITING).update(**changes):
        raise Conflict(_("Somebody has decided on this draft already."))
    return RuleFiring.objects.select_related("rule__agency", "rule__incident_type", "device").get(pk=firing.pk)
