"""PAT-7: the unit board's data: who may see it, what changed since, and one unit's panel, track and way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboard import unit_live
from dashboard.unit_live import FIXED, MOVING
from patrol.models import Duty, Unit
from patrol.services.assignments import assign
from patrol.services.positions import Reading, record_positions

pytestmark = pytest.mark.django_db
HOME = (47.92, 29.35)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(unit_live, "FRESH_S", 0.0)
    unit_live.forget()


def at_home(*units, metres=0.0, seconds=0.0):
    now = timezone.now()
    readings = [Reading(unit.pk, now + timedelta(seconds=seconds), HOME[0] + metres / 96_900, HOME[1], 5.0, 30.0, 90.0) for unit in units]
    record_positions(readings, now=now)


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def asked(client, since=""):
    return client.get("/patrol/units/live.json", {"since": since})


def units_in(answer):
    names = ["id", *FIXED, *MOVING]
    return {row[1]: dict(zip(names, row, strict=True)) for row in answer.json()["units"]}


def test_everything_at_first_then_only_what_changed(cast, force):
    at_home(force.p1, force.p2)
    client = signed_in(cast.dispatcher)
    first = asked(client)
    assert set(units_in(first)) == {"P1", "P2"} and first.json()["is_whole"]
    p1 = units_in(first)["P1"]
    assert (p1["state"], p1["kind"], p1["lon"], p1["lat"], p1["heading"]) == ("available", "patrol", 47.92, 29.35, 90)
    cursor = first.json()["cursor"]
    nothing = asked(client, cursor).json()
    assert nothing["units"] == [] and not nothing["is_whole"] and nothing["cursor"] == cursor
    at_home(force.p2, metres=900, seconds=20)
    assert set(units_in(asked(client, cursor))) == {"P2"}


def test_a_state_that_follows_from_something_else_changes_the_row(cast, force, places):
    client = signed_in(cast.dispatcher)
    cursor = asked(client).json()["cursor"]
    assign(unit=force.p1, by=cast.supervisor, kind="task", title="Look at the market", location=places.in_salmiya)
    second = asked(client, cursor)
    assert units_in(second)["P1"]["state"] == "assigned"
    assert units_in(second)["P1"]["work"] == ["task", "Look at the market"]
    Duty.objects.filter(unit=force.p2).update(ended_at=timezone.now())
    assert units_in(asked(client, second.json()["cursor"]))["P2"]["state"] == "off_duty"


def test_a_unit_taken_out_of_use_goes(cast, force):
    client = signed_in(cast.dispatcher)
    cursor = asked(client).json()["cursor"]
    Unit.objects.filter(pk=force.p2.pk).update(is_active=False)
    assert asked(client, cursor).json()["gone"] == [force.p2.pk]


@pytest.mark.parametrize("since", ["", "x", "abc.1", ".", "0" * 60, "deadbeefdead.99999999999999999999"])
def test_a_cursor_that_is_not_ours_gets_everything(cast, force, since):
    assert asked(signed_in(cast.dispatcher), since).json()["is_whole"]


def test_jurisdiction_first(cast, force):
    assert set(units_in(asked(signed_in(cast.supervisor)))) == {"P1", "P2"}
    assert set(units_in(asked(signed_in(cast.firefighter)))) == {"F1"}
    assert set(units_in(asked(signed_in(cast.superadmin)))) == {"P1", "P2", "C1", "F1"}


ADDRESSES = ("live.json", "{pk}/panel/", "{pk}/track.json", "{pk}/eta.json?lon=47.9&lat=29.3")


@pytest.mark.parametrize("address", ADDRESSES)
def test_officers_and_strangers_do_not_see_where_the_others_are(cast, force, address):
    at_home(force.p1, force.c1)
    path = f"/patrol/units/{address.format(pk=force.p2.pk)}"
    assert signed_in(cast.officer).get(path).status_code == 403
    assert signed_in(cast.officer).get("/patrol/units/").status_code == 403
    assert Client().get(path).status_code == 401
    if "{pk}" in address:
        assert signed_in(cast.dispatcher).get(f"/patrol/units/{address.format(pk=force.c1.pk)}").status_code == 404


def test_the_layer_of_the_map_shows_units_only_to_those_who_may_watch_them(cast, force):
    at_home(force.p1, force.c1)
    shown = signed_in(cast.dispatcher).get("/map/units.geojson").json()
    assert [feature["properties"]["call_sign"] for feature in shown["features"]] == ["P1"]
    assert signed_in(cast.officer).get("/map/units.geojson").json()["features"] == []
    assert b'data-map-layer="units"' in signed_in(cast.dispatcher).get("/map/").content
    assert b'data-map-layer="units"' not in signed_in(cast.officer).get("/map/").content


def test_the_panel_says_what_the_unit_does_and_where_it_was(cast, force, report):
    at_home(force.p1)
    incident = report()
    assign(unit=force.p1, by=cast.supervisor, kind="incident", incident=incident)
    text = signed_in(cast.dispatcher).get(f"/patrol/units/{force.p1.pk}/panel/").content.decode()
    assert incident.ref in text and "Officer one" in text and "29.35000, 47.92000" in text


def test_a_unit_that_never_reported_says_so(cast, force):
    client = signed_in(cast.dispatcher)
    assert "none yet" in client.get(f"/patrol/units/{force.p2.pk}/panel/").content.decode()
    assert client.get(f"/patrol/units/{force.p2.pk}/eta.json?lon=47.9&lat=29.3").status_code == 409
    assert client.get(f"/patrol/units/{force.p2.pk}/track.json").json()["at"] == []


def test_the_track_names_its_doubtful_points(cast, force):
    for n in range(6):
        at_home(force.p1, metres=300 * n, seconds=5 * n - 40)
    at_home(force.p1, metres=250_000, seconds=0)
    found = signed_in(cast.dispatcher).get(f"/patrol/units/{force.p1.pk}/track.json?hours=1").json()
    assert found["doubt"] == [""] * 6 + ["jump"] and found["believed"][-1] is False and found["total"] == 7
    for wrong in ("0", "25", "x", "nan"):
        assert signed_in(cast.dispatcher).get(f"/patrol/units/{force.p1.pk}/track.json?hours={wrong}").status_code == 422


def test_how_long_to_an_incident_or_a_point(cast, force, report, places):
    at_home(force.p1)
    incident = report(location=places.in_jabriya)
    client = signed_in(cast.dispatcher)
    for query in (f"incident={incident.pk}", f"lon={places.in_jabriya.x}&lat={places.in_jabriya.y}"):
        told = client.get(f"/patrol/units/{force.p1.pk}/eta.json?{query}").json()
        assert 400 < told["seconds"] < 1_200 and 4_800 < told["metres"] < 9_000 and told["by"] and not told["is_stale"]
    elsewhere = report(location=places.in_sharq)
    for query in (f"incident={elsewhere.pk}", "incident=999999", "incident=x", "lon=400&lat=1", ""):
        assert client.get(f"/patrol/units/{force.p1.pk}/eta.json?{query}").status_code == 404


def test_five_hundred_units_cost_a_few_statements_and_few_bytes(cast, force, places, django_assert_max_num_queries):
    Unit.objects.bulk_create(
        Unit(agency=cast.police, governorate=places.hawalli, station=force.salmiya_station, call_sign=f"X{n}") for n in range(500)
    )
    at_home(*Unit.objects.filter(call_sign__startswith="X"))
    client = signed_in(cast.dispatcher)
    with django_assert_max_num_queries(12):
        answer = client.get("/patrol/units/live.json", headers={"Accept-Encoding": "gzip"})
    assert len(answer.content) < 500 * 24


def test_the_page_opens_for_those_who_watch(cast, force):
    for user in (cast.dispatcher, cast.supervisor, cast.analyst, cast.auditor, cast.superadmin):
        page = signed_in(user).get("/patrol/units/")
        assert page.status_code == 200 and b"data-unit-board" in page.content
