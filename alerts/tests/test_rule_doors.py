"""ALR-1, ALR-6: the pages and the API of rules: who sees and does what, and that the form says what a file would."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alerts.models import AlertRule, RuleReplay
from alerts.services.rules import create_rule
from alerts.services.rules.content import content_of
from alerts.tests.authoring import burglaries, replayed
from dashboard.rule_forms import SOURCES
from interop.models import Partner
from interop.services import issue_key


@pytest.fixture
def draft(cast: Any, alerting: Any, burglary: Any) -> AlertRule:
    return create_rule(data=burglaries(), by=cast.analyst)


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def as_posted(client: Client, url: str) -> dict[str, Any]:
    """What the form's fields hold when it is opened."""
    form = client.get(url).context["form"]
    data: dict[str, Any] = {}
    for part in (form, *form.modifiers.forms, form.modifiers.management_form):
        for bound in part:
            value = bound.value()
            if value is not None and value is not False and value != "" and value != []:
                data[bound.html_name] = value if not hasattr(value, "strftime") else f"{value:%H:%M}"
    return data


def test_a_supervisor_writes_a_rule_by_the_form_and_it_is_looked_back_at_once(cast: Any, alerting: Any, burglary: Any) -> None:
    client = signed_in(cast.supervisor)
    url = reverse("rules-new") + "?source=count"
    data = as_posted(client, url) | {
        "name_en": "Burglaries", "name_ar": "سرقات", "code": "by-form", "agency": "police", "agencies": ["police"],
        "governorates": ["T-HA"], "types": ["burglary"], "level_medium": "3", "level_high": "5", "policy": "hawalli",
        "times-0-start": "22:00", "times-0-end": "05:00", "times-0-escalate_percent": "50",
    }  # fmt: skip
    answer = client.post(url, data)
    assert answer.status_code == 302, answer.context["form"].errors
    rule = AlertRule.objects.get(code="by-form")
    assert answer.status_code == 302
    assert (rule.state, rule.levels, rule.types) == ("draft", {"medium": 3, "high": 5}, ["burglary"])
    assert rule.modifiers == [{"when": {"from": "22:00", "to": "05:00"}, "escalate_percent": 50}]
    assert RuleReplay.objects.get(rule=rule).days == 7
    page = client.get(reverse("rules-one", args=[rule.pk])).content.decode()
    assert "When 3 or more reports of burglary come in within 24 hours in one area of Hawalli." in page


def test_the_form_opened_and_saved_changes_nothing(cast: Any, draft: AlertRule) -> None:
    client = signed_in(cast.supervisor)
    url = reverse("rules-edit", args=[draft.pk])
    said = content_of(draft)
    answer = client.post(url, as_posted(client, url) | {"version": "1"})
    assert answer.status_code == 302, answer.context["form"].errors
    draft.refresh_from_db()
    assert (content_of(draft), draft.version) == (said, 1)


def test_a_refusal_stands_beside_its_field_and_a_stale_form_is_a_conflict(cast: Any, draft: AlertRule) -> None:
    client = signed_in(cast.supervisor)
    url = reverse("rules-edit", args=[draft.pk])
    data = as_posted(client, url)
    refused = client.post(url, data | {"version": "1", "level_high": "2"})
    assert refused.status_code == 422
    assert "rise" in str(refused.context["form"].errors["level_medium"])
    assert client.post(url, data | {"version": "7", "level_high": "9"}).status_code == 409


def test_the_preview_says_what_is_filled_in_so_far_and_never_fails(cast: Any, draft: AlertRule) -> None:
    client = signed_in(cast.supervisor)
    url = reverse("rules-preview") + "?source=count"
    said = client.post(url, {"level_medium": "4", "types": "burglary", "window_h": "12"}).content.decode()
    assert "When 4 or more reports of burglary come in within 12 hours" in said
    assert "nobody would be told" in said
    for source in SOURCES:
        for data in ({}, {"window_h": "x", "level_low": "nan", "times-TOTAL_FORMS": "9999"}, {"types": "<script>"}):
            answer = client.post(reverse("rules-preview") + f"?source={source}", data)
            assert answer.status_code == 200
            assert "<script>" not in answer.content.decode()
    assert client.post(reverse("rules-preview") + "?source=stars", {}).status_code == 404


