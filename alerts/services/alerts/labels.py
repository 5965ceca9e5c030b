"""What matchers see of an alert."""

from __future__ import annotations

from django.db.models import QuerySet

from alerts.models import Alert

WITH_LABELS = ("rule", "agency", "governorate", "zone")


def labels_of(alert: Alert) -> dict[str, str]:
    return {
        "rule": alert.rule.code if alert.rule else "",
        "kind": alert.kind,
        "level": alert.level,
        "source": alert.rule.source if alert.rule else "",
        "agency": alert.agency.slug if alert.agency else "",
        "governorate": alert.governorate.code if alert.governorate else "",
        "zone": alert.zone.code if alert.zone else "",
        "type": alert.type_code,
        "category": alert.category,
    }


def with_labels(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    """With all that labels are read from, and without what is heavy."""
    return alerts.select_related(*WITH_LABELS).defer("governorate__boundary", "zone__boundary")
