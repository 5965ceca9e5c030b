"""PAT-3, PAT-6, PAT-10: where units should stand with the gap proven, gaps by zone and hour, move-up advice, and what if."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from incidents.models import Surface
from patrol.analytics.response import erlang_c, expect
from patrol.models import Assignment, CoverageStudy, Duty, Plan, PlanStop, RosterEntry, Station, Unit
from patrol.services.coverage import advise_move_up, ask_what_if, gaps_for, keep_advice, study_coverage
from patrol.services.coverage.ground import limit_for
from patrol.services.plans import publish_plan, review_plan


def here(tomorrow: Any, by: Any = None, **given: Any) -> dict[str, Any]:
    shift = tomorrow.shift
    return {"governorate": shift.governorate, "agency": shift.agency, "start": shift.starts_at, "end": shift.ends_at, "by": by, **given}


# --- what calls can expect -------------------------------------------------------------------------------------------------------


def test_more_units_shorten_the_way_and_busy_ones_lengthen_it() -> None:
    demand, seconds = np.array([1.0, 1.0]), np.array([[60.0, 600.0], [600.0, 60.0]])
    idle = expect(demand, seconds, calls_an_hour=0, service_s=1800, limit_s=300)
    busy = expect(demand, seconds, calls_an_hour=2, service_s=1800, limit_s=300)
    one = expect(demand, seconds[:, :1], calls_an_hour=0, service_s=1800, limit_s=300)
    assert idle.mean_s == 60 and busy.mean_s > idle.mean_s and one.mean_s == 330 and one.covered_share == 0.5
    assert busy.busy_share == 0.5 and busy.waits == pytest.approx(erlang_c(1.0, 2))
    nobody = expect(demand, np.empty((2, 0)), calls_an_hour=1, service_s=1800, limit_s=300)
    assert np.isnan(nobody.mean_s) and nobody.covered_share == 0 and nobody.waits == 1


# --- studies ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["cover", "median"])
def test_posts_for_the_units_of_the_roster_with_the_gap_proven(tomorrow: Any, cast: Any, method: str) -> None:
    study = study_coverage(**here(tomorrow, cast.supervisor, method=method))
    assert study.inputs["units"] == 2 and study.inputs["units_from"] == "roster"
    assert (
        sum(post["units"] for post in study.result["posts"]) <= 2
        and study.result["is_proven"]
        and study.gap is not None
        and study.gap < 0.01
    )
    assert 0 < study.result["covered_share"] <= 1 and study.result["greedy"] is not None
    assert len(study.result["hours"]) == 8 and study.result["today"]["units"] == 2
    assert study.provider == "straight" and CoverageStudy.objects.filter(pk=study.pk).exists()


def test_without_a_roster_all_units_count_and_without_any_it_asks_how_many(tomorrow: Any, cast: Any) -> None:
    RosterEntry.objects.update(is_cancelled=True)
    assert study_coverage(**here(tomorrow, keep=False)).inputs["units_from"] == "all"
    Unit.objects.update(is_active=False)
    with pytest.raises(Conflict, match="how many"):
        study_coverage(**here(tomorrow))
    assert study_coverage(**here(tomorrow, units=3, keep=False)).inputs["units"] == 3


def test_nothing_known_is_no_study(tomorrow: Any) -> None:
    Surface.objects.update(is_current=False)
    with pytest.raises(Conflict, match="Nothing is known"):
        study_coverage(**here(tomorrow))


@pytest.mark.parametrize(
    ("given", "field"), [({"units": 0}, "units"), ({"units": 201}, "units"), ({"limit_s": 5}, "limit_s"), ({"method": "magic"}, "method")]
)
def test_bad_wishes_are_refused_with_their_field(tomorrow: Any, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        study_coverage(**here(tomorrow, **given))
    assert field in refused.value.fields


def test_who_may_study_what(tomorrow: Any, cast: Any, places: Any) -> None:
    with pytest.raises(NotAllowed):
        study_coverage(**here(tomorrow, cast.dispatcher))
    with pytest.raises(NotFound):
        study_coverage(**here(tomorrow, cast.supervisor, governorate=places.capital))
    with pytest.raises(NotFound):
        study_coverage(**here(tomorrow, cast.supervisor, agency=cast.fire))


# --- gaps ------------------------------------------------------------------------------------------------------------------------


def test_gaps_by_zone_and_hour_follow_the_plan_and_say_what_they_come_from(tomorrow: Any, cast: Any) -> None:
    by_roster = gaps_for(**here(tomorrow, cast.supervisor, limit_s=120))
    assert by_roster.source == "roster" and by_roster.units == (2,) * 8
    plan = tomorrow.make()
    publish_plan(plan=review_plan(plan=plan, by=None, edition=plan.edition), by=None)
    planned = gaps_for(**here(tomorrow, cast.supervisor, limit_s=120))
    assert planned.source == "plan" and planned.covered_share is not None and by_roster.covered_share is not None
    assert planned.covered_share != by_roster.covered_share
    worst = planned.worst(3)
    assert worst and worst[0].missed >= worst[-1].missed and worst[0].area is not None and worst[0].area.code == "T-SAL"


def test_with_nobody_on_the_roster_everything_is_a_gap(tomorrow: Any, cast: Any) -> None:
    RosterEntry.objects.update(is_cancelled=True)
    gaps = gaps_for(**here(tomorrow, cast.supervisor))
    assert gaps.covered_share == 0 and gaps.units == (0,) * 8 and gaps.source == "none"


def test_this_hour_is_looked_at_as_it_is(tomorrow: Any, cast: Any) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    gaps = gaps_for(**here(tomorrow, cast.supervisor, start=now, end=now + timedelta(hours=1)))
    assert gaps.source == "live" and gaps.units == (2,)
    Duty.objects.filter(ended_at=None).update(ended_at=datetime.now(UTC))
    assert gaps_for(**here(tomorrow, cast.supervisor, start=now, end=now + timedelta(hours=1))).units == (0,)


def test_the_limit_is_the_agencys_travel_target_where_there_is_one(tomorrow: Any, cast: Any) -> None:
    from patrol.models import ResponseTarget

    ResponseTarget.objects.all().delete()
    assert limit_for(cast.police) == 480
    ResponseTarget.objects.create(agency=None, priority=1, travel_s=600)
    ResponseTarget.objects.create(agency=cast.police, priority=1, travel_s=300)
    assert limit_for(cast.police) == 300 and limit_for(cast.fire) == 600


# --- move-up ---------------------------------------------------------------------------------------------------------------------


def test_when_a_station_empties_a_free_unit_is_advised_to_move_there(tomorrow: Any, cast: Any, force: Any, report: Any) -> None:
    from django.contrib.gis.geos import Point

    west = Station.objects.create(
        agency=cast.police, governorate=force.p1.governorate, code="WES", name_en="West", name_ar="الغرب", location=Point(47.915, 29.35)
    )
    far = Station.objects.create(
        agency=cast.police, governorate=force.p1.governorate, code="FAR", name_en="Far", name_ar="البعيد", location=Point(47.99, 29.31)
    )
    Unit.objects.filter(pk=force.p1.pk).update(station=west)
    Unit.objects.filter(pk=force.p2.pk).update(station=far)
    before = advise_move_up(governorate=force.p1.governorate, agency=cast.police, by=cast.supervisor, limit_s=300)
    assert before is not None and not before.emptied
    from patrol.services.assignments import assign

    assign(unit=force.p1, by=cast.supervisor, kind="incident", incident=report())
    advice = advise_move_up(governorate=force.p1.governorate, agency=cast.police, by=cast.supervisor, limit_s=300)
    assert advice is not None and [post.name for post in advice.emptied] == ["West"] and advice.free == 1
    assert advice.moves and advice.moves[0][0] == force.p2 and advice.result.after > advice.result.now
    kept = keep_advice(governorate=force.p1.governorate, agency=cast.police, by=cast.supervisor, advice=advice)
    assert kept.kind == "move_up" and kept.result["moves"][0]["unit"] == "P2"


def test_nobody_on_duty_is_no_advice(tomorrow: Any, cast: Any, force: Any) -> None:
    Duty.objects.filter(ended_at=None).update(ended_at=datetime.now(UTC))
    assert advise_move_up(governorate=force.p1.governorate, agency=cast.police, by=cast.supervisor) is None


# --- what if ---------------------------------------------------------------------------------------------------------------------


def test_what_if_shows_before_and_after_and_touches_nothing(tomorrow: Any, cast: Any, force: Any) -> None:
    plan = tomorrow.make()
    publish_plan(plan=review_plan(plan=plan, by=None, edition=plan.edition), by=None)

    def everything() -> list[Any]:
        models = (Plan, PlanStop, RosterEntry, Station, Unit, Assignment)
        return [list(model.objects.order_by("pk").values()) for model in models]

    was = everything()
    station = force.salmiya_station
    study = ask_what_if(**here(tomorrow, cast.supervisor, more={station.pk: 3}, moved={station.pk: (47.91, 29.33)}, name="Two stations?"))
    assert everything() == was
    before, after = study.result["before"], study.result["after"]
    assert (before["units"], after["units"]) == (2, 5) and after["busy_share"] < before["busy_share"]
    assert before["mean_s"] != after["mean_s"] and after["p90_s"] >= after["mean_s"] * 0.5
    assert study.inputs["service_from"] == "assumed" and study.kind == "what_if" and study.name == "Two stations?"
    fewer = ask_what_if(**here(tomorrow, cast.supervisor, more={station.pk: -2}))
    assert fewer.result["after"] == {"units": 0, "covered_share": 0.0, "mean_s": None, "p90_s": None, "busy_share": None, "waits": 1.0}


def test_what_if_refuses_what_is_not_there(tomorrow: Any, cast: Any, force: Any) -> None:
    station = force.salmiya_station.pk
    for given, field in (
        ({"more": {station: -3}}, "more"),
        ({"more": {force.sharq_station.pk: 1}}, "station"),
        ({"moved": {station: (47.85, 29.35)}}, "moved"),
        ({"moved": {station: (float("nan"), 29.35)}}, "moved"),
        ({"more": {station: 1.5}}, "more"),
        ({"limit_s": 1}, "limit_s"),
    ):
        with pytest.raises(Invalid) as refused:
            ask_what_if(**here(tomorrow, cast.supervisor, **given))
        assert field in refused.value.fields
