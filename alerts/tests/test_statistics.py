"""ALR-4: how quickly alerts were acknowledged and which nobody needed: by policy, hour and channel; "too few" where there are."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils.translation import override

from alerts.analytics.response import nearest_rank, response_of
from alerts.models import Alert, EscalationRun, Page
from alerts.services.statistics import statistics_of
from dashboard.tests.test_alert_queue import enter
from patrol.models import Shift, ShiftPattern

NOON = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)  # noon in Kuwait


@pytest.fixture
def answered(fire, cast, alerting):
    """Alerts that paged the dispatcher and were acknowledged after so many seconds (``None``: resolved, and never acknowledged)."""

    def make(*waits, **given):
        for number, wait in enumerate(waits):
            ended = {"state": "resolved", "resolved_at": NOON + timedelta(hours=1)}
            at = {"first_acknowledged_at": NOON + timedelta(seconds=wait), "acknowledged_through": "screen"} if wait is not None else {}
            alert = fire(**{**ended, **at, **given})
            Alert.objects.filter(pk=alert.pk).update(opened_at=given.get("opened_at", NOON))
            EscalationRun.objects.create(alert=alert, policy=alerting.policy, state="stopped", next_at=None)
            code = f"x{alert.pk}.{number}"
            Page.objects.create(alert=alert, user=cast.dispatcher, code=code, code_expires_at=NOON, next_at=None, state="answered")

    return make


def told():
    return statistics_of(Alert.objects.all(), start=NOON - timedelta(days=1), end=NOON + timedelta(days=1))


def test_percentiles_are_times_that_occurred_and_the_unanswered_count_against_the_targets():
    assert nearest_rank([3.0, 1.0, 2.0], 50) == 2.0 and nearest_rank([3.0, 1.0, 2.0], 90) == 3.0
    good = response_of([5.0] * 18 + [17.0, 40.0])
    assert (good.p50_s, good.p90_s, good.within, good.meets) == (5.0, 5.0, (0.9, 0.95), (True, True))
    assert response_of([5.0] * 18, unanswered=2).within == (0.9, 0.9)
    assert response_of([5.0] * 9).within == (None, None) and response_of([]).is_too_few


def test_the_time_to_acknowledge_is_told_by_policy_hour_and_channel(answered, alerting):
    answered(*[4] * 8, 12, 30, None)
    found = told()
    assert (found.total, found.paged, found.overall.count, found.overall.unanswered) == (11, 11, 10, 1)
    assert (found.overall.p50_s, found.overall.p90_s) == (4.0, 12.0)
    [policy], [hour], [through] = found.by_policy, found.by_hour, found.by_channel
    assert (policy.key, policy.response.count, hour.key, through.key) == ("hawalli", 10, "12:00–15:00", "screen")


@pytest.fixture
def shifts(cast):
    """The police's: day 06:00-14:00, evening 14:00-22:00, night 22:00-06:00; a day of twelve hours from 08:00 is no longer in use."""

    def pattern(code, begins, hours, **given):
        names = {"name_en": code.title(), "name_ar": {"day": "صباح", "evening": "مساء", "night": "ليل"}.get(code, code)}
        return ShiftPattern.objects.create(
            agency=cast.police, code=code, begins_at=time(begins), length_minutes=60 * hours, **names, **given
        )

    return {
        "day": pattern("day", 6, 8), "evening": pattern("evening", 14, 8), "night": pattern("night", 22, 8),
        "long": pattern("long", 8, 12, is_active=False),
    }  # fmt: skip


def test_by_shift_is_by_the_agencys_own_shifts_and_by_bands_where_it_has_none(answered, cast, shifts, places):
    for hour, minute in ((2, 59), (19, 0), (23, 59), (3, 0), (10, 59)):  # 05:59, 22:00, 02:59, 06:00, 13:59 in Kuwait
        answered(4, opened_at=NOON.replace(hour=hour, minute=minute))
    answered(4, None, opened_at=NOON, agency=cast.fire)  # noon
    answered(4, opened_at=NOON, agency=None)
    found = told()
    assert found.has_shifts
    assert [(one.key, one.name, one.response.count, one.response.unanswered) for one in found.by_shift] == [
        ("police/day", "Police: Day, 06:00–14:00", 2, 0),
        ("police/night", "Police: Night, 22:00–06:00", 3, 0),
        ("12:00–15:00", "12:00–15:00", 2, 1),
    ]
    with override("ar"):
        assert "ليل" in told().by_shift[1].name
    assert sum(one.response.count for one in found.by_hour) == 7


