"""No silent nobody: a step that finds no reachable person on duty is itself something a person must hear of."""

from __future__ import annotations

from datetime import datetime

from alerts.choices import Level
from alerts.models import Alert, EscalationRun, StepRun
from alerts.services.alerts import open_alert

ABOUT_OURSELVES = frozenset({Alert.Kind.COVERAGE, Alert.Kind.AUDIT})


def is_quiet(alert: Alert, now: datetime) -> bool:
    """Open, but paging nobody for now."""
    if alert.silenced_by_id is not None or alert.inhibited_by_id is not None:
        return True
    return any(until is not None and until > now for until in (alert.snoozed_until, alert.muted_until))


def fingerprint_of(alert: Alert, step_no: int) -> str:
    return f"coverage:{alert.pk}:{step_no}"


def raise_coverage(alert: Alert, *, run: EscalationRun, row: StepRun, now: datetime) -> Alert | None:
    """Once for each (alert, step), however often it is repeated; never about an alert that is itself about the alerting."""
    if alert.kind in ABOUT_OURSELVES:
        return None
    fingerprint = fingerprint_of(alert, row.step_no)
    if Alert.objects.filter(parent=alert, fingerprint=fingerprint).exists():
        return None
    names = {"en": run.snapshot.get("name_en") or "", "ar": run.snapshot.get("name_ar") or ""}
    return open_alert(
        kind=Alert.Kind.COVERAGE,
        fingerprint=fingerprint,
        level=max(Level(alert.level), Level.HIGH, key=lambda level: level.rank),
        title_en=f"Nobody reached by step {row.step_no + 1}: {alert.title_en}"[:200],
        title_ar=f"لم يُبلَّغ أحد في الخطوة {row.step_no + 1}: {alert.title_ar}"[:200],
        caused_at=now,
        policy=None,
        agency_id=alert.agency_id,
        governorate_id=alert.governorate_id,
        zone_id=alert.zone_id,
        parent=alert,
        subject=("alert", alert.pk),
        facts={"step": row.step_no + 1, "kind": row.kind, "policy_en": names["en"], "policy_ar": names["ar"]},
        is_synthetic=alert.is_synthetic,
        now=now,
    )
