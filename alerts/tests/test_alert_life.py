"""ALR-4: an alert's life, verb by verb: opened once, joined, acknowledged, snoozed, muted, resolved, fired again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from alerts.models import Alert, AlertLog, AlertRule, AlertState, EscalationRun, Occurrence, Page, Through
from alerts.services import alerts
from alerts.tests.alerting import Alerting
from conftest import Cast, Places
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event

pytestmark = pytest.mark.usefixtures("this_minute")
NOW = datetime.now(UTC).replace(second=0, microsecond=0)


def opened(alerting: Alerting, places: Places, **given: Any) -> Alert:
    """An alert of the burglary rule in Salmiya, by the verb."""
    details: dict[str, Any] = {
        "kind": Alert.Kind.RULE, "fingerprint": "burglaries|salmiya", "level": "medium", "title_en": "Burglaries in Salmiya",
        "title_ar": "سرقات في السالمية", "caused_at": NOW, "rule": alerting.rule, "agency_id": alerting.policy.agency_id,
        "governorate_id": places.hawalli.pk, "zone_id": places.salmiya.pk, "measure": 3.0, "threshold": 3.0, "event_id": 1,
        "type_code": "burglary", "category": "property",
    }  # fmt: skip
    return alerts.open_alert(**{**details, **given})


def going(alert: Alert) -> int:
    return EscalationRun.objects.filter(alert=alert, state="running").count()


def test_an_alert_is_opened_with_its_run_its_log_and_its_event(alerting: Alerting, places: Places) -> None:
    alert = opened(alerting, places)
    assert (alert.state, alert.level, alert.occurrence_count) == ("firing", "medium", 1)
    assert going(alert) == 1
    assert [line.kind for line in alert.log.all()] == ["opened"]
    assert Event.objects.filter(type="alert.fired", subject_id=alert.pk, governorate_id=places.hawalli.pk).count() == 1


def test_the_same_event_again_is_one_alert_and_one_occurrence(alerting: Alerting, places: Places) -> None:
    first, again = opened(alerting, places), opened(alerting, places)
    assert first.pk == again.pk
    assert again.occurrence_count == Occurrence.objects.filter(alert=first).count() == 1
    assert Event.objects.filter(type__startswith="alert.").count() == 1


def test_another_event_joins_and_raises_the_level_where_it_is_worse(alerting: Alerting, places: Places) -> None:
    opened(alerting, places)
    alert = opened(alerting, places, event_id=2, level="high", measure=5.0, facts={"now": 5})
    assert (alert.level, alert.occurrence_count, alert.measure, alert.facts) == ("high", 2, 5.0, {"now": 5})
    milder = opened(alerting, places, event_id=3, level="low", measure=5.0)
    assert (milder.level, milder.occurrence_count) == ("high", 3)
    assert going(alert) == 1
    assert [line.kind for line in alert.log.all()] == ["opened", "joined", "raised", "joined"]


@pytest.mark.django_db(transaction=True)
def test_two_first_events_of_a_group_at_once_are_one_alert(alerting: Alerting, places: Places) -> None:
    barrier, made, failed = Barrier(4), [], []

    def arrive(number: int) -> None:
        try:
            barrier.wait(10)
            made.append(opened(alerting, places, event_id=number).pk)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [Thread(target=arrive, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == [] and len(set(made)) == 1
    alert = Alert.objects.get()
    assert alert.occurrence_count == Occurrence.objects.filter(alert=alert).count() == 4
    assert EscalationRun.objects.filter(alert=alert).count() == 1


def test_what_got_worse_after_it_was_acknowledged_fires_again(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.supervisor, through=Through.SCREEN)
    assert opened(alerting, places, event_id=2).state == AlertState.ACKNOWLEDGED  # no worse: whoever has it goes on
    worse = opened(alerting, places, event_id=3, level="critical")
    assert worse.state == AlertState.FIRING and worse.acknowledged_by is None and worse.first_acknowledged_at is not None
    assert going(worse) == 1


def test_what_comes_after_the_group_window_of_an_acknowledged_alert_is_a_new_one(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.supervisor, through=Through.SCREEN)
    later = datetime.now(UTC) + timedelta(minutes=61)
    new = opened(alerting, places, event_id=2, group_window_min=60, now=later)
    alert.refresh_from_db()
    assert new.pk != alert.pk and new.parent == alert and new.state == AlertState.FIRING and going(new) == 1
    assert (alert.state, alert.resolved_because) == ("resolved", "time")


def test_what_is_told_twice_does_not_end_the_alert_it_belongs_to(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.supervisor, through=Through.SCREEN)
    again = opened(alerting, places, group_window_min=60, now=NOW + timedelta(days=3))
    assert again.pk == alert.pk and again.state == AlertState.ACKNOWLEDGED


# --- acknowledging -------------------------------------------------------------------------------


def test_acknowledging_stops_the_escalation_and_says_who_through_what(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.dispatcher, through=Through.LINK)
    assert (alert.acknowledged_by, alert.acknowledged_through, alert.acknowledged_by_contact) == (cast.dispatcher, "link", None)
    assert going(alert) == 0
    line = alert.log.last()
    assert line is not None and (line.kind, line.by, line.through) == ("acknowledged", cast.dispatcher, "link")
    assert AuditEntry.objects.filter(verb="alert.acknowledge", object_id=str(alert.pk)).exists()


def test_acknowledging_twice_is_a_conflict_that_names_who_did(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.dispatcher, through=Through.SCREEN)
    with pytest.raises(Conflict, match="dispatcher has acknowledged it already"):
        alerts.acknowledge(alert=alert, by=cast.supervisor, through=Through.SCREEN)
    assert AlertLog.objects.filter(alert=alert, kind="acknowledged").count() == 1


def test_a_contact_acknowledges_only_what_it_was_paged_for(alerting: Alerting, places: Places) -> None:
    alert = opened(alerting, places)
    with pytest.raises(NotAllowed):
        alerts.acknowledge(alert=alert, contact=alerting.room, through=Through.SMS)
    page = Page.objects.create(alert=alert, contact=alerting.room, next_at=NOW, code=uuid4().hex[:12], code_expires_at=NOW)
    alerts.acknowledge(alert=alert, contact=alerting.room, through=Through.SMS, page=page)
    assert alert.acknowledged_by_contact == alerting.room
    with pytest.raises(Conflict, match="Hawalli operations has acknowledged"):
        alerts.acknowledge(alert=alert, contact=alerting.room, through=Through.SMS, page=page)


def test_nobody_acknowledges_what_they_do_not_see(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    with pytest.raises(NotFound):
        alerts.acknowledge(alert=alert, by=cast.firefighter, through=Through.SCREEN)
    with pytest.raises(NotAllowed):
        alerts.acknowledge(alert=alert, by=cast.analyst, through=Through.SCREEN)
    with pytest.raises(Invalid):
        alerts.acknowledge(alert=alert, through=Through.SCREEN)
    assert going(alert) == 1


def test_letting_go_fires_it_again(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.supervisor, through=Through.SCREEN)
    alert = alerts.unacknowledge(alert=alert, because="called away", by=cast.supervisor)
    assert alert.state == AlertState.FIRING and going(alert) == 1
    assert list(EscalationRun.objects.filter(alert=alert).order_by("number").values_list("number", flat=True)) == [1, 2]
    with pytest.raises(Conflict):
        alerts.unacknowledge(alert=alert, because="again")


# --- snooze, mute, override ----------------------------------------------------------------------


def test_a_snooze_pages_nobody_until_its_end(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    until = datetime.now(UTC) + timedelta(hours=2)
    alert = alerts.snooze(alert=alert, by=cast.dispatcher, until=until, reason="crew is there")
    assert alert.snoozed_until == until and going(alert) == 0
    assert Alert.objects.quiet().filter(pk=alert.pk).exists()
    for wrong in (datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC) + timedelta(hours=25)):
        with pytest.raises(Invalid):
            alerts.snooze(alert=alert, by=cast.dispatcher, until=wrong)


def test_a_mute_needs_a_reason_and_the_right_to_override(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert, until = opened(alerting, places), datetime.now(UTC) + timedelta(hours=2)
    with pytest.raises(NotAllowed):
        alerts.mute(alert=alert, by=cast.analyst, until=until, reason="no")
    with pytest.raises(Invalid):
        alerts.mute(alert=alert, by=cast.supervisor, until=until, reason=" ")
    alerts.mute(alert=alert, by=cast.supervisor, until=until, reason="exercise")
    assert going(alert) == 0
    assert AuditEntry.objects.get(verb="alert.mute").reason == "exercise"


def test_escalating_by_hand_brings_the_next_step_at_once_and_breaks_a_mute(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    EscalationRun.objects.filter(alert=alert).update(next_at=NOW + timedelta(hours=1))
    alerts.escalate_now(alert=alert, by=cast.supervisor, reason="fire spreads")
    assert EscalationRun.objects.filter(alert=alert, next_at__lte=datetime.now(UTC)).count() == 1
    alerts.mute(alert=alert, by=cast.supervisor, until=datetime.now(UTC) + timedelta(hours=1), reason="exercise")
    alert = alerts.escalate_now(alert=alert, by=cast.supervisor, reason="no exercise after all")
    assert alert.muted_until is None and going(alert) == 1


def test_handing_over_pages_whoever_takes_it(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.dispatcher, through=Through.SCREEN)
    alert = alerts.reassign(alert=alert, by=cast.dispatcher, to_user=cast.supervisor, reason="end of shift")
    assert alert.state == AlertState.FIRING
    line = alert.log.get(kind="reassigned")
    assert line.facts["to"] == cast.supervisor.pk


def test_a_note_needs_words(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    with pytest.raises(Invalid):
        alerts.note(alert=alert, by=cast.dispatcher, text=" ")
    assert alerts.note(alert=alert, by=cast.dispatcher, text="Two cars seen").note == "Two cars seen"


# --- resolving -----------------------------------------------------------------------------------


def test_resolving_ends_it_and_the_same_thing_may_open_another(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alert = alerts.resolve(alert=alert, by=cast.supervisor, because="hand", outcome="patrol was there", was_needed=True)
    assert (alert.state, alert.resolved_by, alert.was_needed) == ("resolved", cast.supervisor, True) and going(alert) == 0
    with pytest.raises(Conflict, match="supervisor has resolved it already"):
        alerts.resolve(alert=alert, by=cast.supervisor, because="hand")
    with pytest.raises(Conflict):
        alerts.acknowledge(alert=alert, by=cast.supervisor, through=Through.SCREEN)
    with pytest.raises(Conflict):
        alerts.refire(alert=alert, because="no")
    assert opened(alerting, places, event_id=2).pk != alert.pk


def test_an_alert_nobody_resolves_is_over_by_time(alerting: Alerting, places: Places, cast: Cast) -> None:
    AlertRule.objects.update(resolves_by_recovery=False)
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.supervisor, through=Through.SCREEN)
    assert "by time" not in alerts.look_after(now=alert.opened_at + timedelta(hours=23))
    assert alerts.look_after(now=alert.opened_at + timedelta(hours=25))["by time"] == 1
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_because) == ("resolved", "time")


# --- by hand -------------------------------------------------------------------------------------


def test_a_person_raises_an_alert_for_people_and_contacts(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = alerts.raise_manual(
        by=cast.dispatcher, title="Smoke over the market", text="Seen from the tower", level="high", agency=cast.police,
        zone=places.salmiya, location=places.in_salmiya, users=[cast.supervisor, cast.supervisor], contacts=[alerting.room],
    )  # fmt: skip
    assert (alert.kind, alert.governorate, alert.zone) == ("manual", places.hawalli, places.salmiya)
    assert AuditEntry.objects.filter(verb="alert.raise").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"title": " "}, {"title": "x" * 201}, {"level": "awful"}, {"channels": ["pigeon"]}, {"users": []}],
    ids=["no title", "long title", "unknown level", "unknown channel", "nobody"],
)
def test_a_manual_alert_that_makes_no_sense_is_refused(alerting: Alerting, cast: Cast, wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"title": "Smoke", "text": "", "level": "high", "agency": cast.police, "users": [cast.supervisor]}
    with pytest.raises(Invalid):
        alerts.raise_manual(by=cast.dispatcher, **{**given, **wrong})


def test_nobody_raises_alerts_outside_their_jurisdiction(alerting: Alerting, places: Places, cast: Cast) -> None:
    given: dict[str, Any] = {"title": "Smoke", "text": "", "level": "high", "users": [cast.supervisor]}
    with pytest.raises(Invalid):
        alerts.raise_manual(by=cast.dispatcher, agency=cast.fire, **given)
    with pytest.raises(Invalid):
        alerts.raise_manual(by=cast.dispatcher, agency=cast.police, governorate=places.capital, **given)
    with pytest.raises(NotAllowed):
        alerts.raise_manual(by=cast.officer, agency=cast.police, **given)
