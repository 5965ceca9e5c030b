"""What an incident calls for: the run card of its type and alarm level."""

from __future__ import annotations

from django.db.models import F, Q

from incidents.models import Incident
from patrol.analytics.recommend import Need
from patrol.models import Recommendation, RunCard

ALARM_LEVELS = range(1, 6)


def card_for(incident: Incident, *, alarm_level: int) -> RunCard | None:
    """The card of the incident's own type, else the card for any type; of its level, else of the highest below it."""
    cards = RunCard.objects.filter(Q(type=incident.type_id) | Q(type=None), agency=incident.agency_id, is_active=True)
    found = cards.filter(alarm_level__lte=alarm_level).order_by(F("type").asc(nulls_last=True), "-alarm_level")
    return found.prefetch_related("lines__skill").first()


def needs_of(card: RunCard | None) -> list[Need]:
    """One need for each unit wanted. Without a card: one unit of any kind."""
    if card is None:
        return [Need()]
    needs = []
    for line in card.lines.all():
        limit = line.within_minutes * 60.0 if line.within_minutes is not None else None
        need = Need(kind=line.kind, skill=line.skill.code if line.skill is not None else "", within_s=limit)
        needs += [need] * line.count
    return needs or [Need()]


def alarm_level_of(incident: Incident) -> int:
    """The level that advice was last asked for; 1 to begin with."""
    return Recommendation.objects.filter(incident=incident).order_by("-pk").values_list("alarm_level", flat=True).first() or 1
