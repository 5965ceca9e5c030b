"""ING-9, ACC-1: an incident's steps, their times, their refusals, and what each leaves behind."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.lifecycle import FINAL, State, next_states
from incidents.models import Incident, IncidentLog, Report
from incidents.services import (
    annotate_incident,
    classify_incident,
    close_incident,
    mark_duplicate,
    move_incident,
    open_incident,
    reopen_incident,
)


def test_a_report_opens_an_incident_with_its_zones_its_raw_words_its_log_and_its_event(report, places):
    incident = report(raw={"text": "نافذة مكسورة"}, description="نافذة مكسورة")
    assert (incident.governorate, incident.area) == (places.hawalli, places.salmiya)
    assert Report.objects.get(incident=incident).raw == {"text": "نافذة مكسورة"}
    assert incident.log.get().to_state == State.RECEIVED
    event = Event.objects.get(type="incident.opened")
    assert (event.subject_id, event.governorate_id, event.seq) == (incident.pk, places.hawalli.pk, None)
    assert AuditEntry.objects.about("incidents.incident", incident.pk).get().verb == "incident.open"
    assert Incident.objects.by_ref(incident.ref).get() == incident
    assert Incident.objects.matching("مكسوره").get() == incident


def test_the_same_source_and_id_open_one_incident(report):
    first = report(external_id="A-1")
    assert report(external_id="A-1") == first
    assert Incident.objects.count() == Report.objects.count() == Event.objects.count() == 1


def test_a_point_at_sea_is_refused_with_the_field_named_and_leaves_nothing(report, places):
    with pytest.raises(Invalid) as refusal:
        report(location=places.at_sea)
    assert list(refusal.value.fields) == ["location"]
    assert not Incident.objects.exists() and not Report.objects.exists() and not Event.objects.exists()


def test_the_usual_way_keeps_every_first_time(report, cast):
    incident = report()
    for state in (State.CLASSIFIED, State.QUEUED, State.DISPATCHED, State.EN_ROUTE, State.ON_SCENE, State.CLEARED):
        incident = move_incident(incident=incident, to=state, by=cast.supervisor)
    incident = close_incident(incident=incident, by=cast.supervisor, disposition="report_taken")
    first_on_scene, first_closed = incident.on_scene_at, incident.closed_at
    incident = reopen_incident(incident=incident, by=cast.supervisor, reason="caller rang again")
    assert incident.disposition == ""
    incident = move_incident(incident=incident, to=State.ON_SCENE, by=cast.supervisor)
    incident = close_incident(incident=incident, by=cast.supervisor, disposition="resolved")
    assert (incident.on_scene_at, incident.closed_at) == (first_on_scene, first_closed)
    assert [entry.to_state for entry in incident.log.all()][-4:] == ["closed", "reopened", "on_scene", "closed"]


def test_a_step_on_a_state_that_moved_on_is_a_conflict(report, cast):
    incident = report()
    stale = Incident.objects.get(pk=incident.pk)
    move_incident(incident=incident, to=State.DISPATCHED, by=cast.dispatcher)
    with pytest.raises(Conflict):
        move_incident(incident=stale, to=State.DISPATCHED, by=cast.dispatcher)
    assert IncidentLog.objects.filter(incident=incident, to_state=State.DISPATCHED).count() == 1


def test_closing_twice_is_a_conflict_and_closing_without_an_ending_is_invalid(report, cast):
    incident = report()
    with pytest.raises(Invalid):
        close_incident(incident=incident, by=cast.supervisor, disposition="")
    close_incident(incident=incident, by=cast.supervisor, disposition="no_action")
    with pytest.raises(Conflict):
        close_incident(incident=incident, by=cast.supervisor, disposition="no_action")


def test_exits_ask_for_a_reason(report, cast):
    with pytest.raises(Invalid):
        move_incident(incident=report(), to=State.CANCELLED, by=cast.supervisor)


def test_a_duplicate_names_its_original_and_chains_are_refused(report, cast):
    original, repeat, third = report(), report(), report()
    mark_duplicate(incident=repeat, original=original, by=cast.supervisor)
    with pytest.raises(Invalid):
        mark_duplicate(incident=third, original=repeat, by=cast.supervisor)
    with pytest.raises(Invalid):
        mark_duplicate(incident=third, original=third, by=cast.supervisor)


def test_a_new_priority_asks_for_a_reason_and_the_log_names_both(report, cast):
    incident = report()
    with pytest.raises(Invalid):
        classify_incident(incident=incident, by=cast.dispatcher, priority=1)
    changed = classify_incident(incident=incident, by=cast.dispatcher, priority=1, reason="weapon seen")
    assert (changed.priority, changed.state) == (1, State.CLASSIFIED)
    assert changed.log.get(kind="changed").changes == {"priority": [2, 1]}


@pytest.mark.parametrize("who", ["stranger", "firefighter"])
def test_an_incident_outside_the_jurisdiction_does_not_exist(report, cast, who):
    with pytest.raises(NotFound):
        annotate_incident(incident=report(), by=getattr(cast, who), text="seen")


def test_roles_refuse_what_is_not_theirs(report, cast):
    incident = report()
    with pytest.raises(NotAllowed):
        close_incident(incident=incident, by=cast.officer, disposition="resolved")
    with pytest.raises(NotAllowed):
        annotate_incident(incident=incident, by=cast.auditor, text="seen")
    with pytest.raises(NotAllowed):
        open_incident(
            source=incident.source,
            type=incident.type,
            occurred_at=incident.occurred_at,
            kind="manual",
            raw={},
            by=cast.officer,
            location=incident.location,
        )


def test_log_and_audit_are_append_only_even_for_raw_sql(report, cast):
    annotate_incident(incident=report(), by=cast.officer, text="window broken")
    for statement in (
        "UPDATE incidents_incidentlog SET reason = 'x'",
        "DELETE FROM core_auditentry",
        "UPDATE core_auditentry SET verb = 'x'",
    ):
        with pytest.raises((IntegrityError, InternalError)), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_every_open_state_leads_to_an_end_and_every_end_only_to_reopening():
    for state in State:
        assert next_states(state) == (State.REOPENED,) if state in FINAL else set(next_states(state)) >= FINAL
