"""ALR-1, ALR-6: rules are checked when they are saved, versioned, and switched on by a second person who has seen a replay."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.models import AlertRule, EscalationPolicy, PolicyStep, RuleVersion
from alerts.services.rules import (
    activate_rule,
    change_rule,
    create_rule,
    drop_proposal,
    newest,
    newest_number,
    send_back_rule,
    submit_rule,
    switch_off_rule,
)
from alerts.services.rules.checking import look_over
from alerts.tests.authoring import burglaries, replayed
from core.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event


@pytest.fixture
def draft(cast: Any, alerting: Any, burglary: Any) -> AlertRule:
    return create_rule(data=burglaries(), by=cast.analyst)


def activated(rule: AlertRule, cast: Any) -> AlertRule:
    number = newest_number(rule)
    submit_rule(rule=rule, version=number, by=cast.analyst)
    replayed(rule, version=number)
    return activate_rule(rule=rule, version=number, by=cast.supervisor)


def test_a_new_rule_is_a_draft_with_its_first_version(draft: AlertRule, cast: Any) -> None:
    assert (draft.state, draft.version, draft.created_by) == ("draft", 1, cast.analyst)
    assert draft.versions.get().content["levels"] == {"medium": 3, "high": 5}
    assert AuditEntry.objects.filter(verb="rule.add", actor_id=cast.analyst.pk).exists()
    assert Event.objects.filter(type="alert_rule.changed", subject_id=draft.pk).exists()


@pytest.mark.parametrize(
    ("given", "field", "named"),
    [
        ({"types": ["burglry"]}, "types", "Did you mean “burglary”?"),
        ({"governorates": ["T-HA", "KW-XX"]}, "governorates", "KW-XX"),
        ({"zones": ["T-ATLANTIS"]}, "zones", "T-ATLANTIS"),
        ({"categories": ["propery"]}, "categories", "property"),
        ({"agencies": ["police", "navy"]}, "agencies", "navy"),
        ({"agency": "navy"}, "agency", "navy"),
        ({"policy": "nobody"}, "policy", "nobody"),
        ({"levels": {"medium": 5, "high": 3}}, "levels", "rise"),
        ({"levels": {"medium": 5, "high": 5}}, "levels", "rise"),
        ({"levels": {"mediun": 5}}, "levels", "did you mean “medium”"),
        ({"levels": {}}, "levels", "threshold"),
        ({"levels": {"low": 0}}, "levels", "nothing"),
        ({"group_by": ["street"]}, "group_by", "street"),
        ({"condition": {"window_h": 24, "recovers_below": 9}}, "condition", "recover"),
        ({"condition": {"windw_h": 24}}, "condition", "windw_h"),
        ({"source": "event", "condition": {"types": ["alert.fired"]}, "levels": None, "types": None}, "condition", "alert.fired"),
        ({"source": "event", "condition": {"types": ["sos.rased"]}, "levels": None, "types": None}, "condition", "sos.raised"),
        ({"source": "camera", "condition": {}, "levels": None}, "types", "means nothing"),
        ({"source": "event", "condition": {"types": ["sos.raised"]}, "types": None}, "levels", "measured"),
        ({"source": "event", "condition": {"types": ["sos.raised"]}, "levels": None, "trend_at_least": 2}, "trend_at_least", "trend"),
        ({"name_ar": ""}, "name_ar", "both languages"),
        ({"code": "Bad Code"}, "code", "small letters"),
        ({"colour": "red"}, "code", "colour"),
        ({"priority": 9}, "priority", "9"),
        ({"most_per_hour": 0}, "most_per_hour", "0"),
        ({"modifiers": [{"when": {"weekdays": ["fridey"]}, "mute": True}]}, "modifiers", "fridey"),
        ({"description": "x" * 5000}, "description", "4000"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_name(
    cast: Any, alerting: Any, burglary: Any, given: dict[str, Any], field: str, named: str
) -> None:
    with pytest.raises(Invalid) as caught:
        create_rule(data=burglaries(**given), by=cast.superadmin)
    assert field in caught.value.fields, caught.value.fields
    assert named in " ".join([caught.value.message, *caught.value.fields.values()])
    assert not AlertRule.objects.filter(code="burglaries-hawalli").exists()


def test_the_same_code_twice_is_refused(draft: AlertRule, cast: Any) -> None:
    with pytest.raises(Invalid, match="already"):
        create_rule(data=burglaries(), by=cast.analyst)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"types": ["burglary"], "categories": ["fire"]}, "never fire"),
        ({"governorates": ["T-HA"], "zones": ["T-SHA"]}, "never fire"),
        ({"group_by": []}, "All zones share one alert"),
        ({"modifiers": [{"when": {"period": "ramadan"}, "threshold_percent": -50}]}, "lies ahead"),
        ({"modifiers": [{"when": {"weekdays": ["friday"]}, "threshold_percent": -20}], "levels": {"medium": 3}}, "nothing changes"),
        ({"modifiers": [{"when": {"weekdays": ["friday"]}, "mute": True}]}, "nobody is told"),
    ],
)
def test_what_is_odd_is_warned_about(cast: Any, alerting: Any, burglary: Any, given: dict[str, Any], named: str) -> None:
    rule = create_rule(data=burglaries(**given), by=cast.superadmin)
    assert named in " ".join(each.text for each in look_over(rule) if each.kind == "warning")


def test_a_draft_without_a_policy_is_kept_but_never_submitted(cast: Any, alerting: Any, burglary: Any) -> None:
    rule = create_rule(data=burglaries(policy=None), by=cast.analyst)
    with pytest.raises(Invalid, match="nobody would be told"):
        submit_rule(rule=rule, version=1, by=cast.analyst)


def test_a_policy_that_became_unsound_since_it_was_saved_cannot_be_switched_on(cast: Any, alerting: Any, burglary: Any) -> None:
    rule = submit_rule(rule=create_rule(data=burglaries(), by=cast.analyst), version=1, by=cast.analyst)
    replayed(rule)
    EscalationPolicy.objects.filter(pk=alerting.policy.pk).update(fallback_contact=None)
    alerting.schedule.layers.update(ends_on=timezone.localdate() + timedelta(days=3))
    with pytest.raises(Invalid, match=r"has nobody on call from .* on\. Fill the hole") as refused:
        activate_rule(rule=rule, version=1, by=cast.supervisor)
    assert list(refused.value.fields) == ["policy"]
    EscalationPolicy.objects.filter(pk=alerting.policy.pk).update(fallback_contact=alerting.room)
    assert "has nobody on call from" in " ".join(each.text for each in look_over(rule) if each.kind == "warning")
    EscalationPolicy.objects.filter(pk=alerting.policy.pk).update(repeat_times=5, repeat_wait_s=0)
    alerting.policy.steps.update(wait_s=0)
    with pytest.raises(Invalid, match="runs in a circle without waiting"):
        activate_rule(rule=rule, version=1, by=cast.supervisor)
    alerting.policy.steps.filter(position=2).update(wait_s=60, role="nobody")
    with pytest.raises(Invalid, match="step 2: There is no such role"):
        activate_rule(rule=rule, version=1, by=cast.supervisor)
    alerting.policy.steps.filter(position=2).update(kind=PolicyStep.Kind.PERSON, user=cast.officer)
    cast.officer.is_active = False
    cast.officer.save()
    assert "officer has left: nobody is told." in " ".join(each.text for each in look_over(rule) if each.kind == "warning")
    assert activate_rule(rule=rule, version=1, by=cast.supervisor).state == "active"


def test_a_policy_that_tells_nobody_cannot_be_submitted(cast: Any, alerting: Any, burglary: Any) -> None:
    silent = EscalationPolicy.objects.create(code="silent", name_en="Silent", name_ar="صامتة", agency=cast.police)
    PolicyStep.objects.create(policy=silent, position=1, kind=PolicyStep.Kind.WAIT)
    rule = create_rule(data=burglaries(policy="silent"), by=cast.analyst)
    with pytest.raises(Invalid, match="notifies nobody"):
        submit_rule(rule=rule, version=1, by=cast.analyst)


def test_nobody_writes_beyond_their_own_ground(cast: Any, alerting: Any, burglary: Any) -> None:
    for given, field in (
        ({"governorates": ["T-KU"]}, "governorates"),
        ({"governorates": None}, "governorates"),
        ({"agency": None}, "agency"),
    ):
        with pytest.raises(Invalid) as caught:
            create_rule(data=burglaries(**given), by=cast.supervisor)
        assert field in caught.value.fields
    with pytest.raises(Invalid) as caught:
        create_rule(data=burglaries(agencies=["police", "fire"]), by=cast.supervisor)
    assert "agencies" in caught.value.fields


def test_who_may_not_write_rules_is_refused(cast: Any, alerting: Any, burglary: Any, draft: AlertRule) -> None:
    for person in (cast.dispatcher, cast.officer, cast.auditor):
        with pytest.raises(NotAllowed):
            create_rule(data=burglaries(code="other"), by=person)
    draft.agency = cast.fire
    draft.save(update_fields=["agency"])
    with pytest.raises(NotFound):
        change_rule(rule=draft, data=burglaries(), version=1, by=cast.supervisor)


def test_the_ministrys_rule_is_not_one_agencys_to_change(cast: Any, alerting: Any, burglary: Any) -> None:
    rule = create_rule(data=burglaries(agency=None), by=cast.superadmin)
    with pytest.raises(NotAllowed):
        change_rule(rule=rule, data=burglaries(priority=1), version=1, by=cast.supervisor)


def test_a_change_makes_a_version_and_the_same_words_make_none(draft: AlertRule, cast: Any) -> None:
    same = change_rule(rule=draft, data=burglaries(), version=1, by=cast.supervisor)
    assert same.version == 1
    changed = change_rule(rule=draft, data=burglaries(levels={"medium": 4}), version=1, by=cast.supervisor, reason="too many")
    assert (changed.version, changed.levels, changed.changed_by) == (2, {"medium": 4}, cast.supervisor)
    assert list(RuleVersion.objects.filter(rule=draft).values_list("number", "reason")) == [(2, "too many"), (1, "")]
    with pytest.raises(Conflict, match="version 2"):
        change_rule(rule=draft, data=burglaries(levels={"medium": 6}), version=1, by=cast.analyst)


def test_one_person_cannot_switch_a_rule_on_alone(draft: AlertRule, cast: Any) -> None:
    submit_rule(rule=draft, version=1, by=cast.supervisor)
    replayed(draft)
    with pytest.raises(NotAllowed, match="second person"):
        activate_rule(rule=draft, version=1, by=cast.supervisor)
    with pytest.raises(NotAllowed):
        activate_rule(rule=draft, version=1, by=cast.analyst)
    with pytest.raises(NotAllowed):
        activate_rule(rule=draft, version=1, by=cast.dispatcher)


def test_nor_whoever_changed_it_last(draft: AlertRule, cast: Any) -> None:
    change_rule(rule=draft, data=burglaries(priority=1), version=1, by=cast.supervisor)
    submit_rule(rule=draft, version=2, by=cast.analyst)
    replayed(draft, version=2)
    with pytest.raises(NotAllowed, match="changed it last"):
        activate_rule(rule=draft, version=2, by=cast.supervisor)


def test_it_needs_a_replay_of_this_very_version(draft: AlertRule, cast: Any) -> None:
    replayed(draft)
    change_rule(rule=draft, data=burglaries(priority=1), version=1, by=cast.analyst)
    submit_rule(rule=draft, version=2, by=cast.analyst)
    with pytest.raises(Conflict, match="Replay this version"):
        activate_rule(rule=draft, version=2, by=cast.supervisor)
    replayed(draft, version=2)
    active = activate_rule(rule=draft, version=2, by=cast.supervisor)
    assert (active.state, active.activated_by, active.version) == ("active", cast.supervisor, 2)


def test_a_rule_that_would_fire_ten_thousand_times_is_refused(draft: AlertRule, cast: Any) -> None:
    submit_rule(rule=draft, version=1, by=cast.analyst)
    replayed(draft, alerts=10_001)
    with pytest.raises(Invalid, match="10001 alerts in 30 days"):
        activate_rule(rule=draft, version=1, by=cast.supervisor)


def test_what_was_not_submitted_is_not_switched_on(draft: AlertRule, cast: Any) -> None:
    replayed(draft)
    with pytest.raises(Conflict, match="not been submitted"):
        activate_rule(rule=draft, version=1, by=cast.supervisor)


def test_a_submitted_rule_is_sent_back_with_the_reason(draft: AlertRule, cast: Any) -> None:
    submit_rule(rule=draft, version=1, by=cast.analyst)
    with pytest.raises(Conflict):
        submit_rule(rule=draft, version=1, by=cast.analyst)
    with pytest.raises(Invalid):
        send_back_rule(rule=draft, version=1, by=cast.supervisor, reason=" ")
    assert send_back_rule(rule=draft, version=1, by=cast.supervisor, reason="Too low").state == "draft"
    assert AuditEntry.objects.get(verb="rule.send_back").reason == "Too low"


def test_a_change_to_a_running_rule_waits_while_the_old_version_goes_on(draft: AlertRule, cast: Any) -> None:
    running = activated(draft, cast)
    changed = change_rule(rule=running, data=burglaries(levels={"medium": 9}), version=1, by=cast.analyst)
    assert (changed.state, changed.version, changed.levels) == ("active", 1, {"medium": 3, "high": 5})
    assert (newest_number(changed), newest(changed).levels) == (2, {"medium": 9})
    with pytest.raises(Conflict, match="not been submitted"):
        activate_rule(rule=changed, version=2, by=cast.supervisor)
    submit_rule(rule=changed, version=2, by=cast.analyst)
    with pytest.raises(Conflict, match="Replay"):
        activate_rule(rule=changed, version=2, by=cast.supervisor)
    replayed(changed, version=2)
    with pytest.raises(NotAllowed):
        activate_rule(rule=changed, version=2, by=cast.analyst)
    now = activate_rule(rule=changed, version=2, by=cast.supervisor)
    assert (now.state, now.version, now.levels) == ("active", 2, {"medium": 9})
    assert newest_number(now) == 2
    assert not hasattr(now, "proposal")


def test_a_change_that_is_dropped_leaves_what_runs_and_its_number_is_not_used_again(draft: AlertRule, cast: Any) -> None:
    running = activated(draft, cast)
    change_rule(rule=running, data=burglaries(levels={"medium": 9}), version=1, by=cast.analyst)
    drop_proposal(rule=running, version=2, by=cast.supervisor)
    running.refresh_from_db()
    assert (running.version, newest(running).levels) == (1, {"medium": 3, "high": 5})
    again = change_rule(rule=running, data=burglaries(levels={"medium": 7}), version=newest_number(running), by=cast.analyst)
    assert newest_number(again) == 3


def test_switching_off_is_for_one_person_at_once_and_on_again_for_two(draft: AlertRule, cast: Any) -> None:
    running = activated(draft, cast)
    with pytest.raises(Invalid):
        switch_off_rule(rule=running, by=cast.supervisor, reason="")
    with pytest.raises(NotAllowed):
        switch_off_rule(rule=running, by=cast.analyst, reason="noise")
    off = switch_off_rule(rule=running, by=cast.supervisor, reason="noise")
    assert off.state == "off"
    assert Event.objects.filter(type="alert_rule.switched_off", subject_id=off.pk).exists()
    with pytest.raises(Conflict):
        switch_off_rule(rule=off, by=cast.supervisor, reason="again")
    submit_rule(rule=off, version=1, by=cast.analyst)
    assert activate_rule(rule=off, version=1, by=cast.supervisor).state == "active"


def test_the_system_never_switches_a_rule_on(draft: AlertRule, cast: Any) -> None:
    submit_rule(rule=draft, version=1, by=None)
    replayed(draft)
    with pytest.raises(DomainError):
        activate_rule(rule=draft, version=1, by=None)  # type: ignore[arg-type]
