"""One alert: its page, and the same part again for its script."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from alerts.models import Alert
from alerts.services.why import why_of
from core.events import log_head
from dashboard.alert_layer import place_of
from dashboard.alert_page import next_of, severity_of, timeline_of, told_of
from dashboard.alert_queue import WAITS, alerts_for, quiet_words, verbs_of
from dashboard.answers import person_of
from dashboard.views.alert_acts import find_alert, people_to_hand_to
from incidents.models import Incident

LATEST = 20


@login_required
@require_safe
@never_cache
def page(request: HttpRequest, pk: str) -> HttpResponse:
    return render(request, "dashboard/alerts/alert.html", facts_of(request, pk))


@login_required
@require_safe
@never_cache
def part(request: HttpRequest, pk: str) -> HttpResponse:
    return render(request, "dashboard/alerts/_alert.html", {**facts_of(request, pk), "is_part": True})


def facts_of(request: HttpRequest, pk: str) -> dict[str, Any]:
    user, head = person_of(request), log_head()
    alert: Alert = find_alert(user, pk)
    verbs = verbs_of(user, alert)
    seen = Incident.objects.visible_to(user)
    occurrences = alert.occurrences.order_by("-id")
    incidents = seen.filter(pk__in=occurrences.filter(incident__isnull=False).values("incident_id")).for_card().order_by("-pk")[:LATEST]
    return {
        "alert": alert,
        "severity": severity_of(alert),
        "quiet": quiet_words(alert),
        "next": next_of(alert),
        "why": why_of(alert),
        "lines": timeline_of(alert),
        "told": told_of(alert),
        "verbs": verbs,
        "waits": WAITS,
        "people": list(people_to_hand_to(user, alert).order_by("username")[:200]) if "reassign" in verbs else [],
        "incident": seen.filter(pk=alert.incident_id).select_related("region", "type").first() if alert.incident_id else None,
        "incidents": list(incidents),
        "children": list(alerts_for(user).filter(parent=alert).order_by("-id")[:LATEST]),
        "parent": alerts_for(user).filter(pk=alert.parent_id).first() if alert.parent_id else None,
        "has_place": place_of(alert) is not None,
        "live_head": head,
        "now": timezone.now(),
    }
