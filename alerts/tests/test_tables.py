"""ALR-4, ALR-5: what the database itself holds about alerts, whatever a program believes."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from alerts.models import Alert, AlertLog, EscalationRun, Page, RuleVersion, StepRun


def test_a_fingerprint_has_one_open_alert_and_any_number_of_resolved_ones(fire):
    first = fire(fingerprint="same")
    with pytest.raises(IntegrityError), transaction.atomic():
        fire(fingerprint="same")
    Alert.objects.filter(pk=first.pk).update(state="resolved", resolved_at=first.caused_at)
    second = fire(fingerprint="same")
    Alert.objects.filter(pk=second.pk).update(state="resolved", resolved_at=first.caused_at)
    fire(fingerprint="same")
    assert Alert.objects.filter(fingerprint="same").count() == 3


def test_the_timeline_and_a_rules_versions_are_never_altered(fire, alerting, cast):
    line = AlertLog.objects.create(alert=fire(), kind=AlertLog.Kind.OPENED)
    version = RuleVersion.objects.create(rule=alerting.rule, number=1, content={})
    for row in (line, version):
        with pytest.raises(DatabaseError), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(**{"note" if row is line else "reason": "altered"})
        with pytest.raises(DatabaseError), transaction.atomic():
            row.delete()


def test_nobody_is_paged_twice_by_one_step_and_a_step_runs_once(fire, alerting, cast):
    alert = fire()
    run = EscalationRun.objects.create(alert=alert, next_at=alert.caused_at)
    step = {"run": run, "loop": 0, "step_no": 0, "kind": "role", "due_at": alert.caused_at, "ran_at": alert.caused_at, "outcome": "done"}
    ran = StepRun.objects.create(**step)
    with pytest.raises(IntegrityError), transaction.atomic():
        StepRun.objects.create(**step)
    page = {"alert": alert, "step_run": ran, "code_expires_at": alert.resolve_due_at}
    Page.objects.create(**page, user=cast.supervisor, code="1")
    Page.objects.create(**page, contact=alerting.room, code="2")
    with pytest.raises(IntegrityError), transaction.atomic():
        Page.objects.create(**page, user=cast.supervisor, code="3")
    with pytest.raises(IntegrityError), transaction.atomic():
        Page.objects.create(**page, contact=alerting.room, code="4")


def test_who_was_paged_sees_that_alert_and_no_other(fire, cast, places):
    foreign = fire(governorate=places.capital, zone=places.sharq)
    fire(governorate=places.capital, zone=places.sharq)
    assert not Alert.objects.visible_to(cast.supervisor).exists()
    Page.objects.create(alert=foreign, user=cast.supervisor, code="1", code_expires_at=foreign.resolve_due_at)
    assert list(Alert.objects.visible_to(cast.supervisor)) == [foreign]
    assert Alert.objects.visible_to(cast.auditor).count() == 2
    cast.supervisor.is_active = False
    del cast.supervisor.jurisdiction
    assert not Alert.objects.visible_to(cast.supervisor).exists()
