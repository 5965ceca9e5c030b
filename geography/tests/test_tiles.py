"""CMD-1, ING-8: the zones on the map, as vector tiles for whoever has signed in."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from django.contrib.gis.gdal import DataSource
from django.urls import reverse


def tile_of(lon: float, lat: float, z: int) -> tuple[int, int, int]:
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return z, int((lon + 180) / 360 * 2**z), int(y * 2**z)


def address(level: str, z: int, x: int, y: int) -> str:
    return reverse("zone-tiles", args=[level, z, x, y])


@pytest.fixture
def signed_in(client, cast):
    client.force_login(cast.officer)
    return client


def layers_of(body: bytes, folder: Path) -> dict[str, list[dict]]:
    """The tile read back by GDAL: layer name to its features' properties."""
    path = folder / "tile.mvt"
    path.write_bytes(body)
    source = DataSource(str(path))
    layers = [source[number] for number in range(source.layer_count)]
    return {layer.name: [{name: feature.get(name) for name in layer.fields} for feature in layer] for layer in layers}


def test_a_tile_holds_polygons_labels_in_both_languages_and_the_outline(signed_in, places, tmp_path):
    response = signed_in.get(address("area", *tile_of(47.92, 29.35, 10)))
    assert response.status_code == 200
    assert response["Content-Type"] == "application/vnd.mapbox-vector-tile"
    layers = layers_of(response.content, tmp_path)
    assert set(layers) == {"zones", "labels", "outline"}
    salmiya = next(zone for zone in layers["zones"] if zone["id"] == places.salmiya.pk)
    assert (salmiya["code"], salmiya["name_en"], salmiya["name_ar"], salmiya["parent"]) == (
        "T-SAL",
        "Salmiya",
        "السالمية",
        places.hawalli.pk,
    )
    assert {zone["level"] for zone in layers["zones"]} == {"area"}
    assert {label["name_en"] for label in layers["labels"]} == {"Salmiya", "Jabriya", "Sharq"}
    assert [country["code"] for country in layers["outline"]] == ["T-KW"]


def test_a_stranger_gets_no_tile(client, places):
    assert client.get(address("area", *tile_of(47.92, 29.35, 10))).status_code == 401


@pytest.mark.parametrize("where", [("street", 3, 1, 1), ("area", 19, 1, 1), ("area", 3, 8, 1), ("area", 3, 1, 8)])
def test_what_is_no_tile_is_not_found(signed_in, where):
    assert signed_in.get(address(*where)).status_code == 404


def test_a_tile_far_away_is_empty(signed_in):
    response = signed_in.get(address("area", *tile_of(10, 50, 10)))
    assert (response.status_code, response.content) == (204, b"")


def test_a_tile_is_asked_for_again_only_when_zones_change(signed_in, places):
    url = address("area", *tile_of(47.92, 29.35, 10))
    first = signed_in.get(url)
    assert first["Cache-Control"] == "private, max-age=300"
    assert signed_in.get(url, headers={"If-None-Match": first["ETag"]}).status_code == 304
    places.salmiya.name_en = "Salmiyah"
    places.salmiya.save(update_fields=["name_en", "updated_at"])
    again = signed_in.get(url, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 200 and again["ETag"] != first["ETag"]
    assert b"Salmiyah" in again.content


def test_a_tile_costs_one_question_once_it_is_cut(signed_in, settings, django_assert_num_queries):
    url = address("governorate", *tile_of(47.92, 29.35, 9))
    signed_in.get(url)
    with django_assert_num_queries(3):  # session, person, the zones' last change
        signed_in.get(url)
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": "emptied"}}
    with django_assert_num_queries(4):
        signed_in.get(url)
