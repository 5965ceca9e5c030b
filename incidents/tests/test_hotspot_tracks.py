"""ANA-1, ANA-2: hot spots keep their identity from night to night; a change is stored once, announced once, never rewritten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.gis.geos import Point
from django.db import DatabaseError, transaction

from core.models import Event
from incidents.models import HotSpot, HotSpotTrack, Incident, IncidentType, ModelCard
from incidents.services import pipeline
from incidents.services.pipeline import hotspots
from incidents.services.pipeline.tracks import RETURNS_WITHIN
from incidents.tests.conftest import NIGHT

EAST = 47.92
METRE = 1 / 97_000  # of longitude, here


def night(days=0, **given):
    at = NIGHT + timedelta(days=days)
    return pipeline.run_pipeline(**{"trigger": "manual", "as_of": at, "only": ["hotspots"], "regions": ["kw"], **given})


def standing(category=""):
    return list(HotSpot.objects.current().filter(category=category).order_by("centre"))


def announced():
    return [(event.data["change"], event.data["category"]) for event in Event.objects.filter(type="hot_spot.changed").order_by("pk")]


def test_the_first_night_everything_is_new_and_nobody_is_rung_for_it(crowd):
    crowd(EAST, 29.35)
    night()
    (spot,) = standing()
    assert (spot.change, spot.track.born_at, spot.track.last_seen_at, spot.track.gone_at) == ("born", NIGHT, NIGHT, None)
    assert announced() == []


def test_a_place_keeps_its_track_while_its_incidents_come_and_go(crowd):
    crowd(EAST, 29.35, n=20, days_ago=(10, 29))
    night()
    crowd(EAST, 29.35, n=20, days_ago=(-2, 0))
    night(days=3)
    (spot,) = standing()
    assert spot.change == "grown" and spot.track.sightings.count() == 2
    assert spot.track.last_seen_at == NIGHT + timedelta(days=3) and HotSpotTrack.objects.filter(category="").count() == 1
    assert announced() == []


def test_a_birth_and_an_end_are_announced_with_their_place_and_only_once(crowd, places):
    crowd(EAST, 29.35, days_ago=(20, 29))
    night()
    crowd(47.85, 29.32, days_ago=(-10, -5))
    night(days=12)
    assert sorted(announced()) == sorted([("born", ""), ("born", "property"), ("gone", ""), ("gone", "property")])
    born = Event.objects.get(type="hot_spot.changed", data__change="born", data__category="")
    (spot,) = standing()
    assert (born.subject_type, born.subject_id, born.governorate_id) == ("hotspottrack", spot.track_id, places.capital.pk)
    gone = HotSpotTrack.objects.get(category="", gone_at__isnull=False)
    assert gone.gone_at == NIGHT + timedelta(days=12)
    night(days=12)
    assert len(announced()) == 4


def test_two_that_grow_together_are_one_from_then_on_and_say_what_became_of_the_other(crowd):
    crowd(EAST, 29.35, n=30, spread_m=40)
    crowd(EAST + 700 * METRE, 29.35, n=14, spread_m=40)
    night()
    west, east = standing()
    crowd(EAST + 350 * METRE, 29.35, n=16, spread_m=60, days_ago=(-1, 0))
    night(days=1)
    (spot,) = standing()
    assert (spot.change, spot.track_id) == ("merged", west.track_id)
    east.track.refresh_from_db()
    assert (east.track.merged_into_id, east.track.gone_at) == (west.track_id, NIGHT + timedelta(days=1))
    event = Event.objects.get(type="hot_spot.changed", data__category="")
    assert (event.data["change"], event.data["merged"]) == ("merged", [east.track_id])


def test_one_that_falls_apart_says_where_the_new_one_came_from(crowd):
    crowd(EAST, 29.35, n=30, spread_m=40)
    crowd(EAST + 700 * METRE, 29.35, n=14, spread_m=40)
    crowd(EAST + 350 * METRE, 29.35, n=16, spread_m=60, days_ago=(28, 29.5))
    night()
    (whole,) = standing()
    night(days=2)
    west, east = standing()
    assert west.track_id == whole.track_id and east.change == "split"
    assert east.track.split_from_id == whole.track_id
    event = Event.objects.get(type="hot_spot.changed", data__category="")
    assert (event.data["change"], event.data["split_from"]) == ("split", whole.track_id)


@pytest.mark.parametrize(("away", "is_back"), [(timedelta(days=3), True), (RETURNS_WITHIN + timedelta(days=20), False)])
def test_a_place_short_of_one_incident_for_some_nights_is_the_same_place_when_it_is_back(crowd, away, is_back):
    crowd(EAST, 29.35, n=10, days_ago=(29, 29.9))
    night()
    (first,) = standing()
    night(days=2)
    assert standing() == [] and sorted(announced()[-2:]) == [("gone", ""), ("gone", "property")]
    crowd(EAST, 29.35, n=12, days_ago=(-2.9, -2.1))
    night(days=2 + away.days) if is_back else night(days=30)
    if not is_back:
        assert standing()[0].track_id != first.track_id
        return
    (again,) = standing()
    assert (again.change, again.track_id, again.track.gone_at) == ("returned", first.track_id, None)
    assert sorted(announced()[-2:]) == [("returned", ""), ("returned", "property")]


def test_a_look_back_touches_no_track(crowd):
    crowd(EAST, 29.35)
    crowd(47.85, 29.35, days_ago=(70, 80))
    night()
    before = list(HotSpotTrack.objects.order_by("pk").values())
    back = night(as_of=(NIGHT - timedelta(days=60)).date())
    assert HotSpot.objects.filter(run=back).count() == 2
    assert [(spot.track, spot.change, spot.is_current) for spot in HotSpot.objects.filter(run=back)] == [(None, "", False)] * 2
    assert list(HotSpotTrack.objects.order_by("pk").values()) == before and announced() == []


def test_a_category_with_nothing_left_has_no_hot_spot_standing_and_its_track_ends(crowd):
    fires = IncidentType.objects.create(code="fire-x", name_en="Fire", category="fire")
    crowd(EAST, 29.35)
    crowd(47.85, 29.35, type=fires, days_ago=(27, 29))
    night()
    assert len(standing("fire")) == 1
    night(days=5)
    assert standing("fire") == [] and HotSpotTrack.objects.get(category="fire").gone_at == NIGHT + timedelta(days=5)


def test_a_sighting_is_never_rewritten_with_another_track(crowd):
    crowd(EAST, 29.35)
    night()
    with pytest.raises(DatabaseError), transaction.atomic():
        HotSpot.objects.update(track=None)


def test_a_step_that_fails_leaves_tracks_and_events_as_they_were(crowd, monkeypatch):
    crowd(EAST, 29.35)
    night()
    tracks = list(HotSpotTrack.objects.order_by("pk").values())
    crowd(47.85, 29.35, days_ago=(-1, 0))

    def broken(*_given, **_named):
        raise DatabaseError("no room")

    monkeypatch.setattr(HotSpot._default_manager.__class__, "bulk_create", broken)
    assert night(days=1).status == "failed"
    assert list(HotSpotTrack.objects.order_by("pk").values()) == tracks and announced() == []


# --- what a row says of itself ---------------------------------------------------------------------------------------
def test_a_hot_spot_says_its_past_its_surroundings_and_its_ratio(crowd):
    rng_days = [(31 + 30 * k, 59 + 30 * k) for k in range(6)]
    places = [(47.81 + 0.02 * i, 29.31 + 0.02 * (i % 4)) for i in range(9)]
    for lon, lat in places:
        crowd(lon, lat, n=16, days_ago=(1, 29), spread_m=30)
        for days_ago in rng_days:
            crowd(lon, lat, n=16, days_ago=days_ago, spread_m=30)
    crowd(places[0][0], places[0][1], n=60, spread_m=30)
    crowd(places[0][0], places[0][1], n=1, days_ago=(230, 231))
    night()
    spots = standing()
    assert len(spots) == 9 and all(len(spot.previous_counts) == 6 for spot in spots)
    risen = [spot for spot in spots if spot.rate_ratio_low > 1]
    assert [spot.incident_count for spot in risen] == [76]
    assert risen[0].rate_ratio_low < risen[0].rate_ratio < risen[0].rate_ratio_high
    assert all(spot.background_count is not None and 0 < spot.q_value <= 1 for spot in spots)
    assert risen[0].background_count < 10 and risen[0].q_value <= 0.05


def test_a_window_in_which_the_feed_was_silent_is_unknown_and_not_zero(crowd):
    crowd(EAST, 29.35, n=20)
    for k in (0, 2, 3, 4):
        crowd(EAST, 29.35, n=12, days_ago=(31 + 30 * k, 59 + 30 * k), spread_m=20)
    crowd(EAST, 29.35, n=1, days_ago=(220, 221))
    done = night()
    spot = standing()[0]
    assert spot.previous_counts == [12, None, 12, 12, 12, None]
    assert done.steps.get(name="hotspots:kw").counts["silent_windows"] == 2


def test_the_same_night_computed_twice_says_the_same(crowd):
    crowd(EAST, 29.35, n=30)
    crowd(47.85, 29.33, n=90, spread_m=4000)
    night()
    night(days=0)
    columns = ("rank", "incident_count", "q_value", "background_count", "rate_ratio")
    first, second = (list(HotSpot.objects.filter(is_current=now).order_by("category", "rank").values(*columns)) for now in (False, True))
    assert first == second and first


@pytest.mark.parametrize("n", [0, 1, 9])
def test_too_few_incidents_make_no_hot_spot_and_no_error(crowd, n):
    crowd(EAST, 29.35, n=n)
    assert night().status == "done" and not HotSpot.objects.exists()


def test_a_thousand_on_one_point_and_a_line_of_them_are_hot_spots_with_an_area(crowd):
    crowd(EAST, 29.35, n=1000, spread_m=0)
    line = crowd(47.82, 29.35, n=60, spread_m=0)
    for position, incident in enumerate(line):
        incident.location.x = 47.82 + position * 50 * METRE
    Incident.objects.bulk_update(line, ["location"])
    assert night().status == "done"
    assert {spot.incident_count for spot in standing()} == {1000, 60}
    assert all(spot.area_km2 > 0.003 and spot.hull.valid for spot in standing())


@pytest.mark.parametrize("where", [(float("nan"), 29.35), (47.9, 95.0), (float("inf"), 29.35)])
def test_a_point_that_cannot_be_placed_is_counted_and_stops_nothing(crowd, where):
    crowd(EAST, 29.35, n=20)
    Incident.objects.filter(pk=crowd(EAST, 29.35, n=1)[0].pk).update(location=Point(where, srid=4326))
    done = night()
    assert done.status == "done" and [spot.incident_count for spot in standing()] == [20]
    assert done.steps.get(name="hotspots:kw").counts["not_placeable"] == 1


def test_a_run_leaves_a_card_that_says_from_what_and_with_which_limits(crowd):
    crowd(EAST, 29.35, n=20)
    night()
    facts = ModelCard.objects.get(model=HotSpot.MODEL).facts
    assert facts["learns_from"]["incidents"] == 20 and facts["parameters"]["eps_m"] == 300
    assert facts["seed"] and facts["limits"] == hotspots.LIMITS and facts["code_version"]
