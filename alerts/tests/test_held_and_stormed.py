"""ALR-1: what must not be told at once is told once, in time, and says so: storms, waits, cooldowns, and what is so already."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.models import Alert, AlertRule, HeldFiring, Occurrence
from alerts.services.delivery.words import words_for
from alerts.services.engine import hear, look_for_recovery, release_held
from alerts.tests.alerting import Alerting
from alerts.tests.nights import Nights, hot_spots, only_log, said_in
from alerts.tests.test_engine import Log, now, rule_of
from conftest import Cast, Places
from core.events import publish
from core.models import Event
from incidents.models import Incident


@pytest.fixture
def log(alerting: Alerting) -> Log:
    return only_log(alerting)


@pytest.fixture
def nights(places: Places) -> Nights:
    return Nights(places)


# --- storms ---------------------------------------------------------------------------------------


def test_a_rule_that_fires_ten_thousand_times_is_one_storm_that_says_how_many(
    alerting: Alerting, log: Log, django_assert_max_num_queries: Any
) -> None:
    rule_of(alerting, code="each", condition={"types": ["road.closed"]}, group_by=["subject"], most_per_hour=3, level="low")
    Event.objects.bulk_create(Event(type="road.closed", subject_type="road", subject_id=n, data={}) for n in range(10_000))
    with django_assert_max_num_queries(100):
        done = log.hear()
    assert (done.opened, done.stormed) == (3, 9_997)
    storm = Alert.objects.get(kind="storm")
    assert storm.title_en == "Another: more than 3 alerts in an hour, this one stands for 9997 more"
    assert (storm.level, storm.facts["stormed"], storm.occurrence_count, storm.state) == ("high", 9_997, 9_997, "firing")
    assert [line.kind for line in storm.log.all()] == ["opened"]
    assert said_in(storm, "en")[1] == "This alert stands for 9997 more." and "9997" in said_in(storm, "ar")[1]
    assert "9997 more" in words_for(storm, channel="sms", language="en").body
    Event.objects.bulk_create(Event(type="road.closed", subject_type="road", subject_id=n, data={}) for n in range(10_000, 10_005))
    log.hear()
    storm.refresh_from_db()
    assert storm.facts["stormed"] == 10_002 and storm.title_en.endswith("10002 more") and Alert.objects.count() == 4
    assert look_for_recovery(now=now() + timedelta(minutes=14)) == 0
    assert look_for_recovery(now=now() + timedelta(minutes=16)) == 1
    storm.refresh_from_db()
    assert (storm.state, storm.resolved_because) == ("resolved", "recovery")


def test_findings_of_one_run_that_storm_are_all_counted(alerting: Alerting, log: Log, nights: Nights) -> None:
    hot_spots(alerting, most_per_hour=2)
    nights.run(*({"track": str(n), "change": "grown", "count": 30 - n} for n in range(9)))
    events = list(Event.objects.filter(pk__gt=log.last))
    assert log.hear().stormed == 7
    assert Alert.objects.get(kind="storm").facts["stormed"] == 7
    assert {alert.measure for alert in Alert.objects.filter(kind="rule")} == {30, 29}  # the biggest have alerts of their own
    hear(events)
    assert Alert.objects.get(kind="storm").facts["stormed"] == 7 and Alert.objects.count() == 3


# --- first look, patience -------------------------------------------------------------------------


def test_a_rule_about_a_lasting_state_begins_with_what_is_so(alerting: Alerting, log: Log, cast: Cast) -> None:
    silent, back, camera = alerting.schedule, alerting.room, alerting.policy  # any row may be a subject
    for feed in (silent, back):
        publish("feed.silent", subject=feed, data={"minutes": 10, "name": "Feed"}, agency_id=cast.police.pk)
    publish("feed.back", subject=back, data={}, agency_id=cast.police.pk)
    publish("camera.offline", subject=camera, data={"name": "Gate"}, agency_id=cast.police.pk)
    hour_ago = now() - timedelta(hours=1)
    Event.objects.filter(type__in=["feed.silent", "camera.offline"]).update(occurred_at=hour_ago)
    log.hear()
    feeds = rule_of(alerting, code="feeds", source="feed_silence", condition={"after_min": 30}, group_by=["subject"])
    cameras = rule_of(alerting, code="cameras", source="camera", condition={"after_min": 5}, group_by=["subject"])
    patient = rule_of(alerting, code="patient", source="camera", condition={"after_min": 90}, group_by=["subject"])
    for rule in (feeds, cameras, patient):
        publish("alert_rule.activated", subject=rule, data={"rule": rule.pk, "version": 1})
    done = log.hear()
    assert done.opened == 2 and set(Alert.objects.values_list("rule__code", "subject_id")) == {
        ("feeds", silent.pk), ("cameras", camera.pk),
    }  # fmt: skip
    assert Alert.objects.get(rule=feeds).measure == pytest.approx(70, abs=2)
    held = HeldFiring.objects.get()
    assert held.rule == patient and held.due_at - hour_ago == pytest.approx(timedelta(minutes=90), abs=timedelta(seconds=30))
    assert release_held(now=now() + timedelta(minutes=31)) == 1


def test_a_camera_that_was_back_meanwhile_begins_to_be_waited_for_anew(alerting: Alerting, log: Log, cast: Cast) -> None:
    rule_of(alerting, code="cameras", source="camera", condition={"states": ["offline"], "after_min": 5}, group_by=["subject"])
    camera, steady = alerting.schedule, alerting.room

    def say(what: str, minutes_ago: int, subject: Any = camera) -> None:
        publish(what, subject=subject, data={"name": "Gate"}, agency_id=cast.police.pk)
        Event.objects.filter(pk=Event.objects.latest("pk").pk).update(occurred_at=start - timedelta(minutes=minutes_ago))

    start = now()
    say("camera.offline", 4)
    say("camera.offline", 4, steady)
    log.hear()
    say("camera.back", 3)
    say("camera.offline", 1)
    log.hear()
    assert release_held(now=start + timedelta(minutes=2)) == 1  # the other one
    assert Alert.objects.get().subject_type == "contact"
    assert release_held(now=start + timedelta(minutes=3)) == 0 and HeldFiring.objects.count() == 1
    assert release_held(now=start + timedelta(minutes=6)) == 1
    alert = Alert.objects.get(subject_type="oncallschedule")
    assert alert.measure == pytest.approx(7, abs=0.1) and "held_by" not in alert.facts


# --- a type's cooldown and other zones ------------------------------------------------------------


def test_what_a_types_cooldown_held_back_in_another_zone_fires_when_it_ends_and_says_so(
    alerting: Alerting, log: Log, report: Callable[..., Incident], places: Places
) -> None:
    AlertRule.objects.filter(pk=alerting.rule.pk).update(state="active", cooldown_zone_min=30, cooldown_type_min=15)
    for _n in range(3):
        report()
    log.hear()
    for _n in range(3):
        report(location=places.in_jabriya)
    assert log.hear().held == 1
    held = HeldFiring.objects.get()
    assert held.held_by == "type"
    report(location=places.in_jabriya)
    log.hear()  # one more while it waits: it waits no longer for that
    assert HeldFiring.objects.get().due_at == held.due_at
    assert release_held(now=held.due_at - timedelta(seconds=1)) == 0
    assert release_held(now=held.due_at) == 1
    late = Alert.objects.get(zone=places.jabriya)
    assert (late.measure, late.occurrence_count, late.state) == (4, 4, "firing")
    assert late.facts["held_by"] == "type" and datetime.fromisoformat(late.facts["held_since"]) <= now()
    assert "held_by" not in Alert.objects.get(zone=places.salmiya).facts
    assert said_in(late, "en")[-1] == (
        "It was held back for 15 minutes: after another alert the rule is quiet for this incident type, in other zones too."
    )


def test_what_got_through_meanwhile_because_it_was_worse_is_not_told_a_second_time(
    alerting: Alerting, log: Log, report: Callable[..., Incident], places: Places
) -> None:
    AlertRule.objects.filter(pk=alerting.rule.pk).update(state="active", cooldown_zone_min=0, cooldown_type_min=15)
    for _n in range(3):
        report()
    log.hear()
    for _n in range(3):
        report(location=places.in_jabriya)
    log.hear()
    for _n in range(2):
        report(location=places.in_jabriya)
    log.hear()
    alert = Alert.objects.get(zone=places.jabriya)
    assert alert.level == "high" and HeldFiring.objects.count() == 1
    release_held(now=now() + timedelta(minutes=16))
    alert.refresh_from_db()
    assert Alert.objects.filter(zone=places.jabriya).count() == 1 and not HeldFiring.objects.exists()
    assert Occurrence.objects.filter(alert=alert).count() == 5 == alert.occurrence_count
