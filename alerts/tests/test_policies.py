"""ALR-2: what would go wrong at night is refused, or said, when a policy is saved; what it would do is told before it does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from alerts.models import EscalationPolicy, OnCallOverride, OnCallSchedule, PolicyStep
from alerts.services.escalation.checking import check
from alerts.services.escalation.foresight import Somewhere, foresee
from alerts.services.escalation.policies import switch_policy, write_policy
from alerts.services.escalation.seeds import seed_policies
from alerts.services.escalation.snapshot import snapshot_of
from alerts.services.escalation.wording import endings, sentence
from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry, Event

pytestmark = pytest.mark.django_db
Kind = PolicyStep.Kind


def values(**more: Any) -> dict[str, Any]:
    return {"code": "night", "name_en": "Night", "name_ar": "ليل"} | more


def role(**more: Any) -> dict[str, Any]:
    return {"kind": Kind.ROLE, "role": "dispatcher", "wait_s": 60} | more


def refused(cast, steps, **more) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        write_policy(by=cast.supervisor, values=values(agency_id=cast.police.pk, **more), steps=steps)
    return caught.value.fields


def test_a_policy_is_written_as_a_whole_and_each_save_is_another_version(cast, alerting):
    made = write_policy(by=cast.supervisor, values=values(agency_id=cast.police.pk), steps=[role(), {"kind": Kind.OPERATIONS_ROOM}])
    again = write_policy(by=cast.supervisor, policy=made, values={"name_en": "Nights"}, steps=[role(wait_s=30)], seen_version=1)
    assert (again.version, again.name_ar, again.steps.get().wait_s) == (2, "ليل", 30)
    assert Event.objects.filter(type="escalation_policy.changed").count() == 2
    assert set(AuditEntry.objects.filter(verb__startswith="policy.").values_list("verb", flat=True)) == {"policy.make", "policy.change"}


def test_saving_over_somebody_elses_version_is_a_conflict(cast, alerting):
    made = write_policy(by=cast.supervisor, values=values(agency_id=cast.police.pk), steps=[role()])
    with pytest.raises(Conflict):
        write_policy(by=cast.supervisor, policy=made, values={}, steps=[role()], seen_version=0)


def test_only_those_who_manage_alerts_write_and_the_ministrys_only_who_sees_every_agency(cast, alerting):
    for who, where in ((cast.dispatcher, cast.police.pk), (cast.supervisor, cast.fire.pk), (cast.supervisor, None)):
        with pytest.raises(NotAllowed):
            write_policy(by=who, values=values(agency_id=where), steps=[role()])
    assert write_policy(by=cast.superadmin, values=values(), steps=[role()]).agency_id is None


def test_an_unknown_key_is_an_error_that_names_it(cast, alerting):
    with pytest.raises(Invalid, match="waits"):
        write_policy(by=cast.supervisor, values=values(), steps=[role(waits=3)])


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({"kind": "dance"}, "steps.1.kind"),
        ({"kind": Kind.PERSON}, "steps.1.user"),
        ({"kind": Kind.ROLE}, "steps.1.role"),
        ({"kind": Kind.WEBHOOK, "webhook": "nowhere"}, "steps.1.webhook"),
        ({"kind": Kind.WAIT, "wait_s": 0}, "steps.1.wait_s"),
        (role(wait_s=90_000), "steps.1.wait_s"),
        (role(repeat_times=11), "steps.1.repeat_times"),
        (role(repeat_times=2, wait_s=5), "steps.1.repeat_times"),
        (role(only_from="22:00"), "steps.1.only_from"),
        (role(only_from="22:00", only_to="22:00"), "steps.1.only_from"),
        (role(channels=["pigeon"]), "steps.1.channels"),
        (role(only_levels=["terrible"]), "steps.1.only_levels"),
        (role(only_weekdays=[7]), "steps.1.only_weekdays"),
    ],
)
def test_a_step_that_cannot_work_is_refused_with_its_field(cast, alerting, step, field):
    assert field in refused(cast, [step])


def test_loops_and_too_long_repeats_are_refused(cast, alerting):
    assert "repeat_wait_s" in refused(cast, [role(wait_s=0)], repeat_times=3, repeat_wait_s=0)
    assert "repeat_times" in refused(cast, [role(repeat_times=10)] * 2, repeat_times=10)
    assert "repeat_times" in refused(cast, [role(wait_s=86_400)] * 3)
    assert "repeat_times" in refused(cast, [role()], repeat_times=11)


def test_a_policy_that_tells_nobody_is_refused(cast, alerting):
    assert "steps" in refused(cast, [])
    assert "steps" in refused(cast, [{"kind": Kind.WAIT, "wait_s": 60}])


def test_a_policy_that_sleeps_in_the_daytime_is_refused_without_a_fallback(cast, alerting):
    night = [role(only_from="22:00", only_to="05:00")]
    assert "05:00" in refused(cast, night)["steps"]
    both = [*night, role(only_from="05:00", only_to="22:00")]
    assert write_policy(by=cast.supervisor, values=values(agency_id=cast.police.pk), steps=both)
    assert write_policy(
        by=cast.supervisor, values=values(code="b", agency_id=cast.police.pk, fallback_contact_id=alerting.room.pk), steps=night
    )


def test_a_hole_in_the_next_fourteen_days_is_refused_without_a_fallback_and_said_with_one(cast, alerting):
    steps = [{"kind": Kind.SCHEDULE, "schedule_id": alerting.schedule.pk, "wait_s": 60}]
    assert write_policy(by=cast.supervisor, values=values(agency_id=cast.police.pk), steps=steps)
    soon = timezone.now() + timedelta(days=3)
    hole = OnCallOverride.objects.create(schedule=alerting.schedule, user=None, starts_at=soon, ends_at=soon + timedelta(hours=2))
    assert "Hawalli duty officer" in refused(cast, steps, code="b")["fallback"]
    made = write_policy(
        by=cast.supervisor, values=values(code="c", agency_id=cast.police.pk, fallback_contact_id=alerting.room.pk), steps=steps
    )
    assert any("nobody on call" in warning for warning in check(snapshot_of(made)).warnings)
    OnCallOverride.objects.filter(pk=hole.pk).update(starts_at=soon + timedelta(days=20), ends_at=soon + timedelta(days=21))
    assert write_policy(by=cast.supervisor, values=values(code="d", agency_id=cast.police.pk), steps=steps)


def test_a_person_without_an_address_is_warned_about(cast, alerting):
    made = write_policy(
        by=cast.supervisor, values=values(agency_id=cast.police.pk), steps=[{"kind": Kind.PERSON, "user_id": cast.officer.pk}]
    )
    assert any("officer" in warning and "screen only" in warning for warning in check(snapshot_of(made)).warnings)


def test_what_the_writer_may_not_see_is_not_there(cast, alerting):
    others = OnCallSchedule.objects.create(code="fire", name_en="Fire", name_ar="إطفاء", agency=cast.fire)
    assert "steps.1.user" in refused(cast, [{"kind": Kind.PERSON, "user_id": cast.firefighter.pk}])
    assert "steps.1.schedule" in refused(cast, [{"kind": Kind.SCHEDULE, "schedule_id": others.pk}])
    assert "fallback_user" in refused(cast, [role()], fallback_user_id=cast.firefighter.pk)


def test_a_policy_that_active_rules_use_is_not_switched_off(cast, alerting):
    with pytest.raises(Conflict):
        switch_policy(by=cast.supervisor, policy=alerting.policy, is_active=False)
    alerting.rule.state = "off"
    alerting.rule.save(update_fields=["state"])
    assert not switch_policy(by=cast.supervisor, policy=alerting.policy, is_active=False).is_active
    with pytest.raises(Conflict):
        switch_policy(by=cast.supervisor, policy=alerting.policy, is_active=False)


def test_steps_are_sentences_in_both_languages(cast, alerting):
    steps = snapshot_of(alerting.policy)["steps"]
    assert sentence(steps[0]) == "Notify who is on call in Hawalli duty officer. Then wait 1 minute for somebody to acknowledge."
    assert "Off-duty people too." in sentence(steps[1])
    assert "Hawalli operations" in " ".join(endings(snapshot_of(alerting.policy)))
    with translation.override("ar"):
        assert "ضابط مناوب حولي" in sentence(steps[0])


def test_what_would_happen_names_the_people_and_the_moments_and_changes_nothing(cast, alerting, places, django_assert_num_queries):
    at = datetime.now(UTC)
    story = foresee(snapshot_of(alerting.policy), at=at, alert=Somewhere(cast.police.pk, places.hawalli.pk, "high"))
    told = [(moment.after_s, moment.outcome, [target.name for target in moment.targets]) for moment in story]
    assert told[:3] == [(0.0, "told", ["supervisor"]), (60.0, "told", ["dispatcher"]), (180.0, "told", ["Hawalli operations"])]
    assert (told[3][0], told[3][1]) == (480.0, "end")
    assert not Event.objects.filter(type="alert.paged").exists()


def test_seeded_policies_are_sound_and_stay_as_a_site_changed_them(cast, alerting):
    made = seed_policies()
    assert all(check(snapshot_of(policy)).is_fine for policy in made)
    EscalationPolicy.objects.filter(code="watch").update(name_en="Ours")
    seed_policies()
    assert EscalationPolicy.objects.get(code="watch").name_en == "Ours" and EscalationPolicy.objects.filter(is_seeded=True).count() == 3
