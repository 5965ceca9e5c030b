"""ALR-6: what a rule would have done in the last days, from the log, through the engine's own evaluation, told in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils.translation import override

from alerts.models import AlertRule
from alerts.services.rules import activate_rule, change_rule, create_rule, submit_rule
from alerts.services.rules.replay import replay
from alerts.services.rules.replay_words import in_words, warnings
from alerts.tests.authoring import burglaries
from core.errors import Conflict, Invalid, NotAllowed
from core.models import Event
from incidents.models import Incident

UNTIL = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def at(report: Any) -> Any:
    """``at(hours_ago)`` reports a burglary that many hours before ``UNTIL``, known as it happened."""

    def make(hours_ago: float, **given: Any) -> Incident:
        moment = UNTIL - timedelta(hours=hours_ago)
        incident = report(occurred_at=moment, **given)
        Incident.objects.filter(pk=incident.pk).update(received_at=moment)
        return incident

    return make


def rule_of(cast: Any, **given: Any) -> AlertRule:
    return create_rule(data=burglaries(**given), by=cast.superadmin)


def test_three_in_a_day_would_have_been_one_alert(cast: Any, alerting: Any, burglary: Any, places: Any, at: Any) -> None:
    for hours in (100, 50, 49.5, 49):  # the first is too early to count with the others
        at(hours)
    at(48, location=places.in_jabriya)
    at(48, location=places.in_sharq)
    kept = replay(rule=rule_of(cast), days=7, by=cast.analyst, until=UNTIL)
    assert (kept.alert_count, kept.version, kept.days) == (1, 1, 7)
    assert kept.result["by_day"] == {"2026-11-19": 1}
    assert kept.result["by_zone"] == [{"code": "T-SAL", "name_en": "Salmiya", "name_ar": "السالمية", "alerts": 1}]
    assert kept.result["by_level"] == {"medium": 1}
    assert (kept.result["night"], kept.result["facts"]) == (0, 5)


def test_what_comes_soon_joins_and_what_comes_later_is_another(cast: Any, alerting: Any, burglary: Any, at: Any) -> None:
    for hours in (60, 59, 58, 57.5, 40):
        at(hours)
    kept = replay(rule=rule_of(cast), days=7, by=cast.analyst, until=UNTIL)
    assert (kept.alert_count, kept.result["joined"]) == (2, 1)


def test_the_people_it_would_have_paged_are_named(cast: Any, alerting: Any, burglary: Any, at: Any) -> None:
    for hours in (50, 49.5, 49):
        at(hours)
    kept = replay(rule=rule_of(cast), days=7, by=cast.analyst, until=UNTIL)
    assert {"supervisor", "dispatcher", "Hawalli operations"} <= {person["name"] for person in kept.result["people"]}
    said = " ".join(in_words(kept))
    assert "In the last 7 days: 1 alert, 0 at night." in said
    assert "would have been paged" in said
    assert "dispatcher" in said
    assert "dispatcher" not in " ".join(in_words(kept, with_people=False))
    with override("ar"):
        assert "تنبيه" in " ".join(in_words(kept))


def test_it_replays_the_newest_version_and_is_kept_with_it(cast: Any, alerting: Any, burglary: Any, at: Any) -> None:
    for hours in (50, 49.5, 49):
        at(hours)
    rule = rule_of(cast)
    submit_rule(rule=rule, version=1, by=cast.analyst)
    replay(rule=rule, days=7, by=cast.analyst, until=UNTIL)
    activate_rule(rule=rule, version=1, by=cast.supervisor)
    change_rule(rule=rule, data=burglaries(levels={"high": 4}), version=1, by=cast.analyst)
    kept = replay(rule=rule, days=7, by=cast.analyst, until=UNTIL)
    assert (kept.version, kept.alert_count) == (2, 0)
    submit_rule(rule=rule, version=2, by=cast.analyst)
    rule.refresh_from_db()
    change_rule(rule=rule, data=burglaries(levels={"high": 3}), version=2, by=cast.analyst)
    submit_rule(rule=rule, version=3, by=cast.analyst)
    with pytest.raises(Conflict, match="Replay"):
        activate_rule(rule=rule, version=3, by=cast.supervisor)


def test_too_little_history_is_said_and_not_hidden(cast: Any, alerting: Any, burglary: Any, at: Any) -> None:
    for hours in (50, 49.5, 49):
        at(hours)
    kept = replay(rule=rule_of(cast), days=30, by=cast.analyst, until=UNTIL)
    assert "it reaches back 2.1 days, not 30" in " ".join(warnings(kept))
    quiet = replay(rule=rule_of(cast, code="quiet", levels={"high": 99}), days=7, by=None)
    assert quiet.alert_count == 0


def test_events_of_the_log_are_replayed(cast: Any, alerting: Any) -> None:
    rule = create_rule(
        data=burglaries(source="event", condition={"types": ["pipeline.late"]}, levels=None, types=None, governorates=None, agencies=None,
                        agency=None, group_by=["subject"], cooldown_type_min=0),
        by=cast.superadmin,
    )  # fmt: skip
    for hours in (30, 20, 10):
        moment = UNTIL - timedelta(hours=hours)
        Event.objects.create(type="pipeline.late", subject_type="pipelinerun", subject_id=7, data={"run": 7}, occurred_at=moment)
    kept = replay(rule=rule, days=7, by=None, until=UNTIL)
    assert kept.alert_count == 3


def test_at_night_by_the_rules_clock(cast: Any, alerting: Any, burglary: Any, at: Any) -> None:
    for hours in (13.2, 13.1, 13):  # 23:00 in Kuwait
        at(hours)
    assert replay(rule=rule_of(cast), days=7, by=None, until=UNTIL).result["night"] == 1


def test_who_may_not_write_rules_replays_none_and_days_are_7_or_30(cast: Any, alerting: Any, burglary: Any) -> None:
    rule = rule_of(cast)
    with pytest.raises(NotAllowed):
        replay(rule=rule, days=7, by=cast.dispatcher)
    with pytest.raises(Invalid):
        replay(rule=rule, days=365, by=cast.analyst)
