"""ALR-2: a policy is read as sentences, written by whoever may, checked before it is saved, and tells what it would do."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.models import EscalationPolicy

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_(client: Any) -> Any:
    def enter(user: Any) -> Any:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return enter


def form(cast: Any, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"name_en": "Night", "name_ar": "ليل", "code": "night", "agency": str(cast.police.pk), "step": [], "do": "save"}
    for number, step in enumerate(steps):
        data["step"].append(str(number))
        sent = {"wait": "1", "unit": "min", "repeat_times": "0", "importance": "default"} | step
        data |= {f"s-{number}-{name}": value for name, value in sent.items()}
    return data | more


def test_the_list_reads_as_sentences_and_shows_nobody_elses(as_, cast, alerting):
    EscalationPolicy.objects.create(code="theirs", name_en="Theirs", name_ar="لهم", agency=cast.fire)
    page = as_(cast.dispatcher).get("/alerts/policies/").content.decode()
    assert "Notify who is on call in Hawalli duty officer. Then wait 1 minute" in page
    assert "Theirs" not in page and "New policy" not in page


def test_who_may_not_see_alerts_finds_no_policy(as_, cast, alerting):
    assert as_(cast.officer).get("/alerts/policies/").status_code == 404
    assert as_(cast.dispatcher).get("/alerts/policies/of/nothing/").status_code == 404


def test_a_reader_sees_what_would_happen_and_no_form(as_, cast, alerting, places):
    page = as_(cast.dispatcher).get("/alerts/policies/of/hawalli/?at=2026-11-21T03:00&level=high").content.decode()
    assert "03:01:00" in page and "Hawalli operations" in page and "policy-form" not in page
    assert as_(cast.dispatcher).post("/alerts/policies/of/hawalli/", form(cast)).status_code == 404


def test_a_supervisor_writes_one_and_saves_another_version(as_, cast, alerting):
    client = as_(cast.supervisor)
    assert client.get("/alerts/policies/new/").status_code == 200
    sent = form(cast, {"kind": "role", "role": "dispatcher", "channels": ["sms"]}, {"kind": "operations", "wait": "5"})
    assert client.post("/alerts/policies/new/", sent).status_code == 302
    made = EscalationPolicy.objects.get(code="night")
    assert [(step.kind, step.wait_s, step.channels) for step in made.steps.all()] == [("role", 60, ["sms"]), ("operations", 300, [])]
    assert client.post("/alerts/policies/of/night/", sent | {"version": "1", "name_en": "Nights"}).status_code == 302
    stale = client.post("/alerts/policies/of/night/", sent | {"version": "1"})
    assert stale.status_code == 422 and "Somebody has saved this policy meanwhile" in stale.content.decode()


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_saved(as_, cast, alerting):
    answer = as_(cast.supervisor).post("/alerts/policies/new/", form(cast, {"kind": "person"}, {"kind": "wait", "wait": "0"}))
    page = answer.content.decode()
    assert answer.status_code == 422 and "Choose a person." in page and "Say how long is waited." in page
    assert not EscalationPolicy.objects.filter(code="night").exists()


def test_steps_are_added_moved_and_removed_without_saving(as_, cast, alerting):
    client = as_(cast.supervisor)
    two = form(cast, {"kind": "role", "role": "dispatcher"}, {"kind": "operations"})
    acts = {
        "add": "role operations role",
        "up-1": "operations role",
        "down-0": "operations role",
        "remove-0": "operations",
        "up-0": "role operations",
        "remove-99": "role operations",
    }
    for act, kinds in acts.items():
        answer = client.post("/alerts/policies/new/", two | {"do": act})
        assert [it["form"]["kind"].value() for it in answer.context["steps"]] == kinds.split()
    assert not EscalationPolicy.objects.filter(code="night").exists()


def test_what_would_happen_is_told_of_what_is_not_saved_yet(as_, cast, alerting, places):
    sent = form(cast, {"kind": "operations"}, do="check", at="2026-11-21T03:00", where=str(places.hawalli.pk), level="high")
    page = as_(cast.supervisor).post("/alerts/policies/new/", sent).content.decode()
    assert "Hawalli operations" in page and "Nobody is named for the case" in page


def rungs(*lines: tuple[str, str, str]) -> dict[str, Any]:
    data: dict[str, Any] = {"ladder": "1", "rung": [str(number) for number in range(len(lines))]}
    for number, (channel, wait, unit) in enumerate(lines):
        data |= {f"l-{number}-channel": channel, f"l-{number}-wait": wait, f"l-{number}-unit": unit}
    return data


def test_the_ladder_is_written_and_read_as_a_sentence(as_, cast, alerting):
    client = as_(cast.supervisor)
    sent = form(cast, {"kind": "operations"}) | rungs(("whatsapp", "1", "min"), ("sms", "45", "s"), ("voice", "60", "s"))
    assert client.post("/alerts/policies/new/", sent).status_code == 302
    saved = [{"channel": "whatsapp", "wait_s": 60}, {"channel": "sms", "wait_s": 45}, {"channel": "voice", "wait_s": 60}]
    assert EscalationPolicy.objects.get(code="night").ladder == saved
    page = client.get("/alerts/policies/of/night/").content.decode()
    assert "WhatsApp, after 1 minute SMS, after 45 seconds Voice call" in page and 'name="l-2-channel"' in page
    assert "after 45 seconds Voice call" in as_(cast.dispatcher).get("/alerts/policies/of/night/").content.decode()
    # A page from before, without that part, does not empty it.
    client = as_(cast.supervisor)
    assert client.post("/alerts/policies/of/night/", form(cast, {"kind": "operations"}, version="1")).status_code == 302
    assert EscalationPolicy.objects.get(code="night").ladder == saved
    assert client.post("/alerts/policies/of/night/", form(cast, {"kind": "operations"}, version="2") | rungs()).status_code == 302
    assert EscalationPolicy.objects.get(code="night").ladder == []


def test_the_ladders_lines_are_added_moved_and_removed_and_what_is_wrong_stands_beside_them(as_, cast, alerting):
    client = as_(cast.supervisor)
    two = form(cast, {"kind": "operations"}) | rungs(("sms", "60", "s"), ("voice", "60", "s"))
    acts = {"rung-add": ["sms", "voice", ""], "rung-up-1": ["voice", "sms"], "rung-down-0": ["voice", "sms"], "rung-remove-0": ["voice"]}
    for act, channels in acts.items():
        answer = client.post("/alerts/policies/new/", two | {"do": act})
        assert [rung["channel"].value() for rung in answer.context["rungs"]] == channels
        assert len(answer.context["steps"]) == 1
    twice = form(cast, {"kind": "operations"}) | rungs(("sms", "60", "s"), ("sms", "2", "min"), ("", "60", "s"), ("email", "90", "min"))
    answer = client.post("/alerts/policies/new/", twice)
    page = answer.content.decode()
    assert answer.status_code == 422 and "SMS stands above already." in page and "Choose a channel, or remove this line." in page
    assert "Between 0 seconds and 1 hour." in page and not EscalationPolicy.objects.filter(code="night").exists()
    forged = form(cast, {"kind": "operations"}) | rungs(("pigeon", "60", "s"))
    assert client.post("/alerts/policies/new/", forged).status_code == 422


@pytest.mark.parametrize("broken", [{"step": ["x", "0"]}, {"s-0-wait": "9" * 30}, {"s-0-kind": "dance"}, {"s-0-user": "1; drop"},
                                    {"at": "never"}, {"repeat_times": "-1"}, {"agency": "99999999"}])  # fmt: skip
def test_a_forged_form_is_refused_and_breaks_nothing(as_, cast, alerting, broken):
    sent = form(cast, {"kind": "person", "user": str(cast.firefighter.pk)}) | broken
    assert as_(cast.supervisor).post("/alerts/policies/new/", sent).status_code == 422


def test_it_is_taken_out_of_use_only_when_no_rule_needs_it(as_, cast, alerting):
    client = as_(cast.supervisor)
    client.post("/alerts/policies/of/hawalli/switch/", {"to": "off"})
    assert EscalationPolicy.objects.get(code="hawalli").is_active
    alerting.rule.state = "off"
    alerting.rule.save(update_fields=["state"])
    client.post("/alerts/policies/of/hawalli/switch/", {"to": "off"})
    assert not EscalationPolicy.objects.get(code="hawalli").is_active
    assert client.get("/alerts/policies/of/hawalli/").status_code == 200


def test_the_page_is_as_quick_with_many_steps(as_, cast, alerting, django_assert_max_num_queries):
    client = as_(cast.supervisor)
    with django_assert_max_num_queries(60):
        client.get("/alerts/policies/of/hawalli/")
