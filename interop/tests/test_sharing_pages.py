"""INT-7: sharing on the dashboard: agreements signed and revoked by people of each side, and who read what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from interop.models import Partner, ReadRecord
from interop.services.sharing import AgreementTerms, propose_agreement

pytestmark = pytest.mark.django_db


@pytest.fixture
def chiefs(cast):
    return [
        User.objects.create(username=f"{agency.slug}-chief", role="supervisor", agency=agency, sees_all_governorates=True, language="en")
        for agency in (cast.police, cast.fire)
    ]


@pytest.fixture
def proposed(cast, chiefs):
    now = timezone.now()
    terms = AgreementTerms(
        title="Fires at homes", purpose="Decree 7", giver=cast.police, receiver=cast.fire, starts_at=now, ends_at=now + timedelta(days=3),
        all_types=True, all_governorates=True, parts=["place"], precision="area",
    )  # fmt: skip
    return propose_agreement(terms=terms, by=chiefs[0])


def client_of(user):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_both_sides_sign_on_its_page_and_one_revokes_it(proposed, chiefs):
    page = f"/sharing/{proposed.pk}/"
    assert "Fires at homes" in client_of(chiefs[1]).get("/sharing/").content.decode()
    for chief in chiefs:
        assert f"{page}sign/" in client_of(chief).get(page).content.decode()
        assert client_of(chief).post(f"{page}sign/", {"version": "1"}).status_code == 302
        assert f"{page}sign/" not in client_of(chief).get(page).content.decode()
    proposed.refresh_from_db()
    assert proposed.state == "in_force"
    client_of(chiefs[1]).post(f"{page}revoke/", {"reason": ""})
    proposed.refresh_from_db()
    assert proposed.state == "in_force", "a reason is needed"
    client_of(chiefs[1]).post(f"{page}revoke/", {"reason": "Over"})
    proposed.refresh_from_db()
    assert proposed.state == "revoked" and "Over" in client_of(chiefs[0]).get(page).content.decode()


def test_others_see_nothing_of_it(proposed, cast):
    mayor = User.objects.create(username="mayor", role="supervisor", agency=None, sees_all_governorates=True)
    assert client_of(mayor).get(f"/sharing/{proposed.pk}/").status_code == 404
    assert "Fires at homes" not in client_of(mayor).get("/sharing/").content.decode()
    for person in (cast.officer, cast.dispatcher, cast.analyst):
        assert client_of(person).get("/sharing/").status_code == 403
        assert client_of(person).get("/sharing/reads/").status_code == 403
        assert client_of(person).post(f"/sharing/{proposed.pk}/sign/", {"version": "1"}).status_code == 403
    assert Client().get("/sharing/").status_code == 302


def test_who_read_what_is_looked_up_from_either_end(cast, places, report):
    here, there = report(), report(location=places.in_sharq)
    partner = Partner.objects.create(slug="police-bi", name="Police BI", agency=cast.police, region=places.region)
    ReadRecord.objects.create(
        at=timezone.now(), request_id="r1", reader="police-bi/pull", partner_id=partner.pk, agency_id=cast.police.pk,
        door="external/incidents.json", precision="100m", incident_ids=[here.pk, there.pk],
    )  # fmt: skip
    client = client_of(cast.supervisor)
    by_incident = client.get("/sharing/reads/", {"incident": here.ref}).content.decode()
    assert "police-bi/pull" in by_incident and "To 100 metres" in by_incident
    assert "police-bi/pull" not in client.get("/sharing/reads/", {"incident": there.ref}).content.decode(), "outside their jurisdiction"
    by_partner = client.get("/sharing/reads/", {"partner": "police-bi"}).content.decode()
    assert here.ref in by_partner and there.ref not in by_partner
    assert f"/sharing/reads/?incident={here.ref}" in client.get(f"/incidents/{here.ref}/").content.decode()


def test_the_command_centre_signs_the_version_that_stood_on_its_page(proposed, chiefs):
    listing = "/admin/interop/sharingagreement/"
    asked = {"action": "sign", "_selected_action": [proposed.pk]}
    client = client_of(chiefs[0])
    page = client.post(listing, asked).content.decode()
    assert f'value="{proposed.pk}:1"' in page
    type(proposed).objects.filter(pk=proposed.pk).update(version=2)
    client.post(listing, {**asked, "apply": "1", "versions": f"{proposed.pk}:1"})
    assert not proposed.signatures.exists(), "changed meanwhile"
    client.post(listing, {**asked, "apply": "1", "versions": f"{proposed.pk}:2"})
    assert proposed.signatures.get().by == chiefs[0]
    client.post(listing, {"action": "revoke", "_selected_action": [proposed.pk], "apply": "1", "reason": "Over"})
    proposed.refresh_from_db()
    assert proposed.state == "revoked"
