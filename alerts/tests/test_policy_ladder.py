"""ALR-2, ALR-3: a policy's own ladder is written by whoever may, read as a sentence, checked, and kept by a run as it was."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone, translation

from accounts.roles import Role
from alerts.models import EscalationPolicy, EscalationRun, NotificationRule, PolicyStep
from alerts.services.escalation import start_run
from alerts.services.escalation.checking import check
from alerts.services.escalation.policies import change_ladder, write_policy
from alerts.services.escalation.running import run_due
from alerts.services.escalation.snapshot import snapshot_of
from alerts.services.escalation.wording import endings
from core.errors import Conflict, Invalid, NotAllowed

pytestmark = pytest.mark.django_db
WHATSAPP_SMS_VOICE = [{"channel": "whatsapp", "wait_s": 60}, {"channel": "sms", "wait_s": 60}, {"channel": "voice", "wait_s": 90}]


def test_it_is_written_alone_as_a_new_version_and_reads_as_a_sentence(cast, alerting):
    made = change_ladder(by=cast.supervisor, policy=alerting.policy, ladder=WHATSAPP_SMS_VOICE, seen_version=1)
    assert (made.version, made.ladder, made.steps.count()) == (2, WHATSAPP_SMS_VOICE, 3)
    said = endings(snapshot_of(made))[0]
    assert said == (
        "Whoever has not chosen how to be told: WhatsApp, after 1 minute SMS, after 1 minute Voice call. Then the next step."
    )  # fmt: skip
    with translation.override("ar"):
        assert "WhatsApp, after" not in endings(snapshot_of(made))[0]
    change_ladder(by=cast.supervisor, policy=made, ladder=[])
    made.refresh_from_db()
    assert made.ladder == [] and "Whoever has not chosen" not in " ".join(endings(snapshot_of(made)))


@pytest.mark.parametrize(
    ("ladder", "field"),
    [
        ([{"channel": "pigeon"}], "ladder.1.channel"),
        ([{"channel": ""}], "ladder.1.channel"),
        ([{"channel": "sms"}, {"channel": "voice"}, {"channel": "sms", "wait_s": 10}], "ladder.3.channel"),
        ([{"channel": "sms", "wait_s": -1}], "ladder.1.wait_s"),
        ([{"channel": "sms", "wait_s": 3601}], "ladder.1.wait_s"),
        ([{"channel": "sms", "wait_s": True}], "ladder.1.wait_s"),
        ([{"channel": "sms", "wait_s": "60"}], "ladder.1.wait_s"),
        ([{"channel": "sms", "wait": 60}], "ladder"),
        ([{"channel": "in_app", "wait_s": 60}], "ladder"),
        (["sms"], "ladder"),
        ([{"channel": "sms"}] * 11, "ladder"),
    ],
)
def test_a_ladder_that_cannot_work_is_refused_with_its_line(cast, alerting, ladder: Any, field: str):
    with pytest.raises(Invalid) as refused:
        change_ladder(by=cast.supervisor, policy=alerting.policy, ladder=ladder)
    assert field in refused.value.fields
    alerting.policy.refresh_from_db()
    assert (alerting.policy.ladder, alerting.policy.version) == ([], 1)


def test_only_whoever_may_write_the_policy_changes_its_ladder_and_not_over_anothers_version(cast, alerting):
    with pytest.raises(NotAllowed):
        change_ladder(by=cast.dispatcher, policy=alerting.policy, ladder=WHATSAPP_SMS_VOICE)
    theirs = EscalationPolicy.objects.create(code="theirs", name_en="Theirs", name_ar="لهم", agency=cast.fire)
    with pytest.raises(NotAllowed):
        change_ladder(by=cast.supervisor, policy=theirs, ladder=WHATSAPP_SMS_VOICE)
    with pytest.raises(Conflict):
        change_ladder(by=cast.supervisor, policy=alerting.policy, ladder=[], seen_version=7)


def test_a_channel_that_is_not_set_up_here_is_said(cast, alerting, settings):
    settings.TWILIO_ACCOUNT_SID = ""
    made = change_ladder(by=cast.supervisor, policy=alerting.policy, ladder=WHATSAPP_SMS_VOICE)
    assert "WhatsApp is not set up here: it is passed by." in check(snapshot_of(made)).warnings


def test_a_run_keeps_the_ladder_it_began_with(cast, alerting, fire):
    NotificationRule.objects.filter(user=cast.supervisor).delete()  # an e-mail and an SMS address, and no order of their own
    steps = [{"kind": PolicyStep.Kind.ROLE, "role": Role.SUPERVISOR, "wait_s": 60, "also_off_duty": True}]
    policy = write_policy(
        by=cast.supervisor, steps=steps,
        values={"code": "l", "name_en": "L", "name_ar": "ل", "agency_id": cast.police.pk, "ladder": [{"channel": "sms", "wait_s": 45}]},
    )  # fmt: skip
    start_run(alert=fire(), policy=policy)
    change_ladder(by=cast.supervisor, policy=policy, ladder=[{"channel": "email", "wait_s": 20}])
    run_due(now=timezone.now())
    run = EscalationRun.objects.get()
    assert run.snapshot["ladder"] == [{"channel": "sms", "wait_s": 45}]
    page = run.alert.pages.get(user=cast.supervisor)
    assert [(rung["channel"], rung["wait_s"]) for rung in page.rungs] == [("in_app", 0), ("sms", 45)]


def test_the_api_reads_and_writes_it_and_names_the_line_that_is_wrong(client, cast, alerting):
    client.force_login(cast.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    at = "/api/v1/escalation-policies/hawalli"
    given = {"code": "hawalli", "name_en": "Hawalli", "name_ar": "حولي", "steps": [{"kind": "operations"}]}
    answer = client.put(at, given | {"ladder": [{"channel": "sms", "wait_s": 30}, {"channel": "voice"}]}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["ladder"] == [{"channel": "sms", "wait_s": 30}, {"channel": "voice", "wait_s": 60}]
    assert answer.json()["endings"][0].startswith("Whoever has not chosen how to be told: SMS, after 30 seconds Voice call.")
    assert client.put(at, given, content_type="application/json").json()["ladder"][0]["channel"] == "sms"  # left out: as it was
    for wrong in ([{"channel": "sms"}, {"channel": "sms"}], [{"channel": "pigeon"}], [{"channel": "sms", "wait_s": 9999}]):
        answer = client.put(at, given | {"ladder": wrong}, content_type="application/json")
        assert answer.status_code in {400, 422} and "ladder" in answer.content.decode()


def test_the_command_centre_shows_it_in_words_and_changes_it(client, cast, alerting):
    client.force_login(cast.superadmin, backend="django.contrib.auth.backends.ModelBackend")
    at = f"/admin/alerts/escalationpolicy/{alerting.policy.pk}/change/"
    assert client.get(at).status_code == 200
    assert "is needed" in client.post(at, {"ladder": "sms soon"}).content.decode().replace("are needed", "is needed")
    assert "There is no such channel." in client.post(at, {"ladder": "pigeon 60"}).content.decode()
    assert client.post(at, {"ladder": "whatsapp 60\nSMS ٤٥\nvoice"}).status_code == 302
    alerting.policy.refresh_from_db()
    assert alerting.policy.ladder == [
        {"channel": "whatsapp", "wait_s": 60}, {"channel": "sms", "wait_s": 45}, {"channel": "voice", "wait_s": 60},
    ]  # fmt: skip
    assert alerting.policy.version == 2 and "after 45 seconds Voice call" in client.get(at).content.decode()