def test_two_people_switch_a_rule_on_from_its_page(cast: Any, draft: AlertRule) -> None:
    first, second = signed_in(cast.analyst), signed_in(cast.supervisor)
    act = lambda client, verb, **data: client.post(reverse("rules-act", args=[draft.pk, verb]), data)  # noqa: E731
    assert act(first, "submit", version=1).status_code == 302
    assert act(second, "activate", version=1).status_code == 409  # nobody has seen its replay
    assert act(second, "replay", days=30).status_code == 302
    assert act(first, "activate", version=1).status_code == 403
    assert act(second, "activate", version=1).status_code == 302
    draft.refresh_from_db()
    assert draft.state == "active"
    assert act(second, "off", reason="").status_code == 422
    assert act(second, "off", reason="noise").status_code == 302
    assert act(second, "explode").status_code == 404


def test_every_page_opens_in_both_languages(cast: Any, draft: AlertRule) -> None:
    replayed(draft)
    for language in ("en", "ar"):
        cast.supervisor.language = language
        cast.supervisor.save(update_fields=["language"])
        client = signed_in(cast.supervisor)
        for url in ("rules", "rules-new"):
            assert client.get(reverse(url)).status_code == 200
        for source in SOURCES:
            assert client.get(reverse("rules-new") + f"?source={source}").status_code == 200
        for name in ("rules-one", "rules-edit", "rules-file"):
            assert client.get(reverse(name, args=[draft.pk])).status_code == 200


def test_who_may_not_is_refused_and_a_foreign_rule_is_not_there(cast: Any, draft: AlertRule) -> None:
    assert signed_in(cast.officer).get(reverse("rules")).status_code == 403
    assert signed_in(cast.dispatcher).get(reverse("rules-new")).status_code == 403
    assert signed_in(cast.dispatcher).get(reverse("rules-one", args=[draft.pk])).status_code == 200
    assert signed_in(cast.firefighter).get(reverse("rules-one", args=[draft.pk])).status_code == 404
    assert signed_in(cast.firefighter).post(reverse("rules-act", args=[draft.pk, "submit"]), {"version": 1}).status_code == 404
    assert Client().get(reverse("rules")).status_code == 302


