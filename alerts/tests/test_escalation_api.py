"""ALR-2: policies and runs over the API. A key reads without names; a foreign one is not there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from alerts.models import EscalationPolicy
from alerts.services.escalation import start_run
from alerts.services.escalation.running import run_due
from interop.models import Partner
from interop.services.keys import issue_key

pytestmark = pytest.mark.django_db
POLICIES = "/api/v1/escalation-policies"


@pytest.fixture
def as_(client: Any) -> Any:
    def enter(user: Any) -> Any:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return enter


def a_policy(**more: Any) -> dict[str, Any]:
    steps = [{"kind": "role", "role": "dispatcher", "wait_s": 60}, {"kind": "operations", "wait_s": 300, "only_levels": ["critical"]}]
    return {"code": "night", "name_en": "Night", "name_ar": "ليل", "agency": "police", "steps": steps} | more


def test_a_person_writes_reads_and_writes_anew(as_, cast, alerting):
    client = as_(cast.supervisor)
    made = client.post(POLICIES, a_policy(), content_type="application/json")
    assert made.status_code == 201 and made.json()["steps"][0]["sentence"].startswith("Notify every Dispatcher")
    again = client.put(f"{POLICIES}/night", a_policy(version=1, name_en="Nights"), content_type="application/json")
    assert (again.status_code, again.json()["version"]) == (200, 2)
    assert client.put(f"{POLICIES}/night", a_policy(version=1), content_type="application/json").status_code == 409
    assert [it["code"] for it in client.get(POLICIES).json()["results"]] == ["night", "hawalli"]


def test_what_is_wrong_is_named_by_its_field(as_, cast, alerting):
    told = as_(cast.supervisor).post(POLICIES, a_policy(steps=[{"kind": "person"}]), content_type="application/json")
    assert told.status_code == 422 and "steps.1.user" in told.content.decode()
    assert as_(cast.supervisor).post(POLICIES, a_policy(steps=[{"kind": "dance"}]), content_type="application/json").status_code in (
        400,
        422,
    )


def test_who_may_not_is_refused_and_a_foreign_policy_is_not_there(as_, cast, alerting):
    EscalationPolicy.objects.create(code="theirs", name_en="Theirs", name_ar="لهم", agency=cast.fire)
    assert as_(cast.dispatcher).post(POLICIES, a_policy(), content_type="application/json").status_code == 403
    assert as_(cast.dispatcher).get(f"{POLICIES}/theirs").status_code == 404
    assert as_(cast.officer).get(POLICIES).status_code == 403


def test_what_it_would_do_is_told(as_, cast, alerting, places):
    told = as_(cast.dispatcher).get(f"{POLICIES}/hawalli/story", {"at": "2026-11-21T00:00:00Z", "governorate": "T-HA"}).json()
    assert [(moment["after_s"], moment["outcome"], moment["people"]) for moment in told][:2] == [
        (0.0, "told", ["supervisor"]), (60.0, "told", ["dispatcher"]),
    ]  # fmt: skip
    assert as_(cast.dispatcher).get(f"{POLICIES}/hawalli/story", {"governorate": "nowhere"}).status_code == 404


def test_runs_are_read_with_their_steps_where_their_alert_is_seen(as_, cast, alerting, fire, places):
    run = start_run(alert=fire(), policy=alerting.policy, now=datetime.now(UTC))
    run_due()
    told = as_(cast.dispatcher).get(f"/api/v1/escalations/{run.pk}").json()
    assert (told["policy"], told["state"], [step["outcome"] for step in told["steps"]]) == ("hawalli", "running", ["done"])
    other = start_run(alert=fire(agency=cast.fire), policy=None)
    assert as_(cast.dispatcher).get(f"/api/v1/escalations/{other.pk}").status_code == 404
    assert [it["id"] for it in as_(cast.dispatcher).get("/api/v1/escalations", {"state": "running"}).json()["results"]] == [run.pk]


def test_a_key_reads_without_names_and_writes_nothing(client, cast, alerting, places):
    partner = Partner.objects.create(slug="reader", name="Reader", agency=cast.police, region=places.region)
    key = {"X-API-Key": issue_key(partner=partner, name="t", scopes=["alerts:read"], by=None, all_governorates=True)[1]}
    EscalationPolicy.objects.filter(code="hawalli").update(fallback_user=cast.supervisor)
    alerting.policy.steps.filter(position=1).update(kind="person", user=cast.supervisor, schedule=None)
    told = client.get(f"{POLICIES}/hawalli", headers=key).content.decode()
    story = client.get(f"{POLICIES}/hawalli/story", headers=key).content.decode()
    assert "hawalli" in told and "supervisor" not in told.lower() + story.lower()
    assert client.post(POLICIES, a_policy(), content_type="application/json", headers=key).status_code == 403
