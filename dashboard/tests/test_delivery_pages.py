"""The pages of deliveries and of templates, and the same by API (ALR-3, ALR-5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alerts.channels.base import PermanentFailure
from alerts.models import Delivery, MessageTemplate
from alerts.services.delivery import ensure_default_templates, page_person, send_due
from alerts.tests.senders import Scripted

STRANGE = [
    "show=zzz&span=9y&channel=pigeon&alert=x&before=-1",
    f"alert={'9' * 20}",
    f"alert={'9' * 18}",
    "before=0",
    "show=held&channel=sms",
]
pytestmark = pytest.mark.django_db


@pytest.fixture
def told(alerting, fire, cast):
    """One SMS refused for good, of an alert that still fires."""
    page = page_person(alert=fire(), user=cast.dispatcher)
    send_due(sender_of=Scripted(script=[PermanentFailure("Unreachable handset.", code="30003")]))
    return page.deliveries.get(channel="sms")


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def words(response):
    return response.content.decode()


def test_the_list_opens_on_what_did_not_arrive_and_says_why(told, cast):
    shown = words(signed_in(cast.supervisor).get("/alerts/deliveries/"))
    assert "Unreachable handset." in shown and "30003" in shown and "Send again" in shown
    assert told.page.code not in shown and "+96550000002" in shown


def test_whoever_does_not_keep_addresses_reads_them_masked_and_sends_nothing_again(told, cast):
    shown = words(signed_in(cast.analyst).get("/alerts/deliveries/?show=all"))
    assert "+96550000002" not in shown and "+965" in shown and "Send again" not in shown


def test_another_agencys_deliveries_are_not_there(told, cast):
    client = signed_in(cast.firefighter)
    assert "Unreachable" not in words(client.get("/alerts/deliveries/?show=all"))
    assert client.post(f"/alerts/deliveries/{told.pk}/again/").status_code == 404
    assert client.get(f"/api/v1/deliveries/{told.pk}").status_code == 404
    assert client.get("/api/v1/deliveries").json()["results"] == []


def test_sending_again_from_the_page(told, cast):
    client = signed_in(cast.supervisor)
    again = client.post(f"/alerts/deliveries/{told.pk}/again/", follow=True)
    assert "It is being sent again." in words(again) and Delivery.objects.filter(state="pending", channel="sms").count() == 1
    assert "already" in words(client.post(f"/alerts/deliveries/{told.pk}/again/", follow=True))


@pytest.mark.parametrize(
    "query", ["show=zzz&span=9y&channel=pigeon&alert=x&before=-1", "alert=99999999999999999999", "before=0", "show=held&channel=sms"]
)
def test_a_strange_question_is_answered_calmly(told, cast, query):
    assert signed_in(cast.supervisor).get(f"/alerts/deliveries/?{query}").status_code == 200


def test_the_list_costs_the_same_however_long_it_is(alerting, fire, cast, django_assert_max_num_queries):
    client = signed_in(cast.supervisor)
    for _ in range(12):
        page_person(alert=fire(), user=cast.dispatcher)
    send_due(sender_of=Scripted())
    client.get("/alerts/deliveries/?show=all")
    with django_assert_max_num_queries(24):
        client.get("/alerts/deliveries/?show=all")


def test_the_api_reads_lists_retries_and_counts(told, cast):
    client = signed_in(cast.supervisor)
    listed = client.get("/api/v1/deliveries?undelivered=true").json()["results"]
    assert [(one["channel"], one["state"], one["person"]) for one in listed] == [("sms", "failed", "dispatcher")]
    one = client.get(f"/api/v1/deliveries/{told.pk}").json()
    assert one["tries"][0]["outcome"] == "refused" and "+96550000002" not in str(one) and told.page.code not in str(one)
    assert client.post(f"/api/v1/deliveries/{told.pk}/retry").status_code == 201
    assert client.post(f"/api/v1/deliveries/{told.pk}/retry").status_code == 409
    figures = client.get("/api/v1/deliveries/figures").json()
    assert [(row["channel"], row["failed"]) for row in figures if row["channel"] == "sms"] == [("sms", 1)]
    assert client.get("/api/v1/deliveries/figures?start=2020-01-01T00:00:00Z").status_code == 422
    assert client.get("/api/v1/deliveries?state=lost").status_code in (400, 422)


def test_without_signing_in_there_is_nothing(told):
    assert Client().get("/alerts/deliveries/").status_code == 302 and Client().get("/alerts/templates/").status_code == 302
    assert Client().get("/api/v1/deliveries").status_code in (401, 403)


# --- templates -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def template():
    ensure_default_templates()
    return MessageTemplate.objects.get(event="any", channel="sms", language="en")


def test_a_template_is_previewed_on_a_real_alert_with_its_parts(template, fire, cast):
    fire()
    shown = words(signed_in(cast.superadmin).get(f"/alerts/templates/{template.pk}/"))
    assert "High: Smoke over the market" in shown and "GSM-7" in shown and "48213907" in shown


def test_a_wrong_name_is_refused_by_name_and_what_was_typed_stays(template, cast):
    client = signed_in(cast.superadmin)
    given = {"event": "any", "channel": "sms", "language": "en", "subject": "", "body": "{tilte} <b>now</b>", "do": "save"}
    refused = client.post(f"/alerts/templates/{template.pk}/", given)
    assert refused.status_code == 422 and "Is title meant?" in words(refused) and "&lt;b&gt;now&lt;/b&gt;" in words(refused)
    looked = client.post(f"/alerts/templates/{template.pk}/", {**given, "do": "preview", "body": "{title} <b>now</b>"})
    assert looked.status_code == 200 and "<b>now" not in words(looked)
    template.refresh_from_db()
    assert template.is_seeded
    assert client.post(f"/alerts/templates/{template.pk}/", {**given, "body": "{title} now"}).status_code == 302
    template.refresh_from_db()
    assert template.body == "{title} now"


def test_only_those_who_manage_alerts_see_the_templates(template, cast):
    for who in (cast.dispatcher, cast.officer):
        assert signed_in(who).get("/alerts/templates/").status_code == 404
        assert signed_in(who).post(f"/alerts/templates/{template.pk}/remove/").status_code == 404
    assert signed_in(cast.superadmin).post(f"/alerts/templates/{template.pk}/remove/").status_code == 302
    assert not MessageTemplate.objects.filter(pk=template.pk).exists()


def test_the_command_centre_refuses_the_same(template, cast):
    client = signed_in(cast.superadmin)
    given = {"event": "any", "channel": "sms", "language": "en", "subject": "", "body": "{tilte}", "provider_template": ""}
    refused = client.post(f"/admin/alerts/messagetemplate/{template.pk}/change/", given)
    assert refused.status_code == 200 and "Is title meant?" in words(refused)
    assert client.post(f"/admin/alerts/messagetemplate/{template.pk}/change/", {**given, "body": "{title} now"}).status_code == 302
    template.refresh_from_db()
    assert template.body == "{title} now"


def test_what_was_said_long_ago_is_not_in_the_last_day(told, cast):
    Delivery.objects.filter(pk=told.pk).update(created_at=timezone.now() - timedelta(days=3))
    client = signed_in(cast.supervisor)
    assert "Unreachable" not in words(client.get("/alerts/deliveries/"))
    assert "Unreachable" in words(client.get("/alerts/deliveries/?span=7d"))