def test_a_shift_that_was_planned_goes_before_the_pattern_and_the_one_that_began_last_before_another(answered, cast, shifts, places):
    def planned(pattern, governorate, starts, hours):
        Shift.objects.create(
            agency=cast.police, governorate=governorate, pattern=shifts[pattern], starts_at=starts, ends_at=starts + timedelta(hours=hours)
        )

    planned("long", places.hawalli, NOON - timedelta(hours=1), 12)
    planned("day", places.hawalli, NOON - timedelta(hours=3), 8)
    planned("evening", places.capital, NOON - timedelta(hours=3), 24)
    answered(4, 4)
    answered(4, governorate=places.capital, zone=places.sharq)
    answered(4, governorate=None, zone=None)  # somewhere in the whole country: by the clock
    answered(4, opened_at=NOON - timedelta(hours=2))  # before the long one began
    assert {one.key: one.response.count for one in told().by_shift} == {"police/long": 2, "police/evening": 1, "police/day": 2}


def test_the_page_the_file_and_the_api_tell_of_shifts(answered, cast, shifts):
    answered(5, opened_at=datetime.now(UTC) - timedelta(hours=1), first_acknowledged_at=datetime.now(UTC) - timedelta(minutes=59))
    client = enter(cast.supervisor)
    assert "By shift" in client.get("/alerts/statistics/").content.decode()
    rows = list(csv.DictReader(io.StringIO(client.get("/alerts/statistics.csv?span=24h").content.decode("utf-8-sig"))))
    [row] = [row for row in rows if row["table"] == "shift"]
    assert row["key"].startswith("police/") and row["acknowledged"] == "1"
    [told_by_api] = client.get("/api/v1/alerts/statistics").json()["by_shift"]
    assert told_by_api["key"] == row["key"] and told_by_api["name"].startswith("Police: ")


def test_what_paged_nobody_and_what_still_fires_count_for_nothing(answered, fire):
    fire()
    firing = fire()
    Alert.objects.filter(pk=firing.pk).update(opened_at=NOON)
    assert (told().paged, told().overall.count, told().overall.unanswered) == (0, 0, 0)


def test_a_rule_that_nobody_needed_is_named_and_few_answers_give_no_share(answered, alerting):
    answered(*[5] * 9, rule=alerting.rule, was_needed=False)
    [rule] = told().rules
    assert (rule.noise.count, rule.noise.not_needed, rule.noise.share) == (9, 9, None)
    answered(5, rule=alerting.rule, was_needed=True)
    assert told().rules[0].noise.share == 0.9


def test_the_page_says_too_few_and_the_file_leaves_the_figure_out(answered, cast, settings):
    answered(5, opened_at=datetime.now(UTC) - timedelta(hours=1), first_acknowledged_at=datetime.now(UTC) - timedelta(minutes=59))
    client = enter(cast.supervisor)
    assert "Too few to say: 1 were acknowledged, 10 are needed." in client.get("/alerts/statistics/").content.decode()
    rows = list(csv.DictReader(io.StringIO(client.get("/alerts/statistics.csv?span=24h").content.decode("utf-8-sig"))))
    assert (rows[0]["table"], rows[0]["acknowledged"], rows[0]["p50_s"]) == ("overall", "1", "")
    assert client.get("/alerts/statistics/?span=never").context["span"] == "30d"
    assert enter(cast.officer).get("/alerts/statistics/").status_code == 403


def test_the_figures_are_of_what_the_viewer_may_see(answered, cast):
    answered(5, opened_at=datetime.now(UTC) - timedelta(hours=1), agency=cast.fire)
    assert enter(cast.supervisor).get("/alerts/statistics/?span=24h").context["told"].total == 0
