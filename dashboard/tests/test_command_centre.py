"""CMD-1, ACC-1: the command centre's first page: each figure of what its viewer may see, and a run of the analytics on demand."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from core.models import AuditEntry
from dashboard.command_centre import command_centre, feeds_of
from incidents.models import ImportRun, IncidentType, PipelineRun, RejectedRow, Source
from interop.models import InboxMessage, Partner, PartnerKey
from interop.services import issue_key


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def fire_feed(cast, places):
    return Source.objects.create(slug="fire-cad", name="Fire dispatch", agency=cast.fire, region=places.region)


def test_each_viewer_sees_the_newest_incidents_feeds_imports_and_rows_of_their_jurisdiction(cast, report, places, fire_feed, police_112):
    here, theirs = report(), report(location=places.in_sharq)
    ImportRun.objects.create(source=fire_feed, file_name="fire.csv", status="done")
    ImportRun.objects.create(source=police_112, file_name="police.csv", status="done")
    for source in (fire_feed, police_112):
        RejectedRow.objects.create(source=source, status="rejected", errors=[], raw={})
    RejectedRow.objects.create(source=police_112, status="dismissed", errors=[], raw={})
    seen = command_centre(cast.supervisor)
    assert [incident.pk for incident in seen.newest] == [here.pk]
    [feed] = seen.feeds
    assert (feed.health.source.slug, feed.health.window_incidents, feed.waiting) == ("test-112", 1, 1)
    assert [run.file_name for run in seen.imports] == ["police.csv"] and seen.waiting_rows == 1
    everything = command_centre(cast.superadmin)
    assert {incident.pk for incident in everything.newest} == {here.pk, theirs.pk} and everything.waiting_rows == 2
    assert {feed.health.source.slug for feed in feeds_of(cast.superadmin)} >= {"test-112", "fire-cad"}


def test_the_first_page_counts_unreviewed_types_and_answers_in_both_languages(cast, report):
    report()
    IncidentType.objects.create(code="x-odd", name_en="odd", is_reviewed=False)
    client = enter(cast.supervisor)
    page = client.get("/admin/")
    assert page.context["centre"].unreviewed_types == 1 and b"data-map" in page.content
    arabic = client.get("/admin/", headers={"accept-language": "ar"})
    assert b'dir="rtl"' in arabic.content
    assert client.get(reverse("admin:centre-panels")).status_code == 200


def test_the_analytics_are_run_on_demand_by_those_who_may_and_only_once_at_a_time(cast, monkeypatch):
    monkeypatch.setattr("incidents.services.pipeline.runs.wake", lambda *given, **options: None)
    address = reverse("admin:run-pipeline")
    assert enter(cast.auditor).post(address).status_code == 302 and not PipelineRun.objects.exists()
    client = enter(cast.analyst)
    assert client.get(address).status_code == 405
    client.post(address)
    assert PipelineRun.objects.get().requested_by == cast.analyst
    again = client.post(address, follow=True)
    assert PipelineRun.objects.count() == 1 and [message.level_tag for message in again.context["messages"]][-1] == "error"
    assert enter(cast.dispatcher).post(address).status_code in {302, 403} and PipelineRun.objects.count() == 1


# -- partners ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def partner(cast, places):
    return Partner.objects.create(slug="moi", name="MOI", agency=cast.police, region=places.region, kinds=["moi-incident"])


def test_a_key_is_shown_once_and_revoked_for_good(cast, partner):
    client = enter(cast.superadmin)
    given = {"partner": partner.pk, "name": "main", "scopes": ["incidents:write"], "all_governorates": "on", "precision": "exact"}
    page = client.post(reverse("admin:interop_partnerkey_add"), given)
    key = PartnerKey.objects.get()
    [secret] = [part.split("</code>")[0] for part in page.content.decode().split("<code>")[1:]]
    assert PartnerKey.objects.presented(secret) == key and "no-store" in page["Cache-Control"]
    shown = client.get(reverse("admin:interop_partnerkey_change", args=[key.pk])).content.decode()
    assert secret not in shown and key.hashed_key not in shown
    assert secret not in str(list(AuditEntry.objects.values_list("after", flat=True)))
    client.post(reverse("admin:interop_partnerkey_changelist"), {"action": "revoke", "_selected_action": [key.pk], "apply": "1"})
    key.refresh_from_db()
    assert key.revoked
    nowhere = client.post(reverse("admin:interop_partnerkey_add"), {**given, "all_governorates": ""})
    assert nowhere.status_code == 200 and nowhere.context["adminform"].form.errors["governorates"]


def test_only_a_super_administrator_makes_or_revokes_keys_and_analysts_do_not_see_them(cast, partner):
    key, _secret = issue_key(partner=partner, name="main", scopes=["incidents:write"], by=None, all_governorates=True)
    client = enter(cast.supervisor)
    assert client.get(reverse("admin:interop_partnerkey_add")).status_code == 403
    client.post(reverse("admin:interop_partnerkey_changelist"), {"action": "revoke", "_selected_action": [key.pk], "apply": "1"})
    key.refresh_from_db()
    assert not key.revoked
    assert enter(cast.analyst).get(reverse("admin:interop_partnerkey_changelist")).status_code == 403


def test_a_refused_message_is_counted_and_tried_again(cast, partner, police_112):
    InboxMessage.objects.create(
        source=police_112, kind="moi-incident", message_id="m-1", digest="x", body={}, status="dead", agency_id=cast.police.pk
    )
    assert command_centre(cast.supervisor).inbox_dead == 1
    message = InboxMessage.objects.get()
    done = enter(cast.supervisor).post(
        reverse("admin:interop_inboxmessage_changelist"), {"action": "replay", "_selected_action": [message.pk], "apply": "1"}, follow=True
    )
    assert done.status_code == 200 and list(done.context["messages"])
