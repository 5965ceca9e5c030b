"""ANA-9 in the command centre: models switched, places held back and lifted, each asked for with a reason."""

from __future__ import annotations

import pytest
from django.contrib.gis.geos import Polygon
from django.test import Client
from django.urls import reverse

from incidents.models import HotSpot, ModelCard, ModelSwitch, Suppression
from incidents.tests.issued import days_ago, rows_of_trust, run_at


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def rows(places, cast):
    run = run_at(days_ago(1))
    rows_of_trust(run, places, cast)
    return run


def act(person, model, action, row, **answers):
    given = {"action": action, "_selected_action": [row.pk], **({"apply": "1"} | answers if answers else {})}
    return enter(person).post(reverse(f"admin:incidents_{model}_changelist"), given, follow=True)


def said(answer):
    return " ".join(str(message) for message in answer.context["messages"])


def test_a_model_is_switched_off_from_its_card_after_a_reason_was_asked_for(rows, cast):
    card = ModelCard.objects.get()
    asked = act(cast.superadmin, "modelcard", "switch_off", card)
    assert "for the whole nation" in asked.content.decode() and not ModelSwitch.objects.filter(model="ensemble").exists()
    act(cast.superadmin, "modelcard", "switch_off", card, reason="")
    assert not ModelSwitch.objects.filter(model="ensemble").exists()
    assert "1 model was switched." in said(act(cast.superadmin, "modelcard", "switch_off", card, reason="One street only."))
    switch = ModelSwitch.objects.get(model="ensemble")
    assert not switch.is_on and switch.reason == "One street only."
    act(cast.superadmin, "modelswitch", "switch_on", switch, reason="Looked into.")
    switch.refresh_from_db()
    assert switch.is_on


def test_a_supervisor_of_one_governorate_is_told_why_not(rows, cast):
    answer = act(cast.supervisor, "modelcard", "switch_off", ModelCard.objects.get(), reason="Mine alone.")
    assert "whole nation" in said(answer) and not ModelSwitch.objects.filter(model="ensemble").exists()


@pytest.mark.parametrize("name", ["analyst", "auditor"])
def test_other_roles_have_no_such_action(rows, cast, name):
    act(getattr(cast, name), "modelcard", "switch_off", ModelCard.objects.get(), reason="No.")
    act(getattr(cast, name), "suppression", "lift", Suppression.objects.get(), reason="No.")
    assert not ModelSwitch.objects.filter(model="ensemble").exists() and Suppression.objects.in_force().exists()


def test_a_suppression_is_lifted(rows, cast):
    row = Suppression.objects.get()
    assert "1 suppression was lifted." in said(act(cast.supervisor, "suppression", "lift", row, reason="Over."))
    assert not Suppression.objects.in_force().exists()


def test_a_hot_spot_is_held_back_from_its_own_screen(rows, cast, places, burglary):
    spot = HotSpot.objects.create(
        run=rows,
        region=places.region,
        governorate=places.hawalli,
        category="property",
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
    answer = act(cast.supervisor, "hotspot", "hold_back", spot, radius_m="250", days="14", reason="A market, open late.")
    assert "1 place is held back." in said(answer)
    made = Suppression.objects.get(reason="A market, open late.")
    assert (made.category, made.radius_m, made.governorate) == ("property", 250, places.hawalli)
    act(cast.supervisor, "hotspot", "hold_back", spot, radius_m="250", days="91", reason="Too long.")
    assert not Suppression.objects.filter(reason="Too long.").exists()


def test_rows_of_other_governorates_are_404(rows, cast, places):
    cast.supervisor.governorates.set([places.capital])
    for model in ("score", "suppression", "handover"):
        from django.apps import apps

        row = apps.get_model("incidents", model).objects.get()
        assert enter(cast.supervisor).get(reverse(f"admin:incidents_{model}_change", args=[row.pk])).status_code == 404
