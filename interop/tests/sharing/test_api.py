"""INT-7: sharing between agencies: by the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Agency
from interop.models import Part, Precision
from interop.tests.sharing.conftest import person
from interop.tests.sharing.reading import PATH, refs

pytestmark = pytest.mark.django_db


AGREEMENTS = "/api/v1/sharing/agreements"


def client_of(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def send(user, path, body, method="post"):
    return getattr(client_of(user), method)(path, body, content_type="application/json")


def test_an_agreement_is_proposed_signed_changed_and_revoked_by_api(chiefs, cast, report, fire_key, burglary):
    giver, receiver = chiefs
    incident, caller = report(), fire_key()
    now = timezone.now()
    body = {
        "title": "Burglaries", "purpose": "Joint response", "giver": "police", "receiver": "fire", "types": ["burglary"],
        "governorates": ["T-HA"], "parts": ["place"], "precision": "area", "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(days=7)).isoformat(),
    }  # fmt: skip
    made = send(giver, AGREEMENTS, body)
    assert made.status_code == 201, made.content
    pk = made.json()["id"]
    assert (made.json()["types"], made.json()["governorates"], made.json()["stands"]) == (["burglary"], ["T-HA"], "proposed")
    for chief in chiefs:
        answer = send(chief, f"{AGREEMENTS}/{pk}/sign", {"version": 1})
        assert answer.status_code == 200, answer.content
    assert answer.json()["stands"] == "holds" and [one["side"] for one in answer.json()["signatures"]] == ["giver", "receiver"]
    assert refs(caller.get(PATH)) == [incident.ref]
    mine = caller.get("sharing/agreements").json()["results"]
    assert [one["code"] for one in mine] == [f"SA-{pk}/1"] and {one["by"] for one in mine[0]["signatures"]} == {""}
    changed = send(receiver, f"{AGREEMENTS}/{pk}", {"parts": []}, "patch").json()
    assert (changed["version"], changed["stands"], changed["types"]) == (2, "proposed", ["burglary"])
    assert send(giver, f"{AGREEMENTS}/{pk}/sign", {"version": 1}).status_code == 409
    assert send(giver, f"{AGREEMENTS}/{pk}/revoke", {"reason": "Over"}).json()["stands"] == "revoked"
    assert send(cast.dispatcher, AGREEMENTS, body).status_code == 403
    assert caller.post("sharing/agreements", body).status_code == 403
    assert send(giver, AGREEMENTS, {**body, "types": ["no-such"]}).status_code == 422


def test_an_agreement_of_others_is_404_by_api(agreed, cast, places):
    agreement = agreed()
    city = Agency.objects.create(slug="city", kind="municipality", name_en="City", name_ar="البلدية")
    mayor = person("mayor", city)
    assert client_of(mayor).get(f"{AGREEMENTS}/{agreement.pk}").status_code == 404
    assert client_of(mayor).get(AGREEMENTS).json()["results"] == []
    assert send(mayor, f"{AGREEMENTS}/{agreement.pk}/revoke", {"reason": "Mine"}).status_code == 404
    assert client_of(cast.dispatcher).get(f"{AGREEMENTS}/{agreement.pk}").status_code == 404


def test_what_did_partner_x_see_of_incident_y(agreed, chiefs, report, fire_key, cast, places):
    here, there = report(), report(location=places.in_sharq)
    agreement, caller = agreed(precision=Precision.AREA, parts=[Part.PLACE]), fire_key()
    caller.get(PATH), caller.get(f"{PATH}/{here.ref}")
    by_incident = client_of(chiefs[0]).get(f"/api/v1/sharing/reads/incidents/{here.ref}").json()
    (told,) = by_incident["results"]
    assert (told["reader"], told["agreement"], told["precision"], told["times"]) == ("fire-cad/pull", f"SA-{agreement.pk}/1", "area", 2)
    by_partner = client_of(chiefs[0]).get("/api/v1/sharing/reads/partners/fire-cad").json()["results"]
    assert {row["incident"]: row["times"] for row in by_partner} == {here.ref: 2, there.ref: 1}
    of_hawalli = client_of(cast.supervisor).get("/api/v1/sharing/reads/partners/fire-cad").json()["results"]
    assert [row["incident"] for row in of_hawalli] == [here.ref], "of those the asking person may see"
    assert client_of(cast.supervisor).get(f"/api/v1/sharing/reads/incidents/{there.ref}").status_code == 404
    assert client_of(cast.dispatcher).get(f"/api/v1/sharing/reads/incidents/{here.ref}").status_code == 403
    assert client_of(chiefs[1]).get("/api/v1/sharing/reads/partners/police-cad").status_code == 404
