"""What people do with an anomaly: take notice of it, end it, and say whether it was worth their while."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from core import audit
from core.errors import Conflict, Invalid
from core.events import publish_many
from iot import events
from iot.models import Anomaly
from iot.permissions import Actor, require_for
from iot.services.anomalies.announcing import event_of

State = Anomaly.State
MOST_WORDS = 500


def _user(by: Actor | None) -> Any:
    return by if isinstance(by, User) else None


def _read(anomaly: Anomaly, by: Actor | None) -> Anomaly:
    require_for(by, "answer_anomaly", anomaly.device, _("There is no such anomaly."))
    rows = Anomaly.objects.select_for_update(no_key=True, of=("self",)).select_related("device", "datastream__metric")
    return rows.get(pk=anomaly.pk)


def _words(text: str) -> str:
    if len(text) > MOST_WORDS:
        raise Invalid(_("Some fields are not right."), fields={"note": _("At most %(limit)d characters.") % {"limit": MOST_WORDS}})
    return text.strip()


@transaction.atomic
def acknowledge_anomaly(*, anomaly: Anomaly, by: Actor | None) -> Anomaly:
    """Somebody has taken notice. Raises ``Conflict`` where it is acknowledged already, or over."""
    row = _read(anomaly, by)
    changes = {"state": State.ACKNOWLEDGED, "acknowledged_at": timezone.now(), "acknowledged_by": _user(by)}
    if not Anomaly.objects.filter(pk=row.pk, state=State.OPEN).update(**changes):
        raise Conflict(_("This anomaly is acknowledged or over already."))
    return _told(row, changes, events.ANOMALY_ACKNOWLEDGED, "anomaly.acknowledge", by)


@transaction.atomic
def resolve_anomaly(*, anomaly: Anomaly, by: Actor | None, note: str = "") -> Anomaly:
    """A person says that it is over. The same finding comes back only when it has been over in the readings too."""
    row = _read(anomaly, by)
    changes: dict[str, Any] = {
        "state": State.RESOLVED, "because": Anomaly.Because.PERSON, "ended_at": timezone.now(), "resolved_by": _user(by),
        "resolved_note": _words(note),
    }  # fmt: skip
    if not Anomaly.objects.open().filter(pk=row.pk).update(**changes):
        raise Conflict(_("This anomaly is over already."))
    return _told(row, changes, events.ANOMALY_RESOLVED, "anomaly.resolve", by, because=str(Anomaly.Because.PERSON))


@transaction.atomic
def judge_anomaly(*, anomaly: Anomaly, verdict: str, by: Actor | None, note: str = "") -> Anomaly:
    """Useful, or noise. It is counted for its detector and metric; no threshold moves by itself (docs/decisions/0297).

    The last word counts: whoever changes their mind says so again."""
    row = _read(anomaly, by)
    if verdict not in Anomaly.Feedback.values:
        raise Invalid(_("Some fields are not right."), fields={"verdict": _("Useful or noise.")})
    before = row.feedback
    row.feedback, row.feedback_at, row.feedback_by, row.feedback_note = verdict, timezone.now(), _user(by), _words(note)
    row.save(update_fields=["feedback", "feedback_at", "feedback_by", "feedback_note"])
    audit.record("anomaly.judge", obj=row, by=by, before={"feedback": before}, after={"feedback": verdict}, reason=row.feedback_note)
    return row


def _told(row: Anomaly, changes: dict[str, Any], event: str, verb: str, by: Actor | None, **more: Any) -> Anomaly:
    before = row.state
    for name, value in changes.items():
        setattr(row, name, value)
    audit.record(verb, obj=row, by=by, before={"state": before}, after={"state": row.state}, reason=str(changes.get("resolved_note", "")))
    publish_many([event_of(event, row, **more)])
    return row
