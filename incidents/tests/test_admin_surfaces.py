"""ANA-3, ANA-4: surfaces and near-repeat tests in the command centre: read only, with their map, within the jurisdiction."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from incidents.models import NearRepeat, PipelineRun, Surface


@pytest.fixture
def issued(places):
    run = PipelineRun.objects.create(key="night", as_of=datetime.now(UTC), status="done")
    common = {"run": run, "region": places.region, "learnt_from": datetime.now(UTC), "learnt_to": datetime.now(UTC), "is_current": True}
    surface = Surface.objects.create(
        **common, kind="gi_star", model="gi_star", srid=32638, origin_x_m=0, origin_y_m=0, cell_m=250,
        columns=[3156, 3157, 3120], rows=[12991] * 3, values=[4.2, 0.1, 5.0], classes=[3, 0, 3],
        governorate_ids=[places.hawalli.pk, places.hawalli.pk, places.capital.pk], area_ids=[0, 0, 0], part_names=[], parts=[],
    )  # fmt: skip
    tests = [
        NearRepeat.objects.create(
            **common, governorate=governorate, category="property", within_m=200, within_days=14, incident_count=90, observed_pairs=30,
            expected_pairs=20, ratio=1.5, p_value=0.01, q_value=0.03, is_significant=True, permutations=999, seed=1,
            bands=[
                {"from_m": 0, "to_m": 100, "from_days": 0, "to_days": 14, "observed": 30, "expected": 20.0, "ratio": 1.5, "p": 0.01},
                {"from_m": 100, "to_m": 200, "from_days": 0, "to_days": 14, "observed": 0, "expected": 0.0, "ratio": None, "p": 1.0},
            ],
        )
        for governorate in (places.hawalli, places.capital)
    ]  # fmt: skip
    return surface, tests


def read(user, path):
    client = Client()
    client.force_login(user)
    return client.get(f"/admin/incidents/{path}")


def test_a_surface_shows_the_cells_that_stand_out_of_those_the_reader_may_see(issued, cast):
    surface, _tests = issued
    whole, mine = (read(who, f"surface/{surface.pk}/change/").content.decode() for who in (cast.superadmin, cast.supervisor))
    assert "data-admin-map" in whole and "data-admin-map" in mine and "/surfaces/?kind=gi_star" in mine
    assert ">3<" in whole.replace("\n", "") and ">2<" in mine.replace("\n", "")
    assert whole.count("MultiPolygon") > mine.count("MultiPolygon")


def test_a_near_repeat_test_shows_its_bands_and_where(issued, cast):
    _surface, (hawalli, capital) = issued
    text = read(cast.supervisor, f"nearrepeat/{hawalli.pk}/change/").content.decode()
    assert "1.50*" in text and "data-admin-map" in text and "100–200 m" in text
    assert read(cast.supervisor, f"nearrepeat/{capital.pk}/change/").status_code in (302, 404)


def test_nobody_changes_either(issued, cast):
    surface, tests = issued
    client = Client()
    client.force_login(cast.superadmin)
    for path in (f"surface/{surface.pk}/delete/", f"nearrepeat/{tests[0].pk}/delete/", "surface/add/"):
        assert client.get(f"/admin/incidents/{path}").status_code == 403
