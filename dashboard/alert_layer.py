"""Alerts on a map: each at its own point, or, without one, where its zone or governorate is labelled, and it says so."""

from __future__ import annotations

from typing import Any

from django.contrib.gis.geos import Point
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.models import Alert, AlertState, Level
from dashboard.alert_queue import alerts_for

MAX_ALERTS = 1_000
DECIMALS = 6


def alert_features(viewer: User) -> list[dict[str, Any]]:
    """Of the open alerts this person is shown, the worst on top of the others."""
    placed = Q(location__isnull=False) | Q(zone__isnull=False) | Q(governorate__isnull=False)
    found = [feature for alert in alerts_for(viewer).open().filter(placed).for_card()[:MAX_ALERTS] if (feature := feature_of_alert(alert))]
    return sorted(found, key=lambda feature: feature["properties"]["severity"])


def place_of(alert: Alert) -> Point | None:
    for place in (alert.location, alert.zone and alert.zone.label_point, alert.governorate and alert.governorate.label_point):
        if isinstance(place, Point):
            return place
    return None


def feature_of_alert(alert: Alert) -> dict[str, Any] | None:
    point = place_of(alert)
    if point is None:
        return None
    zone = alert.zone or alert.governorate
    return {
        "type": "Feature",
        "id": alert.pk,
        "geometry": {"type": "Point", "coordinates": [round(point.x, DECIMALS), round(point.y, DECIMALS)]},
        "properties": {
            "id": alert.pk,
            "severity": Level(alert.level).rank + 1,
            "level": str(Level(alert.level).label),
            "title": alert.title,
            "place": zone.name if zone is not None else "",
            "state": str(AlertState(alert.state).label),
            "acknowledged": alert.state == AlertState.ACKNOWLEDGED,
            "exact": alert.location is not None,
            "synthetic": alert.is_synthetic,
            "at": int(alert.opened_at.timestamp()),
            "url": reverse("alerts-one", args=[alert.pk]),
        },
    }


def alert_layer_config(alert: Alert | dict[str, Any] | None) -> dict[str, Any]:
    """What the layer's script needs; with an alert, or another thing's feature, it stands there alone."""
    return {
        "url": reverse("map-layer", args=["alerts"]),
        "only": feature_of_alert(alert) if isinstance(alert, Alert) else alert,
        "texts": {
            "open": _("Open the alert"),
            "approximate": _("No exact place: shown in the middle of its zone"),
            "synthetic": _("Synthetic data"),
        },
    }
