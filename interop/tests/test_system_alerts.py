"""INT-7, ALR-1: a system that falls silent becomes an alert by an ordinary rule, once, and its answer ends it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Max
from django.utils import timezone

from alerts.models import Alert, AlertRule, EscalationRun
from core.models import Event
from core.relay import connect, number_pending
from core.subscribers import advance, enlist, find_subscribers
from interop.models import ExternalSystem
from interop.services.systems import Finding, note_findings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rules_hear():
    """The real log: what was announced is numbered, and handed to the rules' reader, cursor and all."""
    (reader,) = [one for one in find_subscribers() if one.name == "alerts.rules"]
    enlist(reader, head=Event.objects.aggregate(head=Max("seq"))["head"] or 0)

    def run():
        with connect() as log:
            number_pending(log)
        while advance(reader):
            pass

    return run


@pytest.fixture
def rule(alerting):
    return AlertRule.objects.create(
        code="system-down", name_en="A system does not answer", name_ar="نظام لا يجيب", source=AlertRule.Source.EVENT, level="high",
        condition={"types": ["system.down"], "where": {"kind": ["cad"]}, "recovers_on": ["system.up"]}, policy=alerting.policy,
        state=AlertRule.State.ACTIVE, group_by=["subject"], cooldown_zone_min=0, cooldown_type_min=0,
    )  # fmt: skip


def test_a_dispatch_system_that_falls_silent_pages_once_and_its_answer_ends_the_alert(rule, cast, rules_hear):
    made = {"agency": cast.police, "health_url": "https://cad.example/health", "state": "up", "failures_to_down": 2}
    cad = ExternalSystem.objects.create(name="CAD", kind="cad", **made)
    maps = ExternalSystem.objects.create(name="Maps", kind="gis", **made)
    now = timezone.now()

    def look(minutes, is_ok=False):
        at = now + timedelta(minutes=minutes)
        note_findings([Finding(one.pk, at, is_ok, error="" if is_ok else "timeout") for one in (cad, maps)])
        rules_hear()

    look(0)
    assert not Alert.objects.exists(), "one failure is not yet down"
    look(1)
    look(2)
    alert = Alert.objects.get()
    assert (alert.rule, alert.agency, alert.level, alert.state) == (rule, cast.police, "high", "firing")
    assert EscalationRun.objects.filter(alert=alert, state="running").exists(), "somebody is told"
    look(3, is_ok=True)
    alert.refresh_from_db()
    assert alert.state == "resolved" and Alert.objects.count() == 1
