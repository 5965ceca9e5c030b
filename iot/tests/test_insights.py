"""IOT-4, IOT-6: insights: found in rows, one for each thing, over by themselves, dismissed by a person, said in two languages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils.translation import override

from core.errors import Conflict, NotAllowed, NotFound
from core.models import AuditEntry
from iot.models import BatteryDay, Device, DeviceCredential, DeviceGroup, DeviceOutage, Insight
from iot.services.batteries import forecasts, keep_levels
from iot.services.insights import dismiss_insight, look_for_insights
from iot.services.risk.levels import HOUR
from iot.tests.watching import Watch
from iot.words import sentence_of


@pytest.fixture
def camera_away(watch: Watch, places: Any, report: Any) -> Device:
    """Where incidents are frequent; another stands where there are none."""
    for _n in range(6):
        report(occurred_at=watch.at - timedelta(days=3))
    for code, place in (("K-1", places.in_salmiya), ("K-2", places.in_jabriya)):
        device = watch.device(code, "camera", place, is_heard=True)
        DeviceOutage.objects.create(device=device, began_at=watch.at - HOUR, noticed_at=watch.at - HOUR / 2)
    return Device.objects.get(code="K-1")


def test_a_camera_away_is_told_where_incidents_are_frequent_once_and_ends_when_it_is_back(watch: Watch, camera_away: Device) -> None:
    assert look_for_insights(now=watch.at) == (1, 0)
    assert look_for_insights(now=watch.at + timedelta(minutes=5)) == (0, 0)
    row = Insight.objects.get()
    assert (row.code, row.device, row.params["incidents"]) == ("camera_down", camera_away, 6)
    assert row.last_at > row.first_at and not row.is_synthetic
    DeviceOutage.objects.update(ended_at=watch.at)
    assert look_for_insights(now=watch.at + 2 * HOUR) == (0, 1)
    DeviceOutage.objects.create(device=camera_away, began_at=watch.at + 2 * HOUR, noticed_at=watch.at + 2 * HOUR)
    assert look_for_insights(now=watch.at + 3 * HOUR) == (1, 0)


def test_a_person_dismisses_it_for_as_long_as_it_goes_on(watch: Watch, camera_away: Device, cast: Any) -> None:
    look_for_insights(now=watch.at)
    row = Insight.objects.get()
    for person, refusal in ((cast.analyst, NotAllowed), (cast.firefighter, NotFound), (cast.stranger, NotFound)):
        with pytest.raises(refusal):
            dismiss_insight(insight=row, by=person)
    dismiss_insight(insight=row, by=cast.dispatcher, reason="cleaning")
    with pytest.raises(Conflict):
        dismiss_insight(insight=row, by=cast.supervisor)
    entry = AuditEntry.objects.get(verb="insight.dismiss")
    assert entry.reason == "cleaning" and entry.actor_id == cast.dispatcher.pk
    assert look_for_insights(now=watch.at + timedelta(minutes=5)) == (0, 0)
    assert not Insight.objects.standing().exists() and Insight.objects.count() == 1


def test_motion_in_the_dead_of_night_is_one_insight_a_device_and_night(watch: Watch, places: Any) -> None:
    two = watch.at.replace(hour=23) - timedelta(days=1)  # 02:00 in Kuwait
    device = watch.device("M-1", "motion", places.in_salmiya, is_heard=True)
    watch.hours(device, "motion_events", {two - timedelta(days=n): 1.0 for n in range(1, 12)})
    watch.hours(device, "motion_events", {two + HOUR - timedelta(days=n): 1.0 for n in range(1, 12)})
    watch.hours(device, "motion_events", {two: 40.0, two + HOUR: 60.0})
    assert look_for_insights(now=two + 2 * HOUR + timedelta(minutes=5)) == (1, 0)
    row = Insight.objects.get()
    assert row.params == {"value": 60.0, "usual": 1.0, "metric": "motion_events"} and row.evidence[0]["kind"] == "readings"
    assert look_for_insights(now=two + 3 * HOUR) == (0, 0)


def test_a_crowd_that_grows_is_told_and_one_that_stands_is_not(watch: Watch, places: Any) -> None:
    grows, stands = (watch.device(code, "crowd", places.in_salmiya, is_heard=True) for code in ("C-1", "C-2"))
    for device, now in ((grows, 9.0), (stands, 3.0)):
        for back in (1, 2):
            watch.hours(device, "density", {watch.at - back * HOUR - timedelta(weeks=n): 1.0 for n in range(1, 6)})
        watch.hours(device, "density", {watch.at - 2 * HOUR: 3.0, watch.at - HOUR: 3.0})
        watch.minutes(device, "density", {watch.at - timedelta(minutes=n): now for n in range(1, 15)})
    look_for_insights(now=watch.at + timedelta(minutes=2))
    row = Insight.objects.get()
    assert row.device == grows and row.params["before"] == 3.0 and row.params["value"] == 9.0


def test_half_of_a_group_away_is_one_insight_and_two_devices_are_none(watch: Watch, places: Any, cast: Any) -> None:
    group = DeviceGroup.objects.create(agency=cast.police, governorate=places.hawalli, code="quay", name_en="Quay", name_ar="الرصيف")
    devices = [watch.device(f"A-{n}", "environment", places.in_salmiya, is_heard=True) for n in range(5)]
    group.devices.set(devices)
    gone = {"status": Device.Status.OFFLINE, "status_since": watch.at}
    Device.objects.filter(code__in=["A-0", "A-1"]).update(**gone)
    assert look_for_insights(now=watch.at) == (0, 0)
    Device.objects.filter(code="A-2").update(**gone)
    assert look_for_insights(now=watch.at) == (1, 0)
    row = Insight.objects.get()
    assert row.params["away"] == 3 and row.params["of"] == 5 and len(row.evidence) == 3 and row.zone == places.hawalli


def test_a_battery_that_ends_is_told_by_its_forecast_and_too_short_a_history_is_not(watch: Watch, places: Any) -> None:
    falling, young = (watch.device(code, "environment", places.in_salmiya, is_heard=True) for code in ("A-1", "A-2"))
    Device.objects.update(battery_pct=25)
    assert keep_levels(now=watch.at) == keep_levels(now=watch.at) == 2 == BatteryDay.objects.count()
    today = BatteryDay.objects.get(device=falling).day
    BatteryDay.objects.bulk_create(
        [BatteryDay(device=falling, day=today - timedelta(days=n), level_pct=25 + n * 0.6) for n in range(1, 60)]
    )
    found = forecasts([falling.pk, young.pk], now=watch.at)
    assert found[young.pk].why == "too_little_history" and 20 < (found[falling.pk].days_left or 0) < 30
    assert look_for_insights(now=watch.at) == (0, 0)  # of the day, not of each minute
    assert look_for_insights(now=watch.at, also_of_the_day=True) == (1, 0)
    assert Insight.objects.get().device == falling and Insight.objects.get().weight == Insight.Weight.MEDIUM


def test_a_certificate_that_ends_is_told_unless_a_newer_one_is_there(watch: Watch, places: Any) -> None:
    device, renewed = (watch.device(code, "environment", places.in_salmiya, is_heard=True) for code in ("A-1", "A-2"))
    for n, (one, days) in enumerate(((device, 5), (renewed, 5), (renewed, 300))):
        DeviceCredential.objects.create(device=one, kind="certificate", digest=str(n) * 64, not_after=watch.at + timedelta(days=days))
    assert look_for_insights(now=watch.at, also_of_the_day=True) == (1, 0)
    row = Insight.objects.get()
    assert (row.device, row.code, row.weight) == (device, "certificate_ending", Insight.Weight.HIGH)


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("late_night_motion", {"value": 60.0, "usual": 1.0}),
        ("camera_down", {"since": "2026-03-02T09:00:00+00:00", "incidents": 6}),
        ("crowd_rising", {"value": 9.0, "before": 3.0, "usual": 1.5}),
        ("group_away", {"away": 3, "of": 5, "name": "quay", "since": "2026-03-02T09:00:00+00:00"}),
        ("battery_ending", {"days": 6.6, "least": 5.1, "level": 12.0}),
        ("certificate_ending", {"days": 1}),
    ],
)
def test_each_is_said_in_either_language_when_it_is_read(code: str, params: dict[str, Any]) -> None:
    with override("en"):
        english = sentence_of(code, params)
    with override("ar"):
        arabic = sentence_of(code, params)
    assert english and arabic and english != arabic and "%(" not in english + arabic
    assert set(Insight.Code.values) >= {code}
