"""ANA-4: the live near-repeat alert. Raised once, where the test says so, and never of what the analytics do not learn from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.gis.geos import Point
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.models import Event, EventCursor
from core.subscribers import advance
from core.tests.log import number_events
from incidents.lifecycle import State
from incidents.models import Incident, IncidentType, ModelSwitch, NearRepeat, PipelineRun
from incidents.services import move_incident
from incidents.services.near_repeats import raise_near_repeats, warning_of
from incidents.subscribers import SUBSCRIBERS

RAISED = "near_repeat.raised"


def ago(**length):
    return datetime.now(UTC) - timedelta(**length)


def at(east_m=0.0, north_m=0.0):
    return Point(47.92 + east_m / 97_100, 29.35 + north_m / 110_852, srid=4326)


@pytest.fixture
def judged(places):
    """``judged(ratio=…)``: the test of property in Hawalli, significant unless said otherwise."""
    run = PipelineRun.objects.create(key="near", as_of=timezone.now(), status="done")

    def make(**given):
        details = {
            "run": run,
            "region": places.region,
            "governorate": places.hawalli,
            "category": "property",
            "within_m": 200,
            "within_days": 14,
            "incident_count": 400,
            "observed_pairs": 90,
            "expected_pairs": 50,
            "ratio": 1.8,
            "p_value": 0.001,
            "q_value": 0.004,
            "is_significant": True,
            "permutations": 999,
            "seed": 1,
            "learnt_from": ago(days=365),
            "learnt_to": ago(hours=8),
            "is_current": True,
        }
        return NearRepeat.objects.create(**{**details, **given})

    return make


def hear(*incidents):
    return raise_near_repeats(incident_ids=[incident.pk for incident in incidents])


def test_an_incident_near_an_earlier_one_is_announced_with_all_that_is_known(judged, report, places, cast):
    test = judged()
    first = report(location=at(), occurred_at=ago(days=9))
    assert hear(first) == []
    second = report(location=at(80), occurred_at=ago(days=3))
    third = report(location=at(150), occurred_at=ago(hours=2))
    (event,) = hear(third)
    assert (event.subject_type, event.subject_id, event.agency_id, event.governorate_id) == (
        "incident", third.pk, cast.police.pk, places.hawalli.pk,
    )  # fmt: skip
    assert event.data["earlier"] == [second.pk, first.pk] and event.data["count"] == 2
    assert (event.data["within_m"], event.data["within_days"], event.data["ratio"], event.data["test"]) == (200, 14, 1.8, test.pk)
    assert datetime.fromisoformat(event.data["until"]) == third.occurred_at + timedelta(days=14)


def test_it_is_raised_once_however_often_the_event_comes(judged, report):
    judged()
    report(location=at(), occurred_at=ago(days=3))
    incident = report(location=at(50))
    assert len(hear(incident)) == 1 and hear(incident) == [] and hear(incident, incident) == []
    assert Event.objects.filter(type=RAISED).count() == 1


@pytest.mark.parametrize(
    ("east_m", "length", "is_raised"),
    [
        (199, {"days": 1}, True),
        (203, {"days": 1}, False),
        (50, {"days": 13, "hours": 23}, True),
        (50, {"days": 14, "hours": 2}, False),
    ],
)
def test_both_limits_hold_in_metres_and_in_days(judged, report, east_m, length, is_raised):
    judged()
    report(location=at(), occurred_at=ago(**length) - timedelta(hours=0))
    assert bool(hear(report(location=at(east_m), occurred_at=ago(minutes=1)))) is is_raised


def test_where_the_test_is_not_significant_nothing_is_raised(judged, report, places):
    judged(is_significant=False)
    judged(governorate=None)  # the region's is, but the governorate has its own
    report(location=at(), occurred_at=ago(days=1))
    assert hear(report(location=at(10))) == []


def test_a_governorate_without_a_test_of_its_own_is_judged_by_the_region(judged, report):
    judged(governorate=None, ratio=1.3)
    report(location=at(), occurred_at=ago(days=1))
    (event,) = hear(report(location=at(10)))
    assert event.data["ratio"] == 1.3


@pytest.mark.parametrize("standing", [{"is_current": False}, {"learnt_to": datetime(2020, 1, 1, tzinfo=UTC)}, {"category": "fire"}])
def test_a_past_an_old_or_another_categorys_test_raises_nothing(judged, report, standing):
    judged(**standing)
    report(location=at(), occurred_at=ago(days=1))
    assert hear(report(location=at(10))) == []


def test_what_the_analytics_do_not_learn_from_never_raises_nor_counts_as_earlier(judged, report, cast):
    judged()
    drugs = IncidentType.objects.create(code="drugs-x", name_en="Drugs", category="property", enforcement_sensitive=True)
    report(location=at(), occurred_at=ago(days=1), origin="discovered")
    report(location=at(), occurred_at=ago(days=1), type=drugs)
    cancelled = report(location=at(), occurred_at=ago(days=1))
    move_incident(incident=cancelled, to=State.CANCELLED, by=cast.supervisor, reason="mistake")
    report(location=None, occurred_at=ago(days=1))
    assert hear(report(location=at(10))) == []
    assert hear(report(location=at(20), origin="discovered"), report(location=at(20), type=drugs), report(location=None)) == []


def test_real_incidents_are_not_warned_of_by_made_up_ones(judged, report):
    judged()
    report(location=at(), occurred_at=ago(days=1), is_synthetic=True)
    assert hear(report(location=at(10))) == []
    (event,) = hear(report(location=at(20), is_synthetic=True))
    assert event.data["is_synthetic"]


def test_an_old_incident_entered_today_raises_nothing(judged, report):
    judged()
    report(location=at(), occurred_at=ago(days=40))
    assert hear(report(location=at(10), occurred_at=ago(days=30))) == []


def test_a_report_that_comes_late_makes_the_later_incident_the_repeat(judged, report):
    judged()
    known = report(location=at(), occurred_at=ago(days=2))
    assert hear(known) == []
    late = report(location=at(30), occurred_at=ago(days=5))
    (event,) = hear(late)
    assert event.subject_id == known.pk and event.data["earlier"] == [late.pk]
    assert hear(known) == []


def test_it_can_be_switched_off(judged, report):
    judged()
    report(location=at(), occurred_at=ago(days=1))
    incident = report(location=at(10))
    ModelSwitch.objects.create(model="near_repeat", is_on=False, reason="test")
    assert hear(incident) == []


def test_without_a_significant_test_a_batch_costs_one_look(report):
    incidents = [report(location=at(n)) for n in range(3)]
    with CaptureQueriesContext(connection) as asked:
        hear(*incidents)
    assert sum(query["sql"].startswith("SELECT") for query in asked) == 1


def test_the_log_hands_it_every_incident_opened_one_by_one_and_none_imported_in_bulk(judged, report, places, cast, burglary, police_112):
    judged()
    (subscriber,) = (one for one in SUBSCRIBERS if one.name == "incidents.near_repeat")
    EventCursor.objects.create(name=subscriber.name, seq=0)
    report(location=at(), occurred_at=ago(days=1))
    Incident.objects.bulk_create(
        Incident(region=places.region, source=police_112, agency=cast.police, type=burglary, priority=2, severity=2,
                 location=at(n), governorate=places.hawalli, occurred_at=ago(hours=3), reported_at=ago(hours=3))
        for n in range(3)
    )  # fmt: skip
    incident = report(location=at(10))
    number_events()
    while advance(subscriber):
        pass
    raised = {event.subject_id: event.data["count"] for event in Event.objects.filter(type=RAISED)}
    assert raised == {incident.pk: 4}


# --- on the incident's page ------------------------------------------------------------------------------------------
def test_the_incidents_page_says_it_and_links_only_what_the_reader_may_open(client, judged, report, cast):
    judged()
    first = report(location=at(), occurred_at=ago(days=3))
    incident = report(location=at(50))
    hear(incident)
    client.force_login(cast.officer)
    text = " ".join(client.get(f"/incidents/{incident.ref}/").content.decode().split())
    assert (
        "1 earlier incident within 200 m in 14 days" in text and "In this governorate another follows 1.8 times as often as chance" in text
    )
    assert first.ref in text
    Incident.objects.filter(pk=first.pk).update(agency=cast.fire)
    assert first.ref not in client.get(f"/incidents/{incident.ref}/").content.decode()
    assert "earlier incident" not in client.get(f"/incidents/{first.ref}/").content.decode()


def test_when_its_time_has_passed_the_page_says_so(judged, report):
    judged()
    report(location=at(), occurred_at=ago(days=3))
    incident = report(location=at(50))
    hear(incident)
    now_warning, later = warning_of(incident), warning_of(incident, now=timezone.now() + timedelta(days=15))
    assert now_warning is not None and not now_warning.is_over and later is not None and later.is_over
