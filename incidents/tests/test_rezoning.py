"""ING-8: when boundaries move, incidents get the zones they now lie in, and their logs say so."""

from __future__ import annotations

from django.contrib.gis.geos import Point

from conftest import square
from core.models import AuditEntry, Event
from geography.models import Zone
from geography.services import rebuild_pieces
from incidents.models import Incident
from incidents.services.rezoning import reresolve_incidents
from incidents.subscribers import SUBSCRIBERS


def give_the_east_of_jabriya_to_salmiya(places) -> None:
    Zone.objects.filter(pk=places.salmiya.pk).update(boundary=square(47.9, 29.3, 47.98, 29.4))
    Zone.objects.filter(pk=places.jabriya.pk).update(boundary=square(47.98, 29.3, 48.0, 29.4))
    rebuild_pieces(zone_ids=[places.salmiya.pk, places.jabriya.pk])


def test_an_incident_follows_its_boundary_and_the_log_says_so(report, places):
    moved = report(location=places.in_jabriya)
    stays = report(location=places.in_salmiya)
    nowhere = report(location=None)
    give_the_east_of_jabriya_to_salmiya(places)
    assert reresolve_incidents(reason="new boundaries") == 1
    moved.refresh_from_db()
    stays.refresh_from_db()
    nowhere.refresh_from_db()
    assert (moved.area_id, stays.area_id, nowhere.area_id) == (places.salmiya.pk, places.salmiya.pk, None)
    entry = moved.log.last()
    assert (entry.kind, entry.reason, entry.changes) == ("changed", "new boundaries", {"area": ["Jabriya", "Salmiya"]})
    assert stays.log.count() == 1
    assert AuditEntry.objects.get(verb="incidents.rezone").after == {"count": 1, "regions": None}


def test_doing_it_again_changes_nothing_and_says_nothing(report, places):
    report(location=places.in_jabriya)
    give_the_east_of_jabriya_to_salmiya(places)
    reresolve_incidents()
    said = Event.objects.count()
    assert reresolve_incidents() == 0
    assert Event.objects.count() == said


def test_a_point_that_no_zone_covers_any_more_keeps_its_region_and_its_incident(report, places):
    incident = report(location=Point(47.99, 29.35, srid=4326))
    Zone.objects.update(is_active=False)
    rebuild_pieces(zone_ids=Zone.objects.values_list("pk", flat=True))
    reresolve_incidents(region_ids=[places.region.pk])
    incident = Incident.objects.get(pk=incident.pk)
    assert (incident.region_id, incident.governorate_id, incident.area_id) == (places.region.pk, None, None)


def test_the_change_of_zones_is_heard_from_the_log(report, places):
    incident = report(location=places.in_jabriya)
    give_the_east_of_jabriya_to_salmiya(places)
    (rezoning,) = [subscriber for subscriber in SUBSCRIBERS if subscriber.name == "incidents.rezoning"]
    rezoning.handle([Event(type="geography.zones_changed", subject_id=places.region.pk)])
    incident.refresh_from_db()
    assert incident.area_id == places.salmiya.pk
