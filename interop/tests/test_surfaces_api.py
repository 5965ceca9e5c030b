"""ANA-3, ANA-4, ANA-5: surfaces, their cells and the near-repeat tests over the API, each caller within their governorates."""

from __future__ import annotations

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone
from pyproj import Transformer

from incidents.models import ModelSwitch, NearRepeat, PipelineRun, Surface
from interop.services import issue_key
from interop.tests.conftest import Caller


@pytest.fixture
def reader(police_system, places):
    """A partner's key for Hawalli."""
    key, secret = issue_key(partner=police_system, name="surfaces", scopes=["hotspots:read"], by=None, governorates=[places.hawalli])
    return Caller(key, secret)


@pytest.fixture
def run(places):
    return PipelineRun.objects.create(key="surfaces", as_of=timezone.now(), status="done", code_version="abc1234")


@pytest.fixture
def surface(run, places):
    points = [(47.92, 29.35), (47.97, 29.35), (47.85, 29.35)]
    x, y = Transformer.from_crs(4326, 32638, always_xy=True).transform(*np.array(points).T)
    return Surface.objects.create(
        run=run,
        region=places.region,
        kind="change",
        model="rate_change",
        learnt_from=timezone.now(),
        learnt_to=timezone.now(),
        srid=32638,
        origin_x_m=0,
        origin_y_m=0,
        cell_m=250,
        columns=np.floor(x / 250).astype(int).tolist(),
        rows=np.floor(y / 250).astype(int).tolist(),
        values=[8.0, -2.0, 4.0],
        classes=[2, 0, 1],
        governorate_ids=[places.hawalli.pk, places.hawalli.pk, places.capital.pk],
        area_ids=[places.salmiya.pk, places.jabriya.pk, places.sharq.pk],
        part_names=["now", "q"],
        parts=[9, 0.01, 3, float("nan"), 7, 0.08],
        parameters={"days": 28},
        is_current=True,
    )


@pytest.fixture
def tests(run, places):
    common = {
        "run": run, "region": places.region, "category": "property", "within_m": 200, "within_days": 14, "incident_count": 400,
        "observed_pairs": 90, "expected_pairs": 50, "ratio": 1.8, "p_value": 0.001, "q_value": 0.004, "is_significant": True,
        "permutations": 999, "seed": 1, "learnt_from": timezone.now(), "learnt_to": timezone.now(), "is_current": True,
        "bands": [{"from_m": 0, "to_m": 200, "from_days": 0, "to_days": 14, "observed": 90, "expected": 50.0, "ratio": 1.8, "p": 0.001}],
    }  # fmt: skip
    for governorate in (None, places.hawalli, places.capital):
        NearRepeat.objects.create(**common, governorate=governorate)


def test_a_list_says_what_stands_without_its_cells(reader, surface):
    (one,) = reader.get("surfaces").json()
    assert (one["id"], one["kind"], one["model"], one["region"]) == (surface.pk, "change", "rate_change", "kw")
    assert one["parameters"] == {"days": 28} and "cells" not in one and one["code_version"] == "abc1234"
    assert reader.get("surfaces", {"kind": "risk"}).json() == []
    assert len(reader.get("surfaces", {"kind": "change", "category": ""}).json()) == 1


def test_a_surface_comes_with_the_callers_cells_as_json_geojson_and_csv(reader, surface):
    told = reader.get(f"surfaces/{surface.pk}").json()
    assert [(cell["value"], cell["class"], cell["governorate"], cell["area"]) for cell in told["cells"]] == [
        (8.0, 2, "T-HA", "T-SAL"),
        (-2.0, 0, "T-HA", "T-JAB"),
    ]
    assert told["cells"][1]["parts"] == {"now": 3.0, "q": None}
    collection = reader.get(f"surfaces/{surface.pk}.geojson")
    assert collection["Content-Type"] == "application/geo+json" and len(collection.json()["features"]) == 2
    table = reader.get(f"surfaces/{surface.pk}.csv")
    assert table["Content-Type"].startswith("text/csv") and len(table.content.decode().splitlines()) == 3


def test_a_cell_says_why(reader, surface):
    told = reader.get(f"surfaces/{surface.pk}/cells/{surface.columns[0]}/{surface.rows[0]}").json()
    assert (told["value"], told["rank"], told["of"], told["parts"]) == (8.0, 1, 2, {"now": 9.0, "q": 0.01})
    assert reader.get(f"surfaces/{surface.pk}/cells/{surface.columns[2]}/{surface.rows[2]}").status_code == 404
    assert reader.get(f"surfaces/{surface.pk}/cells/-1/0").status_code == 404


def test_near_repeat_tests_are_those_of_the_callers_governorates_and_of_the_region(reader, tests):
    told = reader.get("near-repeat-tests").json()
    assert [one["governorate"] and one["governorate"]["code"] for one in told] == [None, "T-HA"]
    assert told[0]["is_significant"] and told[0]["bands"][0]["ratio"] == 1.8 and told[0]["seed"] == 1


def test_a_model_switched_off_is_gone_at_once(reader, surface, tests):
    for model in ("rate_change", "near_repeat"):
        ModelSwitch.objects.create(model=model, is_on=False, reason="test")
    assert reader.get("surfaces").json() == [] and reader.get("near-repeat-tests").json() == []
    assert reader.get(f"surfaces/{surface.pk}").status_code == 404


@pytest.mark.parametrize("path", ["surfaces", "surfaces/1", "surfaces/1.csv", "surfaces/1/cells/1/1", "near-repeat-tests"])
def test_a_key_without_the_scope_and_a_stranger_are_refused(caller, path):
    assert caller.get(path).status_code == 403 and caller.get(path)["Content-Type"] == "application/problem+json"
    assert Client().get(f"/api/v1/{path}").status_code == 401


def test_a_person_reads_by_session(surface, cast):
    client = Client()
    client.force_login(cast.stranger)
    assert [cell["area"] for cell in client.get(f"/api/v1/surfaces/{surface.pk}").json()["cells"]] == ["T-SHA"]


@pytest.mark.parametrize("asked", [{"kind": "nonsense"}, {"horizon": "aeon"}, {"category": "x" * 33}, {"category": "\x00"}])
def test_a_filter_that_makes_no_sense_is_422_with_its_name(reader, surface, asked):
    answer = reader.get("surfaces", asked)
    assert answer.status_code == 422 and [error["field"] for error in answer.json()["errors"]] == list(asked)


@pytest.mark.parametrize("pk", ["0", "99999999999999999999999", "-1", "x"])
def test_what_is_not_there_is_404(reader, surface, pk):
    assert reader.get(f"surfaces/{pk}").status_code == 404
