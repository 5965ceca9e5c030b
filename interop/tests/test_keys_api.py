"""INT-1: keys by API: for whoever manages keys, and for keys with the scope ``admin`` within their own agency."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from interop.models import Partner, PartnerKey
from interop.services import issue_key
from interop.tests.conftest import Caller

pytestmark = pytest.mark.django_db
KEYS = "/api/v1/admin/api-keys"
WANTED = {"partner": "police-cad", "name": "new", "scopes": ["incidents:read"], "all_governorates": True}


@pytest.fixture
def root(cast) -> Client:
    client = Client()
    client.force_login(cast.superadmin, backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(client, path, body):
    return client.post(path, body, content_type="application/json")


@pytest.fixture
def steward(police_system, places) -> Caller:
    """A key that manages its agency's keys, in one governorate, told areas only, for a month."""
    return Caller(
        *issue_key(
            partner=police_system,
            name="steward",
            scopes=["admin"],
            by=None,
            governorates=[places.hawalli],
            precision="area",
            expires_at=datetime.now(UTC) + timedelta(days=30),
        )
    )


def test_a_superadmin_makes_a_key_that_works_and_is_shown_once(root, police_system):
    made = post(root, KEYS, {**WANTED, "networks": ["127.0.0.0/8"], "precision": "100m"})
    assert made.status_code == 201 and made["Cache-Control"] == "no-store"
    told = made.json()
    assert (told["networks"], told["precision"], told["is_usable"]) == (["127.0.0.0/8"], "100m", True)
    key = PartnerKey.objects.get(pk=told["id"])
    assert Caller(key, told["secret"]).get("incidents").status_code == 200
    assert "secret" not in root.get(f"{KEYS}/{key.pk}").json()
    assert told["secret"] not in root.get(KEYS).content.decode() and "hashed" not in root.get(KEYS).content.decode()


def test_it_is_rotated_and_revoked_by_the_same_door(root, caller):
    turned = post(root, f"{KEYS}/{caller.key.pk}/rotate", {"overlap_h": 1}).json()
    assert turned["replaces"] == caller.key.pk and caller.get("incidents").status_code == 200
    assert post(root, f"{KEYS}/{caller.key.pk}/revoke", {"reason": "lost"}).json()["is_usable"] is False
    assert caller.get("incidents").status_code == 401
    assert Caller(PartnerKey.objects.get(pk=turned["id"]), turned["secret"]).get("incidents").status_code == 200
    assert post(root, f"{KEYS}/{caller.key.pk}/revoke", {}).status_code == 409


@pytest.mark.parametrize("name", ["supervisor", "analyst", "dispatcher", "officer", "auditor"])
def test_nobody_else_reads_or_makes_keys(cast, police_system, caller, name):
    client = Client()
    client.force_login(getattr(cast, name), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(KEYS).status_code == post(client, KEYS, WANTED).status_code == 403
    assert caller.get("admin/api-keys").status_code == 403
    assert Client().get(KEYS).status_code == 401


def test_a_key_that_manages_keys_gives_nothing_it_has_not(steward, cast, places, police_system):
    soon = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    fits = {
        "partner": "police-cad",
        "name": "n",
        "scopes": ["incidents:read"],
        "governorates": ["T-HA"],
        "precision": "area",
        "expires_at": soon,
    }
    assert steward.post("admin/api-keys", fits).status_code == 201
    late = (datetime.now(UTC) + timedelta(days=300)).isoformat()
    for more in (
        {"scopes": ["admin"]},
        {"governorates": ["T-KU"]},
        {"governorates": [], "all_governorates": True},
        {"precision": "exact"},
        {"expires_at": late},
        {"expires_at": None},
    ):
        assert steward.post("admin/api-keys", {**fits, **more}).status_code == 403, more
    fire = Partner.objects.create(slug="fire-cad", name="F", agency=cast.fire, region=places.region)
    theirs, _secret = issue_key(partner=fire, name="f", scopes=["incidents:read"], by=None, all_governorates=True)
    assert steward.post("admin/api-keys", {**fits, "partner": "fire-cad"}).status_code == 422
    assert steward.get(f"admin/api-keys/{theirs.pk}").status_code == steward.get(f"admin/api-keys/{theirs.pk}/usage").status_code == 404
    assert steward.post(f"admin/api-keys/{theirs.pk}/revoke", {}).status_code == 404
    assert {row["partner"] for row in steward.get("admin/api-keys").json()["results"]} == {"police-cad"}


def test_it_rotates_itself_without_living_longer_and_ends_no_other_steward(steward, police_system):
    turned = steward.post(f"admin/api-keys/{steward.key.pk}/rotate", {})
    assert turned.status_code == 201
    assert datetime.fromisoformat(turned.json()["expires_at"]) <= steward.key.expiry_date
    other, _secret = issue_key(partner=police_system, name="o", scopes=["admin"], by=None, all_governorates=True)
    assert steward.post(f"admin/api-keys/{other.pk}/revoke", {}).status_code == 403
    assert steward.post(f"admin/api-keys/{other.pk}/rotate", {}).status_code == 403


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"partner": "nobody"}, "partner"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"networks": ["here"]}, "networks"),
        ({"all_governorates": False, "governorates": ["XX"]}, "governorates"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"precision": "1m"}, "precision"),
    ],
)
def test_what_makes_no_sense_is_named(root, police_system, wrong, field):
    answer = post(root, KEYS, {**WANTED, **wrong})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == field


def test_ids_that_are_not_there_are_404(root, police_system):
    for path in (f"{KEYS}/999999", f"{KEYS}/{10**30}", f"{KEYS}/999999/usage"):
        assert root.get(path).status_code == 404
    assert post(root, f"{KEYS}/999999/rotate", {}).status_code == 404
