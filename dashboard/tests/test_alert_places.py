"""ALR-4: where else alerts stand: the map, an incident's page, the next shift's handover pack, the command centre's first page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alerts.models import Occurrence
from alerts.services import alerts as life
from dashboard.packs import sections_of
from dashboard.tests.test_alert_queue import enter, page_to
from patrol.services import packs


def test_the_map_shows_open_alerts_that_have_a_place_and_says_where_it_is_only_about(fire, cast, places):
    exact, about, nowhere = fire(), fire(location=None), fire(location=None, zone=None, governorate=None)
    fire(state="resolved", resolved_at=datetime.now(UTC)), fire(agency=cast.fire)
    told = enter(cast.dispatcher).get("/map/alerts.geojson").json()["features"]
    assert {one["id"]: one["properties"]["exact"] for one in told} == {exact.pk: True, about.pk: False}
    assert nowhere.pk not in {one["id"] for one in told}
    assert 'data-map-layer="alerts"' in enter(cast.dispatcher).get("/map/").content.decode()


def test_an_officer_has_no_layer_of_alerts_and_sees_on_it_what_pages_them_alone(fire, cast):
    fire()
    client = enter(cast.officer)
    assert 'data-map-layer="alerts"' not in client.get("/map/").content.decode()
    assert client.get("/map/alerts.geojson").json()["features"] == []
    paged = fire()
    page_to(cast.officer, paged)
    assert [one["id"] for one in client.get("/map/alerts.geojson").json()["features"]] == [paged.pk]


def test_an_incident_names_the_alerts_it_caused_and_those_it_is_part_of(fire, cast, report):
    incident = report()
    caused, grouped, other = fire(incident=incident), fire(title_en="Three in a day"), fire(title_en="Another")
    Occurrence.objects.create(alert=grouped, event_id=7, at=datetime.now(UTC), incident=incident)
    text = enter(cast.dispatcher).get(f"/incidents/{incident.ref}/panel/").content.decode()
    assert f"/alerts/{caused.pk}/" in text and "Three in a day" in text and f"/alerts/{other.pk}/" not in text


def test_pending_alerts_are_handed_over_with_who_has_taken_them(fire, cast, force, places):
    fire(agency=cast.fire)
    taken, quiet = fire(level="critical"), fire(title_en="Dam level", snoozed_until=datetime.now(UTC) + timedelta(hours=2))
    life.acknowledge(alert=taken, by=cast.dispatcher, through="screen")
    now = datetime.now(UTC)
    pack = packs.make_pack(agency=cast.police, governorate=places.hawalli, start=now - timedelta(hours=8), end=now, by=None)
    facts = pack.facts["requests"]
    assert facts["alerts_open"] == 2 and {one["id"]: one["by"] for one in facts["alerts"]} == {taken.pk: "dispatcher", quiet.pk: ""}
    [section] = [one for one in sections_of(pack) if one.name == "requests"]
    cells = [cell for table in section.tables for row in table.rows for cell in row]
    assert "2 alerts are open." in section.lines and "Dam level" in cells and any(cell.startswith("quiet until") for cell in cells)
    del pack.facts["requests"]["alerts_open"]  # as one that was signed before there were alerts
    assert not any("alert" in line for line in next(one for one in sections_of(pack) if one.name == "requests").lines)


def test_the_command_centre_says_how_many_fire(fire, cast):
    fire(), fire(agency=cast.fire)
    assert enter(cast.supervisor).get("/admin/").context["centre"].alerts.firing == 1
