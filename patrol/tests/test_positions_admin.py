"""PAT-7 in the command centre: fences by centre, by station or by GeoJSON; a shape that is none is refused in words."""

from __future__ import annotations

import json

import pytest
from django import forms
from django.test import Client

from patrol.admin.positions import polygon_from
from patrol.models import Geofence

pytestmark = pytest.mark.django_db
SQUARE = {"type": "Polygon", "coordinates": [[[47.91, 29.34], [47.92, 29.34], [47.92, 29.35], [47.91, 29.35], [47.91, 29.34]]]}


@pytest.fixture
def form(cast, force, places):
    client = Client()
    client.force_login(cast.supervisor)

    def send(**change):
        body = {
            "agency": cast.police.pk, "governorate": places.hawalli.pk, "name": "Market", "margin_m": 25, "dwell_s": 60, "is_active": "on",
            "centre_lon": "", "centre_lat": "", "radius_m": "", "geojson": "", **change,
        }  # fmt: skip
        return client.post("/admin/patrol/geofence/add/", body)

    return send


def test_a_circle_is_made_of_a_centre_and_a_radius(form):
    assert form(centre_lon="47.92", centre_lat="29.35", radius_m="150").status_code == 302
    fence = Geofence.objects.get()
    assert fence.centre is not None and (fence.centre.x, fence.radius_m, fence.shape) == (47.92, 150, None)


def test_a_stations_fence_stands_about_the_station(form, force):
    assert form(station=force.salmiya_station.pk).status_code == 302
    centre = Geofence.objects.get().centre
    assert centre is not None and centre.equals(force.salmiya_station.location)


@pytest.mark.parametrize(
    "wrapped",
    [
        SQUARE,
        {"type": "Feature", "properties": {}, "geometry": SQUARE},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": SQUARE}]},
    ],
)
def test_a_shape_is_given_as_geojson(form, wrapped):
    assert form(geojson=json.dumps(wrapped)).status_code == 302
    shape = Geofence.objects.get().shape
    assert shape is not None and shape.num_coords == 5


def polygon(*corners):
    return json.dumps({"type": "Polygon", "coordinates": [corners]})


@pytest.mark.parametrize(
    "text",
    [
        "{", "7", "[]", "null", '{"type": "Polygon"}', '{"type": "Point", "coordinates": [47, 29]}', '{"type": "Feature"}',
        '{"type": "FeatureCollection", "features": []}', '{"type": "FeatureCollection", "features": 3}',
        polygon([0, 0], [1, 1], [1, 0], [0, 1], [0, 0]), polygon([470, 29], [480, 29], [480, 30], [470, 29]), polygon([0, 0]),
        polygon(["x", 0], [1, 1], [1, 0], ["x", 0]), '{"type": "Polygon", "coordinates": []}',
    ],
)  # fmt: skip
def test_what_is_no_polygon_is_refused(text):
    with pytest.raises(forms.ValidationError):
        polygon_from(text)


def test_a_fence_must_be_somewhere_and_hours_have_two_ends(form):
    assert b"Give a shape, or a centre" in form().content
    assert b"both ends" in form(centre_lon="47.92", centre_lat="29.35", radius_m="150", active_from="18:00").content
    assert not Geofence.objects.exists()


def test_another_agencys_station_and_another_governorate_are_refused(form, force, places):
    assert form(station=force.fire_station.pk).status_code == 200
    assert form(governorate=places.capital.pk, centre_lon="47.92", centre_lat="29.35", radius_m="150").status_code == 200
    assert not Geofence.objects.exists()
