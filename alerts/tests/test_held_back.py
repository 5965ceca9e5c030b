"""ALR-1: what a cooldown holds back of several counts of one group is counted again, each of them, when the cooldown ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.models import Alert, AlertRule, HeldFiring
from alerts.services import alerts
from alerts.services.engine import hear, release_held
from core.models import Event

LATER = timedelta(minutes=31)


@pytest.fixture
def said(alerting):
    """Everything said since the last time, handed to the engine."""
    last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    def listen():
        nonlocal last
        events = list(Event.objects.filter(pk__gt=last).order_by("pk"))
        last = events[-1].pk if events else last
        return hear(events)

    return listen


def test_two_areas_of_one_group_wait_in_one_row_and_the_one_that_is_still_wrong_fires(alerting, cast, report, said, places):
    AlertRule.objects.filter(pk=alerting.rule.pk).update(group_by=["governorate"], cooldown_zone_min=30, cooldown_type_min=30)
    for _n in range(3):
        report()
    said()
    alerts.resolve(alert=Alert.objects.get(), by=cast.supervisor, because="hand")
    report()
    said()
    held = HeldFiring.objects.get()
    assert [one["zone"] for one in held.draft["fact"]["why"]["asks"]] == [places.salmiya.pk]
    in_jabriya = [report(location=places.in_jabriya) for _n in range(4)]
    said()
    kept = HeldFiring.objects.get()
    assert kept.pk == held.pk and kept.due_at == held.due_at
    assert {one["zone"] for one in kept.draft["fact"]["why"]["asks"]} == {places.salmiya.pk, places.jabriya.pk}

    assert release_held(now=datetime.now(UTC) + LATER) == 1
    again = Alert.objects.order_by("-pk").first()
    assert again is not None and again.state == "firing" and again.measure == 4
    assert {incident.pk for incident in in_jabriya} <= set(again.occurrences.values_list("incident_id", flat=True))


def test_what_is_held_is_written_once_however_much_comes_after(alerting, cast, report, said):
    AlertRule.objects.filter(pk=alerting.rule.pk).update(cooldown_zone_min=30, levels={"medium": 3})
    for _n in range(3):
        report()
    said()
    alerts.resolve(alert=Alert.objects.get(), by=cast.supervisor, because="hand")
    report()
    said()
    before = HeldFiring.objects.extra(select={"version": "xmin::text || ctid::text"}).values_list("version", flat=True).get()
    for _n in range(5):
        report()
        assert said().held == 1
    assert HeldFiring.objects.extra(select={"version": "xmin::text || ctid::text"}).values_list("version", flat=True).get() == before