def test_the_list_asks_the_database_as_often_for_many_rules_as_for_one(
    cast: Any, draft: AlertRule, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        create_rule(data=burglaries(code=f"more-{number}"), by=cast.analyst)
    client = signed_in(cast.supervisor)
    client.get(reverse("rules"))
    with django_assert_max_num_queries(12):
        assert len(client.get(reverse("rules")).context["rules"]) == 7


def test_the_api_from_draft_to_running(cast: Any, alerting: Any, burglary: Any) -> None:
    first, second = signed_in(cast.analyst), signed_in(cast.supervisor)
    json: Any = {"content_type": "application/json"}
    one = "/api/v1/alert-rules/burglaries-hawalli"
    made = first.post("/api/v1/alert-rules", {"content": burglaries()}, **json)
    assert made.status_code == 201
    assert made.json()["preview"]["en"][0].startswith("When 3 or more reports of burglary")
    wrong = first.put(one, {"content": burglaries(levels={"low": 9, "high": 3}), "version": 1}, **json)
    assert (wrong.status_code, wrong.headers["Content-Type"]) == (422, "application/problem+json")
    assert first.put(one, {"content": burglaries(priority=1), "version": 4}, **json).status_code == 409
    assert first.put(one, {"content": burglaries(priority=1), "version": 1}, **json).json()["version"] == 2
    assert [row["number"] for row in first.get(f"{one}/versions").json()["results"]] == [2, 1]
    assert first.post(f"{one}/submit", {"version": 2}, **json).json()["state"] == "waiting"
    assert second.post(f"{one}/activate", {"version": 2}, **json).status_code == 409
    replay = second.post(f"{one}/replays", {"days": 7}, **json)
    assert (replay.status_code, replay.json()["alert_count"]) == (201, 0)
    assert second.post(f"{one}/replays", {"days": 8}, **json).status_code in (400, 422)
    assert second.post(f"{one}/activate", {"version": 2}, **json).json()["state"] == "active"
    changed = first.put(one, {"content": burglaries(priority=5), "version": 2}, **json).json()
    assert (changed["state"], changed["proposed_version"], changed["content"]["priority"], changed["proposal"]["priority"]) == (
        "active",
        3,
        1,
        5,
    )
    assert first.post(f"{one}/drop-change", {"version": 3}, **json).json()["proposal"] is None
    assert second.post(f"{one}/switch-off", {"reason": "noise"}, **json).json()["state"] == "off"
    assert {row["code"] for row in first.get("/api/v1/alert-rules").json()["results"]} == {"burglaries", "burglaries-hawalli"}


def test_a_key_reads_rules_without_names_and_writes_none(cast: Any, places: Any, draft: AlertRule) -> None:
    kept = replayed(draft)
    kept.result = {"people": [{"kind": "user", "id": 1, "name": "dispatcher", "alerts": 1}], "facts": 3}
    kept.save(update_fields=["result"])
    partner = Partner.objects.create(slug="p", name="P", agency=cast.police, region=places.region)
    _key, secret_words = issue_key(partner=partner, name="k", scopes=["alerts:read"], by=None, all_governorates=True)
    secret: Any = {"headers": {"X-API-Key": secret_words}}
    answer = Client().get("/api/v1/alert-rules/burglaries-hawalli/replays", **secret)
    assert answer.status_code == 200
    assert "dispatcher" not in answer.content.decode()
    assert (
        Client().post("/api/v1/alert-rules", {"content": burglaries(code="x")}, content_type="application/json", **secret).status_code
        == 403
    )
    assert Client().get("/api/v1/alert-rules").status_code in (401, 403)
    assert signed_in(cast.firefighter).get("/api/v1/alert-rules/burglaries-hawalli").status_code == 404
    assert signed_in(cast.officer).get("/api/v1/alert-rules").status_code == 403


def test_the_command_centre_writes_submits_and_switches_on_through_the_services(cast: Any, alerting: Any, burglary: Any) -> None:
    root, second = signed_in(cast.superadmin), signed_in(cast.supervisor)
    data = {
        "code": "by-admin", "name_en": "By the admin", "name_ar": "من الإدارة", "source": "count", "condition": '{"window_h": 24}',
        "agency": cast.police.pk, "agencies": "police", "governorates": "T-HA", "types": "burglary", "levels": '{"medium": 3}',
        "level": "medium", "modifiers": "[]", "group_by": "zone", "group_window_min": 60, "cooldown_zone_min": 30,
        "cooldown_type_min": 15, "most_per_hour": 60, "policy": alerting.policy.pk, "priority": 3, "resolves_by_recovery": "on",
        "resolve_after_min": 1440,
    }  # fmt: skip
    add = reverse("admin:alerts_alertrule_add")
    refused = root.post(add, data | {"types": "burglry"})
    assert refused.status_code == 200
    assert "Did you mean “burglary”" in refused.content.decode()
    assert root.post(add, data).status_code == 302
    rule = AlertRule.objects.get(code="by-admin")
    assert (rule.created_by, rule.versions.count(), rule.replays.count()) == (cast.superadmin, 1, 1)
    change = reverse("admin:alerts_alertrule_change", args=[rule.pk])
    data |= {f"{part}-{count}_FORMS": 0 for part in ("versions", "replays") for count in ("TOTAL", "INITIAL")}
    assert "reports of burglary" in root.get(change).content.decode()
    assert root.post(change, data | {"seen_version": 1, "levels": '{"medium": 4}'}).status_code == 302
    assert "meanwhile" in root.post(change, data | {"seen_version": 1, "levels": '{"medium": 5}'}).content.decode()
    listed = reverse("admin:alerts_alertrule_changelist")
    chosen = {"_selected_action": [rule.pk], "apply": "yes"}
    root.post(listed, chosen | {"action": "submit"})
    second.post(listed, chosen | {"action": "activate"})
    rule.refresh_from_db()
    assert (rule.state, rule.version, rule.activated_by) == ("active", 2, cast.supervisor)
    file = root.post(listed, {"_selected_action": [rule.pk], "action": "as_file"})
    assert "code: by-admin" in file.content.decode()
    second.post(listed, chosen | {"action": "switch_off", "reason": "noise"})
    rule.refresh_from_db()
    assert rule.state == "off"
