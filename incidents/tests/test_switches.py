"""ANA-9: the off switch of each model: who may, with what reason, and that it takes effect at once wherever results are read."""

from __future__ import annotations

from datetime import date

import pytest
from django.contrib.gis.geos import Polygon

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.models import Forecast, HotSpot, Surface
from incidents.services.trust.switches import is_on, known_models, switch_model, switched_off
from incidents.tests.issued import choice, days_ago, forecast, risk, run_at

CELLS = [(3000, 13000), (3001, 13000)]


@pytest.fixture
def issued(places, cast):
    """A risk surface with the baseline frozen beside it, a forecast and a hot spot, all standing."""
    run = run_at(days_ago(0.1))
    choice(run, places.region)
    risk(run, places.region, CELLS, [2, 1])
    risk(run, places.region, CELLS, [1, 2], role="baseline", model="last_52_weeks")
    risk(run, places.region, CELLS, [1, 1], role="baseline", model="last_4_weeks")
    forecast(run, places.hawalli, date(2026, 11, 22))
    HotSpot.objects.create(
        run=run,
        region=places.region,
        governorate=places.hawalli,
        rank=1,
        hull=Polygon.from_bbox((47.91, 29.34, 47.92, 29.35)),
        centre=places.in_salmiya,
        incident_count=12,
        area_km2=0.3,
        density_per_km2=40,
        severity_score=1,
        window_from=days_ago(30),
        window_to=days_ago(0),
        is_current=True,
    )
    return run


def off(model, by):
    return switch_model(model=model, on=False, by=by, reason="It points at one street only.")


def test_a_model_is_on_until_somebody_switches_it_off_and_says_why(issued, cast):
    assert is_on("ensemble") and is_on("never heard of")
    switch = off("ensemble", cast.superadmin)
    assert not is_on("ensemble") and list(switched_off()) == ["ensemble"]
    assert (switch.changed_by, switch.reason) == (cast.superadmin, "It points at one street only.")
    entry = AuditEntry.objects.get(verb="model.switch")
    assert entry.reason == switch.reason
    assert (entry.before, entry.after) == ({"is_on": True, "reason": ""}, {"is_on": False})
    assert Event.objects.get(type="model.switched").data == {"model": "ensemble", "is_on": False}
    switch_model(model="ensemble", on=True, by=cast.superadmin, reason="Looked into; it was the import.")
    assert is_on("ensemble") and not switched_off()


def test_a_risk_surface_switched_off_leaves_its_place_to_the_baseline_at_once(issued, cast):
    assert [row.model for row in Surface.objects.current().published()] == ["ensemble"]
    off("ensemble", cast.superadmin)
    assert [row.model for row in Surface.objects.current().published()] == ["last_52_weeks"]
    off("last_52_weeks", cast.superadmin)
    assert not Surface.objects.current().published().exists()


def test_what_was_issued_stays_stored_while_its_model_is_off(issued, cast):
    off("ensemble", cast.superadmin)
    assert Surface.objects.filter(model="ensemble", is_current=True).count() == 1


def test_forecasts_and_hot_spots_of_a_model_that_is_off_are_not_shown(issued, cast):
    assert Forecast.objects.current().exists() and HotSpot.objects.current().exists()
    off("prophet", cast.superadmin)
    off("dbscan", cast.superadmin)
    assert not Forecast.objects.current().exists() and not HotSpot.objects.current().exists()


def test_a_held_back_forecast_is_never_among_those_shown(issued, places):
    forecast(issued, places.hawalli, date(2026, 11, 23), is_published=False)
    assert [row.day for row in Forecast.objects.current()] == [date(2026, 11, 22)]


@pytest.mark.parametrize("name", ["analyst", "dispatcher", "officer", "auditor"])
def test_other_roles_may_not_switch(name, issued, cast):
    with pytest.raises(NotAllowed):
        off("ensemble", getattr(cast, name))


def test_a_supervisor_of_one_governorate_may_not_switch_for_the_nation(issued, cast):
    with pytest.raises(NotAllowed, match="whole nation"):
        off("ensemble", cast.supervisor)
    cast.supervisor.sees_all_governorates = True
    cast.supervisor.save()
    del cast.supervisor.jurisdiction
    off("ensemble", cast.supervisor)
    assert not is_on("ensemble")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 401])
def test_a_reason_is_needed_off_and_on_and_fits(reason, issued, cast):
    for on in (False, True):
        with pytest.raises(Invalid):
            switch_model(model="ensemble", on=on, by=cast.superadmin, reason=reason)
    assert is_on("ensemble")


def test_a_model_nobody_knows_cannot_be_switched(issued, cast):
    with pytest.raises(NotFound):
        off("crystal_ball", cast.superadmin)
    assert "ensemble" in known_models() and "crystal_ball" not in known_models()


def test_switching_off_twice_is_a_conflict(issued, cast):
    off("ensemble", cast.superadmin)
    with pytest.raises(Conflict):
        off("ensemble", cast.superadmin)
