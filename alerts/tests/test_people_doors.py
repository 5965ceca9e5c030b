"""ALR-3: "How I am told", people and contacts through their doors: the page, the API, the command centre."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alerts.models import Contact, ContactMethod, Delivery, LayerMember, NotificationRule, Preferences
from alerts.services.people import is_reachable
from alerts.tests.test_oncall_doors import enter, formset
from interop.models import Partner
from interop.services import issue_key


def act(client: Client, user: Any, verb: str, **body: Any) -> Any:
    return client.post(reverse("mypages-act", args=[user.pk, verb]), body)


def test_a_person_adds_an_address_proves_it_and_tries_it(alerting: Any, cast: Any, smtp: Any) -> None:
    me = enter(cast.officer)
    assert "no message reaches you" in me.get(reverse("mypages")).content.decode()
    assert act(me, cast.officer, "add", channel="email", address="Officer@EXAMPLE.org").status_code == 302
    method = ContactMethod.objects.get(user=cast.officer)
    page = me.get(reverse("mypages")).content.decode()
    assert "Officer@example.org" in page and "not proved" in page
    wrong = act(me, cast.officer, "prove", method=method.pk, code="nonsense")
    assert wrong.status_code == 422 and "That is not the code." in wrong.content.decode()
    code = re.findall(r"\b\d{6}\b", smtp.mails[-1].part())[0]
    assert act(me, cast.officer, "prove", method=method.pk, code=code).status_code == 302
    assert is_reachable(cast.officer)
    assert act(me, cast.officer, "test", method=method.pk).status_code == 302
    assert Delivery.objects.get(is_test=True).method == method
    assert act(me, cast.officer, "remove", method=method.pk).status_code == 302
    assert not is_reachable(cast.officer)


def test_an_address_is_kept_though_its_channel_is_not_set_up_and_it_says_so(cast: Any) -> None:
    me = enter(cast.officer)
    act(me, cast.officer, "add", channel="voice", address="+96550000077")
    page = me.get(reverse("mypages")).content.decode()
    assert "this channel is not set up here" in page and "is not set up here." in page


def test_the_order_the_quiet_hours_and_the_sound_are_kept(alerting: Any, cast: Any) -> None:
    me = enter(cast.supervisor)
    rungs = {"channel": ["sms", "", "email"], "wait_s": ["30", "60", "90"]}
    assert act(me, cast.supervisor, "ladder", importance="important", **rungs).status_code == 302
    assert list(NotificationRule.objects.filter(user=cast.supervisor, importance="important").values_list("channel", "wait_s")) == [
        ("sms", 30),
        ("email", 90),
    ]
    assert act(me, cast.supervisor, "quiet", quiet_from="22:00", quiet_to="06:00").status_code == 302
    assert act(me, cast.supervisor, "mute", hours="2").status_code == 302
    wishes = Preferences.objects.get(user=cast.supervisor)
    assert wishes.quiet_from and wishes.sound_muted_until
    refused: list[tuple[str, dict[str, Any]]] = [
        ("ladder", {"importance": "x"}),
        ("ladder", {"importance": "default", "channel": "sms", "wait_s": "-1"}),
        ("quiet", {"quiet_from": "25:00"}),
        ("quiet", {"quiet_from": "22:00"}),
        ("add", {"channel": "sms", "address": "x"}),
    ]
    for verb, body in refused:
        assert act(me, cast.supervisor, verb, **body).status_code == 422, verb


def test_one_persons_page_is_theirs_and_their_managers(alerting: Any, cast: Any) -> None:
    method = ContactMethod.objects.filter(user=cast.dispatcher).get()
    for somebody in (cast.officer, cast.analyst, cast.firefighter):
        assert enter(somebody).get(reverse("mypages-person", args=[cast.dispatcher.pk])).status_code == 404
        assert act(enter(somebody), cast.dispatcher, "remove", method=method.pk).status_code == 404
    manager = enter(cast.supervisor)
    assert "+96550000002" in manager.get(reverse("mypages-person", args=[cast.dispatcher.pk])).content.decode()
    assert manager.get(reverse("mypages-person", args=[cast.stranger.pk])).status_code == 404
    assert act(manager, cast.supervisor, "remove", method=method.pk).status_code == 404  # not one of this person's
    assert Client().get(reverse("mypages")).status_code == 302


def test_managers_see_who_on_a_rota_cannot_be_reached_first(alerting: Any, cast: Any) -> None:
    LayerMember.objects.create(layer=alerting.schedule.layers.get(), position=2, user=cast.officer)
    page = enter(cast.supervisor).get(reverse("contacts")).content.decode()
    assert "on a rota, and no message reaches them" in page
    assert page.index(reverse("mypages-person", args=[cast.officer.pk])) < page.index(reverse("mypages-person", args=[cast.supervisor.pk]))
    assert "+96550000009" in page  # the operations room's: who manages alerts reads it
    assert enter(cast.dispatcher).get(reverse("contacts")).status_code == 404


# --- the API -----------------------------------------------------------------------------------------------------------------------------


def call(client: Client, verb: str, path: str, body: Any = None) -> Any:
    return getattr(client, verb)(f"/api/v1/{path}", json.dumps(body or {}), content_type="application/json")


def test_ones_own_wishes_are_read_and_set_over_the_api(alerting: Any, cast: Any, smtp: Any) -> None:
    me = enter(cast.officer)
    made = call(me, "post", "alerts/me/methods", {"channel": "email", "address": "officer@example.org"})
    assert made.status_code == 201 and made.json()["is_reachable"] is False
    pk = made.json()["methods"][0]["id"]
    assert call(me, "post", f"alerts/me/methods/{pk}/code").status_code == 200
    code = re.findall(r"\b\d{6}\b", smtp.mails[-1].part())[0]
    assert call(me, "post", f"alerts/me/methods/{pk}/prove", {"code": code}).json()["is_reachable"] is True
    ladder = {"importance": "default", "rungs": [{"channel": "email", "wait_s": 30}]}
    assert call(me, "put", "alerts/me/ladder", ladder).json()["ladders"][0]["rungs"] == ladder["rungs"]
    quiet = call(me, "put", "alerts/me/quiet-hours", {"quiet_from": "22:00", "quiet_to": "06:00"})
    assert quiet.json()["quiet_from"] == "22:00:00"
    assert call(enter(cast.dispatcher), "delete", f"alerts/me/methods/{pk}").status_code == 404
    assert call(me, "delete", f"alerts/me/methods/{pk}").status_code == 204
    assert Client().get("/api/v1/alerts/me").status_code in {401, 403}


@pytest.fixture
def machine(cast: Any, places: Any) -> dict[str, str]:
    partner = Partner.objects.create(slug="cad", name="CAD", agency=cast.police, region=places.region)
    return {"X-API-Key": issue_key(partner=partner, name="t", scopes=["alerts:read"], by=None, all_governorates=True)[1]}


def test_addresses_of_contacts_are_whole_for_managers_masked_for_the_rest_and_not_told_to_keys(
    alerting: Any, cast: Any, machine: Any
) -> None:
    def address(client: Client, **more: Any) -> str:
        found: str = client.get("/api/v1/alert-contacts", **more).json()["results"][0]["methods"][0]["address"]
        return found

    assert address(enter(cast.supervisor)) == "+96550000009"
    assert address(enter(cast.dispatcher)) == "+965••••09"
    assert address(Client(), headers=machine) == ""
    assert enter(cast.officer).get("/api/v1/alert-contacts").json()["results"] == []
    assert enter(cast.firefighter).get(f"/api/v1/alert-contacts/{alerting.room.pk}").status_code == 404
    assert Client().get("/api/v1/alerts/me", headers=machine).status_code in {401, 403}


def test_contacts_are_made_changed_and_given_addresses_over_the_api(alerting: Any, cast: Any) -> None:
    desk = enter(cast.supervisor)
    body = {"code": "desk", "name_en": "Desk", "name_ar": "مكتب", "agency": "police", "governorate": "T-HA"}
    pk = call(desk, "post", "alert-contacts", body).json()["id"]
    made = call(desk, "post", f"alert-contacts/{pk}/methods", {"channel": "sms", "address": "50000055"})
    assert made.status_code == 201 and made.json()["methods"][0]["address"] == "+96550000055"
    assert call(desk, "post", f"alert-contacts/{pk}/methods", {"channel": "sms", "address": "x"}).status_code == 422
    assert call(enter(cast.dispatcher), "patch", f"alert-contacts/{pk}", {"name_en": "Mine"}).status_code == 403
    assert call(desk, "delete", f"alert-contacts/{pk}/methods/{made.json()['methods'][0]['id']}").status_code == 204
    assert call(desk, "patch", f"alert-contacts/{pk}", {"is_active": False}).json()["is_active"] is False
    assert call(desk, "post", "alert-contacts", {**body, "governorate": "T-KU"}).status_code == 404


# --- the command centre ------------------------------------------------------------------------------------------------------------------


def test_a_contact_with_its_addresses_is_made_in_the_command_centre(alerting: Any, cast: Any, places: Any) -> None:
    desk = enter(cast.supervisor)
    named = {
        "kind": "desk",
        "name_en": "Duty desk",
        "name_ar": "مكتب",
        "governorate": places.hawalli.pk,
        "language": "ar",
        "is_active": "on",
    }
    lines = {name.replace("layers", "methods"): value for name, value in formset(1, 0).items()}
    new = {**named, **lines, "code": "desk", "agency": cast.police.pk, "methods-0-channel": "sms", "methods-0-is_active": "on"}
    wrong = desk.post(reverse("admin:alerts_contact_add"), {**new, "methods-0-address": "no number"})
    assert wrong.status_code == 200 and "telephone number" in wrong.content.decode()
    assert desk.post(reverse("admin:alerts_contact_add"), {**new, "methods-0-address": "50000055"}).status_code == 302
    made = Contact.objects.get(code="desk")
    assert made.methods.get().address == "+96550000055"
    page = enter(cast.analyst).get(reverse("admin:alerts_contact_change", args=[made.pk])).content.decode()
    assert "+965••••55" in page and "+96550000055" not in page
    listing = enter(cast.superadmin).get(reverse("admin:alerts_contactmethod_changelist")).content.decode()
    assert "+96550000055" not in listing
