"""ALR-1, ALR-7: a rule that fails at an event costs that rule's alert, said aloud; every other rule and every later event is heard."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from alerts.models import Alert, AlertRule
from alerts.services.engine import hear, hear_patiently
from alerts.services.engine.compiled import active_rules
from core.events import publish
from core.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_rules(alerting, cast):
    def rule(code):
        return AlertRule.objects.create(
            code=code, name_en=code, name_ar=code, source="event", agency=cast.police, condition={"types": ["pipeline.failed"]},
            state="active", level="high",
        )  # fmt: skip

    return rule("broken"), rule("sound")


@pytest.fixture
def event(cast, places):
    return Event.objects.get(
        pk=publish("pipeline.failed", data={"run": 1, "step": "x"}, agency_id=cast.police.pk, governorate_id=places.hawalli.pk).pk
    )


def ear_that_fails_at(code):
    def ear(events, *, rules=None):
        if any(rule.rule.code == code for rule in (rules or active_rules()).rules):
            raise ZeroDivisionError("of this rule")
        return hear(events, rules=rules)

    return ear


def test_a_failing_rule_is_passed_over_after_three_tries_and_a_person_hears_of_it(two_rules, event):
    broken, sound = two_rules
    ear = ear_that_fails_at("broken")
    for _try in range(2):
        with pytest.raises(ZeroDivisionError):
            hear_patiently([event], ear=ear)
    assert not Alert.objects.exists()
    hear_patiently([event], ear=ear)
    assert Alert.objects.filter(rule=sound).count() == 1
    assert not Alert.objects.filter(rule=broken).exists()
    said = Alert.objects.get(kind=Alert.Kind.AUDIT)
    assert said.facts["rule"] == "broken" and said.agency_id == broken.agency_id
    assert said.runs.exists(), "it pages somebody"


def test_a_batch_that_fails_comes_again_whole(two_rules, event):
    with pytest.raises(ZeroDivisionError):
        hear_patiently([event, event], ear=ear_that_fails_at("broken"))
    assert not Alert.objects.exists()


def test_a_database_that_is_away_is_nobodys_fault_however_often(two_rules, event):
    def away(events, *, rules=None):
        raise OperationalError("away")

    for _try in range(5):
        with pytest.raises(OperationalError):
            hear_patiently([event], ear=away)
    assert not Alert.objects.exists()


def test_a_rule_that_cannot_be_read_is_left_out_and_the_others_fire(two_rules, event):
    broken, sound = two_rules
    AlertRule.objects.filter(pk=broken.pk).update(levels={"medium": "a lot"})
    hear_patiently([event])
    assert set(Alert.objects.values_list("rule", flat=True)) == {sound.pk}
