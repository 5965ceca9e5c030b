"""ANA-1, ANA-2: hot spots over the API, within the caller's governorates and scope."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.gis.geos import Polygon
from django.test import Client
from django.utils import timezone

from incidents.models import HotSpot, HotSpotTrack, ModelSwitch, PipelineRun
from interop.services import issue_key
from interop.tests.conftest import Caller


@pytest.fixture
def analyst_system(police_system):
    return Caller(*issue_key(partner=police_system, name="read", scopes=["hotspots:read"], by=None, all_governorates=True))


@pytest.fixture
def hawalli_system(police_system, places):
    return Caller(*issue_key(partner=police_system, name="hawalli", scopes=["hotspots:read"], by=None, governorates=[places.hawalli]))


@pytest.fixture
def spots(places):
    """One in Hawalli with last week's sighting, one in the Capital, one of property in Hawalli."""
    now = timezone.now()
    runs = [PipelineRun.objects.create(key=f"run-{k}", as_of=now - timedelta(days=7 * k), status="done") for k in (0, 1)]
    track = HotSpotTrack.objects.create(region=places.region, born_at=runs[1].as_of, last_seen_at=now)

    def make(**given):
        hull = Polygon.from_bbox((47.91, 29.34, 47.915, 29.345))
        return HotSpot.objects.create(
            **{
                "run": runs[0],
                "region": places.region,
                "governorate": places.hawalli,
                "area": places.salmiya,
                "rank": 1,
                "hull": hull,
                "centre": hull.centroid,
                "incident_count": 42,
                "area_km2": 0.25,
                "density_per_km2": 168.0,
                "severity_score": 80,
                "previous_counts": [10, None],
                "q_value": 0.01,
                "leading_types": [["burglary", 30]],
                "window_from": now - timedelta(days=30),
                "window_to": now,
                "is_current": True,
                **given,
            }
        )

    earlier = make(run=runs[1], track=track, change="born", is_current=False, window_to=now - timedelta(days=7))
    return {
        "earlier": earlier,
        "here": make(track=track, change="grown"),
        "capital": make(governorate=places.capital, area=places.sharq, rank=2),
        "property": make(category="property"),
    }


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_what_stands_now_is_listed_by_rank_with_its_reasons(analyst_system, spots):
    answer = analyst_system.get("hotspots")
    assert ids(answer) == [spots["here"].pk, spots["capital"].pk]
    first = answer.json()["results"][0]
    assert (first["change"], first["track"], first["is_significant"]) == ("grown", spots["here"].track_id, True)
    assert (first["previous_counts"], first["leading_types"]) == ([10, None], [{"code": "burglary", "count": 30}])
    assert (first["name_en"], first["name_ar"], first["rate_ratio"]) == ("Salmiya", "السالمية", None)
    assert first["hull"]["type"] == "Polygon"


def test_filters_narrow_and_pages_follow_one_another(analyst_system, spots, places):
    assert ids(analyst_system.get("hotspots", {"category": "property"})) == [spots["property"].pk]
    assert ids(analyst_system.get("hotspots", {"governorate": places.capital.pk})) == [spots["capital"].pk]
    assert ids(analyst_system.get("hotspots", {"region": "st"})) == []
    page = analyst_system.get("hotspots", {"limit": 1})
    cursor = page.json()["next"].partition("cursor=")[2].partition("&")[0]
    assert ids(page) == [spots["here"].pk] and ids(analyst_system.get(f"hotspots?limit=1&cursor={cursor}")) == [spots["capital"].pk]


@pytest.mark.parametrize("bad", [{"governorate": "x"}, {"governorate": 10**30}, {"category": "a b"}, {"cursor": "forged"}, {"limit": "0"}])
def test_a_forged_question_is_a_problem_that_names_its_field(analyst_system, spots, bad):
    answer = analyst_system.get("hotspots", bad)
    assert answer.status_code in (400, 422) and answer["Content-Type"].startswith("application/problem+json")


def test_the_map_file_has_features_and_refuses_as_the_list_does(analyst_system, caller, spots):
    answer = analyst_system.get("hotspots.geojson")
    assert answer["Content-Type"] == "application/geo+json"
    assert [feature["id"] for feature in answer.json()["features"]] == [spots["here"].pk, spots["capital"].pk]
    assert answer.json()["features"][0]["geometry"]["type"] == "Polygon" and "hull" not in answer.json()["features"][0]["properties"]
    refused = caller.get("hotspots.geojson")
    assert refused.status_code == 403 and refused["Content-Type"].startswith("application/problem+json")


def test_a_key_sees_its_governorates_alone(hawalli_system, spots):
    assert ids(hawalli_system.get("hotspots")) == [spots["here"].pk]
    assert hawalli_system.get(f"hotspots/{spots['capital'].pk}").status_code == 404
    assert hawalli_system.get(f"hotspots/{10**40}").status_code == 404
    assert hawalli_system.get(f"hotspots/{spots['here'].pk}").json()["incidents"] == 42


def test_one_of_an_earlier_run_is_read_and_its_place_tells_its_story(analyst_system, hawalli_system, spots, places):
    assert analyst_system.get(f"hotspots/{spots['earlier'].pk}").json()["is_current"] is False
    story = hawalli_system.get(f"hotspots/tracks/{spots['here'].track_id}").json()
    assert [(one["id"], one["change"]) for one in story["sightings"]] == [(spots["here"].pk, "grown"), (spots["earlier"].pk, "born")]
    assert story["gone_at"] is None and story["region"] == "kw"
    foreign = HotSpotTrack.objects.create(region=places.region, born_at=timezone.now(), last_seen_at=timezone.now())
    assert analyst_system.get(f"hotspots/tracks/{foreign.pk}").status_code == 404


def test_without_the_scope_or_a_sign_in_nothing_is_read(caller, spots, cast):
    for path in ("hotspots", "hotspots.geojson", f"hotspots/{spots['here'].pk}", f"hotspots/tracks/{spots['here'].track_id}"):
        assert caller.get(path).status_code == 403
        assert Client().get(f"/api/v1/{path}").status_code in (401, 403)
    officer = Client()
    officer.force_login(cast.officer)
    assert ids(officer.get("/api/v1/hotspots")) == [spots["here"].pk]
    assert officer.post("/api/v1/hotspots").status_code in (403, 405)


def test_a_model_that_is_switched_off_shows_nothing(analyst_system, spots):
    ModelSwitch.objects.create(model=HotSpot.MODEL, is_on=False, reason="wrong")
    assert ids(analyst_system.get("hotspots")) == []
    assert analyst_system.get(f"hotspots/{spots['here'].pk}").status_code == 404
    assert analyst_system.get(f"hotspots/tracks/{spots['here'].track_id}").status_code == 404


def test_the_list_costs_the_same_however_long(analyst_system, spots, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):
        analyst_system.get("hotspots")
