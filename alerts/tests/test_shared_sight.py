"""ALR-1, ALR-4: an alert about a place and of no agency (a hot spot, a forecast) is every agency's there, and nobody's elsewhere."""

from __future__ import annotations

import pytest

from accounts.jurisdiction import Jurisdiction
from alerts.models import Alert
from alerts.permissions import may, sees


@pytest.fixture
def hot_spot(fire):
    return fire(agency=None, title_en="A hot spot grew", kind=Alert.Kind.RULE)


def test_each_agency_of_the_governorate_sees_it_and_may_answer_it(hot_spot, cast, client):
    for person in (cast.supervisor, cast.dispatcher, cast.firefighter, cast.superadmin, cast.auditor):
        assert Alert.objects.visible_to(person).filter(pk=hot_spot.pk).exists(), person
        assert sees(person, hot_spot)
    assert may(cast.firefighter, "ack_alert", hot_spot) and may(cast.dispatcher, "ack_alert", hot_spot)
    client.force_login(cast.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"/alerts/{hot_spot.pk}/").status_code == 200


def test_nobody_of_another_governorate_does(hot_spot, cast, client):
    assert not Alert.objects.visible_to(cast.stranger).exists() and not sees(cast.stranger, hot_spot)
    client.force_login(cast.stranger, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"/alerts/{hot_spot.pk}/").status_code == 404


def test_what_is_of_no_agency_and_no_place_is_for_those_who_see_everything(fire, cast):
    alert = fire(agency=None, governorate=None, zone=None)
    seeing = {person for person in (cast.supervisor, cast.firefighter, cast.superadmin) if sees(person, alert)}
    assert seeing == {cast.superadmin}
    assert not Alert.objects.visible_to(cast.firefighter).exists() and Alert.objects.visible_to(cast.superadmin).count() == 1


def test_another_agencys_alert_stays_its_own(fire, cast):
    alert = fire(agency=cast.fire)
    assert not Alert.objects.visible_to(cast.supervisor).exists() and not sees(cast.supervisor, alert)


def test_whoever_sees_nothing_sees_nothing_that_is_shared():
    assert not Jurisdiction.nothing().admits(agency_id=None, governorate_id=1, or_shared=True)
    assert not Jurisdiction(frozenset([1]), frozenset()).admits(agency_id=None, governorate_id=1, or_shared=True)
    assert not Jurisdiction(frozenset([1]), None).admits(agency_id=None, governorate_id=1)
