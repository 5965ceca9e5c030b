"""ALR-1: what happens becomes an alert exactly once, by the rules that are active, and says why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.models import Alert, AlertRule, HeldFiring, Occurrence
from alerts.services import alerts
from alerts.services.engine import hear, look_for_recovery, release_held, still_holds
from alerts.subscribers import SUBSCRIBERS
from alerts.tests.alerting import Alerting
from conftest import Cast, Places
from core.events import publish
from core.models import Event, EventCursor
from core.subscribers import advance
from core.tests.log import number_events
from incidents.models import Incident, IncidentType
from incidents.services import classify_incident, move_incident
from incidents.services.lifecycle import mark_duplicate


def now() -> datetime:
    return datetime.now(UTC)


class Log:
    """Hands the engine what it has not been handed."""

    def __init__(self) -> None:
        self.last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    def hear(self, *, at: datetime | None = None) -> Any:
        events = list(Event.objects.filter(pk__gt=self.last).order_by("pk"))
        self.last = events[-1].pk if events else self.last
        return hear(events, now=at)


@pytest.fixture
def log(alerting: Alerting) -> Log:
    return Log()


def rule_of(alerting: Alerting, **given: Any) -> AlertRule:
    details: dict[str, Any] = {
        "code": "another", "name_en": "Another", "name_ar": "أخرى", "source": AlertRule.Source.EVENT,
        "condition": {"types": ["incident.opened"]},
        "policy": alerting.policy, "state": AlertRule.State.ACTIVE, "group_by": ["zone"], "cooldown_zone_min": 0, "cooldown_type_min": 0,
    }  # fmt: skip
    return AlertRule.objects.create(**{**details, **given})


def test_three_burglaries_in_an_area_are_one_alert_that_says_why(
    alerting: Alerting, log: Log, places: Places, report: Callable[..., Incident]
) -> None:
    first, second = report(), report()
    report(location=places.in_jabriya)
    assert log.hear().opened == 0
    third = report()
    assert log.hear().opened == 1
    alert = Alert.objects.get()
    assert (alert.level, alert.measure, alert.threshold, alert.zone, alert.governorate) == ("medium", 3, 3, places.salmiya, places.hawalli)
    assert set(alert.occurrences.values_list("incident_id", flat=True)) == {first.pk, second.pk, third.pk}
    assert alert.title_en == "Burglaries in one area: Burglary, Salmiya, 3 in 24 h" and "السالمية" in alert.title_ar
    assert {
        "window_h": 24.0,
        "count": 3,
        "before": 0.0,
        "threshold": 3.0,
        "levels": {"medium": 3.0, "high": 5.0},
    }.items() <= alert.facts.items()
    assert alert.facts["group"] == {"type": "burglary", "zone": "T-SAL"}


def test_the_fourth_joins_and_the_fifth_raises_the_level(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    for _n in range(3):
        report()
    log.hear()
    report()
    log.hear()
    alert = Alert.objects.get()
    assert (alert.measure, alert.occurrence_count, alert.level) == (4, 4, "medium")
    report()
    log.hear()
    alert.refresh_from_db()
    assert (alert.measure, alert.occurrence_count, alert.level) == (5, 5, "high")


def test_a_batch_handed_over_again_makes_no_second_alert(alerting: Alerting, report: Callable[..., Incident]) -> None:
    for _n in range(3):
        report()
    events = list(Event.objects.order_by("pk"))
    assert hear(events).opened == 1
    alert = Alert.objects.get()
    alerts.resolve(alert=alert, because="recovery")
    again = hear(events)
    assert again.opened == 0 and Alert.objects.count() == 1


def test_a_worker_killed_before_its_commit_is_as_if_it_had_read_nothing(alerting: Alerting, report: Callable[..., Incident]) -> None:
    subscriber = next(one for one in SUBSCRIBERS if one.name == "alerts.rules")
    for _n in range(3):
        report()
    number_events()
    EventCursor.objects.create(name=subscriber.name, seq=0)

    class Killed(BaseException):
        pass

    from core.subscribers import Subscriber

    def dies(events: Any) -> None:
        subscriber.handle(events)
        raise Killed

    with pytest.raises(Killed):
        advance(Subscriber(subscriber.name, dies))
    assert not Alert.objects.exists()
    advance(subscriber)
    assert Alert.objects.count() == 1 and advance(subscriber) == 0


def test_a_late_report_counts_where_it_belongs(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    report(), report()
    report(occurred_at=now() - timedelta(hours=30))
    assert log.hear().opened == 0
    report(occurred_at=now() - timedelta(hours=20))
    assert log.hear().opened == 1
    assert Alert.objects.get().measure == 3


def test_a_duplicate_is_taken_away_again_and_beneath_the_threshold_the_alert_has_recovered(
    alerting: Alerting, log: Log, report: Callable[..., Incident], cast: Cast
) -> None:
    incidents = [report() for _n in range(4)]
    log.hear()
    alert = Alert.objects.get()
    assert alert.measure == 4
    mark_duplicate(incident=incidents[3], original=incidents[0], by=cast.supervisor)
    log.hear()
    alert.refresh_from_db()
    assert (alert.measure, alert.state, alert.occurrence_count) == (3, "firing", 4)
    move_incident(incident=incidents[2], to="cancelled", by=cast.supervisor, reason="a prank")
    log.hear()
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_because) == ("resolved", "recovery")


def test_what_is_reclassified_counts_as_what_it_is_now(
    alerting: Alerting, log: Log, report: Callable[..., Incident], cast: Cast, burglary: IncidentType
) -> None:
    noise = IncidentType.objects.get_or_create(code="noise", defaults={"name_en": "Noise", "name_ar": "ضوضاء", "category": "nuisance"})[0]
    others = [report(type=noise) for _n in range(3)]
    log.hear()
    assert not Alert.objects.exists()
    for incident in others:
        classify_incident(incident=incident, by=cast.supervisor, type=burglary)
    log.hear()
    alert = Alert.objects.get()
    assert alert.measure == 3
    classify_incident(incident=others[0], by=cast.supervisor, type=noise)
    log.hear()
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_an_import_is_counted_and_its_history_wakes_nobody(
    alerting: Alerting, log: Log, report: Callable[..., Incident], places: Places
) -> None:
    ids = [report(occurred_at=now() - timedelta(days=300 if n < 5 else 0, hours=1)).pk for n in range(8)]
    rule_of(alerting, code="each", group_by=["subject"], types=["burglary"])
    log.last = Event.objects.order_by("-pk").values_list("pk", flat=True)[0]  # as the import said nothing one by one
    publish("incidents.imported", data={"run": 1, "source": "x", "count": 8, "first_id": ids[0], "last_id": ids[-1]})
    log.hear()
    counted = Alert.objects.get(rule=alerting.rule)
    assert counted.measure == 3 and set(counted.occurrences.values_list("incident_id", flat=True)) == set(ids[5:])
    assert Alert.objects.filter(rule__code="each").count() == 3


def test_old_counts_recover_by_the_clock(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    for _n in range(3):
        report()
    log.hear()
    assert look_for_recovery(now=now() + timedelta(hours=12)) == 0
    assert look_for_recovery(now=now() + timedelta(hours=24)) == 1
    assert Alert.objects.get().resolved_because == "recovery"


def test_a_late_reader_judges_by_the_time_of_the_event(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    for _n in range(3):
        report()
    assert log.hear(at=now() + timedelta(hours=40)).opened == 1  # the relay was away for nearly two days
    alert = Alert.objects.get()
    assert alert.caused_at < now() and alert.measure == 3


def test_each_filter_keeps_out_what_it_should(
    alerting: Alerting, log: Log, report: Callable[..., Incident], places: Places, cast: Cast
) -> None:
    AlertRule.objects.filter(pk=alerting.rule.pk).update(state="off")
    wanted: dict[str, dict[str, Any]] = {
        "here": {"zones": ["T-SAL"]}, "there": {"zones": ["T-JAB"]}, "gov": {"governorates": ["T-HA"]},
        "capital": {"governorates": ["T-KU"]},
        "severe": {"least_severity": 4}, "burglary": {"types": ["burglary"]}, "arson": {"types": ["arson"]},
        "police": {"agencies": ["police"]},
        "fire": {"agencies": ["fire"]}, "property": {"categories": ["property"]}, "theirs": {"agency": cast.fire},
    }  # fmt: skip
    for code, filters in wanted.items():
        rule_of(alerting, code=code, **filters)
    report(severity=2)
    log.hear()
    assert set(Alert.objects.values_list("rule__code", flat=True)) == {"here", "gov", "burglary", "police", "property"}


def test_nights_past_midnight_hurry_and_weekends_lower_the_threshold(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    AlertRule.objects.filter(pk=alerting.rule.pk).update(
        levels={"low": 4},
        modifiers=[
            {"when": {"from": "22:00", "to": "05:00"}, "escalate_percent": 50},
            {"when": {"weekdays": ["friday", "saturday"]}, "threshold_percent": -20},
        ],
    )
    # Friday 20 November 2026, 23:30 in Kuwait is 20:30 UTC; counted as of the event.
    for n in range(4):
        report(occurred_at=datetime(2026, 11, 20, 19, n, tzinfo=UTC))
    at = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)  # Saturday, 01:30 in Kuwait
    Event.objects.filter(type="incident.opened").update(occurred_at=at)
    log.hear(at=at)
    alert = Alert.objects.get()
    assert alert.threshold == pytest.approx(3.2)
    assert alert.facts["modifiers"]["threshold_percent"] == -20 and alert.facts["modifiers"]["hurry_percent"] == 50
    assert alert.runs.get().snapshot["hurry_percent"] == 50


def test_a_trend_is_now_over_the_time_before(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    AlertRule.objects.filter(pk=alerting.rule.pk).update(trend_at_least=1.5)
    for n in range(3):
        report(occurred_at=now() - timedelta(hours=30 + n))
    for _n in range(4):
        report()
    log.hear()
    assert not Alert.objects.exists()  # 4 against 3 is 1.33
    report()
    log.hear()
    assert Alert.objects.get().facts["trend"] == pytest.approx(1.667)


# --- cooldown, storm ------------------------------------------------------------------------------


def test_a_cooldown_holds_back_and_drops_nothing(alerting: Alerting, log: Log, report: Callable[..., Incident], cast: Cast) -> None:
    AlertRule.objects.filter(pk=alerting.rule.pk).update(cooldown_zone_min=30, cooldown_type_min=0)
    for _n in range(3):
        report()
    log.hear()
    alerts.resolve(alert=Alert.objects.get(), by=cast.supervisor, because="hand", outcome="seen to")
    report()
    done = log.hear()
    assert (done.opened, done.held) == (0, 1) and Alert.objects.count() == 1
    assert release_held(now=now() + timedelta(minutes=5)) == 0
    assert release_held(now=now() + timedelta(minutes=31)) == 1
    again = Alert.objects.order_by("pk").last()
    assert again is not None and again.measure == 4 and again.state == "firing" and not HeldFiring.objects.exists()


def test_what_is_over_when_a_cooldown_ends_fires_no_more(alerting: Alerting, log: Log, report: Callable[..., Incident], cast: Cast) -> None:
    incidents = [report() for _n in range(3)]
    log.hear()
    alerts.resolve(alert=Alert.objects.get(), by=cast.supervisor, because="hand")
    incidents.append(report())
    log.hear()
    for incident in incidents[:2]:
        move_incident(incident=incident, to="cancelled", by=cast.supervisor, reason="a prank")
    assert release_held(now=now() + timedelta(minutes=31)) == 0 and not HeldFiring.objects.exists()


def test_a_type_is_quiet_in_other_zones_too_but_worse_gets_through(
    alerting: Alerting, log: Log, report: Callable[..., Incident], places: Places
) -> None:
    for _n in range(3):
        report()
    log.hear()
    for _n in range(3):
        report(location=places.in_jabriya)
    assert log.hear().held >= 1 and Alert.objects.count() == 1
    for _n in range(2):
        report(location=places.in_jabriya)
    log.hear()
    assert Alert.objects.filter(zone=places.jabriya, level="high").count() == 1


def test_a_storm_is_one_alert_that_stands_for_the_rest(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    rule_of(alerting, code="each", group_by=["subject"], most_per_hour=3)
    AlertRule.objects.filter(pk=alerting.rule.pk).update(state="off")
    for _n in range(8):
        report()
    done = log.hear()
    assert (done.opened, done.stormed) == (3, 5)
    storm = Alert.objects.get(kind="storm")
    assert storm.occurrence_count == 5 == Occurrence.objects.filter(alert=storm).count()
    assert storm.title_en == "Another: more than 3 alerts in an hour, this one stands for 5 more"
    assert look_for_recovery(now=now() + timedelta(minutes=20)) == 1


# --- rules come and go ----------------------------------------------------------------------------


def test_a_rule_switched_off_fires_no_more_and_its_quiet_alerts_are_over(
    alerting: Alerting, log: Log, report: Callable[..., Incident], cast: Cast
) -> None:
    for _n in range(3):
        report()
    log.hear()
    alert = Alert.objects.get()
    alerts.snooze(alert=alert, by=cast.supervisor, until=now() + timedelta(minutes=10))
    AlertRule.objects.filter(pk=alerting.rule.pk).update(state="off")
    report()
    assert log.hear().alerts == []
    assert still_holds(alert) is False
    alerts.look_after(now=now() + timedelta(minutes=11))
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_because) == ("resolved", "recovery")


def test_a_rule_that_cannot_be_read_holds_up_no_other(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    rule_of(alerting, code="broken", condition={"typos": 1})
    for _n in range(3):
        report()
    assert log.hear().opened == 1


def test_no_rule_hears_of_alerts(alerting: Alerting, log: Log, fire: Callable[..., Alert]) -> None:
    publish("alert.fired", subject=fire(), data={})
    assert log.hear().opened == 0


def test_recovery_by_an_event_about_the_same_subject(alerting: Alerting, log: Log, cast: Cast, places: Places) -> None:
    rule_of(
        alerting, code="silent", source="feed_silence", condition={"after_min": 30}, group_by=["subject"], levels={},
    )  # fmt: skip
    feed, other = alerting.schedule, alerting.room  # any row may be a subject
    publish("feed.silent", subject=feed, data={"minutes": 10, "feed": "a", "name": "Feed A"}, agency_id=cast.police.pk)
    assert log.hear().opened == 0
    publish("feed.silent", subject=feed, data={"minutes": 30, "feed": "a", "name": "Feed A"}, agency_id=cast.police.pk)
    publish("feed.silent", subject=other, data={"minutes": 40, "feed": "b", "name": "Feed B"}, agency_id=cast.police.pk)
    assert log.hear().opened == 2
    publish("feed.back", subject=feed, data={"feed": "a"}, agency_id=cast.police.pk)
    log.hear()
    assert list(Alert.objects.open().values_list("title_en", flat=True)) == ["Another: Feed B, 40 min"]
    # Silent and back within one batch: it pages nobody.
    publish("feed.silent", subject=feed, data={"minutes": 30, "feed": "a", "name": "Feed A"}, agency_id=cast.police.pk)
    publish("feed.back", subject=feed, data={"feed": "a"}, agency_id=cast.police.pk)
    log.hear()
    assert Alert.objects.open().count() == 1


def test_a_camera_has_to_be_away_for_its_while(alerting: Alerting, log: Log, cast: Cast) -> None:
    rule_of(alerting, code="cameras", source="camera", condition={"states": ["offline"], "after_min": 5}, group_by=["subject"])
    camera, other = alerting.schedule, alerting.room
    for one in (camera, other):
        publish("camera.offline", subject=one, data={"name": str(one)}, agency_id=cast.police.pk)
    assert log.hear().opened == 0
    publish("camera.back", subject=other, data={}, agency_id=cast.police.pk)
    log.hear()
    assert release_held(now=now() + timedelta(minutes=6)) == 1
    assert Alert.objects.get().subject_id == camera.pk


def test_the_questions_do_not_grow_with_rules_and_events(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    def rules(number: int, more: int) -> None:
        for n in range(number, number + more):
            rule_of(
                alerting, code=f"c{n}", source="count", condition={"window_h": 24, "per": ("area", "governorate")[n % 2]},
                levels={"low": 1_000}, types=["burglary"],
            )  # fmt: skip

    def questions(events: int) -> int:
        for _n in range(events):
            report()
        log.hear(), report()
        with CaptureQueriesContext(connection) as asked:
            log.hear()
        return len(asked)

    AlertRule.objects.filter(pk=alerting.rule.pk).update(state="off")
    rules(0, 2)
    few = questions(2)
    rules(2, 98)
    assert questions(20) == few


def test_a_point_outside_every_area_is_not_counted(alerting: Alerting, log: Log, report: Callable[..., Incident]) -> None:
    for _n in range(3):
        report(location=None)
    assert log.hear().opened == 0
