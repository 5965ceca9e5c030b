"""ALR-1: a new installation has rules to begin with, none of which runs by itself, and Ramadan's computed days."""

from datetime import date
from typing import Any

from alerts.models import AlertRule, EscalationPolicy, PolicyStep, SpecialPeriod
from alerts.services.rules import activate_rule, change_rule
from alerts.services.rules.content import content_of
from alerts.services.rules.seeds import RULES, ensure_periods, ensure_rules, ramadans
from alerts.services.rules.words import preview
from alerts.tests.authoring import replayed
from incidents.services.vocabulary import ensure_vocabulary


def policies() -> None:
    for code in ("standard", "watch"):
        policy, _ = EscalationPolicy.objects.get_or_create(code=code, defaults={"name_en": code.title(), "name_ar": "سياسة"})
        PolicyStep.objects.get_or_create(policy=policy, position=1, defaults={"kind": PolicyStep.Kind.COMMAND_CENTRE})


def test_the_rules_that_come_with_the_product_wait_for_one_person(cast: Any) -> None:
    ensure_vocabulary()
    policies()
    AlertRule.objects.filter(code__in=[data["code"] for data in RULES]).delete()
    ensure_periods()
    assert ensure_rules() == len(RULES)
    rules = list(AlertRule.objects.filter(is_seeded=True).order_by("code"))
    assert [rule.state for rule in rules] == ["waiting"] * len(RULES)
    replayed(rules[0])
    assert activate_rule(rule=rules[0], version=1, by=cast.superadmin).state == "active"
    for rule in rules:
        assert "cannot be read" not in " ".join(preview(rule)["en"])


def test_seeding_again_leaves_what_people_changed(cast: Any) -> None:
    ensure_vocabulary()
    policies()
    ensure_rules()
    rule = AlertRule.objects.get(code="assault-area")
    change_rule(rule=rule, data={**content_of(rule), "levels": {"high": 7}}, version=1, by=cast.superadmin)
    assert ensure_rules() == 0
    rule.refresh_from_db()
    assert rule.levels == {"high": 7}


def test_without_policies_they_are_drafts(cast: Any) -> None:
    ensure_vocabulary()
    EscalationPolicy.objects.filter(code__in=["standard", "watch"]).delete()
    ensure_rules()
    assert AlertRule.objects.get(code="hot-spots").state == "draft"


def test_ramadan_is_computed_for_the_years_ahead_and_never_written_over(db: None) -> None:
    SpecialPeriod.objects.filter(kind="ramadan").delete()
    assert ensure_periods(today=date(2026, 11, 21)) >= 6
    coming = SpecialPeriod.objects.get(code="ramadan-2027")
    assert (coming.starts_on, coming.ends_on) == (date(2027, 2, 7), date(2027, 3, 8))
    assert "computed" in coming.name_en
    SpecialPeriod.objects.filter(pk=coming.pk).update(starts_on=date(2027, 2, 8), name_en="Ramadan 2027")
    assert ensure_periods(today=date(2026, 11, 21)) == 0
    coming.refresh_from_db()
    assert coming.starts_on == date(2027, 2, 8)


def test_some_years_have_two(db: None) -> None:
    assert [len(ramadans(year)) for year in (2029, 2030)] == [1, 2]
