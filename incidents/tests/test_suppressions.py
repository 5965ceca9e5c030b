"""ANA-9: people take a place out of what patrol is handed, with a reason and an end."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.contrib.gis.geos import Point
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.models import Suppression
from incidents.services.trust.suppressions import lift_suppression, mask, suppress_place, suppressions_at


@pytest.fixture
def suppress(places, cast, burglary):
    def make(**given):
        return suppress_place(
            **{
                "centre": places.in_salmiya,
                "radius_m": 300,
                "days": 30,
                "reason": "A street party, known and welcome.",
                "by": cast.supervisor,
                **given,
            }
        )

    return make


def test_a_place_is_suppressed_with_a_reason_and_an_end(suppress, cast, places):
    made = suppress(category="property")
    assert made.governorate == places.hawalli and made.created_by == cast.supervisor
    assert timedelta(days=29.9) < made.expires_at - timezone.now() <= timedelta(days=30)
    entry = AuditEntry.objects.get(verb="place.suppress")
    assert entry.reason == made.reason and entry.actor_name == "supervisor"
    event = Event.objects.get(type="place.suppressed")
    assert event.governorate_id == places.hawalli.pk and event.data["suppression"] == made.pk


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 401}, "reason"),
        ({"radius_m": 10}, "radius_m"),
        ({"radius_m": 5_001}, "radius_m"),
        ({"radius_m": float("nan")}, "radius_m"),
        ({"days": 0}, "days"),
        ({"days": 91}, "days"),
        ({"category": "witchcraft"}, "category"),
        ({"centre": Point(48.9, 29.35, srid=4326)}, "centre"),
        ({"centre": Point(float("nan"), 29.35, srid=4326)}, "centre"),
    ],
)
def test_what_cannot_be_is_refused_and_named(suppress, given, field):
    with pytest.raises(Invalid) as refusal:
        suppress(**given)
    assert field in refusal.value.fields and not Suppression.objects.exists()


@pytest.mark.parametrize("name", ["analyst", "dispatcher", "officer", "auditor"])
def test_other_roles_may_not(suppress, cast, name):
    with pytest.raises(NotAllowed):
        suppress(by=getattr(cast, name))


def test_a_place_in_another_governorate_does_not_exist_for_the_supervisor(suppress, cast, places):
    with pytest.raises(NotFound):
        suppress(centre=places.in_sharq)
    theirs = suppress(centre=places.in_sharq, by=cast.superadmin)
    with pytest.raises(NotFound):
        lift_suppression(suppression=theirs, by=cast.supervisor, reason="Not mine.")
    assert not Suppression.objects.visible_to(cast.supervisor).exists()


def test_the_system_suppresses_nothing(suppress):
    with pytest.raises(Invalid):
        suppress(by=None)


def test_one_that_has_run_out_holds_no_longer_and_nobody_has_to_end_it(suppress):
    made = suppress(days=1)
    assert Suppression.objects.in_force().exists()
    assert not Suppression.objects.in_force(at=made.expires_at).exists()


def test_lifting_ends_it_once_with_a_reason(suppress, cast):
    made = suppress()
    with pytest.raises(Invalid):
        lift_suppression(suppression=made, by=cast.supervisor, reason="")
    lifted = lift_suppression(suppression=made, by=cast.supervisor, reason="Over.")
    assert lifted.lifted_by == cast.supervisor and not Suppression.objects.in_force().exists()
    assert AuditEntry.objects.get(verb="place.lift").reason == "Over."
    with pytest.raises(Conflict):
        lift_suppression(suppression=made, by=cast.supervisor, reason="Again.")


def test_a_cell_says_who_holds_it_back(suppress, cast, places):
    made = suppress(radius_m=300)
    suppress(category="property", radius_m=5000)
    assert len(suppressions_at(lon=47.921, lat=29.351, viewer=cast.officer, category="property")) == 2
    assert suppressions_at(lon=47.921, lat=29.351, viewer=cast.officer) == [made]
    assert suppressions_at(lon=47.94, lat=29.35, viewer=cast.officer) == []
    assert suppressions_at(lon=47.921, lat=29.351, viewer=cast.stranger) == []


def test_a_mask_covers_cells_it_touches_and_ends_at_the_governorate(suppress, places):
    from pyproj import Transformer

    made = suppress(radius_m=300)
    x, y = Transformer.from_crs(4326, 32638, always_xy=True).transform(47.92, 29.35)
    west = np.array([x - 125, x + 290, x + 310, x - 125])
    south = np.full(4, y - 125.0)
    zones = np.array([places.hawalli.pk, places.hawalli.pk, places.hawalli.pk, places.capital.pk])
    covered = mask([made], region=places.region, west_m=west, south_m=south, cell_m=250, governorate_ids=zones)
    assert covered.tolist() == [True, True, False, False]
