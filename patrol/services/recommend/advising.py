"""Asking for advice, and making it again."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from core.events import publish
from incidents.lifecycle import FINAL
from incidents.models import Incident
from incidents.permissions import require as require_on_incident
from patrol import events
from patrol.analytics.recommend import Ranked, Weights, from_plain, rank, ranked_to_plain, to_plain
from patrol.models import Recommendation
from patrol.permissions import Actor, require_on_duty
from patrol.services.recommend.gathering import candidates_for
from patrol.services.run_cards import ALARM_LEVELS, card_for, needs_of

# A panel drawn anew shows the advice asked for so lately; positions older than that say nothing.
LATEST_FOR = timedelta(minutes=2)


@transaction.atomic
def advise(*, incident: Incident, by: Actor | None, alarm_level: int = 1) -> Recommendation:
    """Rank every unit that could be sent, match them to the run card, and keep it all."""
    require_on_incident(by, "dispatch", incident)
    require_on_duty(by)
    if alarm_level not in ALARM_LEVELS:
        raise Invalid(_("Alarm levels are 1 to 5."), fields={"alarm_level": _("Alarm levels are 1 to 5.")})
    if incident.state in FINAL:
        raise Conflict(_("This incident is closed. Reopen it first."))
    if incident.location is None:
        raise Invalid(_("This incident has no place, so nobody can say who is near. Choose a unit yourself."))
    now = timezone.now()
    card = card_for(incident, alarm_level=alarm_level)
    needs, weights = needs_of(card), Weights(stale_after_s=float(settings.POSITION_STALE_S))
    gathered = candidates_for(incident, by=by, at=now)
    rows, shortfalls = ranked_to_plain(rank(gathered.candidates, needs, weights))
    made = Recommendation.objects.create(
        incident=incident,
        agency_id=incident.agency_id,
        governorate_id=incident.governorate_id,
        alarm_level=alarm_level,
        at=now,
        requested_by_id=getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None,
        provider=gathered.provider,
        inputs={**to_plain(gathered.candidates, needs, weights), "run_card": card.pk if card is not None else None},
        ranked=rows,
        shortfalls=shortfalls,
    )
    publish(
        events.DISPATCH_ADVISED,
        subject=made,
        agency_id=made.agency_id,
        governorate_id=made.governorate_id,
        data={"incident": incident.pk, "shortfalls": len(shortfalls)},
    )
    advised = [row["unit"] for row in rows if row["advised"]]
    audit.record("dispatch.advise", obj=incident, by=by, after={"advice": made.pk, "advised": advised, "alarm_level": alarm_level})
    return made


def replay(recommendation: Recommendation) -> Ranked:
    """The same advice, made again from the row alone."""
    return rank(*from_plain(recommendation.inputs))


def latest_advice(incident: Incident, *, by: Actor, now: datetime) -> Recommendation | None:
    """What this person was advised a moment ago."""
    rows = Recommendation.objects.filter(incident=incident, requested_by_id=getattr(by, "pk", 0), at__gte=now - LATEST_FOR)
    return rows.order_by("-pk").first()
